/* SPDX-License-Identifier: ISC */
/*
 * door - a listener: where it is, and what it wants of those who come in. With
 * proxy_protocol who they are is in the header that comes first.
 */
#ifndef PROXY_DOOR_H
#define PROXY_DOOR_H

#include "base/err.h"
#include "base/ratelimit.h"
#include "net/loop.h"
#include "proxy/proxy.h"

struct listener;
struct preambles;
struct sessions;

struct door {
	struct loop *loop;
	struct sessions *sessions; /* who gets the clients; borrowed */
	struct listener *listener; /* NULL: closed */
	enum proxy_security security;
	struct preambles *preambles; /* NULL: no proxy_protocol */
	struct ratelimit refusals;   /* that get a line in the log */
	struct err_detail url;       /* with the real port, for log lines */
};

/* door_url writes where that is, with the real |port|. */
void door_url(const struct proxy_listen *where, uint16_t port,
              struct err_detail *url_r);

/* door_open listens at |where| and logs it, unless that was done before.
 * Results: as listener_open. */
int door_open(struct door *d, struct loop *loop, struct sessions *sessions,
              const struct proxy_listen *where, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* door_close stops accepting; sessions that came in go on. */
void door_close(struct door *d);

#endif
