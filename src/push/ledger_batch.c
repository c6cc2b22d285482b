/* SPDX-License-Identifier: ISC */
/* ledger_batch - changed rows on their way to the store. */
#include <stdlib.h>

#include "base/mem.h"
#include "push/ledger_impl.h"

/* Arrays of a batch while it is put together. */
struct builder {
	struct store_registration *registrations;
	size_t registration_count;
	uint64_t *registrations_gone;
	size_t registration_gone_count;
	struct store_state *states;
	size_t state_count;
	struct store_state *states_gone;
	size_t state_gone_count;
	struct store_pending *pendings;
	size_t pending_count;
	uint64_t *pendings_gone;
	size_t pending_gone_count;
	struct store_login *logins;
	size_t login_count;
	struct str *logins_gone;
	size_t login_gone_count;
};

/* ADD appends |value| to the array |name| of the builder |b|. */
#define ADD(b, name, count, value)                                             \
	do {                                                                   \
		(b)->name = xgrow((b)->name, &(b)->count, sizeof(*(b)->name)); \
		(b)->name[(b)->count - 1] = (value);                           \
	} while (0)

/* add_row puts one row in its array. */
static void add_row(struct builder *b, const struct ledger_row *base)
{
	const struct ledger_registration *r;
	const struct ledger_state *s;
	const struct ledger_pending *p;
	const struct ledger_login *login;

	switch (base->kind) {
	case LEDGER_REGISTRATION:
		r = (const struct ledger_registration *)base;
		if (base->gone)
			ADD(b, registrations_gone, registration_gone_count,
			    r->row.id);
		else
			ADD(b, registrations, registration_count, r->row);
		break;
	case LEDGER_STATE:
		s = (const struct ledger_state *)base;
		if (base->gone)
			ADD(b, states_gone, state_gone_count, s->row);
		else
			ADD(b, states, state_count, s->row);
		break;
	case LEDGER_PENDING:
		p = (const struct ledger_pending *)base;
		if (base->gone)
			ADD(b, pendings_gone, pending_gone_count,
			    p->row.registration_id);
		else
			ADD(b, pendings, pending_count, p->row);
		break;
	case LEDGER_LOGIN:
		login = (const struct ledger_login *)base;
		if (base->gone)
			ADD(b, logins_gone, login_gone_count,
			    login->user->name);
		else
			ADD(b, logins, login_count, login->row);
		break;
	}
}

/* free_arrays frees what a builder holds. */
static void free_arrays(struct builder *b)
{
	free(b->registrations);
	free(b->registrations_gone);
	free(b->states);
	free(b->states_gone);
	free(b->pendings);
	free(b->pendings_gone);
	free(b->logins);
	free(b->logins_gone);
}

void ledger_batch_commit(struct ledger *l, store_commit_fn *done, void *arg)
{
	struct builder b = { 0 };
	struct store_batch batch;
	struct ledger_row *row;

	while ((row = TAILQ_FIRST(&l->changed)) != NULL) {
		add_row(&b, row);
		TAILQ_REMOVE(&l->changed, row, entry);
		TAILQ_INSERT_TAIL(&l->writing, row, entry);
		row->mark = LEDGER_WRITING;
	}
	batch = (struct store_batch){
		.registrations = b.registrations,
		.registration_count = b.registration_count,
		.registrations_gone = b.registrations_gone,
		.registration_gone_count = b.registration_gone_count,
		.states = b.states,
		.state_count = b.state_count,
		.states_gone = b.states_gone,
		.state_gone_count = b.state_gone_count,
		.pendings = b.pendings,
		.pending_count = b.pending_count,
		.pendings_gone = b.pendings_gone,
		.pending_gone_count = b.pending_gone_count,
		.logins = b.logins,
		.login_count = b.login_count,
		.logins_gone = b.logins_gone,
		.login_gone_count = b.login_gone_count,
	};
	store_commit(l->store, &batch, done, arg);
	free_arrays(&b);
}

void ledger_batch_done(struct ledger *l, int rc)
{
	struct ledger_row *row;

	/* Those changed since are in the other list already. */
	while ((row = TAILQ_FIRST(&l->writing)) != NULL) {
		if (rc == ERR_OK)
			ledger_settle(l, row);
		else
			ledger_mark(l, row);
	}
}
