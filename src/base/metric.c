/* SPDX-License-Identifier: ISC */
/*
 * metric - each process counts in a block of its own. Whoever shows them reads
 * all blocks and puts them together as the family says; the process that a
 * block belongs to may have been taken over, and so may the one that shows
 * them, so nothing in any is believed to make sense.
 */
#include "base/metric.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/str.h"

enum { SERIES_MAX = 64, LABELS_MAX = 80, NAME_MAX_LEN = 160, VALUE_MAX = 32 };

/* What becomes of the values of several processes, and how one is shown. */
enum kind {
	COUNTER,   /* they add up, and outlive their process */
	HISTOGRAM, /* likewise; of durations */
	SUM,       /* a gauge: they add up */
	LEAST,     /* the least of those that were set */
	MOST,      /* the largest */
	SINCE,     /* the earliest time of day in ms that is not 0, shown as
	              seconds since then */
	TIME,      /* the earliest time that is not 0; 0 is not shown */
};

struct family {
	enum kind kind;
	const char *name; /* NULL: not shown */
	const char *help;
};

enum family_id {
	SESSIONS,
	SESSIONS_ACCEPTED,
	TLS_HANDSHAKES,
	LOGINS,
	RELAYED_BYTES,
	EDITS_SKIPPED,
	BACKEND_CONNECT,
	BACKEND_UP,
	REGISTRATIONS,
	REGISTRATION_COMMANDS,
	USERS,
	WATCHERS,
	EVENTS,
	PUSHES,
	PUSH_DURATION,
	WAKE_RINGS,
	QUEUE_DEPTH,
	QUEUE_OLDEST,
	CREDENTIAL_EXPIRY,
	STORE_UP,
	STORE_ERRORS,
	PROCESS_RESTARTS,
	BUILD_INFO,
	HIDDEN_SUM,
	HIDDEN_MOST,
	FAMILIES
};

static const struct family families[] = {
	[SESSIONS] = { SUM, "imapbell_sessions", "Sessions of clients." },
	[SESSIONS_ACCEPTED] = { COUNTER, "imapbell_sessions_accepted_total",
	                        "Connections of clients that were accepted." },
	[TLS_HANDSHAKES] = { COUNTER, "imapbell_tls_handshakes_total",
	                     "TLS handshakes with clients." },
	[LOGINS] = { COUNTER, "imapbell_logins_total",
	             "Logins of clients, by what became of them." },
	[RELAYED_BYTES] = { COUNTER, "imapbell_relayed_bytes_total",
	                    "Octets relayed after login." },
	[EDITS_SKIPPED] = { COUNTER, "imapbell_edits_skipped_total",
	                    "Lines too long to look for capabilities in." },
	[BACKEND_CONNECT] = { HISTOGRAM,
	                      "imapbell_backend_connect_duration_seconds",
	                      "Time to connect to a backend, with TLS where that "
	                      "comes first." },
	[BACKEND_UP] = { LEAST, "imapbell_backend_up",
	                 "Whether all backends are up for all workers." },
	[REGISTRATIONS] = { SUM, "imapbell_registrations",
	                    "Registrations of devices." },
	[REGISTRATION_COMMANDS] = { COUNTER,
	                            "imapbell_registration_commands_total",
	                            "XAPPLEPUSHSERVICE commands; memory: "
	                            "answered OK, but not on disk yet." },
	[USERS] = { SUM, "imapbell_users",
	            "Users with devices, by whether their mail is watched." },
	[WATCHERS] = { SUM, "imapbell_watchers",
	               "Users with devices, by state and how INBOX is "
	               "watched." },
	[EVENTS] = { COUNTER, "imapbell_events_total",
	             "What happened in watched mailboxes." },
	[PUSHES] = { COUNTER, "imapbell_pushes_total",
	             "Pushes that APNs answered." },
	[PUSH_DURATION] = { HISTOGRAM, "imapbell_push_duration_seconds",
	                    "Time from an event to the answer to its push." },
	[WAKE_RINGS] = { COUNTER, "imapbell_wake_rings_total",
	                 "Pushes to devices of users that cannot be "
	                 "watched." },
	[QUEUE_DEPTH] = { SUM, "imapbell_queue_depth",
	                  "Registrations that are owed a push." },
	[QUEUE_OLDEST] = { SINCE, "imapbell_queue_oldest_seconds",
	                   "How long the oldest push has been owed." },
	[CREDENTIAL_EXPIRY] = { TIME,
	                        "imapbell_credential_expiry_timestamp_seconds",
	                        "When the credential for APNs ends." },
	[STORE_UP] = { LEAST, "imapbell_store_up",
	               "Whether the database could be read and written." },
	[STORE_ERRORS] = { COUNTER, "imapbell_store_errors_total",
	                   "Times that the database refused." },
	[PROCESS_RESTARTS] = { COUNTER, "imapbell_process_restarts_total",
	                       "Processes that were replaced." },
	[BUILD_INFO] = { MOST, "imapbell_build_info",
	                 "Always 1; the version is a label." },
	[HIDDEN_SUM] = { SUM, NULL, NULL },
	[HIDDEN_MOST] = { MOST, NULL, NULL },
};

