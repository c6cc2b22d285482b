/* SPDX-License-Identifier: ISC */
/*
 * ledger - every row of the store in memory, and which of them changed since
 * the last commit. A flush writes all changed rows in one transaction, so that
 * a mailbox state never gets to disk without the pending pushes it caused
 * (DESIGN: no mail is missed). When the disk refuses, rows stay changed and
 * are tried again with back-off: memory is bounded by rows, not by time.
 */
#ifndef PUSH_LEDGER_H
#define PUSH_LEDGER_H

#include "net/loop.h"
#include "store/store.h"

struct ledger;

/* One registration in memory. Owned by the ledger; strings are owned too. */
struct ledger_registration;

typedef void ledger_loaded_fn(void *arg, int rc);
typedef void ledger_flushed_fn(void *arg, int rc);

/* ledger_new takes |store| over (it is closed by ledger_free) and starts the
 * load; |loaded| once, when everything is in memory (rc 0) or the store could
 * not be read (the load is repeated with back-off; rows made meanwhile are
 * kept and win). */
struct ledger *ledger_new(struct loop *loop, struct store *store,
                          ledger_loaded_fn *loaded, void *arg);
void ledger_free(struct ledger **l);

/*
 * ledger_flush commits what has changed, at the end of the turn together with
 * what others change in it; |done| (may be NULL) once: 0, everything changed
 * before this call is on disk; ERR_IO, it is kept in memory and tried again.
 */
void ledger_flush(struct ledger *l, ledger_flushed_fn *done, void *arg);

#endif
