/* SPDX-License-Identifier: ISC */
/* Limits, proof, age, and who is told. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "push/testpush.h"
#include "unit/unit.h"

#define HOUR_MS ((uint64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)

enum { TEXT_MAX = 100000 };

struct fixture {
	struct testpush p;
	struct buf told; /* users that the observer was told of */
	struct buf wanted;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	testpush_init(&f->p);
	testpush_start(&f->p);
	buf_init(&f->told, TEXT_MAX);
	buf_init(&f->wanted, TEXT_MAX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	testpush_done(&f->p);
	buf_reset(&f->told);
	buf_reset(&f->wanted);
	free(f);
	return 0;
}

static void on_user(void *arg, struct str user)
{
	struct fixture *f = arg;

	assert_ok(buf_add(&f->told, user));
	assert_ok(buf_adds(&f->told, " "));
}

/* want_told runs the loop and wants the observer to have heard just that. */
static void want_told(struct fixture *f, const char *users)
{
	fake_run(f->p.loop);
	assert_str(buf_str(&f->told), users);
	buf_clear(&f->told);
}

/* want_told_both: of anna and bert, in any order. */
static void want_told_both(struct fixture *f)
{
	fake_run(f->p.loop);
	if (str_eq(buf_str(&f->told), STR("bert anna ")))
		want_told(f, "bert anna ");
	else
		want_told(f, "anna bert ");
}

static void on_mailbox(void *arg, struct str mailbox, bool proved)
{
	struct fixture *f = arg;

	assert_ok(buf_add(&f->wanted, mailbox));
	assert_ok(buf_adds(&f->wanted, proved ? "* " : " "));
}

static void want_mailboxes(struct fixture *f, const char *user,
                           const char *list)
{
	size_t count =
		registry_wanted(f->p.registry, str_of(user), on_mailbox, f);

	assert_str(buf_str(&f->wanted), list);
	for (size_t i = 0; i < f->wanted.len; i++)
		count -= f->wanted.data[i] == ' ';
	assert_int_equal(count, 0);
	buf_clear(&f->wanted);
}

static void want_disk(struct fixture *f, const char *text)
{
	fake_run(f->p.loop);
	scriptstore_want(&f->p.disk, text);
}

/* Limits. */

static void device_over_the_limit_ousts_the_one_seen_longest_ago(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	p->registry_opts.devices_per_user = 3;
	testpush_restart(p);
	for (int i = 1; i <= 3; i++) {
		char token[] = { 't', (char)('0' + i), '\0' };

		(void)testpush_phone(p, "anna", token, "INBOX*");
		fake_clock_advance(p->loop, 1000);
	}
	(void)testpush_phone(p, "bert", "t9", "INBOX*"); /* has his own */
	(void)testpush_phone(p, "anna", "t1", "INBOX*"); /* seen again */
	want_disk(f, "phone anna/t1 INBOX*\nphone anna/t2 INBOX*\n"
	             "phone anna/t3 INBOX*\nphone bert/t9 INBOX*\n");
	(void)testpush_phone(p, "anna", "t4", "INBOX*");
	want_disk(f, "phone anna/t1 INBOX*\nphone anna/t3 INBOX*\n"
	             "phone anna/t4 INBOX*\nphone bert/t9 INBOX*\n");
}

static void lowered_limit_takes_effect_with_the_next_device(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	for (int i = 1; i <= 5; i++) {
		char token[] = { 't', (char)('0' + i), '\0' };

		(void)testpush_phone(p, "anna", token, "INBOX*");
		fake_clock_advance(p->loop, 1000);
	}
	p->registry_opts.devices_per_user = 2;
	testpush_restart(p);
	(void)testpush_phone(p, "anna", "t6", "INBOX*");
	want_disk(f, "phone anna/t5 INBOX*\nphone anna/t6 INBOX*\n");
}

