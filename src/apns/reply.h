/* SPDX-License-Identifier: ISC */
/*
 * reply - what an answer of APNs means for the push: Apple's statuses and
 * reasons as one table, and the delay of those that are to go again.
 */
#ifndef APNS_REPLY_H
#define APNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "push/transport.h"

#define APNS_REPLY_BODY_MAX ((size_t)4096)

/* One row: what is done about a status and reason. */
struct apns_reply_row {
	const char *reason; /* "" for 200 */
	int status;
	enum push_verdict verdict;
};

/* An answer, as it came. */
struct apns_reply {
	const struct apns_reply_row *row; /* NULL: not in the table */
	int status;
	const char *reason; /* of the table, "other" or ""; static */
	bool has_timestamp;
	int64_t timestamp_ms;    /* since 1970 */
	uint64_t retry_after_ms; /* 0: not asked for; at most an hour */
};

/* What the verdict depends on besides the answer. */
struct apns_reply_case {
	unsigned retry_s;
	uint32_t attempts; /* answered tries before this one */
	int64_t sent_ms;   /* time of day */
	uint32_t random;   /* any value: the jitter */
};

/*
 * apns_reply_parse reads status, JSON body and Retry-After (seconds). Anything
 * may be in them: what is not understood is left out, an unknown reason is
 * "other".
 */
void apns_reply_parse(int status, struct str body, struct str retry_after,
                      struct apns_reply *reply_r);

/* apns_reply_reason finds the reason of the table that |body| names, which may
 * be the debug data of GOAWAY too. NULL: none of them. Static. */
const char *apns_reply_reason(struct str body);

/*
 * apns_reply_judge turns the answer into a result. 410 unregisters as of its
 * timestamp, or as of the time of sending if it has none. A delay doubles with
 * the attempts from |retry_s| up to 4 h, give or take a fifth; Retry-After goes
 * before it.
 */
void apns_reply_judge(const struct apns_reply *reply,
                      const struct apns_reply_case *c,
                      struct push_result *result_r);

/* apns_reply_table is for a test that walks it. */
const struct apns_reply_row *apns_reply_table(size_t *count_r);

#endif
