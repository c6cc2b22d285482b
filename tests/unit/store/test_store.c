/* SPDX-License-Identifier: ISC */
/* The contract of store.h, for each implementation. */
#include <stdlib.h>
#include <string.h>

#include "store/memory.h"
#include "store/sqlite.h"
#include "store/teststore.h"
#include "unit/unit.h"

enum { TEXT_MAX = 1024 * 1024 };

struct fixture {
	struct testdir dir;
	struct loop *loop;
	struct store *store;
	struct buf text; /* of a load */
};

static struct store *(*make)(struct fixture *f);

static struct store *make_memory(struct fixture *f)
{
	return store_memory_new(f->loop);
}

static struct store *make_sqlite(struct fixture *f)
{
	return store_sqlite_open(f->loop, f->dir.db);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	testdir_init(&f->dir);
	f->loop = loop_new();
	f->store = make(f);
	buf_init(&f->text, TEXT_MAX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	assert_null(f->store);
	loop_free(&f->loop);
	testdir_done(&f->dir);
	buf_reset(&f->text);
	free(f);
	return 0;
}

static int commit(struct fixture *f, const struct store_batch *b)
{
	return teststore_commit(f->loop, f->store, b);
}

/* want_rows wants a load to give exactly |text|. */
static void want_rows(struct fixture *f, const char *text)
{
	buf_clear(&f->text);
	assert_ok(teststore_load(f->loop, f->store, &f->text));
	assert_str(buf_str(&f->text), text);
}

/* want_snapshot wants a load to give exactly these rows. */
static void want_snapshot(struct fixture *f, const struct store_snapshot *s)
{
	struct buf want;

	buf_init(&want, TEXT_MAX);
	teststore_text(s, &want);
	buf_clear(&f->text);
	assert_ok(teststore_load(f->loop, f->store, &f->text));
	assert_int_equal(f->text.len, want.len);
	assert_true(str_eq(buf_str(&f->text), buf_str(&want)));
	buf_reset(&want);
}

/* A registration with little in it. */
static struct store_registration phone(uint64_t id, const char *user,
                                       const char *token)
{
	return (struct store_registration){
		.id = id,
		.user = str_of(user),
		.account_id = STR("acc"),
		.device_token = str_of(token),
		.subtopic = STR("sub"),
		.topic = STR("top"),
		.version = 2,
	};
}

static void empty_store_has_no_rows(void **state)
{
	want_rows(*state, "");
}

static void every_field_comes_back(void **state)
{
	struct fixture *f = *state;
	const struct store_mailbox boxes[] = {
		{ STR("INBOX"), true },
		{ STR("Sent"), false },
	};
	const struct store_registration registration = {
		.id = 7,
		.user = STR("anna"),
		.account_id = STR("acc"),
		.device_token = STR("00ff"),
		.subtopic = STR("sub"),
		.topic = STR("top"),
		.version = 2,
		.first_seen_ms = 11,
		.last_seen_ms = 12,
		.last_push_ms = 13,
		.last_status = 410,
		.last_reason = STR("Unregistered"),
		.mailboxes = boxes,
		.mailbox_count = 2,
	};
	const struct store_state st = { .user = STR("anna"),
		                        .mailbox = STR("INBOX"),
		                        .uidvalidity = 21,
		                        .uidnext = 22,
		                        .modseq = 23,
		                        .messages = 24,
		                        .unseen = STORE_UNKNOWN };
	const struct str set[] = { STR("Sent"), STR("INBOX") };
	const struct store_pending pending = { .registration_id = 7,
		                               .generation = 31,
		                               .due_ms = 32,
		                               .attempts = 33,
		                               .event_ms = 34,
		                               .mailboxes = set,
		                               .mailbox_count = 2 };
	const struct store_login login = { STR("anna"), STR("blob"), true };
	const struct store_batch b = {
		.registrations = &registration,
		.registration_count = 1,
		.states = &st,
		.state_count = 1,
		.pendings = &pending,
		.pending_count = 1,
		.logins = &login,
		.login_count = 1,
	};

	assert_ok(commit(f, &b));
	want_rows(f,
	          "login user=anna blob=blob rejected=1\n"
	          "pending id=7 generation=31 due=32 attempts=33 event=34"
	          " mailbox=Sent mailbox=INBOX\n"
	          "registration id=7 user=anna account=acc token=00ff"
	          " subtopic=sub topic=top version=2 first=11 last=12 push=13"
	          " status=410 reason=Unregistered proved=INBOX unproved=Sent\n"
	          "state user=anna mailbox=INBOX uidvalidity=21 uidnext=22"
	          " modseq=23 messages=24 unseen=-1\n");
}

static void odd_bytes_and_extremes_come_back(void **state)
{
	struct fixture *f = *state;
	char all[255];
	char lengthy[1000];
	char half[500];
	struct store_mailbox boxes[3];
	struct store_registration r = phone(INT64_MAX, "", "");
	struct store_state st = { 0 };
	struct store_login login = { 0 };
	struct str set[2];
	struct store_pending pending = { 0 };

	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	memset(lengthy, 0xff, sizeof(lengthy));
	memset(half, '\'', sizeof(half));
	boxes[0] = (struct store_mailbox){ str_new(all, 255), true };
	boxes[1] = (struct store_mailbox){ str_new(lengthy, 1000), true };
	boxes[2] = (struct store_mailbox){ str_new("a\0b", 3), false };
	r.user = str_new(all, 255);
	r.subtopic = str_new("\0", 1);
	r.version = UINT32_MAX;
	r.first_seen_ms = INT64_MIN;
	r.last_seen_ms = INT64_MAX;
	r.last_status = INT32_MIN;
	r.mailboxes = boxes;
	r.mailbox_count = 3;
	st.user = str_new(half, 500);
	st.mailbox = str_new(lengthy, 1000);
	st.uidvalidity = UINT32_MAX;
	st.uidnext = UINT32_MAX;
	st.modseq = UINT64_MAX;
	set[0] = str_new(lengthy, 1000);
	set[1] = str_new("", 0);
	pending.registration_id = INT64_MAX;
	pending.generation = UINT64_MAX;
	pending.attempts = UINT32_MAX;
	pending.mailboxes = set;
	pending.mailbox_count = 2;
	login.user = str_new(all, 255);
	login.blob = str_new(lengthy, 1000);
	assert_ok(commit(f, &(struct store_batch){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .states = &st,
	                                           .state_count = 1,
	                                           .pendings = &pending,
	                                           .pending_count = 1,
	                                           .logins = &login,
	                                           .login_count = 1 }));
	want_snapshot(f, &(struct store_snapshot){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .states = &st,
	                                           .state_count = 1,
	                                           .pendings = &pending,
	                                           .pending_count = 1,
	                                           .logins = &login,
	                                           .login_count = 1 });
}

static void put_replaces_the_whole_row(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox boxes[] = { { STR("INBOX"), false },
		                         { STR("Sent"), false } };
	struct store_registration r = phone(1, "a", "t");
	struct store_state st = { .user = STR("a"), .mailbox = STR("m") };
	struct str set[] = { STR("x"), STR("y") };
	struct store_pending pending = { .registration_id = 1,
		                         .mailboxes = set,
		                         .mailbox_count = 2 };
	struct store_login login = { STR("a"), STR("old"), true };
	const struct store_batch b = { .registrations = &r,
		                       .registration_count = 1,
		                       .states = &st,
		                       .state_count = 1,
		                       .pendings = &pending,
		                       .pending_count = 1,
		                       .logins = &login,
		                       .login_count = 1 };

	r.mailboxes = boxes;
	r.mailbox_count = 2;
	assert_ok(commit(f, &b));
	r.topic = STR("new");
	boxes[0].proved = true;
	r.mailbox_count = 1;
	st.uidnext = 9;
	pending.generation = 4;
	set[0] = STR("z");
	pending.mailbox_count = 1;
	login.blob = STR("new");
	login.rejected = false;
	assert_ok(commit(f, &b));
	want_snapshot(f, &(struct store_snapshot){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .states = &st,
	                                           .state_count = 1,
	                                           .pendings = &pending,
	                                           .pending_count = 1,
	                                           .logins = &login,
	                                           .login_count = 1 });
}

static void registration_written_again_keeps_its_pending_row(void **state)
{
	struct fixture *f = *state;
	struct store_registration r = phone(1, "a", "t");
	struct str set[] = { STR("x") };
	struct store_pending pending = { .registration_id = 1,
		                         .mailboxes = set,
		                         .mailbox_count = 1 };

	assert_ok(commit(f, &(struct store_batch){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .pendings = &pending,
	                                           .pending_count = 1 }));
	r.last_seen_ms = 5;
	assert_ok(commit(f, &(struct store_batch){ .registrations = &r,
	                                           .registration_count = 1 }));
	want_snapshot(f, &(struct store_snapshot){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .pendings = &pending,
	                                           .pending_count = 1 });
}

static void deleted_registration_takes_its_rows_along(void **state)
{
	struct fixture *f = *state;
	struct store_mailbox boxes[] = { { STR("INBOX"), true } };
	struct store_registration r[] = { phone(1, "a", "t"),
		                          phone(2, "a", "u") };
	struct str set[] = { STR("x") };
	struct store_pending pending[] = {
		{ .registration_id = 1, .mailboxes = set, .mailbox_count = 1 },
		{ .registration_id = 2, .mailboxes = set, .mailbox_count = 1 },
	};
	const uint64_t gone[] = { 1, 99 };

	r[0].mailboxes = boxes;
	r[0].mailbox_count = 1;
	assert_ok(commit(f, &(struct store_batch){ .registrations = r,
	                                           .registration_count = 2,
	                                           .pendings = pending,
	                                           .pending_count = 2 }));
	assert_ok(commit(
		f, &(struct store_batch){ .registrations_gone = gone,
	                                  .registration_gone_count = 2 }));
	want_snapshot(f, &(struct store_snapshot){ .registrations = &r[1],
	                                           .registration_count = 1,
	                                           .pendings = &pending[1],
	                                           .pending_count = 1 });
}

static void each_kind_is_deleted_by_its_key(void **state)
{
	struct fixture *f = *state;
	struct store_registration r = phone(1, "a", "t");
	struct str set[] = { STR("x") };
	struct store_pending pending = { .registration_id = 1,
		                         .mailboxes = set,
		                         .mailbox_count = 1 };
	struct store_state st[] = {
		{ .user = STR("a"), .mailbox = STR("m") },
		{ .user = STR("a"), .mailbox = STR("n") },
		{ .user = STR("b"), .mailbox = STR("m") },
	};
	struct store_login login[] = { { STR("a"), STR("x"), false },
		                       { STR("b"), STR("x"), false } };
	const uint64_t ids[] = { 1 };
	const struct str users[] = { STR("a") };

	assert_ok(commit(f, &(struct store_batch){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .pendings = &pending,
	                                           .pending_count = 1,
	                                           .states = st,
	                                           .state_count = 3,
	                                           .logins = login,
	                                           .login_count = 2 }));
	assert_ok(commit(f, &(struct store_batch){ .states_gone = st,
	                                           .state_gone_count = 1,
	                                           .pendings_gone = ids,
	                                           .pending_gone_count = 1,
	                                           .logins_gone = users,
	                                           .login_gone_count = 1 }));
	want_snapshot(f, &(struct store_snapshot){ .registrations = &r,
	                                           .registration_count = 1,
	                                           .states = &st[1],
	                                           .state_count = 2,
	                                           .logins = &login[1],
	                                           .login_count = 1 });
}

static void deletions_of_a_batch_come_first(void **state)
{
	struct fixture *f = *state;
	struct store_state st = { .user = STR("a"), .mailbox = STR("m") };

	assert_ok(commit(f, &(struct store_batch){ .states = &st,
	                                           .state_count = 1,
	                                           .states_gone = &st,
	                                           .state_gone_count = 1 }));
	want_snapshot(
		f, &(struct store_snapshot){ .states = &st, .state_count = 1 });
}

static void same_key_under_a_new_id_ousts_the_old_row(void **state)
{
	struct fixture *f = *state;
	struct store_registration r[] = { phone(1, "a", "t"),
		                          phone(2, "a", "t"),
		                          phone(3, "a", "u") };

	assert_ok(commit(f, &(struct store_batch){ .registrations = &r[0],
	                                           .registration_count = 1 }));
	assert_ok(commit(f, &(struct store_batch){ .registrations = &r[1],
	                                           .registration_count = 2 }));
	want_snapshot(f, &(struct store_snapshot){ .registrations = &r[1],
	                                           .registration_count = 2 });
}

/* Calls in the order they came. */
struct order {
	struct store *store;
	struct loop *loop;
	int calls[8];
	int len;
	bool again; /* commit once more from inside the call */
};

struct one {
	struct order *order;
	int number;
};

static const struct store_batch nothing;

static void on_done(void *arg, int rc)
{
	struct one *one = arg;
	struct order *o = one->order;

	assert_ok(rc);
	o->calls[o->len++] = one->number;
	if (o->again) {
		o->again = false;
		store_commit(o->store, &nothing, on_done, one);
	}
	if (o->len == 3)
		loop_stop(o->loop);
}

static void answers_keep_the_order_of_the_calls(void **state)
{
	struct fixture *f = *state;
	struct order o = { .store = f->store, .loop = f->loop };
	struct one ones[] = { { &o, 1 }, { &o, 2 }, { &o, 3 } };
	struct store_login login = { STR("a"), STR("1"), false };
	const struct store_batch b = { .logins = &login, .login_count = 1 };

	store_commit(f->store, &b, on_done, &ones[0]);
	login.blob = STR("2");
	store_commit(f->store, &b, on_done, &ones[1]);
	login.blob = STR("3");
	store_commit(f->store, &b, on_done, &ones[2]);
	login.blob = STR("overwritten"); /* batches are copied */
	assert_int_equal(o.len, 0);
	loop_run(f->loop);
	assert_int_equal(o.len, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(o.calls[i], i + 1);
	want_rows(f, "login user=a blob=3 rejected=0\n");
}

static void close_answers_what_is_open(void **state)
{
	struct fixture *f = *state;
	struct order o = { .store = f->store, .loop = f->loop, .again = true };
	struct one ones[] = { { &o, 1 }, { &o, 2 } };

	store_commit(f->store, &nothing, on_done, &ones[0]);
	store_commit(f->store, &nothing, on_done, &ones[1]);
	store_close(&f->store);
	assert_null(f->store);
	assert_int_equal(o.len, 3);
	assert_int_equal(o.calls[2], 1);
}

static int run(const char *name)
{
	const struct CMUnitTest tests[] = {
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		TEST(empty_store_has_no_rows),
		TEST(every_field_comes_back),
		TEST(odd_bytes_and_extremes_come_back),
		TEST(put_replaces_the_whole_row),
		TEST(registration_written_again_keeps_its_pending_row),
		TEST(deleted_registration_takes_its_rows_along),
		TEST(each_kind_is_deleted_by_its_key),
		TEST(deletions_of_a_batch_come_first),
		TEST(same_key_under_a_new_id_ousts_the_old_row),
		TEST(answers_keep_the_order_of_the_calls),
		TEST(close_answers_what_is_open),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	int failed;

	make = make_memory;
	failed = run("memory");
	make = make_sqlite;
	return failed + run("sqlite");
}
