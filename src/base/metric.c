/* SPDX-License-Identifier: ISC */
/* metric - see metric.h. */
#include "base/metric.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

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
	[METRIC_PROCESS_RESTARTS] = "imapbell_process_restarts_total",
};

static_assert(sizeof(names) / sizeof(names[0]) == METRICS,
              "every metric has a name");

/* One set of labels of a metric. */
struct series {
	enum metric metric;
	char labels[LABELS_MAX];
	int64_t value;
};

/* What one process counts. */
struct block {
	int64_t values[METRICS];
	struct series series[SERIES_MAX];
	size_t series_count;
};

static struct block own;
static struct block *here = &own;
/* Those of all processes, in the one that may see them; else NULL. */
static struct block **all;
static size_t all_count;

static bool is_gauge(enum metric m)
{
	return strstr(names[m], "_total") == NULL;
}

int metric_share(size_t processes)
{
	assert(all == NULL && here == &own);
	all = xcalloc(processes, sizeof(struct block *));
	for (size_t i = 0; i < processes; i++) {
		/* Each in pages of its own, that others can let go of. */
		void *pages =
			mmap(NULL, sizeof(struct block), PROT_READ | PROT_WRITE,
		             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (pages == MAP_FAILED)
			return ERR_UNAVAILABLE;
		all[all_count++] = pages;
	}
	here = all[0];
	*here = own;
	return ERR_OK;
}

void metric_unshare(void)
{
	if (all == NULL)
		return;
	own = *here;
	here = &own;
	for (size_t i = 0; i < all_count; i++)
		(void)munmap(all[i], sizeof(struct block));
	free(all);
	all = NULL;
	all_count = 0;
}

void metric_add(enum metric m, uint64_t n)
{
	here->values[m] += (int64_t)n;
}

void metric_set(enum metric m, int64_t value)
{
	here->values[m] = value;
}

int64_t metric_get(enum metric m)
{
	return here->values[m];
}

/* find_series makes the series in |b| if there is room, else returns the
 * last. */
static struct series *find_series(struct block *b, enum metric m,
                                  const char *labels)
{
	struct series *s;

	for (size_t i = 0; i < b->series_count; i++) {
		s = &b->series[i];
		if (s->metric == m && strcmp(s->labels, labels) == 0)
			return s;
	}
	if (b->series_count == SERIES_MAX)
		return &b->series[SERIES_MAX - 1];
	if (b->series_count == SERIES_MAX - 1)
		labels = "other=\"true\"";
	s = &b->series[b->series_count++];
	s->metric = m;
	snprintf(s->labels, sizeof(s->labels), "%s", labels);
	return s;
}

void metric_add_labelled(enum metric m, const char *labels, uint64_t n)
{
	assert(strlen(labels) < LABELS_MAX);
	find_series(here, m, labels)->value += (int64_t)n;
	here->values[m] += (int64_t)n;
}

/* add wraps rather than overflow: any number may be there. */
static void add(int64_t *sum, int64_t value)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

/* add_series adds those of |b| to |sum|. The process that it belongs to may
 * have been taken over: nothing there is believed to have an end. */
static void add_series(struct block *sum, const struct block *b)
{
	size_t count =
		b->series_count < SERIES_MAX ? b->series_count : SERIES_MAX;

	for (size_t i = 0; i < count; i++) {
		struct series s = b->series[i];

		s.labels[LABELS_MAX - 1] = '\0';
		if ((unsigned)s.metric < METRICS)
			add(&find_series(sum, s.metric, s.labels)->value,
			    s.value);
	}
}

/* add_block: counters add up; a gauge belongs to the process that knows. */
static void add_block(struct block *sum, const struct block *b)
{
	for (unsigned i = 0; i < METRICS; i++) {
		int64_t value = b->values[i];

		if (!is_gauge((enum metric)i))
			add(&sum->values[i], value);
		else if (value > sum->values[i])
			sum->values[i] = value;
	}
	add_series(sum, b);
}

/* clean makes |b| what it may be: the process that had it may have been taken
 * over. */
static void clean(struct block *b)
{
	struct block *sum = xcalloc(1, sizeof(*sum));

	add_block(sum, b);
	*b = *sum;
	free(sum);
}

void metric_be(size_t process)
{
	here = all[process];
	clean(here);
	for (size_t i = 0; i < all_count; i++) {
		if (i != process)
			(void)munmap(all[i], sizeof(struct block));
	}
	for (unsigned i = 0; i < METRICS; i++) {
		if (is_gauge((enum metric)i))
			here->values[i] = 0;
	}
	free(all);
	all = NULL;
	all_count = 0;
}

/* walk_series tells of the series of |m|. Returns how many it has. */
static size_t walk_series(const struct block *b, enum metric m, metric_fn *fn,
                          void *arg)
{
	char name[NAME_MAX_LEN];
	size_t count = 0;

	for (size_t i = 0; i < b->series_count; i++) {
		if (b->series[i].metric != m)
			continue;
		snprintf(name, sizeof(name), "%s{%s}", names[m],
		         b->series[i].labels);
		fn(arg, name, b->series[i].value);
		count++;
	}
	return count;
}

void metric_walk(metric_fn *fn, void *arg)
{
	struct block *sum = xcalloc(1, sizeof(*sum));

	if (all == NULL)
		add_block(sum, here);
	for (size_t i = 0; i < all_count; i++)
		add_block(sum, all[i]);
	for (unsigned i = 0; i < METRICS; i++) {
		enum metric m = (enum metric)i;

		if (walk_series(sum, m, fn, arg) == 0)
			fn(arg, names[m], sum->values[i]);
	}
	free(sum);
}
