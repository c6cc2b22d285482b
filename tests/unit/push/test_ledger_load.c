/* SPDX-License-Identifier: ISC */
/* Rows of the store meet those made before they were read. */
#include "push/testledger.h"
#include "unit/unit.h"

/* Loading. */

static void rows_of_the_store_are_there_when_loaded(void **state)
{
	struct testledger *f = *state;
	const struct ledger_user *u;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_all(f, "anna", "t1");
	testledger_restart(f);
	u = ledger_user_find(f->ledger, STR("anna"));
	assert_non_null(u);
	assert_ptr_equal(u, ledger_user_first(f->ledger));
	assert_null(ledger_user_next(u));
	assert_str(ledger_user_name(u), "anna");
	assert_ptr_equal(ledger_registration_first(u),
	                 ledger_registration(f->ledger, id));
	assert_null(ledger_registration_next(ledger_registration_first(u)));
	assert_int_equal(ledger_registration(f->ledger, id)->mailbox_count, 2);
	assert_int_equal(
		ledger_state(f->ledger, STR("anna"), STR("INBOX"))->uidnext,
		12);
	assert_int_equal(ledger_pending(f->ledger, id)->due_ms, 5000);
	assert_int_equal(ledger_pending_count(f->ledger), 1);
	assert_str(ledger_login(f->ledger, STR("anna"))->blob, "blob");
}

static void what_was_read_is_not_written_back(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	testledger_restart(f);
	testledger_flush(f, 0);
	fake_run(f->loop);
	testledger_want_told(f, 0, 0);
	assert_int_equal(f->disk.commits, 1);
}

static void loaded_is_told_once_and_listeners_before(void **state)
{
	struct testledger *f = *state;

	testledger_begin(f);
	assert_int_equal(f->loaded, 0);
	fake_run(f->loop);
	assert_int_equal(f->listened, 1);
	assert_int_equal(f->listened_at, 0);
	assert_int_equal(f->loaded, 1);
	fake_clock_advance(f->loop, 60000);
	assert_int_equal(f->loaded, 1);
	assert_int_equal(f->listened, 1);
}

static void failed_load_is_told_and_repeated(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	ledger_free(&f->ledger);
	f->loaded = 0;
	f->listened = 0;
	f->disk.load_rc = ERR_IO;
	testledger_begin(f);
	fake_run(f->loop);
	assert_int_equal(f->loaded, 1);
	assert_int_equal(f->loaded_rc, ERR_IO);
	assert_int_equal(f->listened, 0);
	/* Those who ask meanwhile are told, and kept. */
	testledger_put_phone(f, "bert", "t2");
	testledger_flush(f, 0);
	fake_run(f->loop);
	testledger_want_told(f, 0, ERR_IO);
	assert_int_equal(f->disk.commits, 1);
	f->disk.load_rc = 0;
	fake_clock_advance(f->loop, 500);
	assert_int_equal(f->loaded, 1); /* once */
	assert_int_equal(f->listened, 1);
	scriptstore_want(&f->disk, TESTLEDGER_BOTH);
	assert_non_null(ledger_login(f->ledger, STR("anna")));
}

static void loads_are_repeated_with_back_off(void **state)
{
	struct testledger *f = *state;

	f->disk.load_rc = ERR_IO;
	testledger_begin(f);
	fake_run(f->loop);
	testledger_backs_off(f, &f->disk.loads);
	f->disk.load_rc = 0;
	fake_clock_advance(f->loop, 15000);
	assert_int_equal(f->listened, 1);
	assert_int_equal(fake_timers(f->loop), 0);
}

/* Merging. */

/* reload starts over what the store has, with one failed load between, in
 * which |meanwhile| makes rows. */
static void reload(struct testledger *f,
                   void (*meanwhile)(struct testledger *f))
{
	ledger_free(&f->ledger);
	f->disk.load_rc = ERR_IO;
	testledger_begin(f);
	fake_run(f->loop);
	meanwhile(f);
	ledger_flush(f->ledger, NULL, NULL);
	f->disk.load_rc = 0;
	fake_clock_advance(f->loop, 500);
}

/* anna_again is the same phone, seen for the first time since the start, with
 * nothing proved yet. */
