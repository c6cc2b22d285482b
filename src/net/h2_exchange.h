/* SPDX-License-Identifier: ISC */
/*
 * h2_exchange - one request of an h2 connection and what came back of it, up
 * to the one call that tells. Knows no frames; for h2 alone.
 */
#ifndef NET_H2_EXCHANGE_H
#define NET_H2_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/h2.h"

enum { H2_RETRY_AFTER_MAX = 64 };

struct h2_exchange {
	TAILQ_ENTRY(h2_exchange) entry;
	h2_response_fn *fn;
	void *arg;
	uint64_t due_ms;
	uint64_t timeout_ms;
	int32_t stream_id;
	bool written; /* its HEADERS were handed to the stream */
	struct str body;
	size_t body_sent;
	size_t header_bytes;
	struct buf answer;
	int status;
	size_t retry_after_len;
	char retry_after[H2_RETRY_AFTER_MAX];
	enum h2_outcome outcome; /* once ended */
	char why[160];
};

/* In the order asked. */
TAILQ_HEAD(h2_exchange_list, h2_exchange);

/* h2_exchange_new copies |body|; freed by h2_exchange_free or _tell. */
struct h2_exchange *h2_exchange_new(struct str body, uint64_t now_ms,
                                    uint64_t timeout_ms, h2_response_fn *fn,
                                    void *arg);
void h2_exchange_free(struct h2_exchange **x);

/* h2_exchange_read copies at most |len| bytes of the request's body to |out|
 * and returns how many. */
size_t h2_exchange_read(struct h2_exchange *x, void *out, size_t len);

/* h2_exchange_is_sent: all of the body was read. */
bool h2_exchange_is_sent(const struct h2_exchange *x);

/* h2_exchange_header takes one field of the response. Returns false when the
 * header gets larger than anyone needs. */
bool h2_exchange_header(struct h2_exchange *x, struct str name,
                        struct str value);

/* h2_exchange_answer takes a piece of the response's body. Returns false when
 * it had to be cut. */
bool h2_exchange_answer(struct h2_exchange *x, struct str bytes);

/* h2_exchange_end notes how it ended. What was never written was surely not
 * processed, whatever ended it. */
void h2_exchange_end(struct h2_exchange *x, enum h2_outcome outcome,
                     const char *why);

/* h2_exchange_tell makes the one call of an ended exchange, then frees it. */
void h2_exchange_tell(struct h2_exchange **x);

#endif