/* put_as registers a device under another account-id. */
static uint64_t put_as(struct testpush *p, const char *token,
                       const char *account)
{
	const struct store_mailbox inbox = { STR("INBOX"), true };
	const struct store_registration wish = { .user = STR("anna"),
		                                 .account_id = str_of(account),
		                                 .device_token = str_of(token),
		                                 .subtopic = STR("sub"),
		                                 .topic = STR("top"),
		                                 .version = 2,
		                                 .mailboxes = &inbox,
		                                 .mailbox_count = 1 };

	return registry_put(p->registry, &wish);
}

static size_t count_of(struct testpush *p, const char *user)
{
	const struct store_registration *r = ledger_registration_first(
		ledger_user_find(p->ledger, str_of(user)));
	size_t count = 0;

	for (; r != NULL; r = ledger_registration_next(r))
		count++;
	return count;
}

/* An account that is added again and again keeps the device's token. */
static void device_with_many_account_ids_keeps_the_newest(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	uint64_t ids[12];
	char account[16];

	p->registry_opts.devices_per_user = 1; /* it is one device */
	testpush_restart(p);
	for (int i = 0; i < 12; i++) {
		(void)snprintf(account, sizeof(account), "acc%d", i);
		ids[i] = put_as(p, "t1", account);
		fake_clock_advance(p->loop, 1000);
	}
	assert_int_equal(count_of(p, "anna"), 8);
	for (int i = 0; i < 12; i++)
		assert_int_equal(ledger_registration(p->ledger, ids[i]) != NULL,
		                 i >= 4);
}

static void device_with_two_account_ids_is_one_device(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	p->registry_opts.devices_per_user = 2;
	testpush_restart(p);
	(void)put_as(p, "t1", "acc1");
	(void)put_as(p, "t1", "acc2");
	(void)put_as(p, "t2", "acc1");
	(void)put_as(p, "t2", "acc2");
	assert_int_equal(count_of(p, "anna"), 4);
	fake_clock_advance(p->loop, 1000);
	(void)put_as(p, "t2", "acc1");
	(void)put_as(p, "t3", "acc1"); /* the other goes whole */
	assert_int_equal(count_of(p, "anna"), 3);
}

/* One phone with two accounts: what happens to one is no matter of the
 * other's. */
static void device_of_two_users_belongs_to_both(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	uint64_t id;

	p->registry_opts.devices_per_user = 1;
	testpush_restart(p);
	id = testpush_phone(p, "anna", "t1", "INBOX*");
	(void)testpush_phone(p, "bert", "t1", "INBOX* Work*");
	want_disk(f, "phone anna/t1 INBOX*\nphone bert/t1 INBOX* Work*\n");
	registry_remove(p->registry, id);
	want_disk(f, "phone bert/t1 INBOX* Work*\n");
}

static void mailboxes_over_the_limit_are_left_out(void **state)
{
	struct fixture *f = *state;

	f->p.registry_opts.mailboxes_per_device = 2;
	testpush_restart(&f->p);
	assert_int_equal(registry_mailboxes_max(f->p.registry), 2);
	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Sent* Work*");
	want_disk(f, "phone anna/t1 INBOX* Sent*\n");
}

/* Times and answers. */

static void registering_again_is_seen_and_keeps_the_past(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	const struct store_registration *r;
	int64_t first = loop_wall_ms(p->loop);
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX* Sent*");

	fake_clock_advance(p->loop, 1000);
	registry_pushed(p->registry, id, 200, "");
	fake_clock_advance(p->loop, 1000);
	assert_true(testpush_phone(p, "anna", "t1", "INBOX*") == id);
	r = ledger_registration(p->ledger, id);
	assert_true(r->first_seen_ms == first);
	assert_true(r->last_seen_ms == first + 2000);
	assert_true(r->last_push_ms == first + 1000);
	assert_int_equal(r->last_status, 200);
	want_disk(f, "phone anna/t1 INBOX*\n"); /* the list is the new one */
	registry_pushed(p->registry, id + 1, 410, "x"); /* nobody */
}

