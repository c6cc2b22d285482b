/* SPDX-License-Identifier: ISC */
/*
 * watch - one account for each user who can be watched, in a list for each
 * state. Connects pass one gate, which lets through so many a second and so
 * many at all. Does not know what a watcher does.
 */
#include "watch/watch.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/backoff.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/ratelimit.h"
#include "watch/login.h"
#include "watch/watcher.h"

enum {
	WATCH_BACKOFF_MIN_MS = 1000,
	WATCH_BACKOFF_MAX_MS = 5 * 60 * 1000,
	/* A watcher that listened for this long was a success; one that is cut
	 * off at once again and again comes back ever more slowly. */
	WATCH_SUCCESS_MS = 30 * 1000,
};

enum account_state {
	ACCOUNT_NEW,      /* in no list yet */
	ACCOUNT_QUEUED,   /* wants to connect */
	ACCOUNT_CONNECTS, /* has a watcher that does not listen yet */
	ACCOUNT_WATCHED,
	ACCOUNT_WAITS,  /* for its back-off: its connection or login failed */
	ACCOUNT_AWAY,   /* likewise, but the backend was not reached at all */
	ACCOUNT_LOCKED, /* the sealed login cannot be opened: waits for news */
	ACCOUNT_STATES
};

#define TO(state) (1U << ACCOUNT_##state)

static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[ACCOUNT_NEW] = { "new", TO(QUEUED) },
	[ACCOUNT_QUEUED] = { "queued", TO(CONNECTS) | TO(LOCKED) },
	[ACCOUNT_CONNECTS] = { "connects", TO(WATCHED) | TO(WAITS) | TO(AWAY) },
	[ACCOUNT_WATCHED] = { "watched", TO(WAITS) },
	[ACCOUNT_WAITS] = { "waits", TO(QUEUED) },
	[ACCOUNT_AWAY] = { "away", TO(QUEUED) },
	[ACCOUNT_LOCKED] = { "locked", TO(QUEUED) },
};

static_assert(sizeof(states) / sizeof(states[0]) == ACCOUNT_STATES,
              "every state has a name");

struct account {
	enum account_state state;
	struct log_ctx log;
	struct watch *watch;
	struct str user;
	struct watcher *watcher;  /* CONNECTS, WATCHED */
	struct loop_timer *timer; /* of WAITS, AWAY */
	struct backoff backoff;
	uint64_t since_ms; /* of the state */
	uint32_t failures; /* in a row */
	TAILQ_ENTRY(account) entry;
	UT_hash_handle hh;
};

TAILQ_HEAD(account_list, account);

struct watch {
	struct watcher_env env;
	struct log_ctx log;
	struct account *accounts; /* by user */
	struct account_list lists[ACCOUNT_STATES];
	size_t counts[ACCOUNT_STATES];
	struct ratelimit gate;
	struct loop_timer *gate_timer;
	uint64_t last_id;
	/* What was said in the log and is not over yet. */
	bool full; /* connections_max is reached */
	bool away; /* the backend is not reached */
};

static void account_set_state(struct account *a, enum account_state to)
{
	struct watch *w = a->watch;

	assert(states[a->state].to & (1U << to));
	log_debug(&a->log, "state %s -> %s", states[a->state].name,
	          states[to].name);
	TAILQ_REMOVE(&w->lists[a->state], a, entry);
	w->counts[a->state]--;
	a->state = to;
	a->since_ms = loop_now_ms(w->env.loop);
	TAILQ_INSERT_TAIL(&w->lists[to], a, entry);
	w->counts[to]++;
}

static void watch_pump(struct watch *w);

static void account_queue(struct account *a)
{
	loop_timer_cancel(a->timer);
	account_set_state(a, ACCOUNT_QUEUED);
	watch_pump(a->watch);
}

static void on_backoff_over(void *arg)
{
	struct account *a = arg;

	account_queue(a);
}

static struct account *account_new(struct watch *w, struct str user)
{
	struct account *a = xcalloc(1, sizeof(*a));

	a->state = ACCOUNT_NEW;
	a->log.area = LOG_WATCH;
	a->log.id = ++w->last_id;
	a->watch = w;
	a->user = str_dup(user);
	a->timer = loop_timer_new(w->env.loop, on_backoff_over, a);
	backoff_init(&a->backoff, WATCH_BACKOFF_MIN_MS, WATCH_BACKOFF_MAX_MS);
	HASH_ADD_KEYPTR(hh, w->accounts, a->user.data, a->user.len, a);
	TAILQ_INSERT_TAIL(&w->lists[ACCOUNT_NEW], a, entry);
	w->counts[ACCOUNT_NEW]++;
	return a;
}