static_assert(sizeof(families) / sizeof(families[0]) == FAMILIES,
              "one row per family");

/* Labels of NULL: it is the sum of series, which alone are shown. */
struct row {
	enum family_id family;
	const char *labels;
};

static const struct row rows[] = {
	[METRIC_SESSIONS_OPENING] = { SESSIONS, "state=\"opening\"" },
	[METRIC_SESSIONS_PRELOGIN] = { SESSIONS, "state=\"prelogin\"" },
	[METRIC_SESSIONS_LOGIN] = { SESSIONS, "state=\"login\"" },
	[METRIC_SESSIONS_REFUSED] = { SESSIONS, "state=\"refused\"" },
	[METRIC_SESSIONS_RELAY] = { SESSIONS, "state=\"relay\"" },
	[METRIC_SESSIONS_ACCEPTED] = { SESSIONS_ACCEPTED, "" },
	[METRIC_TLS_HANDSHAKES_FULL] = { TLS_HANDSHAKES, "kind=\"full\"" },
	[METRIC_TLS_HANDSHAKES_RESUMED] = { TLS_HANDSHAKES,
	                                    "kind=\"resumed\"" },
	[METRIC_TLS_HANDSHAKES_FAILED] = { TLS_HANDSHAKES, "kind=\"failed\"" },
	[METRIC_LOGINS_OK] = { LOGINS, "result=\"ok\"" },
	[METRIC_LOGINS_REFUSED] = { LOGINS, "result=\"refused\"" },
	[METRIC_LOGINS_UNAVAILABLE] = { LOGINS, "result=\"unavailable\"" },
	[METRIC_RELAYED_TO_CLIENT] = { RELAYED_BYTES,
	                               "direction=\"to_client\"" },
	[METRIC_RELAYED_TO_SERVER] = { RELAYED_BYTES,
	                               "direction=\"to_server\"" },
	[METRIC_EDITS_SKIPPED] = { EDITS_SKIPPED, "" },
	[METRIC_BACKEND_UP] = { BACKEND_UP, "" },
	[METRIC_REGISTRATIONS] = { REGISTRATIONS, "" },
	[METRIC_REGISTRATION_COMMANDS_OK] = { REGISTRATION_COMMANDS,
	                                      "result=\"ok\"" },
	[METRIC_REGISTRATION_COMMANDS_MEMORY] = { REGISTRATION_COMMANDS,
	                                          "result=\"memory\"" },
	[METRIC_REGISTRATION_COMMANDS_BAD] = { REGISTRATION_COMMANDS,
	                                       "result=\"bad\"" },
	[METRIC_USERS_WATCHED] = { USERS, "state=\"watched\"" },
	[METRIC_USERS_UNWATCHED] = { USERS, "state=\"unwatched\"" },
	[METRIC_WATCHERS_QUEUED] = { WATCHERS,
	                             "state=\"queued\",method=\"none\"" },
	[METRIC_WATCHERS_CONNECTS] = { WATCHERS,
	                               "state=\"connects\",method=\"none\"" },
	[METRIC_WATCHERS_IDLE] = { WATCHERS,
	                           "state=\"watched\",method=\"idle\"" },
	[METRIC_WATCHERS_POLL] = { WATCHERS,
	                           "state=\"watched\",method=\"poll\"" },
	[METRIC_WATCHERS_WAITS] = { WATCHERS,
	                            "state=\"waits\",method=\"none\"" },
	[METRIC_WATCHERS_DARK] = { WATCHERS, "state=\"dark\",method=\"none\"" },
	[METRIC_EVENTS_NEW] = { EVENTS, "kind=\"new\"" },
	[METRIC_EVENTS_CHANGE] = { EVENTS, "kind=\"change\"" },
	[METRIC_PUSHES] = { PUSHES, NULL },
	[METRIC_WAKE_RINGS] = { WAKE_RINGS, "" },
	[METRIC_QUEUE_DEPTH] = { QUEUE_DEPTH, "" },
	[METRIC_QUEUE_OLDEST] = { QUEUE_OLDEST, "" },
	[METRIC_CREDENTIAL_EXPIRY] = { CREDENTIAL_EXPIRY, "" },
	[METRIC_STORE_UP] = { STORE_UP, "" },
	[METRIC_STORE_ERRORS] = { STORE_ERRORS, "" },
	[METRIC_PROCESS_RESTARTS] = { PROCESS_RESTARTS, NULL },
	[METRIC_BUILD_INFO] = { BUILD_INFO,
	                        "version=\"" IMAPBELL_VERSION "\"" },
	[METRIC_PROCESSES] = { HIDDEN_SUM, "" },
	[METRIC_BACKEND_SEEN_MS] = { HIDDEN_MOST, "" },
	[METRIC_DRAINING] = { HIDDEN_MOST, "" },
};

