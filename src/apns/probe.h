/* SPDX-License-Identifier: ISC */
/*
 * probe - asks APNs, without a device, whether it takes credential and topic:
 * one push to a token of zeros, which is refused as such (BadDeviceToken) only
 * after both were looked at.
 */
#ifndef APNS_PROBE_H
#define APNS_PROBE_H

#include <stdint.h>

#include "apns/apns.h"
#include "apns/credential.h"
#include "base/err.h"
#include "net/loop.h"
#include "net/resolve.h"

struct apns_probe;

/* Called once. Answered: |rc| is 0, |status| is set, |reason| is one of Apple's
 * table, "other" or "". Else |rc| is ERR_* and |why| a sentence. */
typedef void apns_probe_fn(void *arg, int rc, int status, const char *reason,
                           const char *why);

/*
 * apns_probe_start dials and asks; the strings of |opts| and |topic| stay the
 * caller's until |done|, which comes on a later turn, at the latest after
 * |deadline_ms|, and ends the probe. Results: 0; ERR_INVALID with a sentence
 * (url, CA file, topic), and |done| does not come.
 */
int apns_probe_start(struct loop *loop, struct resolver *resolver,
                     const struct apns_opts *opts,
                     const struct credential *credential, struct str topic,
                     uint64_t deadline_ms, apns_probe_fn *done, void *arg,
                     struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
