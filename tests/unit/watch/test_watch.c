/* SPDX-License-Identifier: ISC */
/* Who is watched, and how often the backend is bothered for it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "unit/unit.h"
#include "watch/testwatch.h"
#include "watch/watch.h"

#define MINUTE_MS ((uint64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)

enum { PEERS_MAX = 64 };

struct fixture {
	struct testwatch t;
	struct watch *watch;
	struct fake_peer *peers[PEERS_MAX];
	size_t peer_count;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	testwatch_init(&f->t);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	watch_free(&f->watch);
	fake_run(f->t.p.loop);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
	for (size_t i = 0; i < f->peer_count; i++)
		fake_peer_free(&f->peers[i]);
	testwatch_done(&f->t);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	f->watch = watch_new(f->t.p.loop, f->t.resolver, f->t.p.registry,
	                     f->t.p.notifier, f->t.p.queue, &f->t.opts);
	fake_run(f->t.p.loop);
}

static void pass(struct fixture *f, uint64_t ms)
{
	fake_clock_advance(f->t.p.loop, ms);
}

/* dials wants so many to have been made in all. */
static void dials(struct fixture *f, size_t count)
{
	fake_run(f->t.p.loop);
	assert_int_equal(fake_dials(f->t.p.loop), count);
}

/* accept gives the oldest waiting dial, or the next, a connection. */
static struct fake_peer *accept_one(struct fixture *f)
{
	struct fake_peer *peer = fake_dial_connect(f->t.p.loop, 0);

	assert_true(f->peer_count < PEERS_MAX);
	f->peers[f->peer_count++] = peer;
	fake_run(f->t.p.loop);
	return peer;
}

/* is_watched lets |user| be watched, the mailbox being at |uidnext|. */
static struct fake_peer *is_watched(struct fixture *f, uint32_t uidnext)
{
	struct fake_peer *peer = accept_one(f);

	testwatch_bring_up(&f->t, peer, uidnext);
	return peer;
}

static void lose(struct fixture *f, struct fake_peer *peer)
{
	fake_break(peer, ERR_CLOSED, "Connection reset by peer");
	fake_run(f->t.p.loop);
}

/* redials wants a dial after a wait between half of |step_ms| and all of it.
 */
static void redials(struct fixture *f, uint64_t step_ms)
{
	size_t before = fake_dials(f->t.p.loop);
	uint64_t waited_ms = 0;

	for (; fake_dials(f->t.p.loop) == before; waited_ms += 100)
		pass(f, 100);
	dials(f, before + 1);
	assert_in_range(waited_ms, step_ms / 2, step_ms + 100);
}

/* first_id is the id of a registration of |user|. */
static uint64_t first_id(struct fixture *f, const char *user)
{
	return ledger_registration_first(
		       ledger_user_find(f->t.p.ledger, str_of(user)))
	        ->id;
}

/* wakes wants the phone "t-anna" to be rung within |ms| and delivers that. */
static void wakes(struct fixture *f, uint64_t ms)
{
	pass(f, ms);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
	testpush_delivered(&f->t.p, first_id(f, "anna"));
}

/* Who. */

static void one_watcher_for_all_devices_of_a_user(void **state)
{
	struct fixture *f = *state;

	start(f);
	testwatch_user(&f->t, "anna");
	(void)testpush_phone(&f->t.p, "anna", "t2", "INBOX*");
	(void)testpush_phone(&f->t.p, "anna", "t3", "INBOX*");
	dials(f, 1);
	(void)is_watched(f, 12);
	testwatch_user(&f->t, "anna"); /* registers again */
	pass(f, 60000);
	dials(f, 1);
}

/* A device that wants more is heard by the watcher that there is. */
static void new_wish_reaches_the_watcher(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	start(f);
	testwatch_user(&f->t, "anna");
	peer = is_watched(f, 12);
	(void)testpush_phone(&f->t.p, "anna", "t2", "INBOX* Work*");
	testwatch_heard(&f->t, peer, "DONE\r\n");
	dials(f, 1);
}

