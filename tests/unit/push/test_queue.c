/* SPDX-License-Identifier: ISC */
/* When a push goes, and what its answer makes of the row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/metric.h"
#include "push/testpush.h"
#include "unit/unit.h"

#define HOUR_MS ((uint64_t)3600 * 1000)

static int set_up(void **state)
{
	struct testpush *p = xcalloc(1, sizeof(*p));

	testpush_init(p);
	testpush_start(p);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct testpush *p = *state;

	testpush_done(p);
	free(p);
	return 0;
}

/* phone registers a device for INBOX and Sent; proved, to be short. */
static uint64_t phone(struct testpush *p, const char *token)
{
	uint64_t id = testpush_phone(p, "anna", token, "INBOX* Sent*");

	fake_run(p->loop);
	return id;
}

static void owe(struct testpush *p, uint64_t id, const char *mailbox,
                uint64_t delay_ms)
{
	queue_owe(p->queue, id, str_of(mailbox), delay_ms);
}

static void answer(struct testpush *p, uint64_t id, enum push_verdict verdict,
                   int status, uint64_t delay_ms)
{
	const struct push_result result = { .verdict = verdict,
		                            .status = status,
		                            .reason = status == 200 ? ""
		                                                    : "other",
		                            .delay_ms = delay_ms };

	testpush_answer(p, id, &result);
}

static void unregister(struct testpush *p, uint64_t id, int64_t gone_ms)
{
	const struct push_result result = { .verdict = PUSH_UNREGISTER,
		                            .status = 410,
		                            .reason = "Unregistered",
		                            .gone_ms = gone_ms };

	testpush_answer(p, id, &result);
}

#define PHONE(token) "phone anna/" token " INBOX* Sent*\n"
#define OWED(token, rest) "owed anna/" token " " rest "\n"

/* When. */

