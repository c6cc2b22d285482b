/* SPDX-License-Identifier: ISC */
/* When rows get to the store, and what of them while it refuses. */
#include <string.h>

#include "base/metric.h"
#include "push/testledger.h"
#include "unit/unit.h"

/* Committing. */

static void changes_of_a_turn_are_one_commit(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	testledger_put_all(f, "bert", "t2");
	testledger_flush(f, 1);
	assert_int_equal(f->disk.commits, 0);
	fake_run(f->loop);
	assert_int_equal(f->disk.commits, 1);
	testledger_want_told(f, 0, 0);
	testledger_want_told(f, 1, 0);
	scriptstore_want(&f->disk,
	                 "login anna blob\nlogin bert blob\n"
	                 "owed anna/t1 INBOX tries=0\n"
	                 "owed bert/t2 INBOX tries=0\n"
	                 "phone anna/t1 INBOX* Sent\n"
	                 "phone bert/t2 INBOX* Sent\n"
	                 "state anna INBOX 7:12 messages=3 unseen=-1\n"
	                 "state bert INBOX 7:12 messages=3 unseen=-1\n");
}

static void only_what_changed_is_written(void **state)
{
	struct testledger *f = *state;
	const struct store_batch *b;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_run(f->loop);
	testledger_put_state(f, "anna", "Sent", 2);
	testledger_flush(f, 0);
	fake_run(f->loop);
	testledger_want_told(f, 0, 0);
	b = scriptstore_last(&f->disk);
	assert_int_equal(b->state_count, 1);
	assert_str(b->states[0].mailbox, "Sent");
	assert_int_equal(b->registration_count, 0);
	assert_int_equal(b->pending_count, 0);
	assert_int_equal(b->login_count, 0);
}

static void flush_without_a_change_is_answered_without_a_commit(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_flush(f, 0);
	fake_run(f->loop);
	testledger_want_told(f, 0, 0);
	assert_int_equal(f->disk.commits, 0);
}

/* State and pending row of one turn, in every order of commits under way:
 * whatever prefix of the commits a crash leaves, they are both there. */
static void state_is_never_stored_without_what_it_causes(void **state)
{
	struct testledger *f = *state;
	struct buf text;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_phone(f, "anna", "t1");
	testledger_put_state(f, "anna", "INBOX", 12);
	testledger_flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop); /* that commit is under way */
	testledger_put_state(f, "anna", "INBOX", 13);
	testledger_put_owed(f, id, "INBOX");
	testledger_flush(f, 1);
	fake_run(f->loop);
	testledger_put_state(f, "anna", "INBOX", 14);
	testledger_put_owed(f, id, "Sent");
	testledger_flush(f, 2);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	testledger_want_told(f, 2, 0);
	buf_init(&text, 10000);
	for (size_t n = 1; n <= f->disk.kept_count; n++) {
		buf_clear(&text);
		scriptstore_text(&f->disk, n, &text);
		assert_ok(buf_append(&text, "", 1));
		if (strstr(text.data, "INBOX 7:12") == NULL)
			assert_non_null(strstr(text.data, "owed anna/t1"));
	}
	assert_true(f->disk.kept_count > 1);
	buf_reset(&text);
}

static void waiter_is_not_told_by_a_commit_that_began_before(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_phone(f, "anna", "t1");
	testledger_flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 1);
	fake_run(f->loop);
	scriptstore_release(&f->disk);
	fake_turn(f->loop);
	testledger_want_told(f, 0, 0);
	assert_int_equal(f->waiters[1].calls, 0);
	fake_run(f->loop);
	testledger_want_told(f, 1, 0);
	assert_int_equal(f->waiters[0].at, 1);
	assert_int_equal(f->waiters[1].at, 2);
}

static void row_changed_while_it_is_written_is_written_again(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_state(f, "anna", "INBOX", 12);
	testledger_flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	testledger_put_state(f, "anna", "INBOX", 13);
	testledger_flush(f, 1);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	testledger_want_told(f, 1, 0);
	scriptstore_want(&f->disk,
	                 "state anna INBOX 7:13 messages=3 unseen=-1\n");
}