static void user_without_login_or_device_is_not_watched(void **state)
{
	struct fixture *f = *state;

	start(f);
	(void)testpush_phone(&f->t.p, "anna", "t1", "INBOX*");
	testwatch_login(&f->t, "bert", "pw");
	pass(f, 60000);
	dials(f, 0);
	testwatch_login(&f->t, "anna", "pw");
	dials(f, 1);
}

static void users_of_the_store_are_watched_after_the_load(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	testwatch_user(&f->t, "bert");
	testpush_stop(&f->t.p);
	testpush_begin(&f->t.p);
	f->watch = watch_new(f->t.p.loop, f->t.resolver, f->t.p.registry,
	                     f->t.p.notifier, f->t.p.queue, &f->t.opts);
	assert_int_equal(fake_dials(f->t.p.loop), 0);
	dials(f, 2);
}

static void user_whose_last_device_goes_is_left(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;
	uint64_t id;

	start(f);
	testwatch_login(&f->t, "anna", "pw");
	id = testpush_phone(&f->t.p, "anna", "t1", "INBOX*");
	peer = is_watched(f, 12);
	registry_remove(f->t.p.registry, id);
	testwatch_heard(&f->t, peer, "DONE\r\nW4 LOGOUT\r\n");
	assert_true(fake_is_closed(peer));
	pass(f, 3600 * 1000);
	dials(f, 1);
	/* While it dials, too. */
	testwatch_user(&f->t, "bert");
	dials(f, 2);
	registry_remove(f->t.p.registry, first_id(f, "bert"));
	fake_run(f->t.p.loop);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
}

/* How often. */

static void many_users(struct fixture *f, int count)
{
	char name[16];

	for (int i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		testwatch_user(&f->t, name);
	}
}

static void connects_are_spread_by_the_rate(void **state)
{
	struct fixture *f = *state;

	f->t.opts.connect_rate = 10;
	many_users(f, 40);
	start(f);
	dials(f, 10); /* after a rest: a second's worth */
	for (size_t i = 11; i <= 40; i++) {
		pass(f, 99);
		dials(f, i - 1);
		pass(f, 1);
		dials(f, i);
	}
	pass(f, 10000);
	dials(f, 40);
}

static void connections_over_the_maximum_wait_for_room(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	f->t.opts.connections_max = 2;
	many_users(f, 3);
	start(f);
	dials(f, 2);
	peer = is_watched(f, 12);
	(void)is_watched(f, 12);
	pass(f, 60000);
	dials(f, 2);
	lose(f, peer);
	dials(f, 3); /* the third, before the one that was cut off */
	pass(f, 29000);
	dials(f, 3);
}

static void lost_connection_comes_back_ever_more_slowly(void **state)
{
	static const uint64_t steps_ms[] = { 1000,   2000,   4000,  8000,
		                             16000,  32000,  64000, 128000,
		                             256000, 300000, 300000 };
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	start(f);
	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		/* It listened, but not for long. */
		lose(f, is_watched(f, 12));
		redials(f, steps_ms[i]);
	}
	/* Half a minute of listening is a success. */
	for (int i = 0; i < 2; i++) {
		struct fake_peer *peer = is_watched(f, 12);

		pass(f, 30000);
		lose(f, peer);
		redials(f, 1000);
	}
}

static void refused_ones_come_back_with_jitter(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;
	size_t early = 0;

	f->t.opts.connect_rate = 1000;
	many_users(f, 60);
	start(f);
	dials(f, 60);
	for (int i = 0; i < 60; i++) {
		peer = accept_one(f);
		testwatch_says(&f->t, peer, TESTWATCH_GREETING);
		testwatch_says(&f->t, peer, "W0 NO [UNAVAILABLE] later\r\n");
	}
	pass(f, 499);
	dials(f, 60);
	pass(f, 251);
	early = fake_dials(f->t.p.loop) - 60;
	assert_in_range(early, 1, 59); /* one in 2^60 */
	pass(f, 250);
	dials(f, 120);
}

/* A backend that is away. */

static void refuse(struct fixture *f, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fake_dial_fail(f->t.p.loop, 0, ERR_CLOSED, "refused");
}

