/* SPDX-License-Identifier: ISC */
/*
 * h2 - the client side of one HTTP/2 connection (RFC 9113) on a stream.
 * Nothing is sent before the peer's SETTINGS came, never more requests at once
 * than it allows, and every request ends in exactly one answer that says
 * whether the peer may have acted on it.
 */
#ifndef NET_H2_H
#define NET_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"
#include "net/stream.h"

struct h2;

struct h2_header {
	struct str name; /* lower case */
	struct str value;
	bool no_index; /* value changes each time: keep it out of HPACK's table
	                */
};

struct h2_request {
	struct str method;    /* "POST" */
	struct str scheme;    /* "https" */
	struct str authority; /* host, with port unless 443 */
	struct str path;
	const struct h2_header *headers;
	size_t header_count;
	struct str body;
};

/* How a request ended. */
enum h2_outcome {
	H2_ANSWERED,      /* status and body are set */
	H2_NOT_PROCESSED, /* never reached the peer's application:
	                     REFUSED_STREAM, above GOAWAY's last stream id, or
	                     never written. May be sent again freely (RFC 9113
	                     section 8.7) */
	H2_UNKNOWN        /* connection lost, stream reset or time-out while it
	                     was in flight: the peer may have acted */
};

struct h2_response {
	enum h2_outcome outcome;
	int status;             /* 100-599 when answered */
	struct str body;        /* at most H2_BODY_MAX, cut there */
	struct str retry_after; /* that header's value, or empty */
	const char *why;        /* a sentence when not answered */
};

#define H2_BODY_MAX ((size_t)4096)

typedef void h2_response_fn(void *arg, const struct h2_response *response);

struct h2_handler {
	/* The peer's first SETTINGS came: requests may be sent. */
	void (*on_ready)(void *arg);
	/* Slots became free, or the peer changed its limit. */
	void (*on_slots)(void *arg);
	/* GOAWAY came: no new request fits; those in flight go on. |debug| is
	 * the peer's text, unsafe for a log line as it is. */
	void (*on_goaway)(void *arg, uint32_t code, struct str debug);
	/* The connection is over. Every request was answered before. The owner
	 * frees it with h2_free, here or later. */
	void (*on_closed)(void *arg, int rc, const char *why);
};

/*
 * h2_new takes |stream| (open, ALPN h2) and sends preface and SETTINGS.
 * |in_flight_max| bounds requests at once besides the peer's limit. No answer
 * to the preface within |settings_ms|: closed with ERR_TIMEOUT.
 */
struct h2 *h2_new(struct loop *loop, struct stream *stream,
                  size_t in_flight_max, uint64_t settings_ms,
                  const struct h2_handler *handler, void *arg);

/* h2_slots: how many requests may be submitted now; 0 before on_ready, between
 * a time-out and the answer to its PING, after GOAWAY and once closed. */
size_t h2_slots(const struct h2 *h);

/* h2_in_flight: how many requests wait for their answer. */
size_t h2_in_flight(const struct h2 *h);

/*
 * h2_submit sends |request|, which is copied. |fn| comes once on a later turn,
 * at the latest after |timeout_ms| (then the stream is reset and a PING finds
 * out whether the peer lives; none within 5 s closes the connection).
 * Results: 0; ERR_UNAVAILABLE, no slot.
 */
int h2_submit(struct h2 *h, const struct h2_request *request,
              uint64_t timeout_ms, h2_response_fn *fn, void *arg)
	__attribute__((warn_unused_result));

/* h2_ping sends a PING; no answer within 5 s closes the connection. */
void h2_ping(struct h2 *h);

/*
 * h2_free ends the connection (GOAWAY if it still stands) and frees; requests
 * in flight end as H2_UNKNOWN, unwritten ones as H2_NOT_PROCESSED, from inside
 * this call. on_closed is not called.
 */
void h2_free(struct h2 **h);

#endif