static void account_free(struct account **ap)
{
	struct account *a = *ap;
	struct watch *w = a->watch;

	TAILQ_REMOVE(&w->lists[a->state], a, entry);
	w->counts[a->state]--;
	HASH_DEL(w->accounts, a);
	watcher_free(&a->watcher);
	loop_timer_free(&a->timer);
	str_free(&a->user);
	free(a);
	*ap = NULL;
}

static struct account *account_find(struct watch *w, struct str user)
{
	struct account *a;

	HASH_FIND(hh, w->accounts, user.data, user.len, a);
	return a;
}

/* The backend answers: those who wait because it did not need not wait any
 * longer. The gate spreads them. */
static void watch_backend_is_back(struct watch *w)
{
	struct account *a;

	if (!w->away)
		return;
	w->away = false;
	log_info(&w->log, "backend is back: users=%zu",
	         w->counts[ACCOUNT_AWAY]);
	while ((a = TAILQ_FIRST(&w->lists[ACCOUNT_AWAY])) != NULL) {
		backoff_reset(&a->backoff);
		account_queue(a);
	}
}

static void on_watching(void *arg)
{
	struct account *a = arg;
	struct log_text user;

	account_set_state(a, ACCOUNT_WATCHED);
	a->failures = 0;
	log_info(&a->log, "watching user=%s", log_safe(a->user, &user));
	watch_backend_is_back(a->watch);
}

/* One line at the first failure: the next ones say the same. That the backend
 * is away is said once for all users. */
static void account_log_end(struct account *a, enum watcher_end end,
                            const char *why, uint32_t delay_ms)
{
	struct watch *w = a->watch;
	struct log_text user;

	log_safe(a->user, &user);
	if (end == WATCHER_UNREACHABLE && !w->away) {
		w->away = true;
		log_warn(&w->log, "backend is away: %s", why);
	}
	if (a->state == ACCOUNT_WATCHED)
		log_info(&a->log, "lost user=%s: %s, back in %u ms", user.text,
		         why, delay_ms);
	else if (a->failures == 1 && end != WATCHER_UNREACHABLE)
		log_warn(&a->log, "not watched user=%s: %s, again in %u ms",
		         user.text, why, delay_ms);
	else
		log_debug(&a->log, "failed user=%s: %s, again in %u ms",
		          user.text, why, delay_ms);
}

static void account_back_off(struct account *a, enum watcher_end end,
                             const char *why)
{
	uint64_t now_ms = loop_now_ms(a->watch->env.loop);
	uint32_t delay_ms;

	if (a->state == ACCOUNT_WATCHED &&
	    now_ms - a->since_ms >= WATCH_SUCCESS_MS)
		backoff_reset(&a->backoff);
	delay_ms = backoff_next(&a->backoff, rand_below(UINT32_MAX));
	a->failures++;
	account_log_end(a, end, why, delay_ms);
	account_set_state(a, end == WATCHER_UNREACHABLE ? ACCOUNT_AWAY
	                                                : ACCOUNT_WAITS);
	loop_timer_set(a->timer, delay_ms);
}

static void on_end(void *arg, enum watcher_end end, const char *why)
{
	struct account *a = arg;
	struct watch *w = a->watch;
	struct watcher *gone = a->watcher; /* owns |why| */
	struct log_text user;

	a->watcher = NULL;
	if (end == WATCHER_REJECTED) {
		log_warn(&a->log,
		         "login rejected user=%s: %s, waiting for the user to "
		         "log in again",
		         log_safe(a->user, &user), why);
		registry_login_rejected(w->env.registry, a->user);
		account_free(&a);
	} else {
		account_back_off(a, end, why);
	}
	watcher_free(&gone);
	watch_pump(w); /* there is room for another */
}

static const struct watcher_handler watcher_events = {
	.on_watching = on_watching,
	.on_end = on_end,
};

static void account_lock(struct account *a)
{
	struct watch *w = a->watch;
	struct log_text user;

	log_safe(a->user, &user);
	if (w->counts[ACCOUNT_LOCKED] == 0)
		log_warn(&a->log,
		         "sealed login cannot be opened user=%s: under another "
		         "key, or damaged; others like it are not reported",
		         user.text);
	else
		log_debug(&a->log, "sealed login cannot be opened user=%s",
		          user.text);
	account_set_state(a, ACCOUNT_LOCKED);
}