static void one_tries_for_all(void **state)
{
	struct fixture *f = *state;
	size_t before;

	f->t.opts.connect_rate = 10;
	many_users(f, 400);
	refuse(f, 10000);
	start(f);
	dials(f, 10); /* before the first of them was refused */
	for (uint64_t step_ms = 1000; step_ms <= 16000; step_ms *= 2)
		redials(f, step_ms);
	before = fake_dials(f->t.p.loop);
	pass(f, HOUR_MS);
	assert_in_range(fake_dials(f->t.p.loop) - before, 120, 240);
}

/* Whether it is dead, or what is in front of it answers for it. */
static void one_waits_for_all(void **state)
{
	struct fixture *f = *state;

	f->t.opts.connect_rate = 10;
	many_users(f, 40);
	start(f);
	fake_dial_hang(f->t.p.loop);
	pass(f, 29 * 1000);
	/* Nobody knows yet; of the others each waits for its own end. */
	dials(f, 40);
	pass(f, 1000);
	for (int i = 0; i < 30; i++)
		fake_push_eof(accept_one(f));
	fake_run(f->t.p.loop);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
	pass(f, 1000);
	dials(f, 41);
	pass(f, 10 * 1000);
	dials(f, 41);
	assert_int_equal(fake_dials_open(f->t.p.loop), 1);
}

static void backend_that_is_back_gets_everyone_at_once(void **state)
{
	struct fixture *f = *state;

	f->t.opts.connect_rate = 10;
	many_users(f, 40);
	refuse(f, 20);
	start(f);
	while (fake_dials_waiting(f->t.p.loop) == 0)
		pass(f, 1000);
	dials(f, 21);
	/* It is slow, and all wait for that. */
	(void)accept_one(f);
	pass(f, 10 * 1000);
	dials(f, 21);
	testwatch_bring_up(&f->t, f->peers[0], 12);
	dials(f, 31);
	pass(f, 2900);
	dials(f, 60);
	pass(f, 20 * 1000);
	dials(f, 60);
	/* The next time it is looked for at once again. */
	refuse(f, 60);
	redials(f, 1000);
}

/* A refused login is an answer, too. */
static void backend_that_says_no_is_back(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	many_users(f, 3);
	refuse(f, 3);
	start(f);
	dials(f, 3);
	redials(f, 1000);
	peer = accept_one(f);
	testwatch_says(&f->t, peer, TESTWATCH_GREETING);
	testwatch_says(&f->t, peer, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
	dials(f, 6);
}

/* Those that were there before it went end one by one. */
static void connection_that_ends_is_no_answer(void **state)
{
	struct fixture *f = *state;
	size_t before;

	f->t.opts.connect_rate = 100;
	many_users(f, 20);
	start(f);
	for (int i = 0; i < 20; i++)
		(void)is_watched(f, 12);
	refuse(f, 1000);
	lose(f, f->peers[0]);
	pass(f, 1000);
	before = fake_dials(f->t.p.loop);
	for (size_t i = 1; i < 20; i++)
		lose(f, f->peers[i]);
	pass(f, 15 * 1000);
	assert_in_range(fake_dials(f->t.p.loop) - before, 1, 5);
}

/* More than one backend. */

#define SOUTH "@" TESTWATCH_SOUTH

static size_t waiting_to(struct fixture *f, uint16_t port)
{
	fake_run(f->t.p.loop);
	return fake_dials_waiting_to(f->t.p.loop, port);
}

static void watchers_go_where_the_clients_go(void **state)
{
	struct fixture *f = *state;

	start(f);
	testwatch_user(&f->t, "anna");
	assert_int_equal(waiting_to(f, 143), 1);
	testwatch_user(&f->t, "anna" SOUTH);
	testwatch_user(&f->t, "bert@South.Example");
	assert_int_equal(waiting_to(f, 143), 1);
	assert_int_equal(waiting_to(f, TESTWATCH_SOUTH_PORT), 2);
}

static void names_without_a_domain_follow_the_default(void **state)
{
	struct fixture *f = *state;

	f->t.routes.default_domain = TESTWATCH_SOUTH;
	start(f);
	testwatch_user(&f->t, "anna");
	assert_int_equal(waiting_to(f, TESTWATCH_SOUTH_PORT), 1);
}

static void user_without_a_route_is_in_the_dark(void **state)
{
	struct fixture *f = *state;

	f->t.routes.fallback = ROUTES_NONE;
	testwatch_user(&f->t, "anna");
	pass(f, 1);
	start(f);
	wakes(f, MINUTE_MS);
	pass(f, HOUR_MS);
	testwatch_login(&f->t, "anna", "other");
	dials(f, 0);
}

/* Each has its own pace, room, and days off. */
static void backends_do_not_wait_for_each_other(void **state)
{
	struct fixture *f = *state;

	f->t.opts.connect_rate = 10;
	f->t.opts.connections_max = 2;
	for (int i = 0; i < 3; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "user%d", i);
		testwatch_user(&f->t, name);
		(void)snprintf(name, sizeof(name), "user%d" SOUTH, i);
		testwatch_user(&f->t, name);
	}
	fake_dial_only(f->t.p.loop, TESTWATCH_SOUTH_PORT);
	refuse(f, 2);
	start(f);
	assert_int_equal(waiting_to(f, 143), 2);
	assert_int_equal(waiting_to(f, TESTWATCH_SOUTH_PORT), 0);
	fake_dial_only(f->t.p.loop, 143);
	(void)is_watched(f, 12);
	(void)is_watched(f, 12);
	fake_dial_only(f->t.p.loop, 0);
	pass(f, 1000);
	assert_int_equal(waiting_to(f, 143), 0);
	(void)is_watched(f, 12);
	pass(f, 1000);
	(void)is_watched(f, 12);
	pass(f, MINUTE_MS);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 4);
	assert_int_equal(metric_get(METRIC_USERS_UNWATCHED), 2);
}

