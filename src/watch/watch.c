/* SPDX-License-Identifier: ISC */
/*
 * watch - one account for each user who is to be watched. Those of one backend
 * are a crowd, and wait in line to connect until the server admits them. Does
 * not know what a watcher does.
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
#include "base/metric.h"
#include "base/rand.h"
#include "watch/login.h"
#include "watch/proof.h"
#include "watch/server.h"
#include "watch/wake.h"
#include "watch/watcher.h"

enum {
	WATCH_BACKOFF_MIN_MS = 1000,
	WATCH_BACKOFF_MAX_MS = 5 * 60 * 1000,
	/* A watcher that listened for this long was a success; one that is cut
	 * off at once again and again comes back ever more slowly. */
	WATCH_SUCCESS_MS = 30 * 1000,
};

enum account_state {
	ACCOUNT_NEW,      /* not looked at yet */
	ACCOUNT_QUEUED,   /* in line to connect */
	ACCOUNT_CONNECTS, /* has a watcher that does not listen yet */
	ACCOUNT_WATCHED,
	ACCOUNT_WAITS, /* for its back-off: its connection or login failed */
	ACCOUNT_DARK,  /* cannot be watched until something changes */
	ACCOUNT_STATES
};

#define TO(state) (1U << ACCOUNT_##state)

static const struct {
	const char *name;
	unsigned to;
	enum metric metric;
} states[] = {
	[ACCOUNT_NEW] = { "new", TO(QUEUED) | TO(DARK),
	                  METRIC_WATCHERS_QUEUED },
	[ACCOUNT_QUEUED] = { "queued", TO(CONNECTS) | TO(DARK),
	                     METRIC_WATCHERS_QUEUED },
	[ACCOUNT_CONNECTS] = { "connects",
	                       TO(WATCHED) | TO(WAITS) | TO(QUEUED) | TO(DARK),
	                       METRIC_WATCHERS_CONNECTS },
	[ACCOUNT_WATCHED] = { "watched", TO(WAITS) | TO(DARK),
	                      METRIC_WATCHERS_IDLE },
	[ACCOUNT_WAITS] = { "waits", TO(QUEUED) | TO(DARK),
	                    METRIC_WATCHERS_WAITS },
	[ACCOUNT_DARK] = { "dark", TO(QUEUED), METRIC_WATCHERS_DARK },
};

static_assert(sizeof(states) / sizeof(states[0]) == ACCOUNT_STATES,
              "every state has a name");

struct account {
	enum account_state state;
	struct log_ctx log;
	struct watch *watch;
	struct crowd *crowd; /* of its backend */
	struct str user;
	struct watcher *watcher; /* CONNECTS, WATCHED */
	struct aside aside;
	struct loop_timer *timer; /* of WAITS */
	struct backoff backoff;
	struct wake wake;
	uint64_t since_ms;     /* of the state */
	uint64_t dark_from_ms; /* DARK: who registered since then is awake */
	uint32_t failures;     /* in a row */
	bool polls;            /* WATCHED: by polls, when that began */
	TAILQ_ENTRY(account) entry; /* QUEUED */
	UT_hash_handle hh;
};

TAILQ_HEAD(account_list, account);

/* The accounts of one backend. */
struct crowd {
	struct watch *watch;
	struct server *server; /* NULL: of those who have no route */
	struct account_list queued;
	size_t counts[ACCOUNT_STATES];
};

struct watch {
	struct watcher_env env;
	struct queue *queue;
	uint64_t from_ms;         /* when it began */
	struct account *accounts; /* by user */
	struct crowd *crowds;     /* one for each target, and the last */
	size_t watched;
	uint64_t last_id;
	bool unusable; /* logins cannot be used, and that was said */
};

static void watch_count(const struct watch *w)
{
	metric_set(METRIC_USERS_WATCHED, (int64_t)w->watched);
	metric_set(METRIC_USERS_UNWATCHED,
	           (int64_t)(HASH_COUNT(w->accounts) - w->watched));
}

