/* SPDX-License-Identifier: ISC */
/*
 * sqlite - the store in an SQLite file: WAL, synchronous=FULL, on a thread of
 * its own, migrations by user_version. A damaged file or one of a newer version
 * is set aside beside itself with an error line and a new one begun: never a
 * reason not to start. A file that cannot be opened at all is tried again
 * before each commit.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "net/loop.h"
#include "store/store.h"

/* store_sqlite_open returns at once; the file is opened on the thread. */
struct store *store_sqlite_open(struct loop *loop, const char *path);

/* store_sqlite_check opens or creates |path|, looks for damage and writes to
 * it: for -t and check. Results: 0; ERR_IO, ERR_PERMISSION, ERR_INVALID with a
 * sentence. */
int store_sqlite_check(const char *path, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