static bool keep_none(void *arg, const struct store_state *row)
{
	(void)arg;
	(void)row;
	return false;
}

/* remove_all takes out what put_all put. */
static void remove_all(struct testledger *f, const char *user, uint64_t id)
{
	ledger_states_keep(f->ledger, str_of(user), keep_none, NULL);
	ledger_login_remove(f->ledger, str_of(user));
	ledger_registration_remove(f->ledger, id);
	assert_null(ledger_state(f->ledger, str_of(user), STR("INBOX")));
	assert_null(ledger_login(f->ledger, str_of(user)));
	assert_null(ledger_registration(f->ledger, id));
	assert_null(ledger_pending(f->ledger, id));
	assert_int_equal(ledger_pending_count(f->ledger), 0);
}

static void removed_rows_are_deleted_and_the_user_forgotten(void **state)
{
	struct testledger *f = *state;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_run(f->loop);
	remove_all(f, "anna", id);
	testledger_flush(f, 1);
	fake_run(f->loop);
	testledger_want_told(f, 1, 0);
	scriptstore_want(&f->disk, "");
	assert_null(ledger_user_first(f->ledger));
}

static void rows_removed_while_they_are_written_are_deleted(void **state)
{
	struct testledger *f = *state;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	remove_all(f, "anna", id);
	testledger_flush(f, 1);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	testledger_want_told(f, 1, 0);
	scriptstore_want(&f->disk, "");
	assert_null(ledger_user_first(f->ledger));
}

static void rows_put_again_while_they_are_deleted_stay(void **state)
{
	struct testledger *f = *state;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_run(f->loop);
	remove_all(f, "anna", id);
	testledger_flush(f, 1);
	f->disk.hold = true;
	fake_run(f->loop);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 2);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	testledger_want_told(f, 2, 0);
	scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
	testledger_restart(f);
	assert_int_equal(ledger_pending_count(f->ledger), 1);
}

static void pending_row_alone_is_deleted(void **state)
{
	struct testledger *f = *state;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_phone(f, "anna", "t1");
	testledger_put_owed(f, id, "INBOX");
	testledger_flush(f, 0);
	fake_run(f->loop);
	ledger_pending_remove(f->ledger, id);
	ledger_pending_remove(f->ledger, id);
	assert_int_equal(ledger_pending_count(f->ledger), 0);
	testledger_flush(f, 1);
	fake_run(f->loop);
	scriptstore_want(&f->disk, "phone anna/t1 INBOX* Sent\n");
}

/* Refusals. */

static void commits_are_repeated_with_back_off(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	for (int i = 0; i < 2; i++) { /* a success begins anew */
		f->disk.commits = 0;
		f->disk.commit_rc = ERR_IO;
		testledger_put_all(f, "anna", "t1");
		testledger_flush(f, 0);
		fake_run(f->loop);
		testledger_backs_off(f, &f->disk.commits);
		f->disk.commit_rc = 0;
		fake_clock_advance(f->loop, 15000);
		scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
		assert_int_equal(fake_timers(f->loop), 0);
	}
}

static void refused_commit_is_tried_again_with_all_that_changed(void **state)
{
	struct testledger *f = *state;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_all(f, "bert", "t2");
	testledger_flush(f, 3);
	fake_run(f->loop);
	f->disk.commit_rc = ERR_IO;
	testledger_put_all(f, "anna", "t1");
	ledger_registration_remove(f->ledger, id);
	testledger_flush(f, 0);
	fake_run(f->loop);
	testledger_want_told(f, 0, ERR_IO);
	/* Asked again while it is known to refuse: no wait for the disk. */
	testledger_put_state(f, "anna", "Sent", 2);
	testledger_flush(f, 1);
	fake_run(f->loop);
	testledger_want_told(f, 1, ERR_IO);
	assert_int_equal(f->disk.commits, 2);
	f->disk.commit_rc = 0;
	fake_clock_advance(f->loop, 500);
	scriptstore_want(&f->disk,
	                 "login anna blob\nlogin bert blob\n"
	                 "owed anna/t1 INBOX tries=0\n"
	                 "phone anna/t1 INBOX* Sent\n"
	                 "state anna INBOX 7:12 messages=3 unseen=-1\n"
	                 "state anna Sent 7:2 messages=3 unseen=-1\n"
	                 "state bert INBOX 7:12 messages=3 unseen=-1\n");
	testledger_want_told(f, 0, ERR_IO); /* once */
	testledger_flush(f, 2);
	fake_run(f->loop);
	testledger_want_told(f, 2, 0);
}

