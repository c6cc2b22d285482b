/* SPDX-License-Identifier: ISC */
/* When rows get to the store, and what of them while it refuses. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "push/ledger.h"
#include "push/scriptstore.h"
#include "unit/unit.h"

/* Who waits for a flush. */
struct waiter {
	int calls;
	int rc;
	size_t at; /* what was kept when it was told */
	const struct scriptstore *disk;
};

struct fixture {
	struct loop *loop;
	struct scriptstore disk;
	struct ledger *ledger;
	int loaded;
	int loaded_rc;
	int listened;
	int listened_at; /* |loaded| then */
	struct waiter waiters[4];
};

static int set_up(void **state)
{
	const struct log_opts quiet = { .level = LOG_LEVEL_ERROR };
	struct fixture *f = xcalloc(1, sizeof(*f));

	log_setup(&quiet);
	f->loop = loop_new();
	scriptstore_init(&f->disk, f->loop);
	for (size_t i = 0; i < 4; i++)
		f->waiters[i].disk = &f->disk;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	ledger_free(&f->ledger);
	scriptstore_done(&f->disk);
	loop_free(&f->loop);
	free(f);
	return 0;
}

static void on_loaded(void *arg, int rc)
{
	struct fixture *f = arg;

	f->loaded++;
	f->loaded_rc = rc;
}

static void on_listened(void *arg)
{
	struct fixture *f = arg;

	f->listened++;
	f->listened_at = f->loaded;
}

static void begin(struct fixture *f)
{
	f->ledger =
		ledger_new(f->loop, scriptstore_open(&f->disk), on_loaded, f);
	ledger_on_loaded(f->ledger, on_listened, f);
}

static void start(struct fixture *f)
{
	begin(f);
	fake_run(f->loop);
	assert_int_equal(f->loaded, 1);
	assert_ok(f->loaded_rc);
}

static void restart(struct fixture *f)
{
	ledger_free(&f->ledger);
	f->loaded = 0;
	start(f);
}

static void on_flushed(void *arg, int rc)
{
	struct waiter *w = arg;

	w->calls++;
	w->rc = rc;
	w->at = w->disk->kept_count;
}

static void flush(struct fixture *f, size_t i)
{
	f->waiters[i].calls = 0;
	ledger_flush(f->ledger, on_flushed, &f->waiters[i]);
	assert_int_equal(f->waiters[i].calls, 0); /* on a later turn */
}

static void want_told(const struct fixture *f, size_t i, int rc)
{
	assert_int_equal(f->waiters[i].calls, 1);
	assert_int_equal(f->waiters[i].rc, rc);
}

/* Rows. */

static uint64_t put_phone(struct fixture *f, const char *user,
                          const char *token)
{
	const struct store_mailbox boxes[] = { { STR("INBOX"), true },
		                               { STR("Sent"), false } };
	const struct store_registration row = {
		.user = str_of(user),
		.account_id = STR("acc"),
		.device_token = str_of(token),
		.subtopic = STR("sub"),
		.topic = STR("top"),
		.version = 2,
		.first_seen_ms = 1000,
		.last_seen_ms = 2000,
		.last_reason = STR(""),
		.mailboxes = boxes,
		.mailbox_count = 2,
	};

	return ledger_registration_put(f->ledger, &row);
}

static void put_state(struct fixture *f, const char *user, const char *mailbox,
                      uint32_t uidnext)
{
	const struct store_state row = { .user = str_of(user),
		                         .mailbox = str_of(mailbox),
		                         .uidvalidity = 7,
		                         .uidnext = uidnext,
		                         .messages = 3,
		                         .unseen = STORE_UNKNOWN };

	ledger_state_put(f->ledger, &row);
}

static void put_owed(struct fixture *f, uint64_t id, const char *mailbox)
{
	const struct str name = str_of(mailbox);
	const struct store_pending row = { .registration_id = id,
		                           .generation = 1,
		                           .due_ms = 5000,
		                           .event_ms = 4000,
		                           .mailboxes = &name,
		                           .mailbox_count = 1 };

	ledger_pending_put(f->ledger, &row);
}