static_assert(sizeof(rows) / sizeof(rows[0]) == METRICS, "one row per metric");

enum { BOUNDS = 12 };

/* Upper bounds of the buckets: of a connection on the same machine up to one
 * that is given up, and of a push at once up to one held for an hour. */
static const struct {
	enum family_id family;
	uint64_t bounds_ms[BOUNDS];
} durations[] = {
	[METRIC_BACKEND_CONNECT] = { BACKEND_CONNECT,
	                             { 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000,
	                               5000, 10000 } },
	[METRIC_PUSH] = { PUSH_DURATION,
	                  { 50, 100, 250, 500, 1000, 2500, 5000, 15000, 30000,
	                    60000, 600000, 3600000 } },
};

static_assert(sizeof(durations) / sizeof(durations[0]) == METRIC_DURATIONS,
              "one row per duration");

/* One set of labels of a metric. */
struct series {
	enum metric metric;
	char labels[LABELS_MAX];
	int64_t value;
};

/* How many took no longer than each bound and longer than the one before; the
 * last, than any. */
struct histogram {
	int64_t counts[BOUNDS + 1];
	int64_t sum_ms;
};

/* What one process counts. */
struct block {
	int64_t values[METRICS];
	uint8_t is_set[METRICS]; /* gauges; no bool: anything may be there */
	struct histogram histograms[METRIC_DURATIONS];
	struct series series[SERIES_MAX];
	size_t series_count;
};

static struct block own = {
	.values[METRIC_PROCESSES] = 1,
	.is_set[METRIC_PROCESSES] = true,
};
static struct block *here = &own;
/* Those of all processes, in one that may see them; else NULL. */
static struct block **all;
static size_t all_count;

static enum kind kind_of(enum metric m)
{
	return families[rows[m].family].kind;
}