/* Whoever registers in a loop does not keep the disk busy, and the ledger knows
 * the time all the same. */
static void registering_in_a_loop_is_written_once_a_minute(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	const struct store_registration *r;
	uint64_t id = testpush_phone(p, "anna", "t1", "INBOX* Sent");
	size_t commits;

	fake_run(p->loop);
	commits = p->disk.commits;
	for (int i = 1; i < 60; i++) {
		fake_clock_advance(p->loop, 1000);
		assert_true(testpush_phone(p, "anna", "t1", "INBOX* Sent") ==
		            id);
		fake_run(p->loop);
	}
	assert_int_equal(p->disk.commits, commits);
	r = ledger_registration(p->ledger, id);
	assert_true(r->last_seen_ms == loop_wall_ms(p->loop));
	fake_clock_advance(p->loop, 1000);
	(void)testpush_phone(p, "anna", "t1", "INBOX* Sent");
	fake_run(p->loop);
	assert_int_equal(p->disk.commits, commits + 1);
	/* What is new is not held back. */
	(void)testpush_phone(p, "anna", "t1", "INBOX* Sent*");
	want_disk(f, "phone anna/t1 INBOX* Sent*\n");
	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	want_disk(f, "phone anna/t1 INBOX*\n");
}

/* What is on its way to the store is not there yet. */
static void registering_again_waits_for_the_first(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	size_t commits = p->disk.commits;
	uint64_t id;

	p->disk.hold = true;
	id = testpush_phone(p, "anna", "t1", "INBOX*");
	fake_run(p->loop);
	assert_int_equal(p->disk.commits, commits + 1);
	assert_true(testpush_phone(p, "anna", "t1", "INBOX*") == id);
	fake_run(p->loop);
	p->disk.hold = false;
	scriptstore_release(&p->disk);
	fake_run(p->loop);
	assert_int_equal(p->disk.commits, commits + 2);
}

/* Proof. */

static void mailbox_is_proved_for_all_devices_of_the_user(void **state)
{
	struct fixture *f = *state;
	struct registry *r = f->p.registry;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Work");
	(void)testpush_phone(&f->p, "anna", "t2", "Work");
	(void)testpush_phone(&f->p, "bert", "t3", "Work");
	assert_true(registry_is_proved(r, STR("anna"), STR("inbox")));
	assert_false(registry_is_proved(r, STR("anna"), STR("Work")));
	registry_prove(r, STR("anna"), STR("Work"));
	assert_true(registry_is_proved(r, STR("anna"), STR("Work")));
	assert_false(registry_is_proved(r, STR("anna"), STR("work")));
	assert_false(registry_is_proved(r, STR("bert"), STR("Work")));
	want_disk(f, "phone anna/t1 INBOX* Work*\nphone anna/t2 Work*\n"
	             "phone bert/t3 Work\n");
}

static void what_was_proved_stays_proved(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Work*");
	/* Registered again by another device, by a session without an answer
	 * in time. */
	(void)testpush_phone(&f->p, "anna", "t2", "inbox Work Sent");
	(void)testpush_phone(&f->p, "anna", "t1", "INBOX Work");
	(void)testpush_phone(&f->p, "bert", "t3", "INBOX");
	want_disk(f, "phone anna/t1 INBOX* Work*\n"
	             "phone anna/t2 inbox* Work* Sent\n"
	             "phone bert/t3 INBOX\n");
	testpush_restart(&f->p);
	assert_true(
		registry_is_proved(f->p.registry, STR("anna"), STR("Work")));
}

