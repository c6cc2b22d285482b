/* SPDX-License-Identifier: ISC */
/*
 * dial - an outgoing connection, ready to use: resolve, connect (each address
 * in turn) and TLS under one deadline.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdint.h>

#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "net/tls.h"

struct dial;

struct dial_target {
	const char *host;
	uint16_t port;
	struct tls_ctx *tls; /* NULL: plain */
	const char *name;    /* to verify and for SNI; NULL: |host| */
};

/*
 * Called once: |rc| 0 and a stream without a handler, the caller's to close;
 * or ERR_DNS, ERR_TLS, ERR_AUTH (our certificate was refused), ERR_TIMEOUT,
 * ERR_CLOSED (refused, unreachable) with a sentence in |why| that names the
 * host and what failed.
 */
typedef void dial_done_fn(void *arg, int rc, struct stream *stream,
                          const char *why);

/*
 * dial_start begins; |target| is copied. |done| comes on a later turn, at
 * the latest after |deadline_ms|.
 */
struct dial *dial_start(struct loop *loop, struct resolver *resolver,
                        const struct dial_target *target, uint64_t deadline_ms,
                        dial_done_fn *done, void *arg);

/* dial_cancel: |done| will not be called. Clears the pointer. */
void dial_cancel(struct dial **d);

#endif