static void what_is_owed_now_is_sent_on_a_later_turn(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	assert_int_equal(p->apns.asked, 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	assert_int_equal(queue_depth(p->queue), 1);
	scriptstore_want(&p->disk, OWED("t1", "INBOX tries=0") PHONE("t1"));
	testpush_delivered(p, id);
	assert_int_equal(queue_depth(p->queue), 0);
	scriptstore_want(&p->disk, PHONE("t1"));
	fake_clock_advance(p->loop, HOUR_MS);
	testpush_sees(p, "");
}

static void nothing_is_sent_before_it_is_due(void **state)
{
	struct testpush *p = *state;

	owe(p, phone(p, "t1"), "INBOX", 5000);
	fake_clock_advance(p->loop, 4999);
	testpush_sees(p, "");
	scriptstore_want(&p->disk, OWED("t1", "INBOX tries=0") PHONE("t1"));
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void earliest_of_the_due_times_counts(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 5000);
	owe(p, id, "Sent", 1000);
	owe(p, id, "INBOX", 9000);
	fake_clock_advance(p->loop, 999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX,Sent v2 try=0\n");
}

static void hastened_row_goes_at_once(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	uint64_t idle = phone(p, "t2");

	owe(p, id, "INBOX", 60000);
	fake_run(p->loop);
	queue_hasten(p->queue, id);
	queue_hasten(p->queue, idle); /* is owed nothing */
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	/* Not once more for what is in flight already, nor what comes then. */
	queue_hasten(p->queue, id);
	owe(p, id, "Sent", 5000);
	testpush_delivered(p, id);
	fake_clock_advance(p->loop, 4999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 Sent v2 try=0\n");
	testpush_delivered(p, id);
	assert_int_equal(queue_depth(p->queue), 0);
}

static void one_row_for_a_registration_with_each_mailbox_once(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "Sent", 100);
	owe(p, id, "INBOX", 100);
	owe(p, id, "Sent", 100);
	owe(p, id, "inbox", 100);
	assert_int_equal(queue_depth(p->queue), 1);
	fake_clock_advance(p->loop, 100);
	testpush_sees(p, "t1 Sent,INBOX v2 try=0\n");
}

static void jump_of_the_wall_clock_moves_no_push(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 5000);
	fake_run(p->loop);
	fake_wall_jump(p->loop, -(int64_t)HOUR_MS);
	fake_clock_advance(p->loop, 5000);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_delivered(p, id);
	owe(p, id, "INBOX", 5000);
	fake_wall_jump(p->loop, (int64_t)HOUR_MS);
	fake_clock_advance(p->loop, 4999);
	testpush_sees(p, "");
}

static void many_at_once_leave_turns_to_others(void **state)
{
	struct testpush *p = *state;
	size_t most = 0;
	char token[16];

	p->registry_opts.devices_per_user = 1000;
	testpush_restart(p);
	for (int i = 0; i < 600; i++) {
		(void)snprintf(token, sizeof(token), "%d", i);
		owe(p, testpush_phone(p, "anna", token, "INBOX*"), "INBOX", 0);
	}
	while (testpush_open(p) < 600) {
		size_t before = testpush_open(p);

		(void)fake_turn(p->loop);
		if (testpush_open(p) - before > most)
			most = testpush_open(p) - before;
	}
	assert_int_equal(most, 256);
}

/* Generations. */

static void event_while_in_flight_rings_again(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	testpush_sees(p, ""); /* one at a time */
	testpush_delivered(p, id);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_delivered(p, id);
	testpush_sees(p, "");
	scriptstore_want(&p->disk, PHONE("t1"));
}

static void only_what_came_since_goes_again(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	const struct store_pending *row;
	int64_t seen_ms;

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	fake_clock_advance(p->loop, 300);
	seen_ms = loop_wall_ms(p->loop);
	owe(p, id, "Sent", 5000);
	fake_clock_advance(p->loop, 700);
	owe(p, id, "Sent", 5000);
	testpush_delivered(p, id);
	scriptstore_want(&p->disk, OWED("t1", "Sent tries=0") PHONE("t1"));
	row = ledger_pending(p->ledger, id);
	assert_true(row->event_ms == seen_ms);
	assert_true(row->due_ms == seen_ms + 5000);
	fake_clock_advance(p->loop, 4299);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 Sent v2 try=0\n");
}

static void refused_push_goes_again_with_what_came_since(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	owe(p, id, "Sent", 0);
	answer(p, id, PUSH_LATER, 503, 60000);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 60000);
	testpush_sees(p, "t1 INBOX,Sent v2 try=1\n");
	owe(p, id, "INBOX", 0);
	testpush_delivered(p, id);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void event_during_a_commit_survives_the_answer(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	p->disk.hold = true;
	testpush_delivered(p, id); /* the deletion is under way */
	owe(p, id, "Sent", 60000);
	scriptstore_release(&p->disk);
	fake_run(p->loop);
	scriptstore_want(&p->disk, OWED("t1", "Sent tries=0") PHONE("t1"));
}

/* Verdicts. */

static void answer_is_noted_in_the_registration(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	const struct store_registration *r;

	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	fake_clock_advance(p->loop, 123);
	answer(p, id, PUSH_DROP, 400, 0);
	r = ledger_registration(p->ledger, id);
	assert_int_equal(r->last_status, 400);
	assert_str(r->last_reason, "other");
	assert_true(r->last_push_ms == loop_wall_ms(p->loop));
	assert_int_equal(
		scriptstore_last(&p->disk)->registrations[0].last_status, 400);
	/* What was never answered says nothing. */
	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	answer(p, id, PUSH_AGAIN, 0, 0);
	assert_int_equal(ledger_registration(p->ledger, id)->last_status, 400);
}

static void drop_settles(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	answer(p, id, PUSH_DROP, 413, 0);
	scriptstore_want(&p->disk, PHONE("t1"));
	owe(p, id, "INBOX", 0); /* of this push alone */
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void again_costs_no_attempt_and_goes_first(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");
	uint64_t second = phone(p, "t2");

	owe(p, first, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	p->apns.rc = ERR_UNAVAILABLE;
	owe(p, second, "INBOX", 0);
	fake_run(p->loop);
	p->apns.rc = 0;
	/* Nobody answers: not at once, but soon. */
	answer(p, first, PUSH_AGAIN, 0, 0);
	scriptstore_want(&p->disk,
	                 OWED("t1", "INBOX tries=0") OWED("t2", "INBOX tries=0")
	                         PHONE("t1") PHONE("t2"));
	fake_clock_advance(p->loop, 999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
}

static void ready_goes_on_after_again(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	answer(p, id, PUSH_AGAIN, 0, 0);
	testpush_ready(p);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void later_backs_off_this_registration_alone(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	uint64_t other = phone(p, "t2");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	answer(p, id, PUSH_LATER, 429, 60000);
	scriptstore_want(&p->disk,
	                 OWED("t1", "INBOX tries=1") PHONE("t1") PHONE("t2"));
	/* Neither an event nor haste nor a ready transport is quicker. */
	owe(p, id, "Sent", 0);
	queue_hasten(p->queue, id);
	testpush_ready(p);
	owe(p, other, "INBOX", 0);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
	fake_clock_advance(p->loop, 59999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX,Sent v2 try=1\n");
	/* Delivered: the next one is free again. */
	testpush_delivered(p, id);
	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void unregister_removes_who_was_last_seen_before(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	int64_t seen_ms = loop_wall_ms(p->loop);

	fake_clock_advance(p->loop, 1000);
	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	unregister(p, id, seen_ms);
	assert_null(ledger_registration(p->ledger, id));
	assert_int_equal(queue_depth(p->queue), 0);
	scriptstore_want(&p->disk, "");
	owe(p, id, "INBOX", 0); /* is nobody's */
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void unregister_spares_who_came_back_since(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	int64_t seen_ms = loop_wall_ms(p->loop);

	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	unregister(p, id, seen_ms - 1);
	assert_non_null(ledger_registration(p->ledger, id));
	scriptstore_want(&p->disk, PHONE("t1"));
	/* Or comes back while the answer is on its way. */
	owe(p, id, "INBOX", 0);
	fake_clock_advance(p->loop, 1000);
	assert_true(phone(p, "t1") == id);
	unregister(p, id, seen_ms + 999);
	assert_non_null(ledger_registration(p->ledger, id));
}

static void hold(struct testpush *p, uint64_t id)
{
	answer(p, id, PUSH_HOLD, 403, 300000);
}

static void hold_keeps_every_row_and_spends_no_attempt(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");
	uint64_t second = phone(p, "t2");

	owe(p, first, "INBOX", 0);
	owe(p, second, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
	hold(p, first);
	answer(p, second, PUSH_AGAIN, 0, 0); /* waits no second now */
	owe(p, phone(p, "t3"), "INBOX", 0);
	testpush_ready(p); /* not what it waits for */
	fake_clock_advance(p->loop, 299999);
	testpush_sees(p, "");
	assert_int_equal(p->apns.asked, 2);
	scriptstore_want(&p->disk,
	                 OWED("t1", "INBOX tries=0") OWED("t2", "INBOX tries=0")
	                         OWED("t3", "INBOX tries=0") PHONE("t1")
	                                 PHONE("t2") PHONE("t3"));
	/* What is wrong with the credential is nothing about a device. */
	assert_int_equal(ledger_registration(p->ledger, first)->last_status, 0);
}

static void one_push_tries_after_a_hold(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");
	uint64_t second = phone(p, "t2");

	owe(p, first, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	p->apns.rc = ERR_UNAVAILABLE;
	owe(p, second, "INBOX", 0);
	fake_run(p->loop);
	p->apns.rc = 0;
	/* The one whose answer it was goes after the others. */
	hold(p, first);
	fake_clock_advance(p->loop, 300000);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
	owe(p, phone(p, "t3"), "INBOX", 0);
	testpush_sees(p, "");
	hold(p, second);
	fake_clock_advance(p->loop, 300000);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	/* Nobody answers: it tries again, still alone. */
	answer(p, first, PUSH_AGAIN, 0, 0);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1000);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_delivered(p, first);
	testpush_sees(p, "t3 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
}

static void mended_hold_tries_at_once(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");
	uint64_t second = phone(p, "t2");

	owe(p, first, "INBOX", 0);
	owe(p, second, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
	hold(p, first);
	hold(p, second);
	queue_mend(p->queue, &p->apns.transport);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	/* It was no better: held again, from now on. */
	hold(p, first);
	fake_clock_advance(p->loop, 299999);
	testpush_sees(p, "");
	queue_mend(p->queue, &p->apns.transport);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
	testpush_delivered(p, second);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	/* With nothing to mend it disturbs nothing. */
	queue_mend(p->queue, &p->apns.transport);
	testpush_delivered(p, first);
	assert_int_equal(queue_depth(p->queue), 0);
}

static void what_tries_may_find_no_connection(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");

	owe(p, first, "INBOX", 0);
	owe(p, phone(p, "t2"), "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
	hold(p, first);
	p->apns.rc = ERR_UNAVAILABLE;
	fake_clock_advance(p->loop, 300000);
	assert_int_equal(p->apns.asked, 3);
	owe(p, phone(p, "t3"), "INBOX", 0);
	testpush_ready(p);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void later_for_all_brakes_everybody(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");
	uint64_t second = phone(p, "t2");
	const struct push_result later = { .verdict = PUSH_LATER,
		                           .scope = PUSH_SCOPE_ALL,
		                           .status = 503,
		                           .reason = "ServiceUnavailable",
		                           .delay_ms = 900000 };

	owe(p, first, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_answer(p, first, &later);
	scriptstore_want(&p->disk,
	                 OWED("t1", "INBOX tries=1") PHONE("t1") PHONE("t2"));
	owe(p, second, "INBOX", 0);
	owe(p, phone(p, "t3"), "INBOX", 1000);
	fake_clock_advance(p->loop, 899999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
	testpush_delivered(p, second);
	testpush_sees(p, "t3 INBOX v2 try=0\nt1 INBOX v2 try=1\n");
}

static void later_for_a_device_holds_its_other_accounts_too(void **state)
{
	struct testpush *p = *state;
	uint64_t mine = testpush_phone(p, "anna", "t1", "INBOX*");
	uint64_t ours = testpush_phone(p, "bert", "t1", "INBOX*");
	uint64_t other = testpush_phone(p, "bert", "t2", "INBOX*");
	const struct push_result later = { .verdict = PUSH_LATER,
		                           .scope = PUSH_SCOPE_DEVICE,
		                           .status = 429,
		                           .reason = "TooManyRequests",
		                           .delay_ms = 60000 };

	owe(p, mine, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_answer(p, mine, &later);
	fake_clock_advance(p->loop, 10000);
	owe(p, ours, "INBOX", 0);
	owe(p, other, "INBOX", 0);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
	fake_clock_advance(p->loop, 49999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX v2 try=1\nt1 INBOX v2 try=0\n");
}

static void push_that_nobody_answers_does_not_keep_others_waiting(void **state)
{
	struct testpush *p = *state;
	uint64_t bad = phone(p, "t1");
	uint64_t good = phone(p, "t2");
	uint64_t waited_ms = 0;

	owe(p, bad, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	answer(p, bad, PUSH_AGAIN, 0, 0);
	fake_clock_advance(p->loop, 1000);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	for (uint64_t want_ms = 2000; waited_ms < 60000;) {
		answer(p, bad, PUSH_AGAIN, 0, 0);
		owe(p, good, "INBOX", 0);
		fake_clock_advance(p->loop, 1000);
		testpush_sees(p, "t2 INBOX v2 try=0\n");
		testpush_delivered(p, good);
		waited_ms = want_ms < 60000 ? want_ms : 60000;
		fake_clock_advance(p->loop, waited_ms - 1001);
		testpush_sees(p, "");
		fake_clock_advance(p->loop, 1);
		testpush_sees(p, "t1 INBOX v2 try=0\n");
		want_ms *= 2;
	}
	/* An answer ends it. */
	answer(p, bad, PUSH_LATER, 500, 1000);
	fake_clock_advance(p->loop, 1000);
	testpush_sees(p, "t1 INBOX v2 try=1\n");
	answer(p, bad, PUSH_AGAIN, 0, 0);
	fake_clock_advance(p->loop, 1000);
	testpush_sees(p, "t1 INBOX v2 try=1\n");
}

/* Tokens that are doubted. */

static void doubt(struct testpush *p, uint64_t id)
{
	const struct push_result result = { .verdict = PUSH_SUSPECT,
		                            .status = 400,
		                            .reason = "BadDeviceToken" };

	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	testpush_answer(p, id, &result);
}

static void deliver(struct testpush *p, uint64_t id)
{
	owe(p, id, "INBOX", 0);
	fake_run(p->loop);
	testpush_delivered(p, id);
}

static bool is_kept(const struct testpush *p, uint64_t id)
{
	return ledger_registration(p->ledger, id) != NULL;
}

static void unknown_token_goes_the_second_time_an_hour_later(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	uint64_t good = phone(p, "t2");

	deliver(p, good);
	doubt(p, id);
	assert_int_equal(queue_depth(p->queue), 0); /* settled */
	fake_clock_advance(p->loop, HOUR_MS / 2);
	doubt(p, id);
	fake_clock_advance(p->loop, HOUR_MS / 2 - 1);
	doubt(p, id);
	assert_true(is_kept(p, id));
	/* Since the first time, over a restart as well. */
	testpush_restart(p);
	deliver(p, good);
	fake_clock_advance(p->loop, 1);
	doubt(p, id);
	assert_false(is_kept(p, id));
	scriptstore_want(&p->disk, PHONE("t2"));
}

static void success_or_registration_between_clears_the_token(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	deliver(p, phone(p, "t2"));
	doubt(p, id);
	deliver(p, id);
	fake_clock_advance(p->loop, 2 * HOUR_MS);
	doubt(p, id);
	assert_true(is_kept(p, id));
	fake_clock_advance(p->loop, 1);
	assert_true(phone(p, "t1") == id);
	fake_clock_advance(p->loop, 2 * HOUR_MS);
	doubt(p, id);
	assert_true(is_kept(p, id));
	fake_clock_advance(p->loop, HOUR_MS);
	doubt(p, id);
	assert_false(is_kept(p, id));
}

/* The wrong environment: a family would lose all its phones. */
static void no_device_goes_while_none_is_accepted(void **state)
{
	struct testpush *p = *state;
	uint64_t ids[3] = { phone(p, "t1"), phone(p, "t2"), phone(p, "t3") };

	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < 3; i++)
			doubt(p, ids[i]);
		fake_clock_advance(p->loop, HOUR_MS);
	}
	for (size_t i = 0; i < 3; i++)
		assert_true(is_kept(p, ids[i]));
	/* One is: then those that are not are believed to be gone. */
	deliver(p, ids[0]);
	doubt(p, ids[1]);
	assert_true(is_kept(p, ids[0]));
	assert_false(is_kept(p, ids[1]));
}

static void no_device_goes_while_a_twentieth_is_doubted(void **state)
{
	struct testpush *p = *state;
	uint64_t good;
	uint64_t ids[11];

	p->registry_opts.devices_per_user = 100;
	testpush_restart(p);
	good = phone(p, "good");
	for (size_t i = 0; i < 11; i++) {
		char token[8];

		(void)snprintf(token, sizeof(token), "%zu", i);
		ids[i] = phone(p, token);
		doubt(p, ids[i]);
	}
	for (size_t i = 0; i < 189; i++)
		deliver(p, good);
	fake_clock_advance(p->loop, 2 * HOUR_MS);
	doubt(p, ids[0]); /* 11 of 200 */
	assert_true(is_kept(p, ids[0]));
	/* 410 is something else. */
	owe(p, ids[1], "INBOX", 0);
	fake_run(p->loop);
	unregister(p, ids[1], loop_wall_ms(p->loop));
	assert_false(is_kept(p, ids[1]));
	doubt(p, ids[0]); /* 10 of 200, since 410 was one more answer */
	assert_false(is_kept(p, ids[0]));
}

static void busy_device_does_not_outvote_others(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	uint64_t good = phone(p, "t2");

	for (int i = 0; i < 200; i++)
		doubt(p, id);
	deliver(p, good);
	fake_clock_advance(p->loop, HOUR_MS);
	doubt(p, id);
	assert_false(is_kept(p, id));
}

static void stale(struct testpush *p, uint64_t id)
{
	const struct push_result result = { .verdict = PUSH_STALE,
		                            .status = 400,
		                            .reason =
		                                    "DeviceTokenNotForTopic" };

	testpush_answer(p, id, &result);
}

static void stale_topic_is_not_used_until_it_registers_again(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	owe(p, id, "Sent", 0); /* while in flight */
	stale(p, id);
	scriptstore_want(&p->disk, PHONE("t1"));
	for (int i = 0; i < 3; i++) {
		fake_clock_advance(p->loop, HOUR_MS);
		owe(p, id, "INBOX", 0);
		testpush_sees(p, "");
		testpush_restart(p);
	}
	assert_int_equal(queue_depth(p->queue), 0);
	assert_true(phone(p, "t1") == id);
	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void answer_about_the_registration_before_is_none(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	const struct push_result bad = { .verdict = PUSH_SUSPECT,
		                         .status = 400,
		                         .reason = "BadDeviceToken" };

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	fake_clock_advance(p->loop, 100);
	assert_true(phone(p, "t1") == id);
	stale(p, id);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	fake_clock_advance(p->loop, 100);
	assert_true(phone(p, "t1") == id);
	testpush_answer(p, id, &bad);
	assert_int_equal(ledger_registration(p->ledger, id)->last_status, 0);
	fake_clock_advance(p->loop, 1000);
	assert_int_equal(queue_depth(p->queue), 1);
}

/* Counting. */

struct timed {
	int64_t count;
	int64_t ms;
};

static void note_timed(void *arg, const struct metric_sample *sample)
{
	struct timed *t = arg;

	if (strcmp(sample->name, "imapbell_push_duration_seconds_sum") == 0)
		t->ms = sample->value;
	if (strcmp(sample->name, "imapbell_push_duration_seconds_count") == 0)
		t->count = sample->value;
}

/* pushes_timed returns how many were timed since it was asked first, and their
 * |ms_r| together. */
static int64_t pushes_timed(int64_t *ms_r)
{
	static struct timed before = { -1, 0 };
	struct timed now = { 0, 0 };

	metric_show(0, note_timed, &now);
	if (before.count < 0)
		before = now;
	*ms_r = now.ms - before.ms;
	return now.count - before.count;
}

static void every_answer_is_counted_by_status_and_reason(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");
	int64_t before = metric_get(METRIC_PUSHES);
	int64_t ms;

	owe(p, id, "INBOX", 0);
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), 1);
	fake_run(p->loop);
	answer(p, id, PUSH_AGAIN, 0, 0);
	fake_clock_advance(p->loop, 1000);
	assert_int_equal(metric_get(METRIC_PUSHES), before);
	answer(p, id, PUSH_LATER, 500, 1000);
	assert_int_equal(metric_get(METRIC_PUSHES), before + 1);
	fake_clock_advance(p->loop, 1000);
	hold(p, id);
	queue_mend(p->queue, &p->apns.transport);
	fake_run(p->loop);
	assert_int_equal(pushes_timed(&ms), 0);
	testpush_delivered(p, id);
	assert_int_equal(pushes_timed(&ms), 1);
	assert_int_equal(ms, 2000); /* since it was owed first */
	assert_int_equal(metric_get(METRIC_PUSHES), before + 3);
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), 0);
}

/* The transport. */

static void unavailable_transport_is_not_asked_again_before_ready(void **state)
{
	struct testpush *p = *state;

	p->apns.rc = ERR_UNAVAILABLE;
	owe(p, phone(p, "t1"), "INBOX", 0);
	owe(p, phone(p, "t2"), "INBOX", 0);
	fake_run(p->loop);
	owe(p, phone(p, "t3"), "INBOX", 0);
	fake_clock_advance(p->loop, 59000);
	assert_int_equal(p->apns.asked, 1);
	testpush_ready(p);
	testpush_sees(p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n"
	                 "t3 INBOX v2 try=0\n");
}

static void transport_that_never_calls_is_asked_once_a_minute(void **state)
{
	struct testpush *p = *state;

	p->apns.rc = ERR_UNAVAILABLE;
	owe(p, phone(p, "t1"), "INBOX", 0);
	fake_run(p->loop);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(p->apns.asked, i);
		fake_clock_advance(p->loop, 60000);
	}
	p->apns.rc = 0;
	fake_clock_advance(p->loop, 60000);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void first_transport_may_come_later(void **state)
{
	struct testpush *p = *state;

	p->no_transport = true;
	testpush_restart(p);
	owe(p, phone(p, "t1"), "INBOX", 0);
	testpush_sees(p, "");
	queue_mend(p->queue, &p->apns.transport);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	p->apns.rc = ERR_UNAVAILABLE;
	owe(p, phone(p, "t2"), "INBOX", 0);
	fake_run(p->loop);
	testpush_ready(p); /* it knows whom to call */
	testpush_sees(p, "t2 INBOX v2 try=0\n");
}

static void without_a_transport_rows_wait_on_disk(void **state)
{
	struct testpush *p = *state;

	p->no_transport = true;
	testpush_restart(p);
	owe(p, phone(p, "t1"), "INBOX", 0);
	fake_clock_advance(p->loop, 48 * HOUR_MS);
	assert_int_equal(queue_depth(p->queue), 1);
	p->no_transport = false;
	testpush_restart(p);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

/* Registrations that go. */

static void row_goes_with_its_registration(void **state)
{
	struct testpush *p = *state;
	uint64_t waiting = phone(p, "t1");
	uint64_t flying = phone(p, "t2");
	uint64_t ready = phone(p, "t3");

	owe(p, waiting, "INBOX", 1000);
	owe(p, flying, "INBOX", 0);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
	p->apns.rc = ERR_UNAVAILABLE;
	owe(p, ready, "INBOX", 0);
	fake_run(p->loop);
	registry_remove(p->registry, waiting);
	registry_remove(p->registry, flying);
	registry_remove(p->registry, ready);
	assert_int_equal(queue_depth(p->queue), 0);
	testpush_delivered(p, flying);
	testpush_ready(p);
	fake_clock_advance(p->loop, 1000);
	testpush_sees(p, "");
	assert_int_equal(fake_timers(p->loop), 1); /* of the registry */
}

static void registration_made_again_while_in_flight_is_another(void **state)
{
	struct testpush *p = *state;
	uint64_t old = phone(p, "t1");
	uint64_t new;

	owe(p, old, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	registry_remove(p->registry, old);
	new = phone(p, "t1");
	owe(p, new, "Sent", 0);
	testpush_sees(p, "t1 Sent v2 try=0\n");
	testpush_delivered(p, old);
	assert_int_equal(queue_depth(p->queue), 1);
	testpush_delivered(p, new);
	assert_int_equal(queue_depth(p->queue), 0);
}

/* Restarts. */

static void what_is_not_answered_is_sent_after_a_crash(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_crash(p);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	/* Also where the answer came and was not stored yet. */
	p->disk.dead = true;
	testpush_delivered(p, id);
	testpush_crash(p);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_delivered(p, id);
	testpush_crash(p);
	testpush_sees(p, "");
}

static void stored_rows_go_in_the_order_they_are_due(void **state)
{
	struct testpush *p = *state;

	owe(p, phone(p, "t1"), "INBOX", 3000);
	owe(p, phone(p, "t2"), "INBOX", 1000);
	owe(p, phone(p, "t4"), "INBOX", 2000);
	owe(p, phone(p, "t3"), "INBOX", 9000);
	testpush_stop(p);
	fake_clock_advance(p->loop, 5000);
	testpush_start(p);
	testpush_sees(p, "t2 INBOX v2 try=0\nt4 INBOX v2 try=0\n"
	                 "t1 INBOX v2 try=0\n");
	fake_clock_advance(p->loop, 3999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t3 INBOX v2 try=0\n");
}

static void back_off_is_kept_over_a_restart(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	answer(p, id, PUSH_LATER, 500, 900000);
	testpush_restart(p);
	owe(p, id, "Sent", 0);
	fake_clock_advance(p->loop, 899999);
	testpush_sees(p, "");
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX,Sent v2 try=1\n");
}

static void due_time_of_a_wrong_clock_is_waited_for_a_day_at_most(void **state)
{
	struct testpush *p = *state;

	fake_wall_jump(p->loop, (int64_t)(1000 * HOUR_MS));
	owe(p, phone(p, "t1"), "INBOX", 1000);
	testpush_stop(p);
	fake_wall_jump(p->loop, -(int64_t)(1000 * HOUR_MS));
	testpush_start(p);
	fake_clock_advance(p->loop, 24 * HOUR_MS);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void event_before_the_load_joins_what_is_stored(void **state)
{
	struct testpush *p = *state;
	uint64_t id = phone(p, "t1");

	owe(p, id, "INBOX", HOUR_MS);
	testpush_stop(p);
	p->disk.hold = true;
	testpush_begin(p);
	id = testpush_phone(p, "anna", "t1", "INBOX* Sent*");
	owe(p, id, "Sent", 2 * HOUR_MS);
	scriptstore_release(&p->disk);
	fake_clock_advance(p->loop, HOUR_MS);
	testpush_sees(p, "t1 Sent,INBOX v2 try=0\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_owed_now_is_sent_on_a_later_turn),
		TEST(nothing_is_sent_before_it_is_due),
		TEST(earliest_of_the_due_times_counts),
		TEST(hastened_row_goes_at_once),
		TEST(one_row_for_a_registration_with_each_mailbox_once),
		TEST(jump_of_the_wall_clock_moves_no_push),
		TEST(many_at_once_leave_turns_to_others),
		TEST(event_while_in_flight_rings_again),
		TEST(only_what_came_since_goes_again),
		TEST(refused_push_goes_again_with_what_came_since),
		TEST(event_during_a_commit_survives_the_answer),
		TEST(answer_is_noted_in_the_registration),
		TEST(drop_settles),
		TEST(again_costs_no_attempt_and_goes_first),
		TEST(ready_goes_on_after_again),
		TEST(later_backs_off_this_registration_alone),
		TEST(unregister_removes_who_was_last_seen_before),
		TEST(unregister_spares_who_came_back_since),
		TEST(hold_keeps_every_row_and_spends_no_attempt),
		TEST(one_push_tries_after_a_hold),
		TEST(mended_hold_tries_at_once),
		TEST(what_tries_may_find_no_connection),
		TEST(later_for_all_brakes_everybody),
		TEST(later_for_a_device_holds_its_other_accounts_too),
		TEST(push_that_nobody_answers_does_not_keep_others_waiting),
		TEST(unknown_token_goes_the_second_time_an_hour_later),
		TEST(success_or_registration_between_clears_the_token),
		TEST(no_device_goes_while_none_is_accepted),
		TEST(no_device_goes_while_a_twentieth_is_doubted),
		TEST(busy_device_does_not_outvote_others),
		TEST(stale_topic_is_not_used_until_it_registers_again),
		TEST(answer_about_the_registration_before_is_none),
		TEST(every_answer_is_counted_by_status_and_reason),
		TEST(unavailable_transport_is_not_asked_again_before_ready),
		TEST(transport_that_never_calls_is_asked_once_a_minute),
		TEST(first_transport_may_come_later),
		TEST(without_a_transport_rows_wait_on_disk),
		TEST(row_goes_with_its_registration),
		TEST(registration_made_again_while_in_flight_is_another),
		TEST(what_is_not_answered_is_sent_after_a_crash),
		TEST(stored_rows_go_in_the_order_they_are_due),
		TEST(back_off_is_kept_over_a_restart),
		TEST(due_time_of_a_wrong_clock_is_waited_for_a_day_at_most),
		TEST(event_before_the_load_joins_what_is_stored),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
