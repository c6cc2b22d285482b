/* SPDX-License-Identifier: ISC */
/*
 * sqlite_schema - what peers chose is a BLOB: names are bytes, and SQLite's
 * TEXT wants to know their encoding.
 */
#include "store/sqlite_schema.h"

#include <stdio.h>

/* Append only: a step that was released is never edited. */
static const char *const steps[] = {
	/* 1: registrations, states, pending pushes, sealed logins */
	"CREATE TABLE registration ("
	" id INTEGER PRIMARY KEY,"
	" user BLOB NOT NULL,"
	" account_id BLOB NOT NULL,"
	" device_token BLOB NOT NULL,"
	" subtopic BLOB NOT NULL,"
	" topic BLOB NOT NULL,"
	" version INTEGER NOT NULL,"
	" first_seen_ms INTEGER NOT NULL,"
	" last_seen_ms INTEGER NOT NULL,"
	" last_push_ms INTEGER NOT NULL,"
	" last_status INTEGER NOT NULL,"
	" last_reason BLOB NOT NULL,"
	" UNIQUE (user, account_id, device_token, subtopic)"
	") STRICT;"
	"CREATE TABLE mailbox ("
	" registration INTEGER NOT NULL"
	"  REFERENCES registration (id) ON DELETE CASCADE,"
	" position INTEGER NOT NULL,"
	" name BLOB NOT NULL,"
	" proved INTEGER NOT NULL,"
	" PRIMARY KEY (registration, position)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE state ("
	" user BLOB NOT NULL,"
	" mailbox BLOB NOT NULL,"
	" uidvalidity INTEGER NOT NULL,"
	" uidnext INTEGER NOT NULL,"
	" modseq INTEGER NOT NULL,"
	" messages INTEGER NOT NULL,"
	" unseen INTEGER NOT NULL,"
	" PRIMARY KEY (user, mailbox)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE pending ("
	" registration INTEGER PRIMARY KEY"
	"  REFERENCES registration (id) ON DELETE CASCADE,"
	" generation INTEGER NOT NULL,"
	" due_ms INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL,"
	" event_ms INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE pending_mailbox ("
	" registration INTEGER NOT NULL"
	"  REFERENCES pending (registration) ON DELETE CASCADE,"
	" position INTEGER NOT NULL,"
	" name BLOB NOT NULL,"
	" PRIMARY KEY (registration, position)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE login ("
	" user BLOB NOT NULL PRIMARY KEY,"
	" sealed BLOB NOT NULL,"
	" rejected INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",
};

const char *const *sqlite_schema_steps(int *count_r)
{
	*count_r = (int)(sizeof(steps) / sizeof(steps[0]));
	return steps;
}

/* read_number runs |sql|, whose result is one number. */
static int read_number(sqlite3 *db, const char *sql, int *number_r)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*number_r = sqlite3_column_int(stmt, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT; /* neither query can have no row */
	}
	(void)sqlite3_finalize(stmt);
	return rc;
}

int sqlite_schema_version(sqlite3 *db, int *version_r)
{
	return read_number(db, "PRAGMA user_version", version_r);
}

int sqlite_schema_is_empty(sqlite3 *db, int *empty_r)
{
	return read_number(db, "SELECT count(*) = 0 FROM sqlite_master",
	                   empty_r);
}

/* run_step does one step and notes that |version| is reached. */
static int run_step(sqlite3 *db, const char *step, int version)
{
	char note[64];
	int rc;

	/* A pragma takes no parameters; the number is our own. */
	(void)snprintf(note, sizeof(note), "PRAGMA user_version = %d", version);
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_exec(db, step, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, note, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int sqlite_schema_migrate(sqlite3 *db, int version, const char *const *list,
                          int count)
{
	for (int i = version; i < count; i++) {
		int rc = run_step(db, list[i], i + 1);

		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

int sqlite_schema_stamp(sqlite3 *db, int version)
{
	return run_step(db, "", version);
}
