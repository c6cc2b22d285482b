/* SPDX-License-Identifier: ISC */
/* sqlite_rows - rows to and from an open file, by its prepared statements. */
#ifndef STORE_SQLITE_ROWS_H
#define STORE_SQLITE_ROWS_H

#include "store/pool.h"
#include "store/sqlite_sql.h"
#include "store/store.h"

/* What was read, and what it lives in. */
struct sqlite_rows {
	struct pool pool; /* strings and lists */
	struct store_snapshot snapshot;
};

void sqlite_rows_init(struct sqlite_rows *r);
void sqlite_rows_done(struct sqlite_rows *r);

/*
 * sqlite_rows_read reads every row of every table. Returns SQLITE_OK or the
 * first bad code of SQLite; the rows that could be read are in |r| then too.
 */
int sqlite_rows_read(struct sqlite_sql *sql, struct sqlite_rows *r)
	__attribute__((warn_unused_result));

/* sqlite_rows_write does |batch| in one transaction. Returns SQLITE_OK, it is
 * on disk; or SQLite's code, nothing was changed. */
int sqlite_rows_write(struct sqlite_sql *sql, const struct store_batch *batch)
	__attribute__((warn_unused_result));

#endif