/* add wraps rather than overflow: any number may be there. */
static void add(int64_t *sum, int64_t value)
{
	*sum = (int64_t)((uint64_t)*sum + (uint64_t)value);
}

/* drop_all forgets where the blocks are. */
static void drop_all(void)
{
	free(all);
	all = NULL;
	all_count = 0;
}

void metric_unshare(void)
{
	struct block *mine = here;

	for (size_t i = 0; i < all_count; i++) {
		if (all[i] != mine)
			(void)munmap(all[i], sizeof(struct block));
	}
	drop_all();
	if (mine == &own)
		return;
	own = *mine;
	here = &own;
	(void)munmap(mine, sizeof(struct block));
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

		if (pages == MAP_FAILED) {
			metric_unshare();
			return ERR_UNAVAILABLE;
		}
		all[all_count++] = pages;
	}
	here = all[0];
	*here = own;
	return ERR_OK;
}

void metric_add(enum metric m, uint64_t n)
{
	add(&here->values[m], (int64_t)n);
}

void metric_set(enum metric m, int64_t value)
{
	here->values[m] = value;
	here->is_set[m] = true;
}

void metric_change(enum metric m, int64_t by)
{
	add(&here->values[m], by);
	here->is_set[m] = true;
}

int64_t metric_get(enum metric m)
{
	return here->values[m];
}

/* count_series is how many |b| has; whatever it says, no more than fit. */
static size_t count_series(const struct block *b)
{
	size_t count = __atomic_load_n(&b->series_count, __ATOMIC_ACQUIRE);

	return count < SERIES_MAX ? count : SERIES_MAX;
}

/* find_series makes the series in |b| if there is room, else returns the
 * last. */
static struct series *find_series(struct block *b, enum metric m,
                                  const char *labels)
{
	size_t count = count_series(b);
	struct series *s;

	for (size_t i = 0; i < count; i++) {
		s = &b->series[i];
		if (s->metric == m &&
		    strncmp(s->labels, labels, LABELS_MAX) == 0)
			return s;
	}
	if (count == SERIES_MAX)
		return &b->series[SERIES_MAX - 1];
	if (count == SERIES_MAX - 1)
		labels = "other=\"true\"";
	s = &b->series[count];
	s->metric = m;
	s->value = 0;
	snprintf(s->labels, sizeof(s->labels), "%s", labels);
	/* Others read it as soon as it counts. */
	__atomic_store_n(&b->series_count, count + 1, __ATOMIC_RELEASE);
	return s;
}

void metric_add_labelled(enum metric m, const char *labels, uint64_t n)
{
	assert(strlen(labels) < LABELS_MAX && rows[m].labels == NULL);
	add(&find_series(here, m, labels)->value, (int64_t)n);
	add(&here->values[m], (int64_t)n);
}

void metric_observe(enum metric_duration d, uint64_t ms)
{
	struct histogram *h = &here->histograms[d];
	size_t i = 0;

	while (i < BOUNDS && ms > durations[d].bounds_ms[i])
		i++;
	add(&h->counts[i], 1);
	add(&h->sum_ms, (int64_t)ms);
}

/* Putting together. */

/* take_run takes what consists of |chars|. */
static struct str take_run(struct str *s, const char *chars)
{
	size_t len = 0;

	while (len < s->len && s->data[len] != '\0' &&
	       strchr(chars, s->data[len]) != NULL)
		len++;
	return str_take(s, len);
}

/* are_labels: `name="value",...`, with values that need no escapes, no name
 * twice and none that begins with "_": "__name__" would be a second name of the
 * metric, and whoever reads all metrics would refuse them all. */
static bool are_labels(struct str s)
{
#define LOWER "abcdefghijklmnopqrstuvwxyz_"
	static const char in_value[] =
		LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	struct str names[LABELS_MAX / (sizeof("n=\"\"") - 1)];
	size_t count = 0;

	do {
		struct str name = take_run(&s, LOWER);

		for (size_t i = 0; i < count; i++)
			if (str_eq(names[i], name))
				return false;
		if (name.len == 0 || name.data[0] == '_' ||
		    !str_byte(&s, '=') || !str_byte(&s, '"'))
			return false;
		names[count++] = name;
		(void)take_run(&s, in_value);
		if (!str_byte(&s, '"'))
			return false;
	} while (str_byte(&s, ','));
	return s.len == 0;
#undef LOWER
}

