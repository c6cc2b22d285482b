/* SPDX-License-Identifier: ISC */
/*
 * preamble - waits for the PROXY header at the front of connections that were
 * just accepted, and takes it off, and no octet behind it.
 */
#ifndef NET_PREAMBLE_H
#define NET_PREAMBLE_H

#include <stddef.h>

#include "net/address.h"
#include "net/loop.h"
#include "net/proxy_protocol.h"

struct network;
struct preambles;

/* How it ended with one connection. */
struct preamble {
	/* 0: |header| came; ERR_PERMISSION: |peer| is not trusted; ERR_LIMIT:
	 * too many wait; ERR_PARSE, ERR_TIMEOUT, ERR_CLOSED: |why| says what
	 * came instead. */
	int rc;
	int fd; /* with 0 the callee's, else closed */
	struct address peer;
	struct proxy_header header;
	const char *why; /* fit for a log line; "": it came and said nothing */
};

/* |p| is valid until return. preambles_free is not allowed inside. */
typedef void preamble_fn(void *arg, const struct preamble *p);

struct preamble_opts {
	const struct network *trusted; /* whose word counts; copied */
	size_t trusted_count;
	size_t max; /* that wait at a time */
	uint64_t timeout_ms;
};

struct preambles *preambles_new(struct loop *loop,
                                const struct preamble_opts *opts,
                                preamble_fn *fn, void *arg);

/* preambles_free closes those that wait; |fn| is not called for them. */
void preambles_free(struct preambles **all);

/* preambles_add takes |fd|, connected and non-blocking; |fn| is called once, on
 * a later turn. */
void preambles_add(struct preambles *all, int fd);

#endif