static void put_login(struct fixture *f, const char *user, const char *blob)
{
	const struct store_login row = { str_of(user), str_of(blob), false };

	ledger_login_put(f->ledger, &row);
}

/* put_all changes a row of each kind. */
static uint64_t put_all(struct fixture *f, const char *user, const char *token)
{
	uint64_t id = put_phone(f, user, token);

	put_state(f, user, "INBOX", 12);
	put_owed(f, id, "INBOX");
	put_login(f, user, "blob");
	return id;
}

#define ALL_OF(user, token)                       \
	"login " user " blob\n"                   \
	"owed " user "/" token " INBOX tries=0\n" \
	"phone " user "/" token " INBOX* Sent\n"  \
	"state " user " INBOX 7:12 messages=3 unseen=-1\n"

#define BOTH                           \
	"login anna blob\n"            \
	"owed anna/t1 INBOX tries=0\n" \
	"phone anna/t1 INBOX* Sent\n"  \
	"phone bert/t2 INBOX* Sent\n"  \
	"state anna INBOX 7:12 messages=3 unseen=-1\n"

/* Loading. */

static void rows_of_the_store_are_there_when_loaded(void **state)
{
	struct fixture *f = *state;
	const struct ledger_user *u;
	uint64_t id;

	start(f);
	id = put_all(f, "anna", "t1");
	restart(f);
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
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	restart(f);
	flush(f, 0);
	fake_run(f->loop);
	want_told(f, 0, 0);
	assert_int_equal(f->disk.commits, 1);
}

static void loaded_is_told_once_and_listeners_before(void **state)
{
	struct fixture *f = *state;

	begin(f);
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
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	ledger_free(&f->ledger);
	f->loaded = 0;
	f->listened = 0;
	f->disk.load_rc = ERR_IO;
	begin(f);
	fake_run(f->loop);
	assert_int_equal(f->loaded, 1);
	assert_int_equal(f->loaded_rc, ERR_IO);
	assert_int_equal(f->listened, 0);
	/* Those who ask meanwhile are told, and kept. */
	put_phone(f, "bert", "t2");
	flush(f, 0);
	fake_run(f->loop);
	want_told(f, 0, ERR_IO);
	assert_int_equal(f->disk.commits, 1);
	f->disk.load_rc = 0;
	fake_clock_advance(f->loop, 500);
	assert_int_equal(f->loaded, 1); /* once */
	assert_int_equal(f->listened, 1);
	scriptstore_want(&f->disk, BOTH);
	assert_non_null(ledger_login(f->ledger, STR("anna")));
}

/* backs_off wants |*count| to grow by one with each wait, and the waits to
 * double up to the maximum. */
static void backs_off(struct fixture *f, const size_t *count)
{
	static const uint64_t steps_ms[] = { 500,  1000,  2000, 4000,
		                             8000, 15000, 15000 };

	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		uint64_t wait_ms = fake_clock_next(f->loop);

		assert_in_range(wait_ms, steps_ms[i] / 2, steps_ms[i]);
		assert_int_equal(*count, i + 1);
		fake_clock_advance(f->loop, wait_ms);
	}
}

static void loads_are_repeated_with_back_off(void **state)
{
	struct fixture *f = *state;

	f->disk.load_rc = ERR_IO;
	begin(f);
	fake_run(f->loop);
	backs_off(f, &f->disk.loads);
	f->disk.load_rc = 0;
	fake_clock_advance(f->loop, 15000);
	assert_int_equal(f->listened, 1);
	assert_int_equal(fake_timers(f->loop), 0);
}

static void commits_are_repeated_with_back_off(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (int i = 0; i < 2; i++) { /* a success begins anew */
		f->disk.commits = 0;
		f->disk.commit_rc = ERR_IO;
		put_all(f, "anna", "t1");
		flush(f, 0);
		fake_run(f->loop);
		backs_off(f, &f->disk.commits);
		f->disk.commit_rc = 0;
		fake_clock_advance(f->loop, 15000);
		scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
		assert_int_equal(fake_timers(f->loop), 0);
	}
}

/* Merging. */

/* reload starts over what the store has, with one failed load between, in
 * which |meanwhile| makes rows. */