/* add_series adds those of |b| to |sum|. */
static void add_series(struct block *sum, const struct block *b)
{
	size_t count = count_series(b);

	for (size_t i = 0; i < count; i++) {
		struct series s = b->series[i];

		s.labels[LABELS_MAX - 1] = '\0';
		if ((unsigned)s.metric < METRICS &&
		    rows[s.metric].labels == NULL &&
		    are_labels(str_of(s.labels)))
			add(&find_series(sum, s.metric, s.labels)->value,
			    s.value);
	}
}

static void add_histograms(struct block *sum, const struct block *b)
{
	for (size_t d = 0; d < METRIC_DURATIONS; d++) {
		struct histogram *h = &sum->histograms[d];

		for (size_t i = 0; i <= BOUNDS; i++)
			add(&h->counts[i], b->histograms[d].counts[i]);
		add(&h->sum_ms, b->histograms[d].sum_ms);
	}
}

/* add_value puts |m| of |b| to what |sum| has of others. */
static void add_value(struct block *sum, const struct block *b, enum metric m)
{
	int64_t *to = &sum->values[m];
	int64_t value = b->values[m];

	switch (kind_of(m)) {
	case COUNTER:
	case HISTOGRAM:
	case SUM:
		add(to, value);
		break;
	case LEAST:
		if (b->is_set[m] && (!sum->is_set[m] || value < *to)) {
			*to = value;
			sum->is_set[m] = true;
		}
		break;
	case MOST:
		if (value > *to)
			*to = value;
		break;
	case SINCE:
	case TIME:
		if (value > 0 && (*to == 0 || value < *to))
			*to = value;
		break;
	}
}

/* gather puts together what may be seen. The caller's to free. */
static struct block *gather(void)
{
	struct block *sum = xcalloc(1, sizeof(*sum));
	size_t count = all != NULL ? all_count : 1;

	for (size_t i = 0; i < count; i++) {
		const struct block *b = all != NULL ? all[i] : here;

		for (unsigned m = 0; m < METRICS; m++)
			add_value(sum, b, (enum metric)m);
		add_histograms(sum, b);
		add_series(sum, b);
	}
	return sum;
}

int64_t metric_total(enum metric m)
{
	struct block *sum = gather();
	int64_t value = sum->values[m];

	free(sum);
	return value;
}

/* Processes. */

/* clean makes |b| what it may be when its process has ended. */
static void clean(struct block *b)
{
	struct block *sum = xcalloc(1, sizeof(*sum));

	for (unsigned m = 0; m < METRICS; m++) {
		if (kind_of((enum metric)m) == COUNTER)
			sum->values[m] = b->values[m];
	}
	add_histograms(sum, b);
	add_series(sum, b);
	*b = *sum;
	free(sum);
}

void metric_gone(size_t process)
{
	if (all != NULL)
		clean(all[process]);
}

void metric_be(size_t process)
{
	metric_be_reader(process);
	for (size_t i = 0; i < all_count; i++) {
		if (i != process)
			(void)munmap(all[i], sizeof(struct block));
	}
	drop_all();
}

void metric_be_reader(size_t process)
{
	here = all[process];
	clean(here);
	metric_set(METRIC_PROCESSES, 1);
	for (size_t i = 0; i < all_count; i++) {
		if (i != process &&
		    mprotect(all[i], sizeof(struct block), PROT_READ) != 0)
			abort();
	}
}

/* Showing. */

struct show {
	int64_t now_ms;
	metric_fn *fn;
	void *arg;
	const struct block *sum;
};