static void wanted_is_each_mailbox_once_inbox_first(void **state)
{
	struct fixture *f = *state;

	want_mailboxes(f, "anna", "");
	(void)testpush_phone(&f->p, "anna", "t1", "Work Archive* inbox");
	(void)testpush_phone(&f->p, "anna", "t2", "Sent INBOX* Work*");
	want_mailboxes(f, "anna", "INBOX* Archive* Sent Work* ");
	want_mailboxes(f, "bert", "");
}

/* Forgetting. */

/* know stores a state of |mailbox|, and a sealed login. */
static void know(struct testpush *p, const char *user, const char *mailbox)
{
	testpush_event(p, NOTIFIER_STATE, user, mailbox, 12);
	registry_login_put(p->registry, str_of(user), STR("blob"));
}

static void refused_mailbox_is_registered_by_nobody(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Work*");
	(void)testpush_phone(&f->p, "anna", "t2", "Work");
	(void)testpush_phone(&f->p, "bert", "t3", "Work*");
	know(&f->p, "anna", "Work");
	know(&f->p, "bert", "Work");
	registry_refuse(f->p.registry, STR("anna"), STR("Work"));
	want_disk(f, "login anna blob\nlogin bert blob\n"
	             "phone anna/t1 INBOX*\nphone anna/t2\n"
	             "phone bert/t3 Work*\n"
	             "state bert Work 7:12 messages=11 unseen=-1\n");
	assert_int_equal(registry_state(f->p.registry, STR("anna"), STR("Work"),
	                                &(struct store_state){ 0 }),
	                 ERR_NOT_FOUND);
}

static void doubted_mailbox_is_begun_anew(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Work*");
	(void)testpush_phone(&f->p, "anna", "t2", "INBOX");
	know(&f->p, "anna", "INBOX");
	know(&f->p, "anna", "Work");
	registry_doubt(f->p.registry, STR("anna"), STR("INBOX"));
	want_disk(f, "login anna blob\n"
	             "phone anna/t1 INBOX Work*\nphone anna/t2 INBOX\n"
	             "state anna Work 7:12 messages=11 unseen=-1\n");
	assert_false(
		registry_is_proved(f->p.registry, STR("anna"), STR("INBOX")));
}

static void note_token(void *arg, const struct store_registration *reg)
{
	struct buf *tokens = arg;

	assert_ok(buf_add(tokens, reg->device_token));
}

static void devices_of_a_user_are_walked(void **state)
{
	struct fixture *f = *state;
	struct buf tokens;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX*");
	(void)testpush_phone(&f->p, "anna", "t2", "INBOX*");
	(void)testpush_phone(&f->p, "bert", "t3", "INBOX*");
	buf_init(&tokens, 100);
	registry_devices(f->p.registry, STR("anna"), note_token, &tokens);
	registry_devices(f->p.registry, STR("cleo"), note_token, &tokens);
	assert_str(buf_str(&tokens), "t1t2");
	buf_reset(&tokens);
}

/* Who registers it again begins with a new baseline: nobody compared it. */
static void state_of_a_mailbox_that_nobody_wants_is_forgotten(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Work*");
	(void)testpush_phone(&f->p, "anna", "t2", "INBOX* Sent*");
	know(&f->p, "anna", "INBOX");
	know(&f->p, "anna", "Work");
	know(&f->p, "anna", "Sent");
	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Sent*");
	want_disk(f, "login anna blob\n"
	             "phone anna/t1 INBOX* Sent*\nphone anna/t2 INBOX* Sent*\n"
	             "state anna INBOX 7:12 messages=11 unseen=-1\n"
	             "state anna Sent 7:12 messages=11 unseen=-1\n");
}

static void state_stays_while_another_device_wants_the_mailbox(void **state)
{
	struct fixture *f = *state;

	(void)testpush_phone(&f->p, "anna", "t1", "INBOX* Work*");
	(void)testpush_phone(&f->p, "anna", "t2", "INBOX* Work*");
	know(&f->p, "anna", "Work");
	(void)testpush_phone(&f->p, "anna", "t1", "INBOX*");
	want_disk(f, "login anna blob\n"
	             "phone anna/t1 INBOX*\nphone anna/t2 INBOX* Work*\n"
	             "state anna Work 7:12 messages=11 unseen=-1\n");
}