/* The wake rings of a state. */
static void account_wake(struct account *a)
{
	if (a->state == ACCOUNT_WATCHED)
		wake_reset(&a->wake);
	else if (a->state != ACCOUNT_DARK || !a->watch->env.opts.wake)
		wake_pause(&a->wake);
	else
		wake_start(&a->wake);
}

/* account_metric is where |a| is counted. */
static enum metric account_metric(const struct account *a)
{
	return a->state == ACCOUNT_WATCHED && a->polls
	               ? METRIC_WATCHERS_POLL
	               : states[a->state].metric;
}

/* account_leave and account_enter keep the books of the states. */
static void account_leave(struct account *a)
{
	if (a->state == ACCOUNT_QUEUED)
		TAILQ_REMOVE(&a->crowd->queued, a, entry);
	a->crowd->counts[a->state]--;
	a->watch->watched -= a->state == ACCOUNT_WATCHED;
	metric_change(account_metric(a), -1);
}

static void account_enter(struct account *a, enum account_state state)
{
	a->state = state;
	a->since_ms = loop_now_ms(a->watch->env.loop);
	if (state == ACCOUNT_QUEUED)
		TAILQ_INSERT_TAIL(&a->crowd->queued, a, entry);
	a->crowd->counts[state]++;
	a->watch->watched += state == ACCOUNT_WATCHED;
	metric_change(account_metric(a), 1);
	watch_count(a->watch);
}

static void account_set_state(struct account *a, enum account_state to)
{
	assert(states[a->state].to & (1U << to));
	log_debug(&a->log, "state %s -> %s", states[a->state].name,
	          states[to].name);
	account_leave(a);
	account_enter(a, to);
	account_wake(a);
}

static void crowd_pump(struct crowd *c);

static void account_queue(struct account *a)
{
	loop_timer_cancel(a->timer);
	account_set_state(a, ACCOUNT_QUEUED);
	crowd_pump(a->crowd);
}

static void on_backoff_over(void *arg)
{
	struct account *a = arg;

	account_queue(a);
}

struct wake_ring {
	struct watch *watch;
	int64_t awake_ms; /* who registered this long ago is not rung */
	size_t devices;
};

static void ring_device(void *arg, const struct store_registration *reg)
{
	struct wake_ring *ring = arg;
	struct watch *w = ring->watch;
	int64_t ago_ms = loop_wall_ms(w->env.loop) - reg->last_seen_ms;

	if (ago_ms >= 0 && ago_ms <= ring->awake_ms)
		return;
	queue_owe(w->queue, reg->id, STR("INBOX"), 0);
	ring->devices++;
}

/* The phones of a user in the dark are rung; at first not those that have been
 * here since. */
static void on_wake(void *arg, bool first)
{
	struct account *a = arg;
	struct watch *w = a->watch;
	struct wake_ring ring = { w, -1, 0 };
	struct log_text user;

	if (first)
		ring.awake_ms =
			(int64_t)(loop_now_ms(w->env.loop) - a->dark_from_ms);
	registry_devices(w->env.registry, a->user, ring_device, &ring);
	metric_add(METRIC_WAKE_RINGS, ring.devices);
	log_info(&a->log, "wake ring user=%s devices=%zu",
	         log_safe(a->user, &user), ring.devices);
}

/* crowd_of finds the crowd that |user| belongs to. */
static struct crowd *crowd_of(struct watch *w, struct str user)
{
	const struct routes *routes = w->env.opts.routes;
	size_t target = routes_find(routes, user);

	return &w->crowds[target == ROUTES_NONE ? routes->target_count
	                                        : target];
}

static struct account *account_new(struct watch *w, struct str user)
{
	struct account *a = xcalloc(1, sizeof(*a));