static void reload(struct fixture *f, void (*meanwhile)(struct fixture *f))
{
	ledger_free(&f->ledger);
	f->disk.load_rc = ERR_IO;
	begin(f);
	fake_run(f->loop);
	meanwhile(f);
	ledger_flush(f->ledger, NULL, NULL);
	f->disk.load_rc = 0;
	fake_clock_advance(f->loop, 500);
}

/* anna_again is the same phone, seen for the first time since the start, with
 * nothing proved yet. */
static void anna_again(struct fixture *f)
{
	const struct store_mailbox box = { STR("inbox"), false };
	struct store_registration row;

	(void)put_phone(f, "anna", "t1");
	row = *ledger_registration_first(
		ledger_user_find(f->ledger, STR("anna")));
	row.first_seen_ms = 9000;
	row.last_seen_ms = 9000;
	row.mailboxes = &box;
	row.mailbox_count = 1;
	(void)ledger_registration_put(f->ledger, &row);
	put_login(f, "anna", "newer");
}

static void merged_registration_keeps_what_was_known_longer(void **state)
{
	struct fixture *f = *state;
	const struct store_registration *r;

	start(f);
	put_all(f, "anna", "t1");
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

static void anna_is_owed_another(struct fixture *f)
{
	put_owed(f, put_phone(f, "anna", "t1"), "Sent");
}

static void merge_unites_what_is_owed(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	reload(f, anna_is_owed_another);
	scriptstore_want(&f->disk,
	                 "login anna blob\n"
	                 "owed anna/t1 Sent INBOX tries=0\n"
	                 "phone anna/t1 INBOX* Sent\n"
	                 "state anna INBOX 7:12 messages=3 unseen=-1\n");
}

static void anna_has_a_new_baseline(struct fixture *f)
{
	put_state(f, "anna", "INBOX", 15);
}

/* Between uidnext 12, which was stored, and 15, from which we went on, mail
 * came that nobody compared. */
static void merge_rings_for_a_state_that_differs(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = put_phone(f, "anna", "t1");
	put_state(f, "anna", "INBOX", 12);
	reload(f, anna_has_a_new_baseline);
	scriptstore_want(&f->disk,
	                 "owed anna/t1 INBOX tries=0\n"
	                 "phone anna/t1 INBOX* Sent\n"
	                 "state anna INBOX 7:15 messages=3 unseen=-1\n");
	assert_true(ledger_pending(f->ledger, id)->due_ms <=
	            loop_wall_ms(f->loop));
}

static void anna_has_the_same_state(struct fixture *f)
{
	put_state(f, "anna", "INBOX", 12);
}

static void merge_rings_for_nothing_when_states_agree(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_phone(f, "anna", "t1");
	put_state(f, "anna", "INBOX", 12);
	reload(f, anna_has_the_same_state);
	assert_int_equal(ledger_pending_count(f->ledger), 0);
}

static void saved_rows_of_a_damaged_store_are_written_whole(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	ledger_free(&f->ledger);
	f->disk.load_rc = ERR_INVALID;
	begin(f);
	fake_turn(f->loop); /* the load */
	f->disk.begin = f->disk.kept_count;
	fake_run(f->loop);
	assert_ok(f->loaded_rc);
	scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
}

/* Committing. */

static void changes_of_a_turn_are_one_commit(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	flush(f, 0);
	put_all(f, "bert", "t2");
	flush(f, 1);
	assert_int_equal(f->disk.commits, 0);
	fake_run(f->loop);
	assert_int_equal(f->disk.commits, 1);
	want_told(f, 0, 0);
	want_told(f, 1, 0);
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
	struct fixture *f = *state;
	const struct store_batch *b;

	start(f);
	put_all(f, "anna", "t1");
	flush(f, 0);
	fake_run(f->loop);
	put_state(f, "anna", "Sent", 2);
	flush(f, 0);
	fake_run(f->loop);
	want_told(f, 0, 0);
	b = scriptstore_last(&f->disk);
	assert_int_equal(b->state_count, 1);
	assert_str(b->states[0].mailbox, "Sent");
	assert_int_equal(b->registration_count, 0);
	assert_int_equal(b->pending_count, 0);
	assert_int_equal(b->login_count, 0);
}

static void flush_without_a_change_is_answered_without_a_commit(void **state)
{
	struct fixture *f = *state;

	start(f);
	flush(f, 0);
	fake_run(f->loop);
	want_told(f, 0, 0);
	assert_int_equal(f->disk.commits, 0);
}

/* State and pending row of one turn, in every order of commits under way:
 * whatever prefix of the commits a crash leaves, they are both there. */
static void state_is_never_stored_without_what_it_causes(void **state)
{
	struct fixture *f = *state;
	struct buf text;
	uint64_t id;

	start(f);
	id = put_phone(f, "anna", "t1");
	put_state(f, "anna", "INBOX", 12);
	flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop); /* that commit is under way */
	put_state(f, "anna", "INBOX", 13);
	put_owed(f, id, "INBOX");
	flush(f, 1);
	fake_run(f->loop);
	put_state(f, "anna", "INBOX", 14);
	put_owed(f, id, "Sent");
	flush(f, 2);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	want_told(f, 2, 0);
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
	struct fixture *f = *state;

	start(f);
	put_phone(f, "anna", "t1");
	flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	put_phone(f, "bert", "t2");
	flush(f, 1);
	fake_run(f->loop);
	scriptstore_release(&f->disk);
	fake_turn(f->loop);
	want_told(f, 0, 0);
	assert_int_equal(f->waiters[1].calls, 0);
	fake_run(f->loop);
	want_told(f, 1, 0);
	assert_int_equal(f->waiters[0].at, 1);
	assert_int_equal(f->waiters[1].at, 2);
}