static void row_changed_while_its_commit_is_refused_is_not_lost(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_state(f, "anna", "INBOX", 12);
	testledger_put_state(f, "anna", "Sent", 2);
	testledger_flush(f, 0);
	f->disk.hold = true;
	f->disk.commit_rc = ERR_IO;
	fake_run(f->loop);
	testledger_put_state(f, "anna", "INBOX", 13);
	testledger_flush(f, 1);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	testledger_want_told(f, 0, ERR_IO);
	f->disk.commit_rc = 0;
	fake_clock_advance(f->loop, 500);
	testledger_want_told(f, 1, 0);
	scriptstore_want(&f->disk,
	                 "state anna INBOX 7:13 messages=3 unseen=-1\n"
	                 "state anna Sent 7:2 messages=3 unseen=-1\n");
}

static void store_begun_anew_gets_every_row(void **state)
{
	struct testledger *f = *state;
	uint64_t gone;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	gone = testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 0);
	fake_run(f->loop);
	ledger_registration_remove(f->ledger, gone);
	testledger_put_state(f, "anna", "Sent", 2);
	testledger_flush(f, 1);
	f->disk.commit_rc = ERR_INVALID;
	fake_turn(f->loop); /* it asks */
	f->disk.commit_rc = 0;
	fake_run(f->loop);
	testledger_want_told(f, 1, 0);
	assert_int_equal(f->disk.commits, 3);
	scriptstore_want(
		&f->disk,
		TESTLEDGER_ALL_OF(
			"anna",
			"t1") "state anna Sent 7:2 messages=3 unseen=-1\n");
}

static void store_that_loses_rows_again_and_again_is_not_pressed(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	f->disk.commit_rc = ERR_INVALID;
	fake_run(f->loop);
	testledger_want_told(f, 0, ERR_IO);
	assert_int_equal(f->disk.commits, 2);
	assert_in_range(fake_clock_next(f->loop), 250, 500);
	f->disk.commit_rc = 0;
	fake_clock_advance(f->loop, 500);
	scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
}

static void late_disk_answers_io_after_two_seconds_and_keeps(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	f->disk.hold = true;
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_clock_advance(f->loop, 1000);
	testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 1);
	fake_clock_advance(f->loop, 999);
	assert_int_equal(f->waiters[0].calls, 0);
	fake_clock_advance(f->loop, 1);
	testledger_want_told(f, 0, ERR_IO);
	assert_int_equal(f->waiters[1].calls, 0);
	fake_clock_advance(f->loop, 1000);
	testledger_want_told(f, 1, ERR_IO);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	testledger_want_told(f, 0, ERR_IO); /* once */
	testledger_want_told(f, 1, ERR_IO);
	scriptstore_want(&f->disk, TESTLEDGER_BOTH);
	assert_int_equal(fake_timers(f->loop), 0);
}

static void slow_load_counts_as_late_too(void **state)
{
	struct testledger *f = *state;

	f->disk.hold = true;
	testledger_begin(f);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_clock_advance(f->loop, 1999);
	assert_int_equal(f->waiters[0].calls, 0);
	fake_clock_advance(f->loop, 1);
	testledger_want_told(f, 0, ERR_IO);
	assert_int_equal(f->loaded, 0);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	assert_int_equal(f->loaded, 1);
	scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
}

