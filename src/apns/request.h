/* SPDX-License-Identifier: ISC */
/* request - the HTTP/2 request of one push, as Apple documents it. */
#ifndef APNS_REQUEST_H
#define APNS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/h2.h"
#include "push/transport.h"

#define APNS_TOKEN_MIN ((size_t)32) /* hex digits, an even number */
#define APNS_TOKEN_MAX ((size_t)200)
#define APNS_ID_LEN 36

struct apns_request_opts {
	const char *authority;
	const char *push_type;
	unsigned priority;     /* 0: header left out */
	unsigned expiration_s; /* 0: not stored for a phone that is off */
};

/* Points into itself: not to be copied. */
struct apns_request {
	struct h2_request h2;
	struct h2_header headers[5];
	char path[sizeof("/3/device/") + APNS_TOKEN_MAX];
	char id[APNS_ID_LEN + 1];
	char priority[12];
	char expiration[24];
};

/*
 * apns_request_fill makes |r| the request for |job| with the body |payload|;
 * it borrows the strings of all three. |now_ms| is the time of day. Results: 0;
 * ERR_INVALID, APNs would refuse the token or topic: never to be sent, since it
 * counts against us.
 */
int apns_request_fill(struct apns_request *r,
                      const struct apns_request_opts *opts,
                      const struct push_job *job, struct str payload,
                      int64_t now_ms) __attribute__((warn_unused_result));

/* apns_topic_is_valid: 1 to 255 of the characters that bundle ids have. */
bool apns_topic_is_valid(struct str topic);

#endif
