/* SPDX-License-Identifier: ISC */
/*
 * metric - what is counted, under the names that Prometheus shows: a table of
 * families and one of their rows. The counters are the only mutable state of
 * the process besides the log sink; processes that were forked share theirs
 * with the one that shows them. Names of users, tokens and addresses are never
 * labels.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"

enum metric {
	/* Gauge: sessions, in the order of enum session_state. */
	METRIC_SESSIONS_OPENING,
	METRIC_SESSIONS_PRELOGIN,
	METRIC_SESSIONS_LOGIN,
	METRIC_SESSIONS_REFUSED,
	METRIC_SESSIONS_RELAY,
	METRIC_SESSIONS_ACCEPTED,
	METRIC_TLS_HANDSHAKES_FULL, /* with clients */
	METRIC_TLS_HANDSHAKES_RESUMED,
	METRIC_TLS_HANDSHAKES_FAILED,
	METRIC_LOGINS_OK,
	METRIC_LOGINS_REFUSED,
	METRIC_LOGINS_UNAVAILABLE,
	METRIC_RELAYED_TO_CLIENT,
	METRIC_RELAYED_TO_SERVER,
	METRIC_EDITS_SKIPPED, /* lines too long to look for capabilities */
	METRIC_BACKEND_UP,    /* gauge: 1 or 0 */
	METRIC_REGISTRATIONS, /* gauge */
	METRIC_REGISTRATION_COMMANDS_OK,
	METRIC_REGISTRATION_COMMANDS_MEMORY, /* OK, but only in memory */
	METRIC_REGISTRATION_COMMANDS_BAD,
	METRIC_USERS_WATCHED, /* gauges */
	METRIC_USERS_UNWATCHED,
	METRIC_WATCHERS_QUEUED, /* gauges: accounts by state and method */
	METRIC_WATCHERS_CONNECTS,
	METRIC_WATCHERS_IDLE, /* watched */
	METRIC_WATCHERS_POLL, /* likewise */
	METRIC_WATCHERS_WAITS,
	METRIC_WATCHERS_DARK,
	METRIC_EVENTS_NEW,
	METRIC_EVENTS_CHANGE,
	METRIC_PUSHES, /* labelled: see metric_add_labelled */
	METRIC_WAKE_RINGS,
	METRIC_QUEUE_DEPTH,       /* gauge */
	METRIC_QUEUE_OLDEST,      /* time of day, ms; 0: nothing is owed */
	METRIC_CREDENTIAL_EXPIRY, /* seconds since 1970, 0: it does not end */
	METRIC_STORE_UP,          /* gauge: 1 or 0 */
	METRIC_STORE_ERRORS,
	METRIC_PROCESS_RESTARTS, /* labelled with the role */
	METRIC_BUILD_INFO,       /* gauge: 1 */
	/* Not for Prometheus: what /readyz and the page want to know. */
	METRIC_PROCESSES,       /* gauge: those that run */
	METRIC_BACKEND_SEEN_MS, /* gauge: the loop's time when one of them
	                           was last reached; 0: never */
	METRIC_DRAINING,        /* gauge: 1 from the first SIGTERM on */
	METRICS
};

enum metric_duration {
	METRIC_BACKEND_CONNECT, /* connections that came about */
	METRIC_PUSH,            /* event seen to answer */
	METRIC_DURATIONS
};

/* metric_add counts |n| more. From the loop's thread, as all here. */
void metric_add(enum metric m, uint64_t n);

/* metric_set gives a gauge its value; metric_change adds to it. */
void metric_set(enum metric m, int64_t value);
void metric_change(enum metric m, int64_t by);

/* metric_get reads it, as this process alone has counted. */
int64_t metric_get(enum metric m);

/*
 * metric_add_labelled counts |n| more in the series of |m| that |labels| names,
 * as `status="200",reason=""`. The series are few; what does not fit any more
 * is counted in one whose labels are `other="true"`. With |n| 0 the series is
 * shown from now on.
 */
void metric_add_labelled(enum metric m, const char *labels, uint64_t n);

/* metric_observe counts one that took |ms|. */
void metric_observe(enum metric_duration d, uint64_t ms);

/*
 * metric_share makes room for the counters of so many processes, in memory that
 * they share after a fork; this one is the first of them. Results: 0;
 * ERR_UNAVAILABLE, and nothing is shared. metric_unshare is the way back, for
 * the process that forked them, and for one that has no counters of its own.
 */
int metric_share(size_t processes) __attribute__((warn_unused_result));
void metric_unshare(void);

/* metric_be: this process was forked and is the one with that number. It goes
 * on where its predecessor ended, gauges excepted, and sees no other's. */
void metric_be(size_t process);

/* metric_be_reader likewise, but it reads all others', and can change none
 * unless it may unprotect memory. */
void metric_be_reader(size_t process);

/* metric_gone: the process with that number has ended; its gauges are of
 * nothing any more. For the one that forked it. */
void metric_gone(size_t process);

/* metric_total reads |m| as metric_show shows it: of all processes that may be
 * seen together. */
int64_t metric_total(enum metric m);

/* A line of what is shown. All borrowed for the call. */
struct metric_sample {
	const char *family; /* the name alone */
	const char *type;   /* "counter", "gauge" or "histogram" */
	const char *help;   /* a sentence */
	const char *name;   /* with labels in braces */
	const char *text;   /* the value */
	int64_t value;      /* the same; of a duration in ms */
};

/*
 * metric_show calls |fn| with each sample, those of one family together, in the
 * order of the table: of all processes together, where this one may see them.
 * |now_ms| is the time of day.
 */
typedef void metric_fn(void *arg, const struct metric_sample *sample);
void metric_show(int64_t now_ms, metric_fn *fn, void *arg);

/* metric_log logs each that is not 0. */
void metric_log(const struct log_ctx *log, int64_t now_ms);

#endif