static void operator_is_told_of_each_failure_and_of_its_end(void **state)
{
	struct testledger *f = *state;
	int64_t errors;

	testledger_start(f);
	errors = metric_get(METRIC_STORE_ERRORS);
	assert_int_equal(metric_get(METRIC_STORE_UP), 1);
	f->disk.commit_rc = ERR_IO;
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_run(f->loop);
	assert_int_equal(metric_get(METRIC_STORE_UP), 0);
	assert_int_equal(metric_get(METRIC_STORE_ERRORS), errors + 1);
	fake_clock_advance(f->loop, 500); /* tried again */
	assert_int_equal(metric_get(METRIC_STORE_ERRORS), errors + 2);
	f->disk.commit_rc = 0;
	fake_clock_advance(f->loop, 15000);
	assert_int_equal(metric_get(METRIC_STORE_UP), 1);
	f->disk.hold = true;
	testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 1);
	fake_clock_advance(f->loop, 2000); /* no answer */
	assert_int_equal(metric_get(METRIC_STORE_UP), 0);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	assert_int_equal(metric_get(METRIC_STORE_UP), 1);
	assert_int_equal(metric_get(METRIC_STORE_ERRORS), errors + 2);
}

/* owes owes |id| a push for what was seen at |event_ms|. */
static void owes(struct testledger *f, uint64_t id, int64_t event_ms)
{
	const struct store_pending row = {
		.registration_id = id,
		.generation = 1,
		.event_ms = event_ms,
	};

	ledger_pending_put(f->ledger, &row);
}

static void oldest_push_and_registrations_are_shown(void **state)
{
	struct testledger *f = *state;
	uint64_t ids[3];

	testledger_start(f);
	for (size_t i = 0; i < 3; i++)
		ids[i] = testledger_put_phone(f, "anna",
		                              i == 0   ? "t1"
		                              : i == 1 ? "t2"
		                                       : "t3");
	assert_int_equal(metric_get(METRIC_REGISTRATIONS), 3);
	owes(f, ids[0], 3000);
	owes(f, ids[1], 2000); /* by a clock that was put back */
	owes(f, ids[2], 2500);
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), 3);
	assert_int_equal(metric_get(METRIC_QUEUE_OLDEST), 2000);
	owes(f, ids[1], 4000); /* settled, but for what came since */
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), 3);
	assert_int_equal(metric_get(METRIC_QUEUE_OLDEST), 2500);
	ledger_pending_remove(f->ledger, ids[2]);
	assert_int_equal(metric_get(METRIC_QUEUE_OLDEST), 3000);
	ledger_registration_remove(f->ledger, ids[0]);
	assert_int_equal(metric_get(METRIC_REGISTRATIONS), 2);
	assert_int_equal(metric_get(METRIC_QUEUE_OLDEST), 4000);
	ledger_pending_remove(f->ledger, ids[1]);
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), 0);
	assert_int_equal(metric_get(METRIC_QUEUE_OLDEST), 0);
}

/* The end. */

static void end_commits_what_changed_and_answers(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	ledger_free(&f->ledger);
	assert_null(f->ledger);
	testledger_want_told(f, 0, 0);
	scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
}

static void end_during_a_commit_commits_the_rest_too(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_phone(f, "anna", "t1");
	testledger_flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 1);
	ledger_free(&f->ledger);
	testledger_want_told(f, 0, 0);
	testledger_want_told(f, 1, 0);
	scriptstore_want(&f->disk, "phone anna/t1 INBOX* Sent\n"
	                           "phone bert/t2 INBOX* Sent\n");
}

static void end_during_the_load_merges_and_commits(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	ledger_free(&f->ledger);
	testledger_begin(f);
	testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 0);
	ledger_free(&f->ledger);
	testledger_want_told(f, 0, 0);
	scriptstore_want(&f->disk, TESTLEDGER_BOTH);
}

