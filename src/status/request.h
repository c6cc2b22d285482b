/* SPDX-License-Identifier: ISC */
/*
 * request - the head of an HTTP request, as far as a server needs it that has a
 * few pages and closes after each: RFC 9112. Pure: no I/O, no clock.
 */
#ifndef STATUS_REQUEST_H
#define STATUS_REQUEST_H

#include "base/err.h"
#include "base/str.h"

/* Octets of a head; a longer one is not read. Browsers and Prometheus send a
 * few hundred. */
#define REQUEST_MAX ((size_t)8192)

enum request_method {
	REQUEST_GET,
	REQUEST_HEAD,
	REQUEST_OTHER /* any that has no business here */
};

struct request {
	enum request_method method;
	struct str path; /* without a query; of what was read, or static */
};

/*
 * request_parse reads |in|, which is all that came. Results: 0, the head is
 * whole, whatever stands behind it; ERR_MORE; ERR_PARSE, this is not HTTP/1;
 * ERR_LIMIT, the head is longer than REQUEST_MAX.
 */
int request_parse(struct str in, struct request *r_r)
	__attribute__((warn_unused_result));

#endif