/* The second is watched without IDLE; both leave their series when they go. */
static void watchers_are_counted_by_state_and_method(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	start(f);
	testwatch_user(&f->t, "anna");
	peer = is_watched(f, 12);
	assert_int_equal(metric_get(METRIC_WATCHERS_IDLE), 1);
	lose(f, peer);
	assert_int_equal(metric_get(METRIC_WATCHERS_IDLE), 0);
	assert_int_equal(metric_get(METRIC_WATCHERS_WAITS), 1);
	pass(f, MINUTE_MS);
	peer = accept_one(f);
	assert_int_equal(metric_get(METRIC_WATCHERS_CONNECTS), 1);
	testwatch_says(&f->t, peer,
	               "* OK [CAPABILITY IMAP4rev1 SASL-IR] hello\r\n");
	testwatch_says(&f->t, peer, "W0 OK [CAPABILITY IMAP4rev1] in\r\n");
	testwatch_says(&f->t, peer,
	               "* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 12 MESSAGES 11 "
	               "UNSEEN 0)\r\nW1 OK done\r\n");
	testwatch_says(&f->t, peer,
	               "* 11 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
	               "* OK [UIDNEXT 12] x\r\nW2 OK done\r\n");
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 1);
	assert_int_equal(metric_get(METRIC_WATCHERS_POLL), 1);
	assert_int_equal(metric_get(METRIC_WATCHERS_IDLE), 0);
	watch_free(&f->watch);
	assert_int_equal(metric_get(METRIC_WATCHERS_POLL), 0);
	fake_run(f->t.p.loop);
}

/* Rejected logins. */

