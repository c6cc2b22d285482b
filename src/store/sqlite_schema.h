/* SPDX-License-Identifier: ISC */
/*
 * sqlite_schema - the tables, as a list of steps that only ever grows. The
 * number of steps done is the file's user_version.
 */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include <sqlite3.h>

/* sqlite_schema_steps is the list of this imapbell; |*count_r| its length,
 * which is the newest version that it knows. */
const char *const *sqlite_schema_steps(int *count_r);

/* sqlite_schema_version reads how many steps the file has behind it. Returns
 * SQLite's code. */
int sqlite_schema_version(sqlite3 *db, int *version_r)
	__attribute__((warn_unused_result));

/* sqlite_schema_is_empty: no table, index or view is in the file; a file of
 * version 0 that has some belongs to somebody else. Returns SQLite's code. */
int sqlite_schema_is_empty(sqlite3 *db, int *empty_r)
	__attribute__((warn_unused_result));

/*
 * sqlite_schema_migrate does the steps of |list| behind |version|, each in a
 * transaction with its number: a crash leaves a whole version. Returns
 * SQLite's code.
 */
int sqlite_schema_migrate(sqlite3 *db, int version, const char *const *list,
                          int count) __attribute__((warn_unused_result));

/* sqlite_schema_stamp writes the file's number once more, which is how to see
 * whether it can be written. Returns SQLite's code. */
int sqlite_schema_stamp(sqlite3 *db, int version)
	__attribute__((warn_unused_result));

#endif
