/* SPDX-License-Identifier: ISC */
/*
 * teststore - a store driven to its answer, and its rows as text. Other
 * folders' tests link it too.
 */
#ifndef STORE_TESTSTORE_H
#define STORE_TESTSTORE_H

#include "base/buf.h"
#include "net/loop.h"
#include "store/store.h"

/* A directory of the test's own, emptied and removed at the end. */
struct testdir {
	char path[64];
	char db[80]; /* a file name in it */
};

void testdir_init(struct testdir *d);
void testdir_done(struct testdir *d);

/* testdir_count counts the files in it whose name contains |part|; not what
 * SQLite keeps beside them, unless |part| is "-wal", "-shm" or empty. */
int testdir_count(const struct testdir *d, const char *part);

/* testdir_only returns the path of the one file that has |part| in its name;
 * the caller frees it. */
char *testdir_only(const struct testdir *d, const char *part);

/* teststore_commit and teststore_load turn the loop until the store answers,
 * and return its result. The rows of a load are appended to |text| (unless it
 * is NULL), one line each, sorted. */
int teststore_commit(struct loop *loop, struct store *s,
                     const struct store_batch *batch);
int teststore_load(struct loop *loop, struct store *s, struct buf *text);

/* teststore_text appends the rows of |snapshot| as a load would. */
void teststore_text(const struct store_snapshot *snapshot, struct buf *text);

#endif