static void rejected_login_is_not_repeated(void **state)
{
	struct fixture *f = *state;
	struct store_login row;
	struct fake_peer *peer;

	testwatch_user(&f->t, "anna");
	start(f);
	peer = accept_one(f);
	testwatch_says(&f->t, peer, TESTWATCH_GREETING);
	testwatch_says(&f->t, peer, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
	pass(f, (uint64_t)24 * 3600 * 1000);
	dials(f, 1);
	assert_ok(registry_login(f->t.p.registry, STR("anna"), &row));
	assert_true(row.rejected);
	/* Nor because a phone registers. */
	(void)testpush_phone(&f->t.p, "anna", "t2", "INBOX*");
	pass(f, 60000);
	dials(f, 1);
	/* Nor after a restart. */
	watch_free(&f->watch);
	testpush_restart(&f->t.p);
	start(f);
	pass(f, 60000);
	dials(f, 1);
	/* But when the user has logged in again. */
	testwatch_login(&f->t, "anna", "new");
	dials(f, 2);
	(void)is_watched(f, 12);
}

static void refusal_for_a_while_is_repeated_with_back_off(void **state)
{
	struct fixture *f = *state;
	struct store_login row;

	testwatch_user(&f->t, "anna");
	start(f);
	for (uint64_t step_ms = 1000; step_ms < 10000; step_ms *= 2) {
		struct fake_peer *peer = accept_one(f);

		testwatch_says(&f->t, peer, TESTWATCH_GREETING);
		testwatch_says(&f->t, peer, "W0 NO [UNAVAILABLE] later\r\n");
		redials(f, step_ms);
	}
	assert_ok(registry_login(f->t.p.registry, STR("anna"), &row));
	assert_false(row.rejected);
}

static void login_that_does_not_open_costs_no_connection(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->t.p, "anna", "t1", "INBOX*");
	registry_login_put(f->t.p.registry, STR("anna"), STR("damaged"));
	start(f);
	pass(f, (uint64_t)24 * 3600 * 1000);
	dials(f, 0);
	testwatch_login(&f->t, "anna", "pw");
	dials(f, 1);
	(void)is_watched(f, 12);
}

static void without_a_key_nobody_is_watched_and_nothing_breaks(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	f->t.opts.login.seal = NULL;
	start(f);
	pass(f, 60000);
	dials(f, 0);
}

static void nobody_is_watched_after_the_end(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	start(f);
	dials(f, 1);
	watch_free(&f->watch);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
	testwatch_user(&f->t, "bert");
	pass(f, 60000);
	dials(f, 1);
}

/* In the dark. */

static void user_without_a_login_is_rung(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->t.p, "anna", "t1", "INBOX*");
	(void)testpush_phone(&f->t.p, "anna", "t2", "INBOX* Work*");
	pass(f, 1000);
	start(f);
	pass(f, MINUTE_MS);
	testpush_sees(&f->t.p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 0);
	assert_int_equal(metric_get(METRIC_USERS_UNWATCHED), 1);
}

/* is_rejected connects and is refused. */
static void is_rejected(struct fixture *f)
{
	struct fake_peer *peer = accept_one(f);

	testwatch_says(&f->t, peer, TESTWATCH_GREETING);
	testwatch_says(&f->t, peer, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
}

static void rejected_user_is_rung_down_to_every_23_hours(void **state)
{
	struct fixture *f = *state;
	int64_t rings = metric_get(METRIC_WAKE_RINGS);

	testwatch_user(&f->t, "anna");
	pass(f, 1);
	start(f);
	is_rejected(f);
	wakes(f, MINUTE_MS);
	wakes(f, 15 * MINUTE_MS);
	wakes(f, HOUR_MS);
	wakes(f, 6 * HOUR_MS);
	for (int i = 0; i < 5; i++)
		wakes(f, 23 * HOUR_MS);
	assert_int_equal(metric_get(METRIC_WAKE_RINGS) - rings, 9);
	assert_int_equal(metric_get(METRIC_USERS_UNWATCHED), 1);
}

static void login_ends_the_rings(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	pass(f, 1);
	start(f);
	assert_int_equal(metric_get(METRIC_WATCHERS_CONNECTS), 1);
	is_rejected(f);
	assert_int_equal(metric_get(METRIC_WATCHERS_CONNECTS), 0);
	assert_int_equal(metric_get(METRIC_WATCHERS_DARK), 1);
	wakes(f, MINUTE_MS);
	testwatch_login(&f->t, "anna", "new");
	(void)is_watched(f, 12);
	assert_int_equal(metric_get(METRIC_WATCHERS_DARK), 0);
	assert_int_equal(metric_get(METRIC_WATCHERS_IDLE), 1);
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 1);
	assert_int_equal(metric_get(METRIC_USERS_UNWATCHED), 0);
	pass(f, 24 * HOUR_MS);
	testpush_sees(&f->t.p, "");
}

