/* SPDX-License-Identifier: ISC */
/*
 * metric - what is counted, under the names that Prometheus shows. One table;
 * the counters are the only mutable state of the process besides the log sink.
 * Names of users, tokens and addresses are never labels.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum metric {
	METRIC_SESSIONS_ACCEPTED,
	METRIC_TLS_HANDSHAKES_FULL, /* with clients */
	METRIC_TLS_HANDSHAKES_RESUMED,
	METRIC_LOGINS_OK,
	METRIC_LOGINS_REFUSED,
	METRIC_LOGINS_UNAVAILABLE,
	METRIC_BACKEND_UP,    /* gauge: 1 or 0 */
	METRIC_EDITS_SKIPPED, /* lines too long to look for capabilities */
	METRIC_REGISTRATIONS,
	METRIC_REGISTRATION_COMMANDS_OK,
	METRIC_REGISTRATION_COMMANDS_MEMORY, /* OK, but only in memory */
	METRIC_REGISTRATION_COMMANDS_BAD,
	METRIC_USERS_WATCHED,
	METRIC_USERS_UNWATCHED,
	METRIC_EVENTS_NEW,
	METRIC_EVENTS_CHANGE,
	METRIC_PUSHES, /* labelled: see metric_add_labelled */
	METRIC_WAKE_RINGS,
	METRIC_QUEUE_DEPTH,
	METRIC_CREDENTIAL_EXPIRY, /* seconds since 1970, 0: none */
	METRIC_STORE_UP,
	METRIC_STORE_ERRORS,
	METRIC_PROCESS_RESTARTS, /* labelled with the role */
	METRICS
};

/* metric_add counts |n| more. From the loop's thread, as all here. */
void metric_add(enum metric m, uint64_t n);

/* metric_set gives a gauge its value. */
void metric_set(enum metric m, int64_t value);

/* metric_get reads it. */
int64_t metric_get(enum metric m);

/*
 * metric_add_labelled counts |n| more in the series of |m| that |labels| names,
 * as `status="200",reason=""`. The series are few; what does not fit any more
 * is counted in one whose labels are `other="true"`.
 */
void metric_add_labelled(enum metric m, const char *labels, uint64_t n);

/*
 * metric_share makes room for the counters of so many processes, in memory that
 * they share after a fork; this one is the first of them. Results: 0;
 * ERR_UNAVAILABLE, and nothing is shared. metric_unshare is the way back, for
 * the process that forked them.
 */
int metric_share(size_t processes) __attribute__((warn_unused_result));
void metric_unshare(void);

/* metric_be: this process was forked and is the one with that number. It goes
 * on where its predecessor ended, gauges excepted, and sees no other's. */
void metric_be(size_t process);

/* metric_walk calls |fn| with the name, labels in braces included, of every
 * series and its value, in the order of the table; of all processes together
 * in the one that forked them. */
typedef void metric_fn(void *arg, const char *name, int64_t value);
void metric_walk(metric_fn *fn, void *arg);

#endif
