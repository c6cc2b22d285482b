/* SPDX-License-Identifier: ISC */
/*
 * dial - an outgoing connection, ready to use: resolve, connect (each address
 * in turn), the PROXY header where the target wants one, and TLS, under one
 * deadline.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "net/tls.h"

struct address;
struct dial;

/* How the target learns the client's address. */
enum dial_forward {
	DIAL_FORWARD_NONE,
	DIAL_FORWARD_PROXY_V1,
	DIAL_FORWARD_PROXY_V2,
	DIAL_FORWARD_ID /* by an IMAP command: the caller's to say */
};

struct dial_target {
	const char *host;
	uint16_t port;
	struct tls_ctx *tls; /* NULL: plain */
	bool starttls;       /* |tls| is for dial_start_tls: connect plain */
	enum dial_forward forward;
	const char *name; /* to verify and for SNI; NULL: |host| */
	bool is_backend;  /* how long it takes is counted */
};

/* For whom: the client, and the address of ours that it connected to. */
struct dial_from {
	const struct address *client;
	const struct address *listener;
	struct str tls; /* its version, by which the client came; or empty */
};

/*
 * Called once: |rc| 0 and a stream without a handler, the caller's to close;
 * or ERR_DNS, ERR_TLS, ERR_UNTRUSTED (the certificate is not believed),
 * ERR_AUTH (ours was refused), ERR_TIMEOUT, ERR_CLOSED (refused, unreachable)
 * with a sentence in |why| that names the host and what failed.
 */
typedef void dial_done_fn(void *arg, int rc, struct stream *stream,
                          const char *why);

/*
 * dial_start begins; |target| and |from| are copied. |from| NULL: a connection
 * of our own. |done| comes on a later turn, at the latest after |deadline_ms|.
 */
struct dial *dial_start(struct loop *loop, struct resolver *resolver,
                        const struct dial_target *target,
                        const struct dial_from *from, uint64_t deadline_ms,
                        dial_done_fn *done, void *arg);

/* dial_start_tls puts TLS on an open plain |stream| to |target|, as
 * stream_start_tls does. */
void dial_start_tls(struct stream *stream, const struct dial_target *target);

/* dial_cancel: |done| will not be called. Clears the pointer. */
void dial_cancel(struct dial **d);

#endif
