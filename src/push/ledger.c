/* SPDX-License-Identifier: ISC */
/*
 * ledger - when to load and when to commit: one commit at a time, everything
 * that changed meanwhile in the next. While the store refuses, those who ask
 * are told at once; the timer tries again.
 */
#include "push/ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"
#include "push/ledger_impl.h"

enum {
	RETRY_MIN_MS = 500,
	RETRY_MAX_MS = 15000,
	LATE_MS = 2000,           /* a phone waits for its OK behind this */
	TELL_MS = 10 * 60 * 1000, /* between two error lines */
};

#define TO(phase) (1U << (phase))

/* Phases and where they may lead. */
static const struct {
	const char *name;
	unsigned int to;
} phases[] = {
	[LEDGER_LOADING] = { "loading", TO(LEDGER_UNREAD) | TO(LEDGER_IDLE) },
	[LEDGER_UNREAD] = { "unread", TO(LEDGER_LOADING) },
	[LEDGER_IDLE] = { "idle", TO(LEDGER_COMMITTING) },
	[LEDGER_COMMITTING] = { "committing",
	                        TO(LEDGER_IDLE) | TO(LEDGER_REFUSED) },
	[LEDGER_REFUSED] = { "refused", TO(LEDGER_COMMITTING) },
};

static_assert(sizeof(phases) / sizeof(phases[0]) == LEDGER_PHASES,
              "every phase has a row");

static void set_phase(struct ledger *l, enum ledger_phase to)
{
	assert((phases[l->phase].to & TO(to)) != 0);
	log_debug(&l->log, "ledger %s -> %s", phases[l->phase].name,
	          phases[to].name);
	l->phase = to;
}

/* Those who wait. */

/* arm_late sets the timer for who has waited longest. */
static void arm_late(struct ledger *l)
{
	const struct ledger_waiter *w = STAILQ_FIRST(&l->waiters);
	uint64_t now = loop_now_ms(l->loop);

	if (w == NULL || l->closing)
		loop_timer_cancel(l->late);
	else
		loop_timer_set(l->late,
		               w->until_ms > now ? w->until_ms - now : 0);
}

/* answer_first tells who has waited longest. */
static void answer_first(struct ledger *l, int rc)
{
	struct ledger_waiter *w = STAILQ_FIRST(&l->waiters);

	STAILQ_REMOVE_HEAD(&l->waiters, entry);
	w->done(w->arg, rc);
	free(w);
}

/* answer_covered tells those that the commit was for. */
static void answer_covered(struct ledger *l, int rc)
{
	const struct ledger_waiter *w;

	while ((w = STAILQ_FIRST(&l->waiters)) != NULL && w->covered)
		answer_first(l, rc);
	arm_late(l);
}

/* cover notes that the commit which begins is for all who wait, or, with
 * false, that it was for nobody. */
static void cover(struct ledger *l, bool covered)
{
	struct ledger_waiter *w;

	STAILQ_FOREACH(w, &l->waiters, entry)
		w->covered = covered;
}

/* on_late is the timer: the disk takes too long for these. */
static void on_late(void *arg)
{
	struct ledger *l = arg;
	const struct ledger_waiter *w;
	uint64_t now = loop_now_ms(l->loop);

	while ((w = STAILQ_FIRST(&l->waiters)) != NULL && w->until_ms <= now) {
		log_warn(&l->log, "store does not answer, kept in memory");
		metric_set(METRIC_STORE_UP, 0);
		answer_first(l, ERR_IO);
	}
	arm_late(l);
}

/* Failures. */

/* tell_failure counts each, and logs the first one of a row and then one in
 * ten minutes. */
static void tell_failure(struct ledger *l, const char *what)
{
	uint64_t now = loop_now_ms(l->loop);

	metric_set(METRIC_STORE_UP, 0);
	metric_add(METRIC_STORE_ERRORS, 1);
	if (l->failures++ > 0 && now - l->told_ms < TELL_MS)
		return;
	l->told_ms = now;
	log_error(&l->log, "store %s, kept in memory and tried again: %s", what,
	          l->store->why.text);
}

static void tell_success(struct ledger *l)
{
	metric_set(METRIC_STORE_UP, 1);
	if (l->failures > 0)
		log_info(&l->log, "store works again, failures=%u",
		         l->failures);
	l->failures = 0;
	backoff_reset(&l->backoff);
}

static void retry_later(struct ledger *l)
{
	uint32_t random;

	if (l->closing)
		return;
	rand_bytes(&random, sizeof(random));
	loop_timer_set(l->retry, backoff_next(&l->backoff, random));
}

/* Commits. */

static void on_committed(void *arg, int rc);

/* commit_changes commits, or answers at once if nothing has changed. */
static void commit_changes(struct ledger *l)
{
	cover(l, true);
	if (TAILQ_EMPTY(&l->changed)) {
		answer_covered(l, ERR_OK);
		return;
	}
	set_phase(l, LEDGER_COMMITTING);
	ledger_batch_commit(l, on_committed, l);
}

/*
 * on_lost: the store begins anew. Everything is written to it, unless that
 * came twice in a row.
 */
static void on_lost(struct ledger *l)
{
	bool again = l->failures > 0;

	tell_failure(l, "lost its rows");
	ledger_mark_all(l);
	if (again) {
		set_phase(l, LEDGER_REFUSED);
		answer_covered(l, ERR_IO);
		retry_later(l);
		return;
	}
	set_phase(l, LEDGER_IDLE);
	commit_changes(l);
}

