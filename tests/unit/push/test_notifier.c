/* SPDX-License-Identifier: ISC */
/* What rings, and when. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "push/testpush.h"
#include "unit/unit.h"

/* Of the options below. */
enum { MERGE_MS = 2000, MERGE_MAX_MS = 15000, DELAY_MS = 5000, MAX_MS = 12000 };

static int set_up(void **state)
{
	struct testpush *p = xcalloc(1, sizeof(*p));

	testpush_init(p);
	p->notifier_opts = (struct notifier_opts){ MERGE_MS, MERGE_MAX_MS,
		                                   DELAY_MS, MAX_MS };
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

static void new_mail(struct testpush *p, uint32_t uidnext)
{
	testpush_event(p, NOTIFIER_NEW, "anna", "INBOX", uidnext);
}

static void change(struct testpush *p)
{
	testpush_event(p, NOTIFIER_CHANGE, "anna", "INBOX", 12);
}

/* rings wants the one phone to be rung now, and lets that be delivered. */
static void rings(struct testpush *p, uint64_t id)
{
	testpush_sees(p, "t1 INBOX v2 try=0\n");
	testpush_delivered(p, id);
}

static void is_quiet(struct testpush *p)
{
	testpush_sees(p, "");
}

/* rings_after wants silence for |ms| less one, and then the phone rung. */
static void rings_after(struct testpush *p, uint64_t id, uint64_t ms)
{
	fake_clock_advance(p->loop, ms - 1);
	is_quiet(p);
	fake_clock_advance(p->loop, 1);
	rings(p, id);
}

/* rests wants nothing to be left that waits, except the registry's sweep. */
static void rests(struct testpush *p)
{
	fake_clock_advance(p->loop, (uint64_t)10 * MERGE_MAX_MS);
	is_quiet(p);
	assert_int_equal(fake_timers(p->loop), 1);
	assert_int_equal(queue_depth(p->queue), 0);
}

/* New mail. */

static void first_new_mail_rings_at_once(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	new_mail(p, 12);
	assert_int_equal(p->apns.asked, 0); /* from the loop */
	rings(p, id);
	rests(p);
}

static void new_mail_in_the_window_rings_at_its_end(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	new_mail(p, 12);
	rings(p, id);
	fake_clock_advance(p->loop, 500);
	new_mail(p, 13);
	fake_clock_advance(p->loop, 500);
	new_mail(p, 14);
	rings_after(p, id, MERGE_MS - 1000);
	rests(p);
}

static void window_doubles_under_a_burst_up_to_the_maximum(void **state)
{
	static const uint64_t windows_ms[] = { 2000,  4000,  8000,
		                               15000, 15000, 15000 };
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");
	uint32_t uidnext = 12;

	new_mail(p, uidnext++);
	rings(p, id);
	for (size_t i = 0; i < sizeof(windows_ms) / sizeof(windows_ms[0]);
	     i++) {
		fake_clock_advance(p->loop, 1);
		new_mail(p, uidnext++);
		rings_after(p, id, windows_ms[i] - 1);
	}
	rests(p);
}

static void empty_window_ends_the_burst(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	new_mail(p, 12);
	rings(p, id);
	new_mail(p, 13);
	rings_after(p, id, MERGE_MS);
	/* The window of 4 s brings nothing: at once again, then 2 s. */
	fake_clock_advance(p->loop, (uint64_t)2 * MERGE_MS);
	new_mail(p, 14);
	rings(p, id);
	new_mail(p, 15);
	rings_after(p, id, MERGE_MS);
}

static void window_is_the_users_own(void **state)
{
	struct testpush *p = *state;
	uint64_t anna = testpush_phone(p, "anna", "t1", "INBOX*");

	(void)testpush_phone(p, "bert", "t2", "INBOX*");
	new_mail(p, 12);
	rings(p, anna);
	new_mail(p, 13);
	testpush_event(p, NOTIFIER_NEW, "bert", "INBOX", 5);
	testpush_sees(p, "t2 INBOX v2 try=0\n");
}

static void window_is_shared_by_mailboxes(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX* Work*");

	new_mail(p, 12);
	rings(p, id);
	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 5);
	new_mail(p, 13);
	fake_clock_advance(p->loop, MERGE_MS - 1);
	is_quiet(p);
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 Work,INBOX v2 try=0\n");
}

/* Changes. */

static void change_is_debounced(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	change(p);
	fake_clock_advance(p->loop, DELAY_MS - 1);
	change(p);
	rings_after(p, id, DELAY_MS);
	rests(p);
	change(p);
	rings_after(p, id, DELAY_MS);
}

static void changes_without_end_ring_at_the_cap(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	for (int round = 0; round < 2; round++) {
		change(p);
		for (int ms = 1000; ms < MAX_MS; ms += 1000) {
			fake_clock_advance(p->loop, 1000);
			change(p);
			is_quiet(p);
		}
		fake_clock_advance(p->loop, 1000);
		rings(p, id);
	}
	rests(p);
}

