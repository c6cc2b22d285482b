/* SPDX-License-Identifier: ISC */
/*
 * reply - what an answer of APNs means for the push, the connection and the
 * credential: Apple's statuses and reasons as one table.
 */
#ifndef APNS_REPLY_H
#define APNS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"
#include "push/transport.h"

#define APNS_REPLY_BODY_MAX ((size_t)4096)

enum apns_action {
	APNS_DELIVERED,
	APNS_DROP,         /* nothing of ours is known to be wrong */
	APNS_BUG,          /* our request is wrong: dropped, and told */
	APNS_TOKEN_GONE,   /* as of a time */
	APNS_TOKEN_BAD,    /* not known, or of the other environment */
	APNS_TOKEN_TOPIC,  /* the device is not for this topic */
	APNS_TOPIC,        /* the credential is not for this topic */
	APNS_CREDENTIAL,   /* it is refused */
	APNS_TOKEN_UPDATE, /* it was renewed too often */
	APNS_BUSY_DEVICE,  /* too much for this device */
	APNS_BUSY,         /* too much, or out of order, for all */
	APNS_ERROR,        /* something is wrong with them, or the connection */
	APNS_RECONNECT,    /* this connection is over */
	APNS_ACTIONS
};

/* One row: what a status and reason ask for. */
struct apns_reply_row {
	const char *reason; /* "" for 200 */
	int status;
	enum apns_action action;
};

/* An answer, as it came. */
struct apns_reply {
	enum apns_action action;
	bool is_known; /* a row of the table */
	int status;
	const char *reason;   /* of the table, "other" or ""; static */
	struct log_text said; /* the reason as the peer wrote it */
	bool has_timestamp;
	int64_t timestamp_ms;    /* since 1970 */
	uint64_t retry_after_ms; /* 0: not asked for; at most an hour */
};

/* What the verdict depends on besides the answer. */
struct apns_reply_case {
	unsigned retry_s;
	uint32_t attempts; /* answered tries before this one */
	bool other_topic;  /* the push was not for the credential's topic */
	int64_t sent_ms;   /* time of day */
	uint32_t random;   /* any value: the jitter */
};

/*
 * apns_reply_parse reads status, JSON body and Retry-After (seconds). Anything
 * may be in them: what is not understood is left out, an unknown reason is
 * "other" and judged by the status alone: 4xx drops the push, since it will be
 * refused again, anything else keeps it.
 */
void apns_reply_parse(int status, struct str body, struct str retry_after,
                      struct apns_reply *reply_r);

/* apns_reply_reason finds the reason of the table that |body| names, which may
 * be the debug data of GOAWAY too. NULL: none of them. Static. */
const char *apns_reply_reason(struct str body);

/* apns_reply_blames_us: it names one that is about the credential. */
bool apns_reply_blames_us(struct str body);

/*
 * apns_reply_judge turns the answer into a result. 410 unregisters as of its
 * timestamp, or as of the time of sending if it has none. A delay doubles with
 * the attempts: from |retry_s| up to 4 h, give or take a fifth, for one device
 * from 60 s to 15 min; Retry-After goes before it. What was refused because
 * its connection was over goes at once the first time. A topic that is not the
 * credential's is the registration's fault, not the credential's.
 */
void apns_reply_judge(const struct apns_reply *reply,
                      const struct apns_reply_case *c,
                      struct push_result *result_r);

/* apns_reply_table is for a test that walks it. */
const struct apns_reply_row *apns_reply_table(size_t *count_r);

#endif