static void user_without_a_device_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	uint64_t first = testpush_phone(p, "anna", "t1", "INBOX* Work*");
	uint64_t second = testpush_phone(p, "anna", "t2", "INBOX*");

	know(p, "anna", "INBOX");
	know(p, "anna", "Work");
	registry_remove(p->registry, first);
	want_disk(f, "login anna blob\nphone anna/t2 INBOX*\n"
	             "state anna INBOX 7:12 messages=11 unseen=-1\n");
	assert_true(registry_has(p->registry, STR("anna")));
	registry_remove(p->registry, second);
	registry_remove(p->registry, second);
	want_disk(f, "");
	assert_false(registry_has(p->registry, STR("anna")));
	assert_null(ledger_user_first(p->ledger));
}

/* Logins. */

static void rejected_login_stays_rejected_until_another_is_put(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	struct store_login login;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	assert_int_equal(registry_login(p->registry, STR("anna"), &login),
	                 ERR_NOT_FOUND);
	registry_login_rejected(p->registry, STR("anna")); /* there is none */
	registry_login_put(p->registry, STR("anna"), STR("one"));
	assert_ok(registry_login(p->registry, STR("anna"), &login));
	assert_str(login.blob, "one");
	assert_false(login.rejected);
	registry_login_rejected(p->registry, STR("anna"));
	want_disk(f, "login anna one rejected\nphone anna/t1 INBOX*\n");
	testpush_restart(p);
	assert_ok(registry_login(p->registry, STR("anna"), &login));
	assert_true(login.rejected);
	registry_login_put(p->registry, STR("anna"), STR("two"));
	want_disk(f, "login anna two\nphone anna/t1 INBOX*\n");
}

/* Telling. */

static void observer_is_told_once_a_turn_for_each_user(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;
	uint64_t id;

	registry_observe(p->registry, on_user, f);
	want_told(f, "");
	id = testpush_phone(p, "anna", "t1", "INBOX* Work");
	(void)testpush_phone(p, "anna", "t2", "INBOX*");
	assert_int_equal(f->told.len, 0); /* on a later turn */
	want_told(f, "anna ");
	registry_login_put(p->registry, STR("anna"), STR("blob"));
	want_told(f, "anna ");
	registry_prove(p->registry, STR("anna"), STR("Work"));
	want_told(f, "anna ");
	registry_prove(p->registry, STR("anna"), STR("Work")); /* as it was */
	want_told(f, "");
	registry_refuse(p->registry, STR("anna"), STR("Work"));
	want_told(f, "anna ");
	registry_remove(p->registry, id);
	want_told(f, "anna ");
	registry_observe(p->registry, NULL, NULL);
	(void)testpush_phone(p, "bert", "t3", "INBOX*");
	want_told(f, "");
}

static void observer_is_told_of_everyone_after_the_load(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	(void)testpush_phone(p, "bert", "t2", "INBOX*");
	testpush_stop(p);
	testpush_begin(p);
	registry_observe(p->registry, on_user, f);
	assert_int_equal(f->told.len, 0);
	want_told_both(f);
	/* Or when observing begins. */
	registry_observe(p->registry, on_user, f);
	want_told_both(f);
}

/* Age. */

/* visit lets |token| be seen every day for |days| days. */
static void visit(struct testpush *p, const char *token, int days)
{
	for (int i = 0; i < days; i++) {
		fake_clock_advance(p->loop, DAY_MS);
		(void)testpush_phone(p, "bert", token, "INBOX*");
	}
	fake_run(p->loop);
}

