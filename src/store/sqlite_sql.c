/* SPDX-License-Identifier: ISC */
/* sqlite_sql - SQL is only here; values reach it as parameters. */
#include "store/sqlite_sql.h"

#include <assert.h>
#include <stdarg.h>

static const char *const texts[] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",

	[SQL_REGISTRATION_OUST] = "DELETE FROM registration WHERE user = ?"
				  " AND account_id = ? AND device_token = ?"
				  " AND subtopic = ? AND id <> ?",
	[SQL_REGISTRATION_PUT] =
		"INSERT INTO registration (id, user, account_id, device_token,"
		" subtopic, topic, version, first_seen_ms, last_seen_ms,"
		" last_push_ms, last_status, last_reason)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (id) DO UPDATE SET user = excluded.user,"
		" account_id = excluded.account_id,"
		" device_token = excluded.device_token,"
		" subtopic = excluded.subtopic, topic = excluded.topic,"
		" version = excluded.version,"
		" first_seen_ms = excluded.first_seen_ms,"
		" last_seen_ms = excluded.last_seen_ms,"
		" last_push_ms = excluded.last_push_ms,"
		" last_status = excluded.last_status,"
		" last_reason = excluded.last_reason",
	[SQL_REGISTRATION_DELETE] = "DELETE FROM registration WHERE id = ?",
	[SQL_REGISTRATION_ALL] =
		"SELECT id, user, account_id, device_token, subtopic, topic,"
		" version, first_seen_ms, last_seen_ms, last_push_ms,"
		" last_status, last_reason FROM registration",

	[SQL_MAILBOX_CLEAR] = "DELETE FROM mailbox WHERE registration = ?",
	[SQL_MAILBOX_PUT] = "INSERT INTO mailbox (registration, position, name,"
			    " proved) VALUES (?, ?, ?, ?)",
	[SQL_MAILBOX_OF] = "SELECT name, proved FROM mailbox"
			   " WHERE registration = ? ORDER BY position",

	[SQL_STATE_PUT] = "INSERT OR REPLACE INTO state (user, mailbox,"
			  " uidvalidity, uidnext, modseq, messages, unseen)"
			  " VALUES (?, ?, ?, ?, ?, ?, ?)",
	[SQL_STATE_DELETE] = "DELETE FROM state WHERE user = ? AND mailbox = ?",
	[SQL_STATE_ALL] = "SELECT user, mailbox, uidvalidity, uidnext, modseq,"
			  " messages, unseen FROM state",

	/* An UPSERT: a REPLACE would delete the mailboxes. */
	[SQL_PENDING_PUT] =
		"INSERT INTO pending (registration, generation, due_ms,"
		" attempts, event_ms) VALUES (?, ?, ?, ?, ?)"
		" ON CONFLICT (registration) DO UPDATE SET"
		" generation = excluded.generation, due_ms = excluded.due_ms,"
		" attempts = excluded.attempts, event_ms = excluded.event_ms",
	[SQL_PENDING_DELETE] = "DELETE FROM pending WHERE registration = ?",
	[SQL_PENDING_ALL] = "SELECT registration, generation, due_ms, attempts,"
			    " event_ms FROM pending ORDER BY event_ms",

	[SQL_PENDING_MAILBOX_CLEAR] =
		"DELETE FROM pending_mailbox WHERE registration = ?",
	[SQL_PENDING_MAILBOX_PUT] = "INSERT INTO pending_mailbox (registration,"
				    " position, name) VALUES (?, ?, ?)",
	[SQL_PENDING_MAILBOX_OF] = "SELECT name FROM pending_mailbox"
				   " WHERE registration = ? ORDER BY position",

	[SQL_LOGIN_PUT] = "INSERT OR REPLACE INTO login (user, sealed,"
			  " rejected) VALUES (?, ?, ?)",
	[SQL_LOGIN_DELETE] = "DELETE FROM login WHERE user = ?",
	[SQL_LOGIN_ALL] = "SELECT user, sealed, rejected FROM login",
};

static_assert(sizeof(texts) / sizeof(texts[0]) == SQL_COUNT,
              "every statement has a text");

int sqlite_sql_prepare(struct sqlite_sql *s, sqlite3 *db)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		int rc = sqlite3_prepare_v3(db, texts[i], -1,
		                            SQLITE_PREPARE_PERSISTENT,
		                            &s->stmts[i], NULL);

		if (rc != SQLITE_OK) {
			sqlite_sql_done(s);
			return rc;
		}
	}
	return SQLITE_OK;
}

void sqlite_sql_done(struct sqlite_sql *s)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		(void)sqlite3_finalize(s->stmts[i]);
		s->stmts[i] = NULL;
	}
}

/* bind_str binds bytes; no bytes are an empty value, not NULL. */
static void bind_str(sqlite3_stmt *stmt, int at, struct str s)
{
	(void)sqlite3_bind_blob64(stmt, at, s.len > 0 ? s.data : "", s.len,
	                          SQLITE_STATIC);
}

sqlite3_stmt *sqlite_sql_bind(struct sqlite_sql *s, enum sql sql,
                              const char *types, ...)
{
	sqlite3_stmt *stmt = s->stmts[sql];
	va_list args;

	/* Results not looked at: what fails to bind is NULL, which no column
	 * accepts, or out of memory, which the step says again. */
	va_start(args, types);
	for (int at = 1; types[at - 1] != '\0'; at++) {
		if (types[at - 1] == 's')
			bind_str(stmt, at, va_arg(args, struct str));
		else
			(void)sqlite3_bind_int64(stmt, at,
			                         va_arg(args, int64_t));
	}
	va_end(args);
	return stmt;
}

int sqlite_sql_run(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	/* The parameters are borrowed: let go of them. */
	(void)sqlite3_reset(stmt);
	(void)sqlite3_clear_bindings(stmt);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int sqlite_sql_next(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : -rc;
}

struct str sqlite_sql_str(sqlite3_stmt *stmt, int column)
{
	const void *data = sqlite3_column_blob(stmt, column);

	/* The length after the blob, as SQLite wants it. */
	return str_new(data,
	               data != NULL ? (size_t)sqlite3_column_bytes(stmt, column)
	                            : 0);
}