static void on_committed(void *arg, int rc)
{
	struct ledger *l = arg;

	ledger_batch_done(l, rc);
	if (rc == ERR_INVALID) {
		on_lost(l);
		return;
	}
	if (rc != ERR_OK) {
		set_phase(l, LEDGER_REFUSED);
		tell_failure(l, "refused a commit");
		answer_covered(l, ERR_IO);
		retry_later(l);
		return;
	}
	tell_success(l);
	set_phase(l, LEDGER_IDLE);
	answer_covered(l, ERR_OK);
	/* Who is answered may flush again; that waits for its own turn. */
	if (!l->deferred &&
	    (!TAILQ_EMPTY(&l->changed) || !STAILQ_EMPTY(&l->waiters)))
		commit_changes(l);
}

/* on_turn is the end of the turn in which somebody flushed. */
static void on_turn(void *arg)
{
	struct ledger *l = arg;

	l->deferred = false;
	switch (l->phase) {
	case LEDGER_IDLE:
		commit_changes(l);
		break;
	case LEDGER_UNREAD:
	case LEDGER_REFUSED:
		cover(l, true);
		answer_covered(l, ERR_IO);
		break;
	case LEDGER_LOADING:
	case LEDGER_COMMITTING:
	case LEDGER_PHASES:
		break; /* its end goes on */
	}
}

static void flush_on_turn(struct ledger *l)
{
	if (l->deferred || l->closing)
		return;
	l->deferred = true;
	loop_defer(l->loop, on_turn, l);
}

void ledger_flush(struct ledger *l, ledger_flushed_fn *done, void *arg)
{
	struct ledger_waiter *w;

	flush_on_turn(l);
	if (done == NULL)
		return;
	w = xcalloc(1, sizeof(*w));
	w->done = done;
	w->arg = arg;
	w->until_ms = loop_now_ms(l->loop) + LATE_MS;
	STAILQ_INSERT_TAIL(&l->waiters, w, entry);
	if (STAILQ_FIRST(&l->waiters) == w)
		arm_late(l);
}

/* Loads. */

/* tell_loaded calls who asked for the end of the first try. */
static void tell_loaded(struct ledger *l, int rc)
{
	ledger_loaded_fn *loaded = l->loaded;

	l->loaded = NULL;
	if (loaded != NULL)
		loaded(l->loaded_arg, rc);
}

static void on_loaded(void *arg, int rc, const struct store_snapshot *snapshot)
{
	struct ledger *l = arg;

	if (rc == ERR_IO) {
		set_phase(l, LEDGER_UNREAD);
		tell_failure(l, "cannot be read");
		cover(l, true);
		answer_covered(l, ERR_IO);
		tell_loaded(l, ERR_IO);
		retry_later(l);
		return;
	}
	tell_success(l);
	ledger_merge(l, snapshot);
	if (rc == ERR_INVALID)
		ledger_mark_all(l);
	set_phase(l, LEDGER_IDLE);
	if (l->closing) {
		commit_changes(l);
		return;
	}
	for (size_t i = 0; i < l->listener_count; i++)
		l->listeners[i].fn(l->listeners[i].arg);
	tell_loaded(l, ERR_OK);
	flush_on_turn(l);
}

/* on_retry is the timer after a failure. */
static void on_retry(void *arg)
{
	struct ledger *l = arg;

	if (l->phase == LEDGER_UNREAD) {
		set_phase(l, LEDGER_LOADING);
		store_load(l->store, on_loaded, l);
	} else if (l->phase == LEDGER_REFUSED) {
		set_phase(l, LEDGER_COMMITTING);
		cover(l, true);
		ledger_batch_commit(l, on_committed, l);
	}
}

void ledger_on_loaded(struct ledger *l, loop_fn *fn, void *arg)
{
	assert(l->phase == LEDGER_LOADING);
	assert(l->listener_count < LEDGER_LISTENERS);
	l->listeners[l->listener_count].fn = fn;
	l->listeners[l->listener_count].arg = arg;
	l->listener_count++;
}

struct ledger *ledger_new(struct loop *loop, struct store *store,
                          ledger_loaded_fn *loaded, void *arg)
{
	struct ledger *l = xcalloc(1, sizeof(*l));

	l->log.area = LOG_STORE;
	l->loop = loop;
	l->store = store;
	l->loaded = loaded;
	l->loaded_arg = arg;
	l->phase = LEDGER_LOADING;
	l->late = loop_timer_new(loop, on_late, l);
	l->retry = loop_timer_new(loop, on_retry, l);
	backoff_init(&l->backoff, RETRY_MIN_MS, RETRY_MAX_MS);
	STAILQ_INIT(&l->waiters);
	TAILQ_INIT(&l->owed);
	TAILQ_INIT(&l->changed);
	TAILQ_INIT(&l->writing);
	store_load(store, on_loaded, l);
	return l;
}

void ledger_free(struct ledger **ledger)
{
	struct ledger *l = *ledger;

	if (l == NULL)
		return;
	l->closing = true;
	loop_timer_free(&l->retry);
	loop_timer_cancel(l->late);
	loop_defer_cancel(l->loop, on_turn, l);
	l->deferred = false;
	/* Once more, also where it was refused; what is under way goes on in
	 * its answer. */
	if (l->phase == LEDGER_IDLE || l->phase == LEDGER_REFUSED)
		commit_changes(l);
	store_close(&l->store);
	while (!STAILQ_EMPTY(&l->waiters))
		answer_first(l, ERR_IO);
	loop_timer_free(&l->late);
	ledger_rows_free(l);
	free(l);
	*ledger = NULL;
}