static void row_changed_while_it_is_written_is_written_again(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_state(f, "anna", "INBOX", 12);
	flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	put_state(f, "anna", "INBOX", 13);
	flush(f, 1);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	want_told(f, 1, 0);
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
static void remove_all(struct fixture *f, const char *user, uint64_t id)
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
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = put_all(f, "anna", "t1");
	flush(f, 0);
	fake_run(f->loop);
	remove_all(f, "anna", id);
	flush(f, 1);
	fake_run(f->loop);
	want_told(f, 1, 0);
	scriptstore_want(&f->disk, "");
	assert_null(ledger_user_first(f->ledger));
}

static void rows_removed_while_they_are_written_are_deleted(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = put_all(f, "anna", "t1");
	flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	remove_all(f, "anna", id);
	flush(f, 1);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	want_told(f, 1, 0);
	scriptstore_want(&f->disk, "");
	assert_null(ledger_user_first(f->ledger));
}

static void rows_put_again_while_they_are_deleted_stay(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = put_all(f, "anna", "t1");
	flush(f, 0);
	fake_run(f->loop);
	remove_all(f, "anna", id);
	flush(f, 1);
	f->disk.hold = true;
	fake_run(f->loop);
	put_all(f, "anna", "t1");
	flush(f, 2);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	want_told(f, 2, 0);
	scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
	restart(f);
	assert_int_equal(ledger_pending_count(f->ledger), 1);
}

static void pending_row_alone_is_deleted(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = put_phone(f, "anna", "t1");
	put_owed(f, id, "INBOX");
	flush(f, 0);
	fake_run(f->loop);
	ledger_pending_remove(f->ledger, id);
	ledger_pending_remove(f->ledger, id);
	assert_int_equal(ledger_pending_count(f->ledger), 0);
	flush(f, 1);
	fake_run(f->loop);
	scriptstore_want(&f->disk, "phone anna/t1 INBOX* Sent\n");
}

/* Refusals. */

static void refused_commit_is_tried_again_with_all_that_changed(void **state)
{
	struct fixture *f = *state;
	uint64_t id;

	start(f);
	id = put_all(f, "bert", "t2");
	flush(f, 3);
	fake_run(f->loop);
	f->disk.commit_rc = ERR_IO;
	put_all(f, "anna", "t1");
	ledger_registration_remove(f->ledger, id);
	flush(f, 0);
	fake_run(f->loop);
	want_told(f, 0, ERR_IO);
	/* Asked again while it is known to refuse: no wait for the disk. */
	put_state(f, "anna", "Sent", 2);
	flush(f, 1);
	fake_run(f->loop);
	want_told(f, 1, ERR_IO);
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
	want_told(f, 0, ERR_IO); /* once */
	flush(f, 2);
	fake_run(f->loop);
	want_told(f, 2, 0);
}