/* Else each ring would bring a phone whose login is refused again. */
static void login_that_is_refused_again_goes_on_where_it_was(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	pass(f, 1);
	start(f);
	is_rejected(f);
	wakes(f, MINUTE_MS);
	testwatch_login(&f->t, "anna", "pw");
	is_rejected(f);
	pass(f, 13 * MINUTE_MS);
	testpush_sees(&f->t.p, "");
	wakes(f, 2 * MINUTE_MS);
}

static void nobody_is_rung_who_connects_or_backs_off(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	testwatch_user(&f->t, "bert");
	pass(f, 1);
	for (int i = 0; i < 2 * 20; i++)
		fake_dial_fail(f->t.p.loop, 0, ERR_CLOSED, "refused");
	start(f);
	pass(f, HOUR_MS); /* anna and bert wait again and again */
	testpush_sees(&f->t.p, "");
	assert_int_equal(metric_get(METRIC_USERS_UNWATCHED), 2);
}

static void phone_that_has_just_come_is_not_rung_at_once(void **state)
{
	struct fixture *f = *state;

	start(f);
	pass(f, 1000);
	(void)testpush_phone(&f->t.p, "anna", "t-anna", "INBOX*");
	fake_wall_jump(f->t.p.loop, 5); /* a turn takes its time */
	pass(f, MINUTE_MS);
	testpush_sees(&f->t.p, "");
	wakes(f, 15 * MINUTE_MS);
	/* Another that comes does not begin it anew. */
	(void)testpush_phone(&f->t.p, "anna", "t2", "INBOX*");
	pass(f, HOUR_MS - MINUTE_MS);
	testpush_sees(&f->t.p, "");
	pass(f, MINUTE_MS);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\nt2 INBOX v2 try=0\n");
}

/* A machine without a clock of its own: what it remembers lies ahead. */
static void wrong_clock_keeps_no_phone_in_the_dark(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->t.p, "anna", "t-anna", "INBOX*");
	fake_wall_jump(f->t.p.loop, -(int64_t)(240 * HOUR_MS));
	start(f);
	wakes(f, MINUTE_MS);
}

static void phone_that_goes_is_rung_no_more(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->t.p, "anna", "t-anna", "INBOX*");
	pass(f, 1);
	start(f);
	wakes(f, MINUTE_MS);
	registry_remove(f->t.p.registry, first_id(f, "anna"));
	pass(f, 24 * HOUR_MS);
	testpush_sees(&f->t.p, "");
	assert_int_equal(metric_get(METRIC_USERS_UNWATCHED), 0);
}

static void wake_rings_can_be_switched_off(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->t.p, "anna", "t1", "INBOX*");
	pass(f, 1);
	f->t.opts.wake = false;
	start(f);
	pass(f, 48 * HOUR_MS);
	testpush_sees(&f->t.p, "");
}

static void first_rings_after_a_start_are_spread(void **state)
{
	struct fixture *f = *state;
	char name[16];
	size_t early;

	for (int i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		(void)testpush_phone(&f->t.p, name, name, "INBOX*");
	}
	pass(f, 1);
	start(f);
	pass(f, MINUTE_MS / 2);
	early = testpush_open(&f->t.p);
	assert_in_range(early, 1, 59); /* one in 2^60 */
	pass(f, MINUTE_MS / 2);
	assert_int_equal(testpush_open(&f->t.p), 60);
}

/* A restart rings those again, since nobody saw what came meanwhile; a push
 * that was owed is not owed twice. */
static void wake_ring_survives_a_restart_once(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->t.p, "anna", "t-anna", "INBOX*");
	pass(f, 1);
	start(f);
	f->t.p.apns.rc = ERR_UNAVAILABLE;
	pass(f, MINUTE_MS);
	watch_free(&f->watch);
	testpush_crash(&f->t.p);
	f->t.p.apns.rc = 0;
	testpush_ready(&f->t.p);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
	testpush_delivered(&f->t.p, first_id(f, "anna"));
	pass(f, HOUR_MS); /* nobody watches yet: nobody is rung */
	testpush_sees(&f->t.p, "");
	start(f);
	wakes(f, MINUTE_MS);
}

/* By a master. */