/* print_seconds writes |ms| without zeros that say nothing. */
static void print_seconds(uint64_t ms, char text[static VALUE_MAX])
{
	int len = snprintf(text, VALUE_MAX, "%llu.%03u",
	                   (unsigned long long)(ms / 1000),
	                   (unsigned)(ms % 1000));

	while (text[len - 1] == '0')
		text[--len] = '\0';
	if (text[len - 1] == '.')
		text[--len] = '\0';
}

/* tell shows |value|, or the |seconds| that it is in thousandths. */
static void tell(const struct show *s, enum family_id id, const char *suffix,
                 const char *labels, int64_t value, bool seconds)
{
	const struct family *f = &families[id];
	char name[NAME_MAX_LEN];
	char text[VALUE_MAX];
	const struct metric_sample sample = {
		.family = f->name,
		.type = f->kind == COUNTER     ? "counter"
		        : f->kind == HISTOGRAM ? "histogram"
		                               : "gauge",
		.help = f->help,
		.name = name,
		.text = text,
		.value = value,
	};

	(void)snprintf(name, sizeof(name), "%s%s%s%s%s", f->name, suffix,
	               labels[0] != '\0' ? "{" : "", labels,
	               labels[0] != '\0' ? "}" : "");
	if (seconds)
		print_seconds((uint64_t)value, text);
	else
		(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	s->fn(s->arg, &sample);
}

static void show_series(const struct show *s, enum metric m)
{
	for (size_t i = 0; i < s->sum->series_count; i++) {
		const struct series *one = &s->sum->series[i];

		if (one->metric == m)
			tell(s, rows[m].family, "", one->labels, one->value,
			     false);
	}
}

static void show_row(const struct show *s, enum metric m)
{
	const struct row *row = &rows[m];
	enum kind kind = kind_of(m);
	int64_t value = s->sum->values[m];

	if (row->labels == NULL) {
		show_series(s, m);
		return;
	}
	if (kind == TIME && value == 0)
		return;
	if (kind == SINCE && value != 0)
		value = value < s->now_ms ? s->now_ms - value : 0;
	tell(s, row->family, "", row->labels, value, kind == SINCE);
}

static void show_histogram(const struct show *s, enum metric_duration d)
{
	enum family_id family = durations[d].family;
	const struct histogram *h = &s->sum->histograms[d];
	int64_t count = 0;
	char bound[VALUE_MAX];
	char labels[LABELS_MAX];

	for (size_t i = 0; i <= BOUNDS; i++) {
		if (i < BOUNDS)
			print_seconds(durations[d].bounds_ms[i], bound);
		else
			(void)snprintf(bound, sizeof(bound), "+Inf");
		(void)snprintf(labels, sizeof(labels), "le=\"%s\"", bound);
		add(&count, h->counts[i]);
		tell(s, family, "_bucket", labels, count, false);
	}
	tell(s, family, "_sum", "", h->sum_ms, true);
	tell(s, family, "_count", "", count, false);
}

static void show_family(const struct show *s, enum family_id family)
{
	for (unsigned m = 0; m < METRICS; m++) {
		if (rows[m].family == family)
			show_row(s, (enum metric)m);
	}
	for (unsigned d = 0; d < METRIC_DURATIONS; d++) {
		if (durations[d].family == family)
			show_histogram(s, (enum metric_duration)d);
	}
}

void metric_show(int64_t now_ms, metric_fn *fn, void *arg)
{
	struct block *sum = gather();
	const struct show s = { now_ms, fn, arg, sum };

	for (unsigned i = 0; i < FAMILIES; i++) {
		if (families[i].name != NULL)
			show_family(&s, (enum family_id)i);
	}
	free(sum);
}

static void log_sample(void *arg, const struct metric_sample *sample)
{
	const struct log_ctx *log = arg;

	if (sample->value != 0)
		log_info(log, "metric name=%s value=%s", sample->name,
		         sample->text);
}

void metric_log(const struct log_ctx *log, int64_t now_ms)
{
	metric_show(now_ms, log_sample, mem_unconst(log));
}
