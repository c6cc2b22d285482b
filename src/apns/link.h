/* SPDX-License-Identifier: ISC */
/*
 * link - the one warm connection to APNs: opened when something wants it, kept,
 * replaced when it is lost or told to go away. Knows nothing of pushes.
 */
#ifndef APNS_LINK_H
#define APNS_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "net/h2.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tls.h"

struct apns_link;

struct apns_link_opts {
	const char *host;
	uint16_t port;
	size_t in_flight_max;
};

/* What an answer says of the connection that it came over. */
enum apns_link_health {
	APNS_LINK_WELL,
	APNS_LINK_UNWELL, /* three of these in a row, and it is replaced */
	APNS_LINK_DEAD    /* it is replaced: what is in flight ends on it */
};

typedef enum apns_link_health apns_link_fn(void *arg,
                                           const struct h2_response *response);

/*
 * apns_link_new dials nothing yet. |tls| becomes the link's. |ready| is called
 * with |arg| once for each time that apns_link_want was asked, on a later turn,
 * when a request can be sent.
 */
struct apns_link *apns_link_new(struct loop *loop, struct resolver *resolver,
                                const struct apns_link_opts *opts,
                                struct tls_ctx *tls, loop_fn *ready, void *arg);

/* apns_link_free ends the connection; requests still open are answered as
 * H2_UNKNOWN or H2_NOT_PROCESSED from inside this call. */
void apns_link_free(struct apns_link **l);

/*
 * apns_link_renew has the next connection use |tls|, which becomes the link's,
 * for |in_flight_max| requests at a time.
 * The one there is takes no request any more, and ends with its last answer; a
 * wait for the next one is over.
 */
void apns_link_renew(struct apns_link *l, struct tls_ctx *tls,
                     size_t in_flight_max);

/*
 * apns_link_want says that a request waits, and sees to it that a connection
 * is or will be there: at once, or when the back-off after the last failure
 * ends. Without it, a lost connection is not replaced.
 */
void apns_link_want(struct apns_link *l);

/*
 * apns_link_submit sends |request|, which is copied; |fn| comes once on a later
 * turn, at the latest after |timeout_ms|. Results: 0; ERR_UNAVAILABLE, no
 * connection or no slot: ask apns_link_want.
 */
int apns_link_submit(struct apns_link *l, const struct h2_request *request,
                     uint64_t timeout_ms, apns_link_fn *fn, void *arg)
	__attribute__((warn_unused_result));

#endif
