/* SPDX-License-Identifier: ISC */
/*
 * ledger_impl - what the files of the ledger share: ledger (when to load and
 * to commit), ledger_rows (finding and changing rows), ledger_batch (changed
 * rows to the store), ledger_merge (rows of the store to memory).
 */
#ifndef PUSH_LEDGER_IMPL_H
#define PUSH_LEDGER_IMPL_H

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/backoff.h"
#include "base/hash.h"
#include "base/log.h"
#include "push/ledger.h"

enum ledger_kind {
	LEDGER_REGISTRATION,
	LEDGER_STATE,
	LEDGER_PENDING,
	LEDGER_LOGIN
};

/* What the store knows of a row. */
enum ledger_mark {
	LEDGER_CLEAN,   /* as it is */
	LEDGER_CHANGED, /* not what was done since */
	LEDGER_WRITING  /* the commit that is under way says it */
};

/* Every row begins with this, so that a pointer to one is a pointer to the
 * other. A row that is deleted stays, gone, until the store has deleted it
 * too; so a key is never in two rows. */
struct ledger_row {
	TAILQ_ENTRY(ledger_row) entry; /* in the list of its mark */
	enum ledger_kind kind;
	enum ledger_mark mark;
	bool gone;
};

/* A list of marked rows: TAILQ_HEAD. */
TAILQ_HEAD(ledger_row_list, ledger_row);

struct ledger_pending {
	struct ledger_row base; /* gone and clean: there is none */
	struct store_pending row;
	TAILQ_ENTRY(ledger_pending) by_age; /* unless gone */
};

struct ledger_registration {
	struct ledger_row base;
	struct store_registration row; /* user: the name in |user| */
	struct ledger_user *user;      /* NULL: gone */
	int64_t noted_seen_ms;         /* last_seen_ms as it was marked last */
	TAILQ_ENTRY(ledger_registration) of_user;
	UT_hash_handle by_id;
	struct ledger_pending pending;
};

struct ledger_state {
	struct ledger_row base;
	struct store_state row;
	struct ledger_user *user;
	UT_hash_handle by_mailbox;
};

struct ledger_login {
	struct ledger_row base;
	struct store_login row;
	struct ledger_user *user;
};

struct ledger_user {
	struct str name;
	struct ledger *ledger;
	UT_hash_handle by_name;
	TAILQ_HEAD(, ledger_registration) registrations;
	struct ledger_state *states; /* hash */
	struct ledger_login *login;  /* NULL: none */
};

struct ledger_waiter {
	STAILQ_ENTRY(ledger_waiter) entry;
	ledger_flushed_fn *done;
	void *arg;
	uint64_t until_ms;
	bool covered; /* what it waits for is in the commit under way */
};

enum ledger_phase {
	LEDGER_LOADING,
	LEDGER_UNREAD, /* a load failed, the next waits for the timer */
	LEDGER_IDLE,
	LEDGER_COMMITTING,
	LEDGER_REFUSED, /* a commit failed, the next waits for the timer */
	LEDGER_PHASES
};

struct ledger {
	struct log_ctx log;
	struct loop *loop;
	struct store *store;
	enum ledger_phase phase;
	bool closing;  /* ledger_free waits for the store */
	bool deferred; /* on_turn is asked for */

	ledger_loaded_fn *loaded; /* NULL: it was called */
	void *loaded_arg;

	struct {
		loop_fn *fn;
		void *arg;
	} listeners[LEDGER_LISTENERS];

	size_t listener_count;

	STAILQ_HEAD(, ledger_waiter) waiters;
	struct loop_timer *late;  /* for the first of the waiters */
	struct loop_timer *retry; /* of the load or the commit */
	struct backoff backoff;
	unsigned int failures; /* in a row */
	uint64_t told_ms;      /* when the operator was told of them */

	struct ledger_user *users;                 /* hash */
	struct ledger_registration *registrations; /* hash */
	size_t pending_count;
	TAILQ_HEAD(ledger_ages, ledger_pending) owed; /* the oldest first */
	struct ledger_row_list changed;
	struct ledger_row_list writing;
};

/* rows */

/* ledger_mark notes that |row| is not what the store has. */
void ledger_mark(struct ledger *l, struct ledger_row *row);

/* ledger_mark_all notes that of every row. */
void ledger_mark_all(struct ledger *l);

/* ledger_settle: the store has it as it is. Frees a row that is gone. */
void ledger_settle(struct ledger *l, struct ledger_row *row);

/* ledger_registration_insert adds one under the id that |row| has. */
void ledger_registration_insert(struct ledger *l,
                                const struct store_registration *row);

/* ledger_forget_id has the store delete a registration that is not in memory.
 */
void ledger_forget_id(struct ledger *l, uint64_t id);

/* ledger_rows_free frees every row and user. */
void ledger_rows_free(struct ledger *l);

/* batch */

/* ledger_batch_commit commits every changed row. */
void ledger_batch_commit(struct ledger *l, store_commit_fn *done, void *arg);

/* ledger_batch_done: the commit said |rc|. Rows that it wrote are settled, or
 * marked changed again. */
void ledger_batch_done(struct ledger *l, int rc);

/* merge */

/*
 * ledger_merge takes the rows of |snapshot| over. Of a row that was made
 * before the load ended the one in memory wins, but nothing that was owed is
 * lost: pending sets are united, and where the two states of a mailbox differ
 * its devices are rung, since nobody looked at what came between them.
 */
void ledger_merge(struct ledger *l, const struct store_snapshot *snapshot);

#endif
