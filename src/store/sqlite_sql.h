/* SPDX-License-Identifier: ISC */
/* sqlite_sql - every statement, prepared once per open file. */
#ifndef STORE_SQLITE_SQL_H
#define STORE_SQLITE_SQL_H

#include <sqlite3.h>
#include <stdint.h>

#include "base/str.h"

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_REGISTRATION_OUST, /* who has this key under another id */
	SQL_REGISTRATION_PUT,
	SQL_REGISTRATION_DELETE,
	SQL_REGISTRATION_ALL,
	SQL_MAILBOX_CLEAR,
	SQL_MAILBOX_PUT,
	SQL_MAILBOX_OF,
	SQL_STATE_PUT,
	SQL_STATE_DELETE,
	SQL_STATE_ALL,
	SQL_PENDING_PUT,
	SQL_PENDING_DELETE,
	SQL_PENDING_ALL,
	SQL_PENDING_MAILBOX_CLEAR,
	SQL_PENDING_MAILBOX_PUT,
	SQL_PENDING_MAILBOX_OF,
	SQL_LOGIN_PUT,
	SQL_LOGIN_DELETE,
	SQL_LOGIN_ALL,
	SQL_COUNT
};

struct sqlite_sql {
	sqlite3_stmt *stmts[SQL_COUNT];
};

/* sqlite_sql_prepare prepares all of them on |db|. Returns SQLite's code. */
int sqlite_sql_prepare(struct sqlite_sql *s, sqlite3 *db)
	__attribute__((warn_unused_result));

/* sqlite_sql_done finalizes what is prepared. */
void sqlite_sql_done(struct sqlite_sql *s);

/*
 * sqlite_sql_bind gives |sql| its parameters, one letter of |types| for each:
 * `i` an int64_t, `s` a struct str, which is borrowed until the statement has
 * run. Returns the statement.
 */
sqlite3_stmt *sqlite_sql_bind(struct sqlite_sql *s, enum sql sql,
                              const char *types, ...);

/* sqlite_sql_run steps a statement that has no result, to its end, and resets
 * it. Returns SQLITE_OK or SQLite's code. */
int sqlite_sql_run(sqlite3_stmt *stmt) __attribute__((warn_unused_result));

/* sqlite_sql_next steps to the next row: 1; 0, no more; else SQLite's code,
 * negated. The caller resets the statement. */
int sqlite_sql_next(sqlite3_stmt *stmt) __attribute__((warn_unused_result));

/* sqlite_sql_str is the bytes of a column, until the next step. */
struct str sqlite_sql_str(sqlite3_stmt *stmt, int column);

#endif