static void change_is_owed_on_disk_before_it_is_debounced(void **state)
{
	struct testpush *p = *state;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	change(p);
	fake_run(p->loop);
	scriptstore_want(&p->disk,
	                 "owed anna/t1 INBOX tries=0\n"
	                 "phone anna/t1 INBOX*\n"
	                 "state anna INBOX 7:12 messages=11 unseen=-1\n");
	testpush_crash(p); /* nothing hastens it now: the cap */
	fake_clock_advance(p->loop, MAX_MS - 1);
	is_quiet(p);
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t1 INBOX v2 try=0\n");
}

static void new_mail_takes_the_change_along(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX* Work*");

	testpush_event(p, NOTIFIER_CHANGE, "anna", "Work", 5);
	fake_clock_advance(p->loop, 1000);
	new_mail(p, 12);
	testpush_sees(p, "t1 Work,INBOX v2 try=0\n");
	testpush_delivered(p, id);
	rests(p);
}

/* Its timer would cut the window short. */
static void new_mail_ends_the_debounce_of_a_change(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	change(p);
	fake_clock_advance(p->loop, DELAY_MS - 1000);
	new_mail(p, 12);
	rings(p, id);
	fake_clock_advance(p->loop, 100);
	new_mail(p, 13);
	rings_after(p, id, MERGE_MS - 100);
	rests(p);
}

/* The same in a window that is longer than the debounce. */
static void change_does_not_cut_a_window_short(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");
	uint32_t uidnext = 12;

	new_mail(p, uidnext++);
	rings(p, id);
	for (uint64_t ms = MERGE_MS; ms < DELAY_MS; ms *= 2) {
		new_mail(p, uidnext++);
		rings_after(p, id, ms);
	}
	/* Now in a window of 8 s. */
	change(p);
	fake_clock_advance(p->loop, 1000);
	new_mail(p, uidnext);
	rings_after(p, id, 7000);
	rests(p);
}

static void change_after_new_mail_is_debounced_too(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	new_mail(p, 12);
	rings(p, id);
	change(p);
	rings_after(p, id, DELAY_MS);
	rests(p);
}

static void change_goes_with_a_window_that_rings(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX* Work*");

	new_mail(p, 12);
	rings(p, id);
	new_mail(p, 13);
	testpush_event(p, NOTIFIER_CHANGE, "anna", "Work", 5);
	fake_clock_advance(p->loop, MERGE_MS);
	testpush_sees(p, "t1 INBOX,Work v2 try=0\n");
	testpush_delivered(p, id);
	rests(p);
}

/* A device that has only a change to hear of, and no part in the new mail. */
static void change_of_another_device_goes_with_new_mail(void **state)
{
	struct testpush *p = *state;
	uint64_t first = testpush_phone(p, "anna", "t1", "INBOX* Work*");
	uint64_t second = testpush_phone(p, "anna", "t2", "INBOX*");

	change(p);
	fake_clock_advance(p->loop, 1000);
	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 5);
	testpush_sees(p, "t1 INBOX,Work v2 try=0\nt2 INBOX v2 try=0\n");
	testpush_delivered(p, first);
	testpush_delivered(p, second);
	rests(p);
}

static void change_of_another_device_goes_with_a_window(void **state)
{
	struct testpush *p = *state;
	uint64_t first = testpush_phone(p, "anna", "t1", "INBOX* Work*");
	uint64_t second = testpush_phone(p, "anna", "t2", "INBOX*");

	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 5);
	testpush_sees(p, "t1 Work v2 try=0\n");
	testpush_delivered(p, first);
	change(p);
	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 6);
	fake_clock_advance(p->loop, MERGE_MS - 1);
	is_quiet(p);
	fake_clock_advance(p->loop, 1);
	testpush_sees(p, "t2 INBOX v2 try=0\nt1 INBOX,Work v2 try=0\n");
	testpush_delivered(p, first);
	testpush_delivered(p, second);
	rests(p);
}

/* Who. */

static void every_device_that_lists_the_mailbox_is_rung(void **state)
{
	struct testpush *p = *state;

	(void)testpush_phone(p, "anna", "t1", "INBOX* Work*");
	(void)testpush_phone(p, "anna", "t2", "INBOX*");
	(void)testpush_phone(p, "anna", "t3", "Work*");
	(void)testpush_phone(p, "bert", "t4", "INBOX* Work*");
	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 5);
	testpush_sees(p, "t1 Work v2 try=0\nt3 Work v2 try=0\n");
}