/* account_connect makes the watcher, if that is worth a connection. */
static void account_connect(struct account *a)
{
	struct watch *w = a->watch;
	struct imap_login login;
	int rc;

	rc = watch_login_open(w->env.registry, w->env.seal, a->user, &login,
	                      NULL);
	if (rc == ERR_NOT_FOUND) {
		account_free(&a);
		return;
	}
	if (rc != ERR_OK) {
		account_lock(a);
		return;
	}
	imap_login_done(&login);
	(void)ratelimit_take(&w->gate, loop_now_ms(w->env.loop));
	account_set_state(a, ACCOUNT_CONNECTS);
	a->watcher = watcher_new(&w->env, a->user, &a->log, &watcher_events, a);
}

static bool watch_is_full(struct watch *w)
{
	size_t connections =
		w->counts[ACCOUNT_CONNECTS] + w->counts[ACCOUNT_WATCHED];

	if (connections < w->env.opts.connections_max) {
		w->full = false;
		return false;
	}
	if (!w->full)
		log_warn(&w->log,
		         "watch.connections_max is reached: connections=%zu, "
		         "users=%zu wait",
		         connections, w->counts[ACCOUNT_QUEUED]);
	w->full = true;
	return true;
}

/* watch_pump lets through the gate who may pass now, in order of coming. */
static void watch_pump(struct watch *w)
{
	uint64_t now_ms = loop_now_ms(w->env.loop);
	struct account *a;

	while ((a = TAILQ_FIRST(&w->lists[ACCOUNT_QUEUED])) != NULL) {
		uint64_t wait_ms = ratelimit_wait_ms(&w->gate, now_ms);

		if (watch_is_full(w))
			return; /* until one ends */
		if (wait_ms > 0) {
			loop_timer_set(w->gate_timer, wait_ms);
			return;
		}
		account_connect(a);
	}
}

static void on_gate(void *arg)
{
	struct watch *w = arg;

	watch_pump(w);
}

static void count_wanted(void *arg, struct str mailbox, bool proved)
{
	(void)arg;
	(void)mailbox;
	(void)proved;
}

static bool is_watchable(const struct watch *w, struct str user)
{
	struct store_login row;

	return registry_wanted(w->env.registry, user, count_wanted, NULL) > 0 &&
	       registry_login(w->env.registry, user, &row) == ERR_OK &&
	       !row.rejected;
}

/* Something about |user| changed in the registry. */
static void on_user(void *arg, struct str user)
{
	struct watch *w = arg;
	struct account *a = account_find(w, user);
	struct log_text text;

	if (is_watchable(w, user)) {
		if (a == NULL)
			account_queue(account_new(w, user));
		else if (a->state == ACCOUNT_LOCKED)
			account_queue(a);
		else if (a->watcher != NULL)
			watcher_refresh(a->watcher);
	} else if (a != NULL) {
		log_info(&a->log, "no longer watched user=%s",
		         log_safe(user, &text));
		account_free(&a);
		watch_pump(w);
	}
}

struct watch *watch_new(struct loop *loop, struct resolver *resolver,
                        struct registry *registry, struct notifier *notifier,
                        const struct seal *seal, const struct watch_opts *opts)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->env.loop = loop;
	w->env.resolver = resolver;
	w->env.registry = registry;
	w->env.notifier = notifier;
	w->env.seal = seal;
	w->env.opts = *opts;
	w->log.area = LOG_WATCH;
	for (size_t i = 0; i < ACCOUNT_STATES; i++)
		TAILQ_INIT(&w->lists[i]);
	ratelimit_init(&w->gate, opts->connect_rate, opts->connect_rate,
	               loop_now_ms(loop));
	w->gate_timer = loop_timer_new(loop, on_gate, w);
	registry_observe(registry, on_user, w);
	return w;
}

void watch_free(struct watch **wp)
{
	struct watch *w = *wp;
	struct account *a;
	struct account *next;

	if (w == NULL)
		return;
	registry_observe(w->env.registry, NULL, NULL);
	HASH_ITER(hh, w->accounts, a, next) {
		struct account *gone = a;

		account_free(&gone);
	}
	loop_timer_free(&w->gate_timer);
	free(w);
	*wp = NULL;
}
