/* SPDX-License-Identifier: ISC */
/*
 * memory - rows in lists, as small as the contract allows: a batch is done when
 * it is given, its |done| called on the next turn.
 */
#include "store/memory.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "store/copy.h"
#include "store/pool.h"

enum kind { REGISTRATION, STATE, PENDING, LOGIN, KINDS };

/* A row of any kind, with what it points to. */
struct row {
	LIST_ENTRY(row) entry;
	struct pool pool;

	union {
		struct store_registration registration;
		struct store_state state;
		struct store_pending pending;
		struct store_login login;
	};
};

LIST_HEAD(rows, row);

/* A completion that waits for its turn. */
struct call {
	STAILQ_ENTRY(call) entry;
	store_load_fn *load; /* NULL: a commit */
	store_commit_fn *commit;
	void *arg;
};

struct memory {
	struct store store;
	struct loop *loop;
	struct rows rows[KINDS];
	STAILQ_HEAD(, call) calls;
};

static struct row *new_row(void)
{
	struct row *row = xcalloc(1, sizeof(*row));

	pool_init(&row->pool);
	return row;
}

static void remove_row(struct row *row)
{
	LIST_REMOVE(row, entry);
	pool_done(&row->pool);
	free(row);
}

/* same_key: both rows are of |kind| and have the same key. */
static bool same_key(enum kind kind, const struct row *a, const struct row *b)
{
	switch (kind) {
	case REGISTRATION:
		return a->registration.id == b->registration.id;
	case STATE:
		return str_eq(a->state.user, b->state.user) &&
		       str_eq(a->state.mailbox, b->state.mailbox);
	case PENDING:
		return a->pending.registration_id == b->pending.registration_id;
	case LOGIN:
		return str_eq(a->login.user, b->login.user);
	case KINDS:
		break;
	}
	return false;
}

/* drop removes the row with the key of |key|. */
static void drop(struct memory *m, enum kind kind, const struct row *key)
{
	struct row *row;
	struct row *next;

	for (row = LIST_FIRST(&m->rows[kind]); row != NULL; row = next) {
		next = LIST_NEXT(row, entry);
		if (same_key(kind, row, key))
			remove_row(row);
	}
}

/* put inserts |row| in the place of the one with its key. */
static void put(struct memory *m, enum kind kind, struct row *row)
{
	drop(m, kind, row);
	LIST_INSERT_HEAD(&m->rows[kind], row, entry);
}

static void drop_pending(struct memory *m, uint64_t id)
{
	struct row key = { .pending.registration_id = id };

	drop(m, PENDING, &key);
}

static void drop_registration(struct memory *m, uint64_t id)
{
	struct row key = { .registration.id = id };

	drop_pending(m, id);
	drop(m, REGISTRATION, &key);
}

/* oust removes a registration that has the key of |new| under another id. */
static void oust(struct memory *m, const struct store_registration *new)
{
	struct row *row;

	LIST_FOREACH(row, &m->rows[REGISTRATION], entry) {
		const struct store_registration *old = &row->registration;

		if (old->id != new->id && str_eq(old->user, new->user) &&
		    str_eq(old->account_id, new->account_id) &&
		    str_eq(old->device_token, new->device_token) &&
		    str_eq(old->subtopic, new->subtopic)) {
			drop_registration(m, old->id);
			return; /* the list has changed, and no other is left */
		}
	}
}

static void delete_rows(struct memory *m, const struct store_batch *b)
{
	for (size_t i = 0; i < b->registration_gone_count; i++)
		drop_registration(m, b->registrations_gone[i]);
	for (size_t i = 0; i < b->state_gone_count; i++) {
		struct row key = { .state = b->states_gone[i] };

		drop(m, STATE, &key);
	}
	for (size_t i = 0; i < b->pending_gone_count; i++)
		drop_pending(m, b->pendings_gone[i]);
	for (size_t i = 0; i < b->login_gone_count; i++) {
		struct row key = { .login.user = b->logins_gone[i] };

		drop(m, LOGIN, &key);
	}
}

