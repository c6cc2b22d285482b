/* SPDX-License-Identifier: ISC */
/* copy - the plain values of rows, with everything they borrow. */
#include "store/copy.h"

/* copy_strs copies |n| strings. */
static struct str *copy_strs(struct pool *p, const struct str *from, size_t n)
{
	struct str *to = pool_take(p, n, sizeof(*to));

	for (size_t i = 0; i < n; i++)
		to[i] = pool_str(p, from[i]);
	return to;
}

/* copy_ids copies |n| ids of registrations. */
static uint64_t *copy_ids(struct pool *p, const uint64_t *from, size_t n)
{
	uint64_t *to = pool_take(p, n, sizeof(*to));

	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
	return to;
}

void copy_registration(struct pool *p, const struct store_registration *from,
                       struct store_registration *to_r)
{
	struct store_mailbox *mailboxes =
		pool_take(p, from->mailbox_count, sizeof(*mailboxes));

	*to_r = *from;
	to_r->user = pool_str(p, from->user);
	to_r->account_id = pool_str(p, from->account_id);
	to_r->device_token = pool_str(p, from->device_token);
	to_r->subtopic = pool_str(p, from->subtopic);
	to_r->topic = pool_str(p, from->topic);
	to_r->last_reason = pool_str(p, from->last_reason);
	for (size_t i = 0; i < from->mailbox_count; i++) {
		mailboxes[i].name = pool_str(p, from->mailboxes[i].name);
		mailboxes[i].proved = from->mailboxes[i].proved;
	}
	to_r->mailboxes = mailboxes;
}

void copy_state(struct pool *p, const struct store_state *from,
                struct store_state *to_r)
{
	*to_r = *from;
	to_r->user = pool_str(p, from->user);
	to_r->mailbox = pool_str(p, from->mailbox);
}

void copy_pending(struct pool *p, const struct store_pending *from,
                  struct store_pending *to_r)
{
	*to_r = *from;
	to_r->mailboxes = copy_strs(p, from->mailboxes, from->mailbox_count);
}

void copy_login(struct pool *p, const struct store_login *from,
                struct store_login *to_r)
{
	*to_r = *from;
	to_r->user = pool_str(p, from->user);
	to_r->blob = pool_str(p, from->blob);
}

/* COPY_ROWS copies the |n| rows at |from| with |copy| to the new array |to|. */
#define COPY_ROWS(p, copy, from, n, to)                            \
	do {                                                       \
		(to) = pool_take((p), (n), sizeof(*(to)));         \
		for (size_t copy_i = 0; copy_i < (n); copy_i++)    \
			copy((p), &(from)[copy_i], &(to)[copy_i]); \
	} while (0)

void copy_batch(struct pool *p, const struct store_batch *from,
                struct store_batch *to_r)
{
	struct store_registration *registrations;
	struct store_state *states;
	struct store_state *states_gone;
	struct store_pending *pendings;
	struct store_login *logins;

	*to_r = *from;
	COPY_ROWS(p, copy_registration, from->registrations,
	          from->registration_count, registrations);
	COPY_ROWS(p, copy_state, from->states, from->state_count, states);
	COPY_ROWS(p, copy_state, from->states_gone, from->state_gone_count,
	          states_gone);
	COPY_ROWS(p, copy_pending, from->pendings, from->pending_count,
	          pendings);
	COPY_ROWS(p, copy_login, from->logins, from->login_count, logins);
	to_r->registrations = registrations;
	to_r->registrations_gone = copy_ids(p, from->registrations_gone,
	                                    from->registration_gone_count);
	to_r->states = states;
	to_r->states_gone = states_gone;
	to_r->pendings = pendings;
	to_r->pendings_gone =
		copy_ids(p, from->pendings_gone, from->pending_gone_count);
	to_r->logins = logins;
	to_r->logins_gone =
		copy_strs(p, from->logins_gone, from->login_gone_count);
}
