/* SPDX-License-Identifier: ISC */
/* When a push goes, and what its answer makes of the row. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
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
	/* Not once more for what is in flight already. */
	queue_hasten(p->queue, id);
	testpush_delivered(p, id);
	testpush_sees(p, "");
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

static void hold_stops_everything_until_it_is_mended(void **state)
{
	struct testpush *p = *state;
	uint64_t first = phone(p, "t1");
	uint64_t second = phone(p, "t2");
	uint64_t third = phone(p, "t3");

	owe(p, first, "INBOX", 0);
	owe(p, second, "INBOX", 0);
	testpush_sees(p, "t1 INBOX v2 try=0\nt2 INBOX v2 try=0\n");
	answer(p, first, PUSH_HOLD, 403, 0);
	answer(p, second, PUSH_AGAIN, 0, 0); /* waits no second now */
	owe(p, third, "INBOX", 0);
	fake_clock_advance(p->loop, 48 * HOUR_MS);
	testpush_sees(p, "");
	assert_int_equal(p->apns.asked, 2);
	assert_int_equal(queue_depth(p->queue), 3);
	scriptstore_want(&p->disk,
	                 OWED("t1", "INBOX tries=0") OWED("t2", "INBOX tries=0")
	                         OWED("t3", "INBOX tries=0") PHONE("t1")
	                                 PHONE("t2") PHONE("t3"));
	testpush_ready(p);
	testpush_sees(p, "t2 INBOX v2 try=0\nt1 INBOX v2 try=0\n"
	                 "t3 INBOX v2 try=0\n");
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
	owe(p, phone(p, "t3"), "INBOX", 9000);
	testpush_stop(p);
	fake_clock_advance(p->loop, 5000);
	testpush_start(p);
	testpush_sees(p, "t2 INBOX v2 try=0\nt1 INBOX v2 try=0\n");
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
		TEST(hold_stops_everything_until_it_is_mended),
		TEST(unavailable_transport_is_not_asked_again_before_ready),
		TEST(transport_that_never_calls_is_asked_once_a_minute),
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