static void row_changed_while_its_commit_is_refused_is_not_lost(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_state(f, "anna", "INBOX", 12);
	put_state(f, "anna", "Sent", 2);
	flush(f, 0);
	f->disk.hold = true;
	f->disk.commit_rc = ERR_IO;
	fake_run(f->loop);
	put_state(f, "anna", "INBOX", 13);
	flush(f, 1);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	want_told(f, 0, ERR_IO);
	f->disk.commit_rc = 0;
	fake_clock_advance(f->loop, 500);
	want_told(f, 1, 0);
	scriptstore_want(&f->disk,
	                 "state anna INBOX 7:13 messages=3 unseen=-1\n"
	                 "state anna Sent 7:2 messages=3 unseen=-1\n");
}

static void store_begun_anew_gets_every_row(void **state)
{
	struct fixture *f = *state;
	uint64_t gone;

	start(f);
	put_all(f, "anna", "t1");
	gone = put_phone(f, "bert", "t2");
	flush(f, 0);
	fake_run(f->loop);
	ledger_registration_remove(f->ledger, gone);
	put_state(f, "anna", "Sent", 2);
	flush(f, 1);
	f->disk.commit_rc = ERR_INVALID;
	fake_turn(f->loop); /* it asks */
	f->disk.commit_rc = 0;
	fake_run(f->loop);
	want_told(f, 1, 0);
	assert_int_equal(f->disk.commits, 3);
	scriptstore_want(
		&f->disk,
		ALL_OF("anna",
	               "t1") "state anna Sent 7:2 messages=3 unseen=-1\n");
}

static void store_that_loses_rows_again_and_again_is_not_pressed(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	flush(f, 0);
	f->disk.commit_rc = ERR_INVALID;
	fake_run(f->loop);
	want_told(f, 0, ERR_IO);
	assert_int_equal(f->disk.commits, 2);
	assert_in_range(fake_clock_next(f->loop), 250, 500);
	f->disk.commit_rc = 0;
	fake_clock_advance(f->loop, 500);
	scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
}

static void late_disk_answers_io_after_two_seconds_and_keeps(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->disk.hold = true;
	put_all(f, "anna", "t1");
	flush(f, 0);
	fake_clock_advance(f->loop, 1000);
	put_phone(f, "bert", "t2");
	flush(f, 1);
	fake_clock_advance(f->loop, 999);
	assert_int_equal(f->waiters[0].calls, 0);
	fake_clock_advance(f->loop, 1);
	want_told(f, 0, ERR_IO);
	assert_int_equal(f->waiters[1].calls, 0);
	fake_clock_advance(f->loop, 1000);
	want_told(f, 1, ERR_IO);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	want_told(f, 0, ERR_IO); /* once */
	want_told(f, 1, ERR_IO);
	scriptstore_want(&f->disk, BOTH);
	assert_int_equal(fake_timers(f->loop), 0);
}

static void slow_load_counts_as_late_too(void **state)
{
	struct fixture *f = *state;

	f->disk.hold = true;
	begin(f);
	put_all(f, "anna", "t1");
	flush(f, 0);
	fake_clock_advance(f->loop, 1999);
	assert_int_equal(f->waiters[0].calls, 0);
	fake_clock_advance(f->loop, 1);
	want_told(f, 0, ERR_IO);
	assert_int_equal(f->loaded, 0);
	scriptstore_release(&f->disk);
	fake_run(f->loop);
	assert_int_equal(f->loaded, 1);
	scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
}

/* The end. */

static void end_commits_what_changed_and_answers(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	flush(f, 0);
	ledger_free(&f->ledger);
	assert_null(f->ledger);
	want_told(f, 0, 0);
	scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
}

static void end_during_a_commit_commits_the_rest_too(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_phone(f, "anna", "t1");
	flush(f, 0);
	f->disk.hold = true;
	fake_run(f->loop);
	put_phone(f, "bert", "t2");
	flush(f, 1);
	ledger_free(&f->ledger);
	want_told(f, 0, 0);
	want_told(f, 1, 0);
	scriptstore_want(&f->disk, "phone anna/t1 INBOX* Sent\n"
	                           "phone bert/t2 INBOX* Sent\n");
}

