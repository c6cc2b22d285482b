/* SPDX-License-Identifier: ISC */
/*
 * proxy - the side that clients see: listeners, sessions, limits. Mail first:
 * nothing of the push side refuses, delays or ends a session.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/route.h"
#include "net/tls.h"
#include "push/service.h"

struct network;
struct proxy;

enum proxy_security {
	PROXY_PLAIN,   /* logins in the clear: loopback, or TLS ends before */
	PROXY_TLS,     /* from the first octet on */
	PROXY_STARTTLS /* TLS by command, and no login before it */
};

struct proxy_listen {
	const char *host; /* "*", a name or an address */
	uint16_t port;    /* 0: a free one */
	enum proxy_security security;
	/* Connections begin with a PROXY header, and come from |trusted|. */
	bool proxy_protocol;
	const struct network *trusted; /* borrowed while proxy_new runs */
	size_t trusted_count;
	/* Descriptors that are bound there already, the door's from now on;
	 * none: it opens them. */
	const int *fds;
	size_t fd_count;
};

struct proxy_opts {
	const struct proxy_listen *listen;
	size_t listen_count;
	struct tls_ctx *tls;         /* unless all are plain; borrowed */
	const struct routes *routes; /* borrowed */
	bool push_enabled;           /* false: a backend's own command passes */
	const struct str *hide;      /* capability.hide; borrowed */
	size_t hide_count;
	unsigned sessions_max;               /* 10000 */
	unsigned logins_pending_per_address; /* 20 */
	unsigned login_failures;             /* 5 per session */
	unsigned login_s;                    /* 60 */
	unsigned idle_s;                     /* 1860 */
	unsigned fresh_s; /* 300: how old what is known of a backend may get */
	const char *trace_user; /* NULL none, "all" everyone */
	/* Sessions are called by the numbers from |id_first| on, each by
	 * |id_step| higher: those of several proxies differ. 0: 1. */
	unsigned id_first;
	unsigned id_step;
};

/*
 * proxy_new opens the listeners, logs `listening url=...` with the real port
 * for each, and starts the probes that keep the pre-login list fresh. Results:
 * 0; ERR_PERMISSION or ERR_DNS with a sentence naming the listener.
 */
int proxy_new(struct loop *loop, struct resolver *resolver,
              struct service *service, const struct proxy_opts *opts,
              struct proxy **p_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * proxy_set_opts has |opts| hold from now on, as they do for proxy_new, but for
 * the listeners and the numbers of sessions, which stay. Who is here keeps the
 * certificate, and the times that run.
 */
void proxy_set_opts(struct proxy *p, const struct proxy_opts *opts);

/* proxy_drain stops accepting; |empty| once no session is left (on a later
 * turn; at once if none is there), or after |drain_ms|, when each remaining
 * session got a BYE at a boundary and was closed; who has not begun to log in
 * gets it now. With 0 all may stay as long as they like. May be called again.
 */
void proxy_drain(struct proxy *p, uint64_t drain_ms, loop_fn *empty, void *arg);

/* proxy_free closes what is left without ceremony. */
void proxy_free(struct proxy **p);

#endif