static void inbox_is_rung_as_the_device_spelled_it(void **state)
{
	struct testpush *p = *state;

	(void)testpush_phone(p, "anna", "t1", "Inbox*");
	new_mail(p, 12);
	testpush_sees(p, "t1 Inbox v2 try=0\n");
	(void)testpush_phone(p, "anna", "t2", "WORK*");
	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 5);
	fake_clock_advance(p->loop, MERGE_MS);
	is_quiet(p); /* another mailbox */
}

static void unknown_user_and_mailbox_are_ignored(void **state)
{
	struct testpush *p = *state;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	testpush_event(p, NOTIFIER_NEW, "nobody", "INBOX", 5);
	testpush_event(p, NOTIFIER_CHANGE, "anna", "Work", 5);
	testpush_event(p, NOTIFIER_STATE, "nobody", "INBOX", 5);
	rests(p);
	scriptstore_want(&p->disk, "phone anna/t1 INBOX*\n");
	assert_null(ledger_user_find(p->ledger, STR("nobody")));
}

static void state_alone_rings_nobody(void **state)
{
	struct testpush *p = *state;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	testpush_event(p, NOTIFIER_STATE, "anna", "INBOX", 12);
	rests(p);
	scriptstore_want(&p->disk,
	                 "phone anna/t1 INBOX*\n"
	                 "state anna INBOX 7:12 messages=11 unseen=-1\n");
}

static void events_are_counted_by_kind(void **state)
{
	struct testpush *p = *state;
	int64_t news = metric_get(METRIC_EVENTS_NEW);
	int64_t changes = metric_get(METRIC_EVENTS_CHANGE);

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	new_mail(p, 12);
	new_mail(p, 13);
	change(p);
	testpush_event(p, NOTIFIER_STATE, "anna", "INBOX", 14);
	testpush_event(p, NOTIFIER_NEW, "anna", "Work", 14); /* not wanted */
	assert_int_equal(metric_get(METRIC_EVENTS_NEW) - news, 2);
	assert_int_equal(metric_get(METRIC_EVENTS_CHANGE) - changes, 1);
}

/* Safety. */

/* For both kinds of event, first or in a window: the commit that has the state
 * has the pending rows of all devices, too. */
static void state_and_what_it_causes_are_one_commit(void **state)
{
	static const enum notifier_kind kinds[] = { NOTIFIER_NEW, NOTIFIER_NEW,
		                                    NOTIFIER_CHANGE,
		                                    NOTIFIER_CHANGE };
	struct testpush *p = *state;
	const struct store_batch *b;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	(void)testpush_phone(p, "anna", "t2", "INBOX*");
	fake_run(p->loop);
	p->apns.rc = ERR_UNAVAILABLE; /* no answer makes commits of its own */
	for (size_t i = 0; i < 4; i++) {
		uint32_t uidnext = 12 + (uint32_t)i;

		testpush_event(p, kinds[i], "anna", "INBOX", uidnext);
		fake_run(p->loop);
		assert_int_equal(p->disk.kept_count, 2 + i);
		b = scriptstore_last(&p->disk);
		assert_int_equal(b->state_count, 1);
		assert_int_equal(b->states[0].uidnext, uidnext);
		assert_int_equal(b->pending_count, 2);
	}
}

static void end_in_a_window_leaves_what_is_owed(void **state)
{
	struct testpush *p = *state;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX*");

	new_mail(p, 12);
	rings(p, id);
	new_mail(p, 13);
	fake_clock_advance(p->loop, 500);
	testpush_restart(p);
	is_quiet(p);
	rings_after(p, id, MERGE_MS - 500);
	rests(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(first_new_mail_rings_at_once),
		TEST(new_mail_in_the_window_rings_at_its_end),
		TEST(window_doubles_under_a_burst_up_to_the_maximum),
		TEST(empty_window_ends_the_burst),
		TEST(window_is_the_users_own),
		TEST(window_is_shared_by_mailboxes),
		TEST(change_is_debounced),
		TEST(changes_without_end_ring_at_the_cap),
		TEST(change_is_owed_on_disk_before_it_is_debounced),
		TEST(new_mail_takes_the_change_along),
		TEST(new_mail_ends_the_debounce_of_a_change),
		TEST(change_does_not_cut_a_window_short),
		TEST(change_after_new_mail_is_debounced_too),
		TEST(change_goes_with_a_window_that_rings),
		TEST(change_of_another_device_goes_with_new_mail),
		TEST(change_of_another_device_goes_with_a_window),
		TEST(every_device_that_lists_the_mailbox_is_rung),
		TEST(inbox_is_rung_as_the_device_spelled_it),
		TEST(unknown_user_and_mailbox_are_ignored),
		TEST(state_alone_rings_nobody),
		TEST(events_are_counted_by_kind),
		TEST(state_and_what_it_causes_are_one_commit),
		TEST(end_in_a_window_leaves_what_is_owed),
	};

	return cmocka_run_group_tests_name("notifier", tests, NULL, NULL);
}