static void anna_again(struct testledger *f)
{
	const struct store_mailbox box = { STR("inbox"), false };
	struct store_registration row;

	(void)testledger_put_phone(f, "anna", "t1");
	row = *ledger_registration_first(
		ledger_user_find(f->ledger, STR("anna")));
	row.first_seen_ms = 9000;
	row.last_seen_ms = 9000;
	row.mailboxes = &box;
	row.mailbox_count = 1;
	(void)ledger_registration_put(f->ledger, &row);
	testledger_put_login(f, "anna", "newer");
}

static void merged_registration_keeps_what_was_known_longer(void **state)
{
	struct testledger *f = *state;
	const struct store_registration *r;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	reload(f, anna_again);
	r = ledger_registration_first(ledger_user_find(f->ledger, STR("anna")));
	assert_int_equal(r->first_seen_ms, 1000);
	assert_int_equal(r->last_seen_ms, 9000);
	assert_null(ledger_registration_next(r));
	/* One row, under its new id, with what was owed under the old. */
	scriptstore_want(&f->disk,
	                 "login anna newer\n"
	                 "owed anna/t1 INBOX tries=0\n"
	                 "phone anna/t1 inbox*\n"
	                 "state anna INBOX 7:12 messages=3 unseen=-1\n");
	assert_non_null(ledger_pending(f->ledger, r->id));
	assert_int_equal(ledger_pending_count(f->ledger), 1);
}

static void anna_is_owed_another(struct testledger *f)
{
	testledger_put_owed(f, testledger_put_phone(f, "anna", "t1"), "Sent");
}

static void merge_unites_what_is_owed(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	reload(f, anna_is_owed_another);
	scriptstore_want(&f->disk,
	                 "login anna blob\n"
	                 "owed anna/t1 Sent INBOX tries=0\n"
	                 "phone anna/t1 INBOX* Sent\n"
	                 "state anna INBOX 7:12 messages=3 unseen=-1\n");
}

static void anna_has_a_new_baseline(struct testledger *f)
{
	testledger_put_state(f, "anna", "INBOX", 15);
}

/* Between uidnext 12, which was stored, and 15, from which we went on, mail
 * came that nobody compared. */
static void merge_rings_for_a_state_that_differs(void **state)
{
	struct testledger *f = *state;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_phone(f, "anna", "t1");
	testledger_put_state(f, "anna", "INBOX", 12);
	reload(f, anna_has_a_new_baseline);
	scriptstore_want(&f->disk,
	                 "owed anna/t1 INBOX tries=0\n"
	                 "phone anna/t1 INBOX* Sent\n"
	                 "state anna INBOX 7:15 messages=3 unseen=-1\n");
	assert_true(ledger_pending(f->ledger, id)->due_ms <=
	            loop_wall_ms(f->loop));
}

static void anna_has_the_same_state(struct testledger *f)
{
	testledger_put_state(f, "anna", "INBOX", 12);
}

static void merge_rings_for_nothing_when_states_agree(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_phone(f, "anna", "t1");
	testledger_put_state(f, "anna", "INBOX", 12);
	reload(f, anna_has_the_same_state);
	assert_int_equal(ledger_pending_count(f->ledger), 0);
}

static void saved_rows_of_a_damaged_store_are_written_whole(void **state)
{
	struct testledger *f = *state;

	testledger_start(f);
	testledger_put_all(f, "anna", "t1");
	ledger_free(&f->ledger);
	f->disk.load_rc = ERR_INVALID;
	testledger_begin(f);
	fake_turn(f->loop); /* the load */
	f->disk.begin = f->disk.kept_count;
	fake_run(f->loop);
	assert_ok(f->loaded_rc);
	scriptstore_want(&f->disk, TESTLEDGER_ALL_OF("anna", "t1"));
}

#define TEST(name)                                               \
	cmocka_unit_test_setup_teardown(name, testledger_set_up, \
	                                testledger_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_of_the_store_are_there_when_loaded),
		TEST(what_was_read_is_not_written_back),
		TEST(loaded_is_told_once_and_listeners_before),
		TEST(failed_load_is_told_and_repeated),
		TEST(loads_are_repeated_with_back_off),
		TEST(merged_registration_keeps_what_was_known_longer),
		TEST(merge_unites_what_is_owed),
		TEST(merge_rings_for_a_state_that_differs),
		TEST(merge_rings_for_nothing_when_states_agree),
		TEST(saved_rows_of_a_damaged_store_are_written_whole),
	};

	return cmocka_run_group_tests_name("ledger_load", tests, NULL, NULL);
}
