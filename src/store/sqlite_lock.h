/* SPDX-License-Identifier: ISC */
/*
 * sqlite_lock - one process at a time has the database: each has all of it in
 * memory. The lock lies beside it, ends with whoever has it, and tells who that
 * is. Blocks; for the store's thread.
 */
#ifndef STORE_SQLITE_LOCK_H
#define STORE_SQLITE_LOCK_H

#include <stdatomic.h>

#include "base/err.h"

struct sqlite_lock {
	char *path;
	int fd;                  /* -1: not held */
	atomic_bool is_unwanted; /* nobody waits for it any more */
};

void sqlite_lock_init(struct sqlite_lock *l, const char *database);
void sqlite_lock_done(struct sqlite_lock *l);

/*
 * sqlite_lock_take waits, while another process has it, and logs that. Where no
 * lock can be made, as on a read-only disk, there is none. Results: 0;
 * ERR_UNAVAILABLE, another has it, and sqlite_lock_leave was called.
 */
int sqlite_lock_take(struct sqlite_lock *l, struct err_detail *why)
	__attribute__((warn_unused_result));

/* sqlite_lock_leave ends the wait, from any thread. */
void sqlite_lock_leave(struct sqlite_lock *l);

#endif