static void end_during_the_load_merges_and_commits(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_all(f, "anna", "t1");
	ledger_free(&f->ledger);
	begin(f);
	put_phone(f, "bert", "t2");
	flush(f, 0);
	ledger_free(&f->ledger);
	want_told(f, 0, 0);
	scriptstore_want(&f->disk, BOTH);
}

static void end_after_a_refusal_tries_once_more(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->disk.commit_rc = ERR_IO;
	put_all(f, "anna", "t1");
	flush(f, 0);
	fake_run(f->loop);
	f->disk.commit_rc = 0;
	ledger_free(&f->ledger);
	scriptstore_want(&f->disk, ALL_OF("anna", "t1"));
}

static void end_with_a_disk_that_refuses_ends(void **state)
{
	struct fixture *f = *state;

	start(f);
	f->disk.commit_rc = ERR_INVALID;
	put_all(f, "anna", "t1");
	flush(f, 0);
	ledger_free(&f->ledger);
	want_told(f, 0, ERR_IO);
	/* And before it was ever read. */
	f->disk.commit_rc = 0;
	f->disk.load_rc = ERR_IO;
	begin(f);
	put_all(f, "anna", "t1");
	flush(f, 1);
	ledger_free(&f->ledger);
	want_told(f, 1, ERR_IO);
	assert_int_equal(fake_timers(f->loop), 0);
}

/* Rows in memory. */

static void same_key_keeps_its_id(void **state)
{
	struct fixture *f = *state;
	struct store_registration other;
	uint64_t id;

	start(f);
	id = put_phone(f, "anna", "t1");
	assert_int_not_equal(id, 0);
	assert_true(put_phone(f, "anna", "t1") == id);
	assert_true(put_phone(f, "anna", "t2") != id);
	assert_true(put_phone(f, "bert", "t1") != id);
	other = *ledger_registration(f->ledger, id);
	other.subtopic = STR("notes");
	assert_true(ledger_registration_put(f->ledger, &other) != id);
	other = *ledger_registration(f->ledger, id);
	other.account_id = STR("restored");
	assert_true(ledger_registration_put(f->ledger, &other) != id);
}

static void inbox_is_one_mailbox_in_any_case(void **state)
{
	struct fixture *f = *state;

	start(f);
	put_state(f, "anna", "inbox", 12);
	put_state(f, "anna", "InBox", 13);
	put_state(f, "anna", "Work", 2);
	put_state(f, "anna", "WORK", 3);
	assert_int_equal(
		ledger_state(f->ledger, STR("anna"), STR("INBOX"))->uidnext,
		13);
	flush(f, 0);
	fake_run(f->loop);
	scriptstore_want(&f->disk,
	                 "state anna INBOX 7:13 messages=3 unseen=-1\n"
	                 "state anna WORK 7:3 messages=3 unseen=-1\n"
	                 "state anna Work 7:2 messages=3 unseen=-1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_of_the_store_are_there_when_loaded),
		TEST(what_was_read_is_not_written_back),
		TEST(loaded_is_told_once_and_listeners_before),
		TEST(failed_load_is_told_and_repeated),
		TEST(loads_are_repeated_with_back_off),
		TEST(commits_are_repeated_with_back_off),
		TEST(merged_registration_keeps_what_was_known_longer),
		TEST(merge_unites_what_is_owed),
		TEST(merge_rings_for_a_state_that_differs),
		TEST(merge_rings_for_nothing_when_states_agree),
		TEST(saved_rows_of_a_damaged_store_are_written_whole),
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
		TEST(refused_commit_is_tried_again_with_all_that_changed),
		TEST(row_changed_while_its_commit_is_refused_is_not_lost),
		TEST(store_begun_anew_gets_every_row),
		TEST(store_that_loses_rows_again_and_again_is_not_pressed),
		TEST(late_disk_answers_io_after_two_seconds_and_keeps),
		TEST(slow_load_counts_as_late_too),
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
