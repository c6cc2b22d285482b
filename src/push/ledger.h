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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"
#include "store/store.h"

struct ledger;

/* An account that has rows. Borrowed until the next turn. */
struct ledger_user;

typedef void ledger_loaded_fn(void *arg, int rc);
typedef void ledger_flushed_fn(void *arg, int rc);

/* ledger_new takes |store| over (it is closed by ledger_free) and starts the
 * load; |loaded| once, when everything is in memory (rc 0) or the store could
 * not be read (the load is repeated with back-off; rows made meanwhile are
 * kept and win). */
struct ledger *ledger_new(struct loop *loop, struct store *store,
                          ledger_loaded_fn *loaded, void *arg);

/* ledger_free commits what has changed and waits for that; open |done|s are
 * called from inside. */
void ledger_free(struct ledger **l);

/* ledger_on_loaded calls |fn| once, when the rows of the store are in memory,
 * after those who asked before; to be asked in the turn of ledger_new. */
enum { LEDGER_LISTENERS = 4 };

void ledger_on_loaded(struct ledger *l, loop_fn *fn, void *arg);

/*
 * ledger_flush commits what has changed, at the end of the turn together with
 * what others change in it; |done| (may be NULL) once: 0, everything changed
 * before this call is on disk; ERR_IO, it is kept in memory and tried again,
 * or the disk has not answered for two seconds.
 */
void ledger_flush(struct ledger *l, ledger_flushed_fn *done, void *arg);

/*
 * Rows. What is found is borrowed until a row is changed. A put copies its
 * row, in the place of the one with the same key; who changes rows calls
 * ledger_flush in the same turn. INBOX is one mailbox in any case.
 */

/* ledger_user_first and ledger_user_next walk all users; NULL at the end. */
struct ledger_user *ledger_user_first(const struct ledger *l);
struct ledger_user *ledger_user_next(const struct ledger_user *u);

/* ledger_user_find finds an account that has rows, or NULL. */
struct ledger_user *ledger_user_find(const struct ledger *l, struct str name);
struct str ledger_user_name(const struct ledger_user *u);

/* ledger_registration_first and _next walk those of a user (which may be
 * NULL); the one at hand may be removed only after asking for the next. */
const struct store_registration *ledger_registration_first(
	const struct ledger_user *u);
const struct store_registration *ledger_registration_next(
	const struct store_registration *r);

/* ledger_registration finds one by id, ledger_registration_of by the rest of
 * its key, which |key| has; or NULL. */
const struct store_registration *ledger_registration(const struct ledger *l,
                                                     uint64_t id);
const struct store_registration *ledger_registration_of(
	const struct ledger *l, const struct store_registration *key);

/* ledger_registration_put returns the id: that of the row with the same key,
 * else a new one (|row|->id is not looked at). A row that differs in nothing
 * but when it was seen goes to the store once a minute. */
uint64_t ledger_registration_put(struct ledger *l,
                                 const struct store_registration *row);

/* ledger_registration_remove takes its pending row along. */
void ledger_registration_remove(struct ledger *l, uint64_t id);

/* ledger_state finds the state of a mailbox, or NULL. */
const struct store_state *ledger_state(const struct ledger *l, struct str user,
                                       struct str mailbox);
void ledger_state_put(struct ledger *l, const struct store_state *row);

/* ledger_states_keep removes the states of |user| for which |keep| is false. */
typedef bool ledger_keep_fn(void *arg, const struct store_state *row);
void ledger_states_keep(struct ledger *l, struct str user, ledger_keep_fn *keep,
                        void *arg);

/* ledger_pending finds what is owed to a registration, or NULL.
 * ledger_pending_put wants the registration to be there. */
const struct store_pending *ledger_pending(const struct ledger *l,
                                           uint64_t registration_id);
void ledger_pending_put(struct ledger *l, const struct store_pending *row);
void ledger_pending_remove(struct ledger *l, uint64_t registration_id);

/* ledger_pending_count counts the registrations that are owed a push. */
size_t ledger_pending_count(const struct ledger *l);

/* ledger_login finds the sealed login of a user, or NULL. */
const struct store_login *ledger_login(const struct ledger *l, struct str user);
void ledger_login_put(struct ledger *l, const struct store_login *row);
void ledger_login_remove(struct ledger *l, struct str user);

#endif
