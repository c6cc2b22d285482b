/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "store/sqlite.h"
#include "store/sqlite_schema.h"
#include "store/teststore.h"
#include "unit/unit.h"

static sqlite3 *open_memory(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	return db;
}

static void want_version(sqlite3 *db, int want)
{
	int version = -1;

	assert_int_equal(sqlite_schema_version(db, &version), SQLITE_OK);
	assert_int_equal(version, want);
}

static const char *const three[] = {
	"CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);",
	"ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7;",
	"UPDATE a SET y = y + x;",
};

/* want_y wants the only row's y. */
static void want_y(sqlite3 *db, int want)
{
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(
		sqlite3_prepare_v2(db, "SELECT y FROM a", -1, &stmt, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(stmt, 0), want);
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
}

static void steps_behind_the_version_are_done_once(void **state)
{
	sqlite3 *db = open_memory();

	(void)state;
	assert_int_equal(sqlite_schema_migrate(db, 0, three, 1), SQLITE_OK);
	want_version(db, 1);
	assert_int_equal(sqlite_schema_migrate(db, 1, three, 3), SQLITE_OK);
	want_version(db, 3);
	want_y(db, 8);
	assert_int_equal(sqlite_schema_migrate(db, 3, three, 3), SQLITE_OK);
	want_y(db, 8);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void failing_step_leaves_the_version_before_it(void **state)
{
	static const char *const bad[] = {
		"CREATE TABLE a (x INTEGER, y INTEGER);"
		"INSERT INTO a VALUES (1, 2);",
		"UPDATE a SET y = 3; INSERT INTO nowhere VALUES (1);",
	};
	sqlite3 *db = open_memory();

	(void)state;
	assert_int_not_equal(sqlite_schema_migrate(db, 0, bad, 2), SQLITE_OK);
	want_version(db, 1);
	want_y(db, 2);
	assert_int_equal(sqlite3_get_autocommit(db), 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void emptiness_is_seen(void **state)
{
	sqlite3 *db = open_memory();
	int empty = -1;

	(void)state;
	assert_int_equal(sqlite_schema_is_empty(db, &empty), SQLITE_OK);
	assert_int_equal(empty, 1);
	assert_int_equal(sqlite_schema_migrate(db, 0, three, 1), SQLITE_OK);
	assert_int_equal(sqlite_schema_is_empty(db, &empty), SQLITE_OK);
	assert_int_equal(empty, 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A file as the first version wrote it: never edited. */
static const char version_1[] =
	"CREATE TABLE registration (id INTEGER PRIMARY KEY, user BLOB NOT NULL,"
	" account_id BLOB NOT NULL, device_token BLOB NOT NULL, subtopic BLOB"
	" NOT NULL, topic BLOB NOT NULL, version INTEGER NOT NULL,"
	" first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,"
	" last_push_ms INTEGER NOT NULL, last_status INTEGER NOT NULL,"
	" last_reason BLOB NOT NULL,"
	" UNIQUE (user, account_id, device_token, subtopic)) STRICT;"
	"CREATE TABLE mailbox (registration INTEGER NOT NULL REFERENCES"
	" registration (id) ON DELETE CASCADE, position INTEGER NOT NULL,"
	" name BLOB NOT NULL, proved INTEGER NOT NULL,"
	" PRIMARY KEY (registration, position)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE state (user BLOB NOT NULL, mailbox BLOB NOT NULL,"
	" uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, modseq"
	" INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL,"
	" PRIMARY KEY (user, mailbox)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE pending (registration INTEGER PRIMARY KEY REFERENCES"
	" registration (id) ON DELETE CASCADE, generation INTEGER NOT NULL,"
	" due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, event_ms INTEGER"
	" NOT NULL) STRICT;"
	"CREATE TABLE pending_mailbox (registration INTEGER NOT NULL REFERENCES"
	" pending (registration) ON DELETE CASCADE, position INTEGER NOT NULL,"
	" name BLOB NOT NULL, PRIMARY KEY (registration, position))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE login (user BLOB NOT NULL PRIMARY KEY, sealed BLOB NOT"
	" NULL, rejected INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"INSERT INTO registration VALUES (5, x'616E6E61', x'616363', x'30306666',"
	" x'737562', x'746F70', 2, 11, 12, 13, 200, x'');"
	"INSERT INTO mailbox VALUES (5, 0, x'494E424F58', 1),"
	" (5, 1, x'53656E74', 0);"
	"INSERT INTO state VALUES (x'616E6E61', x'494E424F58', 1, 2, 3, 4, -1);"
	"INSERT INTO pending VALUES (5, 6, 7, 8, 9);"
	"INSERT INTO pending_mailbox VALUES (5, 0, x'494E424F58');"
	"INSERT INTO login VALUES (x'616E6E61', x'00FF', 0);"
	"PRAGMA user_version = 1;";

static void version_1_file_is_brought_to_ours(void **state)
{
	struct loop *loop = loop_new();
	struct testdir dir;
	struct store *s;
	struct buf text;
	sqlite3 *db = NULL;
	int newest;

	(void)state;
	testdir_init(&dir);
	assert_int_equal(sqlite3_open(dir.db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, version_1, NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	buf_init(&text, 10000);
	s = store_sqlite_open(loop, dir.db);
	assert_ok(teststore_load(loop, s, &text));
	assert_str(buf_str(&text),
	           "login user=anna blob=x00ff rejected=0\n"
	           "pending id=5 generation=6 due=7 attempts=8 event=9"
	           " mailbox=INBOX\n"
	           "registration id=5 user=anna account=acc token=00ff"
	           " subtopic=sub topic=top version=2 first=11 last=12 push=13"
	           " status=200 reason= proved=INBOX unproved=Sent\n"
	           "state user=anna mailbox=INBOX uidvalidity=1 uidnext=2"
	           " modseq=3 messages=4 unseen=-1\n");
	buf_reset(&text);
	assert_ok(teststore_commit(loop, s, &(struct store_batch){ 0 }));
	store_close(&s);
	(void)sqlite_schema_steps(&newest);
	assert_int_equal(sqlite3_open(dir.db, &db), SQLITE_OK);
	want_version(db, newest);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(testdir_count(&dir, "bell.db."), 0);
	testdir_done(&dir);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_behind_the_version_are_done_once),
		cmocka_unit_test(failing_step_leaves_the_version_before_it),
		cmocka_unit_test(emptiness_is_seen),
		cmocka_unit_test(version_1_file_is_brought_to_ours),
	};

	return cmocka_run_group_tests_name("sqlite_schema", tests, NULL, NULL);
}