static void end_after_a_refusal_tries_once_more(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	f->disk.commit_rc = ERR_IO;
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	fake_run(f->loop);
	f->disk.commit_rc = 0;
	ledger_free(&f->ledger);
	scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
}

static void end_with_a_disk_that_refuses_ends(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	f->disk.commit_rc = ERR_INVALID;
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 0);
	ledger_free(&f->ledger);
	testledger_want_told(f, 0, ERR_IO);
	/* And before it was ever read. */
	f->disk.commit_rc = 0;
	f->disk.load_rc = ERR_IO;
	testledger_begin(f);
	testledger_put_all(f, "anna", "t1");
	testledger_flush(f, 1);
	ledger_free(&f->ledger);
	testledger_want_told(f, 1, ERR_IO);
	assert_int_equal(fake_timers(f->loop), 0);
}

/* Rows in memory. */

static void same_key_keeps_its_id(void **state)
{
	struct testledger *f = *state;
	struct store_registration other;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_phone(f, "anna", "t1");
	assert_int_not_equal(id, 0);
	assert_true(testledger_put_phone(f, "anna", "t1") == id);
	assert_true(testledger_put_phone(f, "anna", "t2") != id);
	assert_true(testledger_put_phone(f, "bert", "t1") != id);
	other = *ledger_registration(f->ledger, id);
	other.subtopic = STR("notes");
	assert_true(ledger_registration_put(f->ledger, &other) != id);
	other = *ledger_registration(f->ledger, id);
	other.account_id = STR("restored");
	assert_true(ledger_registration_put(f->ledger, &other) != id);
}

static void inbox_is_one_mailbox_in_any_case(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_state(f, "anna", "inbox", 12);
	testledger_put_state(f, "anna", "InBox", 13);
	testledger_put_state(f, "anna", "Work", 2);
	testledger_put_state(f, "anna", "WORK", 3);
	assert_int_equal(
		ledger_state(f->ledger, STR("anna"), STR("INBOX"))->uidnext,
		13);
	testledger_flush(f, 0);
	fake_run(f->loop);
	scriptstore_want(&f->disk,
	                 "state anna INBOX 7:13 messages=3 unseen=-1\n"
	                 "state anna WORK 7:3 messages=3 unseen=-1\n"
	                 "state anna Work 7:2 messages=3 unseen=-1\n");
}

#define TEST(name)                                               \
	cmocka_unit_test_setup_teardown(name, testledger_set_up, \
	                                testledger_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_of_a_turn_are_one_commit),
		TEST(only_what_changed_is_written),
		TEST(flush_without_a_change_is_answered_without_a_commit),
		TEST(state_is_never_stored_without_what_it_causes),
		TEST(waiter_is_not_told_by_a_commit_that_began_before),
		TEST(row_changed_while_it_is_written_is_written_again),
		TEST(removed_rows_are_deleted_and_the_user_forgotten),
		TEST(rows_removed_while_they_are_written_are_deleted),
		TEST(rows_put_again_while_they_are_deleted_stay),
		TEST(pending_row_alone_is_deleted),
		TEST(commits_are_repeated_with_back_off),
		TEST(refused_commit_is_tried_again_with_all_that_changed),
		TEST(row_changed_while_its_commit_is_refused_is_not_lost),
		TEST(store_begun_anew_gets_every_row),
		TEST(store_that_loses_rows_again_and_again_is_not_pressed),
		TEST(late_disk_answers_io_after_two_seconds_and_keeps),
		TEST(slow_load_counts_as_late_too),
		TEST(operator_is_told_of_each_failure_and_of_its_end),
		TEST(oldest_push_and_registrations_are_shown),
		TEST(end_commits_what_changed_and_answers),
		TEST(end_during_a_commit_commits_the_rest_too),
		TEST(end_during_the_load_merges_and_commits),
		TEST(end_after_a_refusal_tries_once_more),
		TEST(end_with_a_disk_that_refuses_ends),
		TEST(same_key_keeps_its_id),
		TEST(inbox_is_one_mailbox_in_any_case),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