	a->log.area = LOG_WATCH;
	a->log.id = ++w->last_id;
	a->watch = w;
	a->crowd = crowd_of(w, user);
	a->user = str_dup(user);
	a->timer = loop_timer_new(w->env.loop, on_backoff_over, a);
	backoff_init(&a->backoff, WATCH_BACKOFF_MIN_MS, WATCH_BACKOFF_MAX_MS);
	aside_init(&a->aside);
	wake_init(&a->wake, w->env.loop, on_wake, a);
	HASH_ADD_KEYPTR(hh, w->accounts, a->user.data, a->user.len, a);
	account_enter(a, ACCOUNT_NEW);
	return a;
}

static void account_free(struct account **ap)
{
	struct account *a = *ap;
	struct watch *w = a->watch;

	account_leave(a);
	HASH_DEL(w->accounts, a);
	watch_count(w);
	watcher_free(&a->watcher);
	aside_done(&a->aside);
	wake_done(&a->wake);
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

static void on_watching(void *arg)
{
	struct account *a = arg;
	struct log_text user;

	a->polls = watcher_polls(a->watcher);
	account_set_state(a, ACCOUNT_WATCHED);
	a->failures = 0;
	log_info(&a->log, "watching user=%s", log_safe(a->user, &user));
}

/* One line at the first failure: the next ones say the same. */
static void account_log_end(struct account *a, const char *why,
                            uint32_t delay_ms)
{
	struct log_text user;

	log_safe(a->user, &user);
	if (a->state == ACCOUNT_WATCHED)
		log_info(&a->log, "lost user=%s: %s, back in %u ms", user.text,
		         why, delay_ms);
	else if (a->failures == 1)
		log_warn(&a->log, "not watched user=%s: %s, again in %u ms",
		         user.text, why, delay_ms);
	else
		log_debug(&a->log, "failed user=%s: %s, again in %u ms",
		          user.text, why, delay_ms);
}

static void account_back_off(struct account *a, const char *why)
{
	uint64_t now_ms = loop_now_ms(a->watch->env.loop);
	uint32_t delay_ms;

	if (a->state == ACCOUNT_WATCHED &&
	    now_ms - a->since_ms >= WATCH_SUCCESS_MS)
		backoff_reset(&a->backoff);
	delay_ms = backoff_next(&a->backoff, rand_below(UINT32_MAX));
	a->failures++;
	account_log_end(a, why, delay_ms);
	account_set_state(a, ACCOUNT_WAITS);
	loop_timer_set(a->timer, delay_ms);
}

/* account_unreached: it is not this user's trouble, and the server's patience
 * that decides about the next one. */
static void account_unreached(struct account *a, const char *why)
{
	struct log_text user;

	log_debug(&a->log, "unreached user=%s: %s", log_safe(a->user, &user),
	          why);
	server_unreached(a->crowd->server, why);
	account_set_state(a, ACCOUNT_QUEUED);
}

/* account_darken: a user of whom nothing was known has had no login since we
 * began; one who registered since then has a phone that is awake. */
static void account_darken(struct account *a)
{
	struct watch *w = a->watch;

	a->dark_from_ms =
		a->state == ACCOUNT_NEW ? w->from_ms : loop_now_ms(w->env.loop);
	loop_timer_cancel(a->timer);
	account_set_state(a, ACCOUNT_DARK);
}

static void account_rejected(struct account *a, const char *why)
{
	struct watch *w = a->watch;
	struct proof *proof = server_proof(a->crowd->server);
	struct log_text user;

	log_warn(&a->log,
	         "login rejected user=%s: %s, waiting for the user to log in "
	         "again",
	         log_safe(a->user, &user), why);
	registry_login_rejected(w->env.registry, a->user);
	if (proof != NULL)
		proof_doubt(proof);
	account_darken(a);
}

/* The master was given an INBOX that is not the user's. */
static void account_foreign(struct account *a)
{
	struct watch *w = a->watch;
	struct log_text user;

	log_warn(&a->log,
	         "not watched user=%s: the INBOX that watch.master_user was "
	         "given is not the one that the user has shown, waiting for "
	         "the next registration",
	         log_safe(a->user, &user));
	registry_doubt(w->env.registry, a->user, STR("INBOX"));
	proof_doubt(server_proof(a->crowd->server));
	account_darken(a);
}

/* crowd_refuted: nobody of it can be watched in this mode. */
static void crowd_refuted(struct crowd *c)
{
	struct account *a;
	struct account *next;

	HASH_ITER(hh, c->watch->accounts, a, next) {
		if (a->crowd != c || a->state == ACCOUNT_DARK)
			continue;
		watcher_free(&a->watcher);
		account_darken(a);
	}
}

static bool on_inbox(void *arg, const struct store_state *inbox)
{
	struct account *a = arg;
	struct proof *proof = server_proof(a->crowd->server);

	server_reached(a->crowd->server);
	return proof == NULL || proof_judge(proof, a->user, inbox) == PROOF_OWN;
}

static void on_end(void *arg, enum watcher_end end, const char *why)
{
	struct account *a = arg;
	struct crowd *c = a->crowd;
	struct watcher *gone = a->watcher; /* owns |why| */

	a->watcher = NULL;
	/* That one is lost which was there before says nothing. */
	if (a->state == ACCOUNT_CONNECTS && end != WATCHER_UNREACHABLE)
		server_reached(c->server);
	switch (end) {
	case WATCHER_UNREACHABLE:
		account_unreached(a, why);
		break;
	case WATCHER_LOST:
	case WATCHER_NO_INBOX:
		account_back_off(a, why);
		break;
	case WATCHER_REJECTED:
		account_rejected(a, why);
		break;
	case WATCHER_UNWANTED:
		if (proof_is_refuted(server_proof(c->server)))
			crowd_refuted(c);
		else
			account_foreign(a);
		break;
	}
	watcher_free(&gone);
	crowd_pump(c); /* there is room for another */
}

static const struct watcher_handler watcher_events = {
	.on_inbox = on_inbox,
	.on_watching = on_watching,
	.on_end = on_end,
};

/* account_test tells whether the user could be watched now. Results: 0; those
 * of watch_login_open. */
static int account_test(struct account *a, struct err_detail *why)
{
	struct watch *w = a->watch;
	struct server *server = a->crowd->server;
	const struct proof *proof;
	struct imap_login login;
	struct str row;
	int rc;

	if (server == NULL)
		return err_set(why, ERR_AUTH,
		               "no route for the user's domain, and no "
		               "backend.url");
	proof = server_proof(server);
	if (proof != NULL && proof_is_refuted(proof))
		return err_set(why, ERR_AUTH,
		               "watch.login = \"master\" does not work with "
		               "this server");
	rc = watch_login_open(&w->env.opts.login, w->env.registry, a->user,
	                      &login, &row, why);
	if (rc == ERR_OK)
		imap_login_done(&login);
	return rc;
}

/* account_unusable: what the operator must mend is warned about once, since
 * it is the same for all. */
static void account_unusable(struct account *a, int rc, const char *why)
{
	struct watch *w = a->watch;
	struct log_text user;

	log_safe(a->user, &user);
	if (rc != ERR_AUTH)
		log_info(&a->log, "not watched user=%s: %s", user.text, why);
	else if (w->unusable)
		log_debug(&a->log, "not watched user=%s: %s", user.text, why);
	else
		log_warn(&a->log,
		         "not watched user=%s: %s; others like it are not "
		         "reported",
		         user.text, why);
	w->unusable |= rc == ERR_AUTH;
	account_darken(a);
}

/* account_connect makes the watcher, if that is worth a connection. */
static void account_connect(struct account *a)
{
	struct server *server = a->crowd->server;
	struct err_detail why;
	int rc = account_test(a, &why);

	if (rc != ERR_OK) {
		account_unusable(a, rc, why.text);
		return;
	}
	server_passes(server);
	account_set_state(a, ACCOUNT_CONNECTS);
	a->watcher = watcher_new(&a->watch->env, server_target(server), a->user,
	                         &a->aside, &a->log, &watcher_events, a);
}

/* crowd_pump lets those connect who may now, in order of coming. */
static void crowd_pump(struct crowd *c)
{
	struct account *a;

	while ((a = TAILQ_FIRST(&c->queued)) != NULL) {
		const struct server_load load = {
			.waiting = c->counts[ACCOUNT_QUEUED],
			.connecting = c->counts[ACCOUNT_CONNECTS],
			.watching = c->counts[ACCOUNT_WATCHED],
		};

		if (!server_admits(c->server, &load))
			return;
		account_connect(a);
	}
}

static void on_server_changed(void *arg)
{
	crowd_pump(arg);
}

static void count_wanted(void *arg, struct str mailbox, bool proved)
{
	(void)arg;
	(void)mailbox;
	(void)proved;
}

/* account_look: who is new or in the dark may be watched from now on. */
static void account_look(struct account *a)
{
	struct err_detail why;
	int rc = account_test(a, &why);

	if (rc == ERR_OK)
		account_queue(a);
	else if (a->state == ACCOUNT_NEW)
		account_unusable(a, rc, why.text);
}

/* Something about |user| changed in the registry. */
static void on_user(void *arg, struct str user)
{
	struct watch *w = arg;
	struct account *a = account_find(w, user);
	struct log_text text;

	if (registry_wanted(w->env.registry, user, count_wanted, NULL) > 0) {
		if (a == NULL)
			a = account_new(w, user);
		if (a->state == ACCOUNT_NEW || a->state == ACCOUNT_DARK)
			account_look(a);
		else if (a->watcher != NULL)
			watcher_refresh(a->watcher);
	} else if (a != NULL) {
		struct crowd *c = a->crowd;

		log_info(&a->log, "no longer watched user=%s",
		         log_safe(user, &text));
		account_free(&a);
		crowd_pump(c);
	}
}

static void crowds_init(struct watch *w)
{
	const struct routes *routes = w->env.opts.routes;

	w->crowds = xcalloc(routes->target_count + 1, sizeof(*w->crowds));
	for (size_t i = 0; i <= routes->target_count; i++) {
		struct crowd *c = &w->crowds[i];

		c->watch = w;
		TAILQ_INIT(&c->queued);
		if (i < routes->target_count)
			c->server = server_new(&w->env, &routes->targets[i],
			                       on_server_changed, c);
	}
}

void watch_set_opts(struct watch *w, const struct watch_opts *opts)
{
	struct account *a;
	struct account *next;

	assert(opts->login.mode == w->env.opts.login.mode);
	w->env.opts = *opts;
	w->unusable = false;
	for (size_t i = 0; i < opts->routes->target_count; i++)
		server_refresh(w->crowds[i].server);
	HASH_ITER(hh, w->accounts, a, next) {
		account_wake(a);
		if (a->watcher != NULL)
			watcher_set_times(a->watcher);
	}
	registry_observe(w->env.registry, on_user, w); /* tells of each user */
}

struct watch *watch_new(struct loop *loop, struct resolver *resolver,
                        struct registry *registry, struct notifier *notifier,
                        struct queue *queue, const struct watch_opts *opts)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->env.loop = loop;
	w->env.resolver = resolver;
	w->env.registry = registry;
	w->env.notifier = notifier;
	w->env.opts = *opts;
	w->queue = queue;
	w->from_ms = loop_now_ms(loop);
	crowds_init(w);
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
	for (size_t i = 0; i < w->env.opts.routes->target_count; i++)
		server_free(&w->crowds[i].server);
	free(w->crowds);
	free(w);
	*wp = NULL;
}