/* master_may begins with the master alone refused. */
static void master_may(struct fixture *f)
{
	struct fake_peer *peer;

	testwatch_master(&f->t, WATCH_LOGIN_AUTHZID);
	pass(f, 1);
	start(f);
	dials(f, 1);
	peer = accept_one(f);
	testwatch_says(&f->t, peer, TESTWATCH_GREETING);
	testwatch_heard(&f->t, peer,
	                "W0 AUTHENTICATE PLAIN " TESTWATCH_MASTER "\r\n");
	testwatch_says(&f->t, peer, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
}

/* is_shown lets the next one log in and see an INBOX. */
static struct fake_peer *is_shown(struct fixture *f, const char *status)
{
	struct fake_peer *peer = accept_one(f);

	testwatch_log_in(&f->t, peer);
	testwatch_says(&f->t, peer, status);
	return peer;
}

static void master_watches_all_once_one_was_right(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "user%d", i);
		testwatch_shown(&f->t, name, 12);
	}
	master_may(f);
	dials(f, 2); /* one tries */
	(void)is_watched(f, 12);
	dials(f, 11); /* all others follow */
	for (int i = 0; i < 9; i++)
		(void)is_watched(f, 14);
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 10);
}

static void inbox_of_somebody_else_is_not_watched(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	testwatch_shown(&f->t, "anna", 12);
	master_may(f);
	peer = is_shown(f, "* STATUS INBOX (UIDVALIDITY 8 UIDNEXT 12 MESSAGES "
	                   "1 UNSEEN 1)\r\nW1 OK done\r\n");
	testwatch_heard(&f->t, peer, "");
	assert_true(fake_is_closed(peer));
	wakes(f, MINUTE_MS);
	pass(f, 6 * HOUR_MS);
	dials(f, 2);
	/* What was stored may have been the other's. */
	assert_null(ledger_state(f->t.p.ledger, STR("anna"), STR("INBOX")));
	assert_false(
		registry_is_proved(f->t.p.registry, STR("anna"), STR("INBOX")));
	/* The user's own session shows it again. */
	testwatch_shown(&f->t, "anna", 3);
	dials(f, 3);
	(void)is_watched(f, 4);
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 1);
}

static void server_that_ignores_whom_the_master_asks_for(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	testwatch_shown(&f->t, "anna", 12);
	testwatch_shown(&f->t, "bert", 12);
	testwatch_master(&f->t, WATCH_LOGIN_AUTHZID);
	pass(f, 1);
	start(f);
	/* The master's INBOX, whoever is asked for. */
	(void)is_shown(f, "* STATUS INBOX (UIDVALIDITY 9 UIDNEXT 5 MESSAGES 4 "
	                  "UNSEEN 1)\r\nW1 OK done\r\n");
	peer = is_shown(f, "* STATUS INBOX (UIDVALIDITY 9 UIDNEXT 6 MESSAGES 5 "
	                   "UNSEEN 1)\r\nW1 OK done\r\n");
	testwatch_heard(&f->t, peer, "");
	pass(f, MINUTE_MS);
	assert_int_equal(testpush_open(&f->t.p), 2); /* both are rung */
	/* Nobody is tried again, whoever comes. */
	testwatch_shown(&f->t, "cleo", 12);
	testwatch_shown(&f->t, "anna", 12);
	pass(f, 24 * HOUR_MS);
	dials(f, 2);
	assert_int_equal(
		ledger_state(f->t.p.ledger, STR("anna"), STR("INBOX"))->uidnext,
		12);
}

/* What one server does says nothing of another. */
static void masters_are_proved_at_each_backend(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	testwatch_shown(&f->t, "anna", 12);
	testwatch_shown(&f->t, "bert" SOUTH, 12);
	testwatch_master(&f->t, WATCH_LOGIN_AUTHZID);
	start(f);
	fake_dial_only(f->t.p.loop, 143);
	(void)is_shown(f, "* STATUS INBOX (UIDVALIDITY 9 UIDNEXT 5 MESSAGES 4 "
	                  "UNSEEN 1)\r\nW1 OK done\r\n");
	(void)is_shown(f, "* STATUS INBOX (UIDVALIDITY 9 UIDNEXT 6 MESSAGES 5 "
	                  "UNSEEN 1)\r\nW1 OK done\r\n");
	fake_dial_only(f->t.p.loop, TESTWATCH_SOUTH_PORT);
	peer = accept_one(f);
	testwatch_says(&f->t, peer, TESTWATCH_GREETING);
	testwatch_says(&f->t, peer, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
	(void)is_watched(f, 12);
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 1);
	pass(f, MINUTE_MS);
	assert_int_equal(metric_get(METRIC_USERS_WATCHED), 1);
	dials(f, 4);
}

