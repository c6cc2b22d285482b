/* SPDX-License-Identifier: ISC */
/* endpoint - what apns.url says: where APNs is, or that nothing is sent. */
#ifndef APNS_ENDPOINT_H
#define APNS_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define APNS_HOST_MAX ((size_t)253)

struct apns_endpoint {
	bool dry_run;                      /* the rest is empty then */
	char host[APNS_HOST_MAX + 1];      /* name or address, no brackets */
	char authority[APNS_HOST_MAX + 9]; /* host, with port unless 443 */
	uint16_t port;
};

/*
 * apns_endpoint_parse reads "dry-run" or "https://HOST[:PORT]", IPv6 in
 * brackets, a "/" at the end allowed. Results: 0; ERR_INVALID with a sentence.
 */
int apns_endpoint_parse(struct str url, struct apns_endpoint *e_r,
                        struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
