/* SPDX-License-Identifier: ISC */
/* metric - see metric.h. */
#include "base/metric.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { SERIES_MAX = 64, LABELS_MAX = 80, NAME_MAX_LEN = 160 };

static const char *const names[] = {
	[METRIC_SESSIONS_ACCEPTED] = "imapbell_sessions_accepted_total",
	[METRIC_TLS_HANDSHAKES_FULL] =
		"imapbell_tls_handshakes_total{kind=\"full\"}",
	[METRIC_TLS_HANDSHAKES_RESUMED] =
		"imapbell_tls_handshakes_total{kind=\"resumed\"}",
	[METRIC_LOGINS_OK] = "imapbell_logins_total{result=\"ok\"}",
	[METRIC_LOGINS_REFUSED] = "imapbell_logins_total{result=\"refused\"}",
	[METRIC_LOGINS_UNAVAILABLE] =
		"imapbell_logins_total{result=\"unavailable\"}",
	[METRIC_BACKEND_UP] = "imapbell_backend_up",
	[METRIC_EDITS_SKIPPED] = "imapbell_edits_skipped_total",
	[METRIC_REGISTRATIONS] = "imapbell_registrations",
	[METRIC_REGISTRATION_COMMANDS_OK] =
		"imapbell_registration_commands_total{result=\"ok\"}",
	[METRIC_REGISTRATION_COMMANDS_MEMORY] =
		"imapbell_registration_commands_total{result=\"memory\"}",
	[METRIC_REGISTRATION_COMMANDS_BAD] =
		"imapbell_registration_commands_total{result=\"bad\"}",
	[METRIC_USERS_WATCHED] = "imapbell_users{state=\"watched\"}",
	[METRIC_USERS_UNWATCHED] = "imapbell_users{state=\"unwatched\"}",
	[METRIC_EVENTS_NEW] = "imapbell_events_total{kind=\"new\"}",
	[METRIC_EVENTS_CHANGE] = "imapbell_events_total{kind=\"change\"}",
	[METRIC_PUSHES] = "imapbell_pushes_total",
	[METRIC_WAKE_RINGS] = "imapbell_wake_rings_total",
	[METRIC_QUEUE_DEPTH] = "imapbell_queue_depth",
	[METRIC_CREDENTIAL_EXPIRY] =
		"imapbell_credential_expiry_timestamp_seconds",
	[METRIC_STORE_UP] = "imapbell_store_up",
	[METRIC_STORE_ERRORS] = "imapbell_store_errors_total",
};

static_assert(sizeof(names) / sizeof(names[0]) == METRICS,
              "every metric has a name");

/* One set of labels of a metric. */
struct series {
	enum metric metric;
	char labels[LABELS_MAX];
	int64_t value;
};

static int64_t values[METRICS];
static struct series series[SERIES_MAX];
static size_t series_count;

void metric_add(enum metric m, uint64_t n)
{
	values[m] += (int64_t)n;
}

void metric_set(enum metric m, int64_t value)
{
	values[m] = value;
}

int64_t metric_get(enum metric m)
{
	return values[m];
}

/* find_series makes the series if there is room, else returns the last. */
static struct series *find_series(enum metric m, const char *labels)
{
	struct series *s;

	for (size_t i = 0; i < series_count; i++) {
		s = &series[i];
		if (s->metric == m && strcmp(s->labels, labels) == 0)
			return s;
	}
	if (series_count == SERIES_MAX)
		return &series[SERIES_MAX - 1];
	if (series_count == SERIES_MAX - 1)
		labels = "other=\"true\"";
	s = &series[series_count++];
	s->metric = m;
	snprintf(s->labels, sizeof(s->labels), "%s", labels);
	return s;
}

void metric_add_labelled(enum metric m, const char *labels, uint64_t n)
{
	assert(strlen(labels) < LABELS_MAX);
	find_series(m, labels)->value += (int64_t)n;
	values[m] += (int64_t)n;
}

/* walk_series tells of the series of |m|. Returns how many it has. */
static size_t walk_series(enum metric m, metric_fn *fn, void *arg)
{
	char name[NAME_MAX_LEN];
	size_t count = 0;

	for (size_t i = 0; i < series_count; i++) {
		if (series[i].metric != m)
			continue;
		snprintf(name, sizeof(name), "%s{%s}", names[m],
		         series[i].labels);
		fn(arg, name, series[i].value);
		count++;
	}
	return count;
}

void metric_walk(metric_fn *fn, void *arg)
{
	for (unsigned i = 0; i < METRICS; i++) {
		enum metric m = (enum metric)i;

		if (walk_series(m, fn, arg) == 0)
			fn(arg, names[m], values[m]);
	}
}