static void wrong_secret_is_tried_ever_more_slowly(void **state)
{
	struct fixture *f = *state;
	char name[16];

	for (int i = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), "user%d", i);
		testwatch_shown(&f->t, name, 12);
	}
	master_may(f);
	for (uint64_t step_ms = 1000; step_ms <= 4000; step_ms *= 2) {
		is_rejected(f);
		redials(f, step_ms);
	}
}

/* Nothing is missed. */

static void mail_that_came_while_it_was_lost_rings(void **state)
{
	struct fixture *f = *state;
	struct fake_peer *peer;

	testwatch_user(&f->t, "anna");
	start(f);
	peer = is_watched(f, 12);
	testpush_sees(&f->t.p, "");
	lose(f, peer);
	pass(f, 1000);
	(void)is_watched(f, 15);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
	assert_int_equal(
		ledger_state(f->t.p.ledger, STR("anna"), STR("INBOX"))->uidnext,
		15);
}

static void mail_that_came_while_we_were_down_rings(void **state)
{
	struct fixture *f = *state;

	testwatch_user(&f->t, "anna");
	start(f);
	(void)is_watched(f, 12);
	watch_free(&f->watch);
	testpush_crash(&f->t.p);
	start(f);
	(void)is_watched(f, 15);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_watcher_for_all_devices_of_a_user),
		TEST(new_wish_reaches_the_watcher),
		TEST(user_without_login_or_device_is_not_watched),
		TEST(users_of_the_store_are_watched_after_the_load),
		TEST(user_whose_last_device_goes_is_left),
		TEST(connects_are_spread_by_the_rate),
		TEST(connections_over_the_maximum_wait_for_room),
		TEST(lost_connection_comes_back_ever_more_slowly),
		TEST(refused_ones_come_back_with_jitter),
		TEST(one_tries_for_all),
		TEST(one_waits_for_all),
		TEST(backend_that_is_back_gets_everyone_at_once),
		TEST(backend_that_says_no_is_back),
		TEST(connection_that_ends_is_no_answer),
		TEST(watchers_go_where_the_clients_go),
		TEST(names_without_a_domain_follow_the_default),
		TEST(user_without_a_route_is_in_the_dark),
		TEST(backends_do_not_wait_for_each_other),
		TEST(watchers_are_counted_by_state_and_method),
		TEST(rejected_login_is_not_repeated),
		TEST(refusal_for_a_while_is_repeated_with_back_off),
		TEST(login_that_does_not_open_costs_no_connection),
		TEST(without_a_key_nobody_is_watched_and_nothing_breaks),
		TEST(nobody_is_watched_after_the_end),
		TEST(user_without_a_login_is_rung),
		TEST(rejected_user_is_rung_down_to_every_23_hours),
		TEST(login_ends_the_rings),
		TEST(login_that_is_refused_again_goes_on_where_it_was),
		TEST(nobody_is_rung_who_connects_or_backs_off),
		TEST(phone_that_has_just_come_is_not_rung_at_once),
		TEST(wrong_clock_keeps_no_phone_in_the_dark),
		TEST(phone_that_goes_is_rung_no_more),
		TEST(wake_rings_can_be_switched_off),
		TEST(first_rings_after_a_start_are_spread),
		TEST(wake_ring_survives_a_restart_once),
		TEST(master_watches_all_once_one_was_right),
		TEST(inbox_of_somebody_else_is_not_watched),
		TEST(server_that_ignores_whom_the_master_asks_for),
		TEST(masters_are_proved_at_each_backend),
		TEST(wrong_secret_is_tried_ever_more_slowly),
		TEST(mail_that_came_while_it_was_lost_rings),
		TEST(mail_that_came_while_we_were_down_rings),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