static void device_not_seen_for_its_time_is_removed(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	know(p, "anna", "INBOX");
	visit(p, "t2", 30);
	assert_true(registry_has(p->registry, STR("anna")));
	fake_clock_advance(p->loop, HOUR_MS);
	want_disk(f, "phone bert/t2 INBOX*\n");
}

/* The account-id stays, the old token is never seen again. */
static void changed_token_outlives_the_old_one(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	(void)testpush_phone(p, "bert", "t1", "INBOX* Work*");
	visit(p, "t2", 29);
	want_disk(f, "phone bert/t1 INBOX* Work*\nphone bert/t2 INBOX*\n");
	visit(p, "t2", 2);
	want_disk(f, "phone bert/t2 INBOX*\n");
}

static void last_device_of_all_is_removed_too(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	know(p, "anna", "INBOX");
	fake_clock_advance(p->loop, 30 * DAY_MS);
	assert_true(registry_has(p->registry, STR("anna")));
	fake_clock_advance(p->loop, 2 * DAY_MS);
	want_disk(f, "");
}

static void clock_that_jumps_removes_nobody_who_comes_back(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	(void)testpush_phone(p, "bert", "t2", "INBOX*");
	fake_wall_jump(p->loop, (int64_t)(400 * DAY_MS));
	(void)testpush_phone(p, "bert", "t2", "INBOX*"); /* not deserted */
	fake_clock_advance(p->loop, 23 * HOUR_MS);
	assert_true(registry_has(p->registry, STR("anna")));
	fake_clock_advance(p->loop, 3 * HOUR_MS);
	want_disk(f, "phone bert/t2 INBOX*\n");
}

static void long_rest_removes_nobody_who_comes_back(void **state)
{
	struct fixture *f = *state;
	struct testpush *p = &f->p;

	(void)testpush_phone(p, "anna", "t1", "INBOX*");
	(void)testpush_phone(p, "bert", "t2", "INBOX*");
	testpush_stop(p);
	fake_clock_advance(p->loop, 40 * DAY_MS);
	testpush_start(p);
	fake_clock_advance(p->loop, 23 * HOUR_MS);
	assert_true(registry_has(p->registry, STR("anna")));
	(void)testpush_phone(p, "bert", "t2", "INBOX*");
	fake_clock_advance(p->loop, 3 * HOUR_MS);
	want_disk(f, "phone bert/t2 INBOX*\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(device_over_the_limit_ousts_the_one_seen_longest_ago),
		TEST(lowered_limit_takes_effect_with_the_next_device),
		TEST(device_with_many_account_ids_keeps_the_newest),
		TEST(device_with_two_account_ids_is_one_device),
		TEST(device_of_two_users_belongs_to_both),
		TEST(mailboxes_over_the_limit_are_left_out),
		TEST(registering_again_is_seen_and_keeps_the_past),
		TEST(registering_in_a_loop_is_written_once_a_minute),
		TEST(registering_again_waits_for_the_first),
		TEST(mailbox_is_proved_for_all_devices_of_the_user),
		TEST(what_was_proved_stays_proved),
		TEST(wanted_is_each_mailbox_once_inbox_first),
		TEST(refused_mailbox_is_registered_by_nobody),
		TEST(doubted_mailbox_is_begun_anew),
		TEST(devices_of_a_user_are_walked),
		TEST(state_of_a_mailbox_that_nobody_wants_is_forgotten),
		TEST(state_stays_while_another_device_wants_the_mailbox),
		TEST(user_without_a_device_leaves_nothing_behind),
		TEST(rejected_login_stays_rejected_until_another_is_put),
		TEST(observer_is_told_once_a_turn_for_each_user),
		TEST(observer_is_told_of_everyone_after_the_load),
		TEST(device_not_seen_for_its_time_is_removed),
		TEST(changed_token_outlives_the_old_one),
		TEST(last_device_of_all_is_removed_too),
		TEST(clock_that_jumps_removes_nobody_who_comes_back),
		TEST(long_rest_removes_nobody_who_comes_back),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
