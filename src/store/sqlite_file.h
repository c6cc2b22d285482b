/* SPDX-License-Identifier: ISC */
/*
 * sqlite_file - one database file: opened with its settings, brought to our
 * version, set aside when it is not to be used. Blocks; for the store's thread.
 */
#ifndef STORE_SQLITE_FILE_H
#define STORE_SQLITE_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "store/sqlite_sql.h"

/* The file itself, its log and the index of that. */
enum { SQLITE_FILES = 3 };

/* Which file a name leads to; all 0: none. */
struct sqlite_file_id {
	dev_t dev;
	ino_t ino;
};

struct sqlite_file {
	char *path;
	sqlite3 *db;   /* NULL: not open */
	bool readonly; /* the system lets us only read */
	bool began;    /* this open made a new file */
	struct sqlite_file_id ids[SQLITE_FILES];
	off_t size;              /* as we left it */
	struct timespec written; /* likewise */
	struct sqlite_sql sql;
};

/* What others did to an open file. */
enum sqlite_file_change {
	SQLITE_FILE_SAME,
	SQLITE_FILE_WRITTEN, /* it was written to */
	SQLITE_FILE_TAKEN    /* one of the three was moved, deleted, replaced */
};

void sqlite_file_init(struct sqlite_file *f, const char *path);
void sqlite_file_done(struct sqlite_file *f);

/*
 * sqlite_file_open opens or creates it (mode 0600). Results: 0; ERR_INVALID,
 * damaged; ERR_LIMIT, of a newer imapbell; ERR_PERMISSION or ERR_IO, cannot be
 * opened now; each with a sentence in |why|.
 */
int sqlite_file_open(struct sqlite_file *f, struct err_detail *why)
	__attribute__((warn_unused_result));

/*
 * sqlite_file_check looks whether it could be opened, looks for damage and
 * writes to it, without bringing it to our version: an older imapbell may be
 * using it. A file that was not there is not there afterwards. Results as
 * sqlite_file_open, but ERR_INVALID for a newer one.
 */
int sqlite_file_check(struct sqlite_file *f, struct err_detail *why)
	__attribute__((warn_unused_result));

/* sqlite_file_close closes it, if it is open. A file that is |lost|, damaged,
 * not ours or taken away, is not written to on the way. */
void sqlite_file_close(struct sqlite_file *f, bool lost);

/* sqlite_file_used notes how we left the open file; after each write. */
void sqlite_file_used(struct sqlite_file *f);

/* sqlite_file_look tells what others did to it since. SQLite itself would go
 * on with what it remembers, and the rows be gone after the next start. */
enum sqlite_file_change sqlite_file_look(const struct sqlite_file *f);

/*
 * sqlite_file_set_aside renames the closed file, if it is there, and what
 * SQLite keeps beside it, to path.<what>-<seconds since 1970> and logs that.
 * Results: 0; ERR_IO with a sentence.
 */
int sqlite_file_set_aside(struct sqlite_file *f, const char *what,
                          const char *reason, struct err_detail *why)
	__attribute__((warn_unused_result));

/* sqlite_file_fail explains SQLite's |rc|. Returns ERR_INVALID, damaged;
 * ERR_PERMISSION or ERR_IO otherwise. */
int sqlite_file_fail(const struct sqlite_file *f, int rc,
                     struct err_detail *why);

#endif