static void put_rows(struct memory *m, const struct store_batch *b)
{
	struct row *row;

	for (size_t i = 0; i < b->registration_count; i++) {
		oust(m, &b->registrations[i]);
		row = new_row();
		copy_registration(&row->pool, &b->registrations[i],
		                  &row->registration);
		put(m, REGISTRATION, row);
	}
	for (size_t i = 0; i < b->state_count; i++) {
		row = new_row();
		copy_state(&row->pool, &b->states[i], &row->state);
		put(m, STATE, row);
	}
	for (size_t i = 0; i < b->pending_count; i++) {
		row = new_row();
		copy_pending(&row->pool, &b->pendings[i], &row->pending);
		put(m, PENDING, row);
	}
	for (size_t i = 0; i < b->login_count; i++) {
		row = new_row();
		copy_login(&row->pool, &b->logins[i], &row->login);
		put(m, LOGIN, row);
	}
}

/* SNAPSHOT_ROWS makes an array of one list's rows. */
#define SNAPSHOT_ROWS(m, kind, member, array, count)            \
	do {                                                    \
		struct row *snap_row;                           \
		size_t snap_n = 0;                              \
		LIST_FOREACH(snap_row, &(m)->rows[kind], entry) \
			snap_n++;                               \
		(array) = xcalloc(snap_n, sizeof(*(array)));    \
		(count) = 0;                                    \
		LIST_FOREACH(snap_row, &(m)->rows[kind], entry) \
			(array)[(count)++] = snap_row->member;  \
	} while (0)

/* show calls |call| with the rows of now. */
static void show(struct memory *m, const struct call *call)
{
	struct store_snapshot s;

	SNAPSHOT_ROWS(m, REGISTRATION, registration, s.registrations,
	              s.registration_count);
	SNAPSHOT_ROWS(m, STATE, state, s.states, s.state_count);
	SNAPSHOT_ROWS(m, PENDING, pending, s.pendings, s.pending_count);
	SNAPSHOT_ROWS(m, LOGIN, login, s.logins, s.login_count);
	call->load(call->arg, ERR_OK, &s);
	free(s.registrations);
	free(s.states);
	free(s.pendings);
	free(s.logins);
}

/* on_turn makes the oldest call. */
static void on_turn(void *arg)
{
	struct memory *m = arg;
	struct call *call = STAILQ_FIRST(&m->calls);

	STAILQ_REMOVE_HEAD(&m->calls, entry);
	if (call->load != NULL)
		show(m, call);
	else
		call->commit(call->arg, ERR_OK);
	free(call);
}

static void call_later(struct memory *m, store_load_fn *load,
                       store_commit_fn *commit, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->load = load;
	call->commit = commit;
	call->arg = arg;
	STAILQ_INSERT_TAIL(&m->calls, call, entry);
	loop_defer(m->loop, on_turn, m);
}

static void memory_load(struct store *store, store_load_fn *done, void *arg)
{
	call_later((struct memory *)store, done, NULL, arg);
}

static void memory_commit(struct store *store, const struct store_batch *batch,
                          store_commit_fn *done, void *arg)
{
	struct memory *m = (struct memory *)store;

	delete_rows(m, batch);
	put_rows(m, batch);
	call_later(m, NULL, done, arg);
}

static void memory_close(struct store **store)
{
	struct memory *m = (struct memory *)*store;
	struct row *row;
	struct row *next;

	while (!STAILQ_EMPTY(&m->calls))
		on_turn(m);
	loop_defer_cancel(m->loop, on_turn, m);
	for (int kind = 0; kind < KINDS; kind++) {
		for (row = LIST_FIRST(&m->rows[kind]); row != NULL;
		     row = next) {
			next = LIST_NEXT(row, entry);
			remove_row(row);
		}
	}
	free(m);
	*store = NULL;
}

static const struct store_ops memory_ops = {
	.load = memory_load,
	.commit = memory_commit,
	.close = memory_close,
};

struct store *store_memory_new(struct loop *loop)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	m->store.ops = &memory_ops;
	m->loop = loop;
	STAILQ_INIT(&m->calls);
	for (int kind = 0; kind < KINDS; kind++)
		LIST_INIT(&m->rows[kind]);
	return &m->store;
}
