/* SPDX-License-Identifier: ISC */
/* ledger_rows - rows in hashes and lists, found, changed and marked. */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"
#include "imap/mailbox.h"
#include "push/ledger_impl.h"

/* How exactly the store knows when a device was seen: in the days after which
 * it is forgotten, a minute does not matter. */
#define SEEN_NOTED_MS ((int64_t)60 * 1000)

static struct ledger_registration *registration_of(struct ledger_row *row)
{
	assert(row->kind == LEDGER_REGISTRATION);
	return (struct ledger_registration *)row;
}

/* find_registration finds it by id; NULL when it is gone. */
static struct ledger_registration *find_registration(const struct ledger *l,
                                                     uint64_t id)
{
	struct ledger_registration *r;

	HASH_FIND(by_id, l->registrations, &id, sizeof(id), r);
	return r;
}

/* Users. */

static struct ledger_user *make_user(struct ledger *l, struct str name)
{
	struct ledger_user *u = ledger_user_find(l, name);

	if (u != NULL)
		return u;
	u = xcalloc(1, sizeof(*u));
	u->name = str_dup(name);
	u->ledger = l;
	TAILQ_INIT(&u->registrations);
	HASH_ADD_KEYPTR(by_name, l->users, u->name.data, u->name.len, u);
	return u;
}

/* release_user frees a user without rows. */
static void release_user(struct ledger *l, struct ledger_user *u)
{
	if (!TAILQ_EMPTY(&u->registrations) || u->states != NULL ||
	    u->login != NULL)
		return;
	HASH_DELETE(by_name, l->users, u);
	str_free(&u->name);
	free(u);
}

struct ledger_user *ledger_user_first(const struct ledger *l)
{
	return l->users;
}

struct ledger_user *ledger_user_next(const struct ledger_user *u)
{
	return u->by_name.next;
}

struct ledger_user *ledger_user_find(const struct ledger *l, struct str name)
{
	struct ledger_user *u;

	HASH_FIND(by_name, l->users, name.data, name.len, u);
	return u;
}

struct str ledger_user_name(const struct ledger_user *u)
{
	return u->name;
}

/* Marks. */

/* unlist takes |row| out of the list of its mark. */
static void unlist(struct ledger *l, struct ledger_row *row)
{
	if (row->mark == LEDGER_CHANGED)
		TAILQ_REMOVE(&l->changed, row, entry);
	else if (row->mark == LEDGER_WRITING)
		TAILQ_REMOVE(&l->writing, row, entry);
	row->mark = LEDGER_CLEAN;
}

void ledger_mark(struct ledger *l, struct ledger_row *row)
{
	unlist(l, row);
	TAILQ_INSERT_TAIL(&l->changed, row, entry);
	row->mark = LEDGER_CHANGED;
}

void ledger_mark_all(struct ledger *l)
{
	struct ledger_user *u;

	for (u = l->users; u != NULL; u = u->by_name.next) {
		struct ledger_registration *r;
		struct ledger_state *s;

		TAILQ_FOREACH(r, &u->registrations, of_user) {
			ledger_mark(l, &r->base);
			if (!r->pending.base.gone)
				ledger_mark(l, &r->pending.base);
		}
		for (s = u->states; s != NULL; s = s->by_mailbox.next)
			ledger_mark(l, &s->base);
		if (u->login != NULL)
			ledger_mark(l, &u->login->base);
	}
}

/* Registrations. */

/* copy_registration copies what |from| points to, except the user. */
static void copy_registration(const struct store_registration *from,
                              struct store_registration *to)
{
	struct store_mailbox *mailboxes =
		xcalloc(from->mailbox_count, sizeof(*mailboxes));

	*to = *from;
	to->account_id = str_dup(from->account_id);
	to->device_token = str_dup(from->device_token);
	to->subtopic = str_dup(from->subtopic);
	to->topic = str_dup(from->topic);
	to->last_reason = str_dup(from->last_reason);
	for (size_t i = 0; i < from->mailbox_count; i++) {
		mailboxes[i].name = str_dup(from->mailboxes[i].name);
		mailboxes[i].proved = from->mailboxes[i].proved;
	}
	to->mailboxes = mailboxes;
}

static void free_registration_row(struct store_registration *row)
{
	str_free(&row->account_id);
	str_free(&row->device_token);
	str_free(&row->subtopic);
	str_free(&row->topic);
	str_free(&row->last_reason);
	for (size_t i = 0; i < row->mailbox_count; i++) {
		struct str name = row->mailboxes[i].name;

		str_free(&name);
	}
	free(mem_unconst(row->mailboxes));
	row->mailboxes = NULL;
	row->mailbox_count = 0;
}

static void free_pending_row(struct store_pending *row)
{
	for (size_t i = 0; i < row->mailbox_count; i++) {
		struct str name = row->mailboxes[i];

		str_free(&name);
	}
	free(mem_unconst(row->mailboxes));
	row->mailboxes = NULL;
	row->mailbox_count = 0;
}

const struct store_registration *ledger_registration(const struct ledger *l,
                                                     uint64_t id)
{
	const struct ledger_registration *r = find_registration(l, id);

	return r != NULL ? &r->row : NULL;
}

const struct store_registration *ledger_registration_first(
	const struct ledger_user *u)
{
	const struct ledger_registration *r =
		u != NULL ? TAILQ_FIRST(&u->registrations) : NULL;

	return r != NULL ? &r->row : NULL;
}

const struct store_registration *ledger_registration_next(
	const struct store_registration *row)
{
	const char *start =
		(const char *)row - offsetof(struct ledger_registration, row);
	const struct ledger_registration *r = (const void *)start;

	r = TAILQ_NEXT(r, of_user);
	return r != NULL ? &r->row : NULL;
}

const struct store_registration *ledger_registration_of(
	const struct ledger *l, const struct store_registration *key)
{
	const struct store_registration *r =
		ledger_registration_first(ledger_user_find(l, key->user));

	for (; r != NULL; r = ledger_registration_next(r)) {
		if (str_eq(r->account_id, key->account_id) &&
		    str_eq(r->device_token, key->device_token) &&
		    str_eq(r->subtopic, key->subtopic))
			return r;
	}
	return NULL;
}

/* new_id draws one that is not in use; SQLite's integers are signed. */
static uint64_t new_id(const struct ledger *l)
{
	uint64_t id;

	do {
		rand_bytes(&id, sizeof(id));
		id &= INT64_MAX;
	} while (id == 0 || find_registration(l, id) != NULL);
	return id;
}

/* note marks |r| for the store. */
static void note(struct ledger *l, struct ledger_registration *r)
{
	r->noted_seen_ms = r->row.last_seen_ms;
	ledger_mark(l, &r->base);
}

static void count_registrations(const struct ledger *l)
{
	metric_set(METRIC_REGISTRATIONS,
	           (int64_t)HASH_CNT(by_id, l->registrations));
}

void ledger_registration_insert(struct ledger *l,
                                const struct store_registration *row)
{
	struct ledger_registration *r = xcalloc(1, sizeof(*r));

	r->base.kind = LEDGER_REGISTRATION;
	copy_registration(row, &r->row);
	r->user = make_user(l, row->user);
	r->row.user = r->user->name;
	r->pending.base.kind = LEDGER_PENDING;
	r->pending.base.gone = true;
	r->pending.row.registration_id = r->row.id;
	TAILQ_INSERT_TAIL(&r->user->registrations, r, of_user);
	HASH_ADD(by_id, l->registrations, row.id, sizeof(r->row.id), r);
	count_registrations(l);
	note(l, r);
}

static bool same_mailboxes(const struct store_registration *a,
                           const struct store_registration *b)
{
	if (a->mailbox_count != b->mailbox_count)
		return false;
	for (size_t i = 0; i < a->mailbox_count; i++)
		if (a->mailboxes[i].proved != b->mailboxes[i].proved ||
		    !str_eq(a->mailboxes[i].name, b->mailboxes[i].name))
			return false;
	return true;
}

/*
 * is_fresh: |row| says nothing new but that |r| was seen again, a moment after
 * that was noted. Whoever registers in a loop is not to keep the disk busy. In
 * memory the time is exact; what is on its way to the store is awaited.
 */
static bool is_fresh(const struct ledger_registration *r,
                     const struct store_registration *row)
{
	const struct store_registration *old = &r->row;

	return r->base.mark != LEDGER_WRITING &&
	       row->last_seen_ms >= r->noted_seen_ms &&
	       row->last_seen_ms - r->noted_seen_ms < SEEN_NOTED_MS &&
	       row->version == old->version &&
	       row->first_seen_ms == old->first_seen_ms &&
	       row->last_push_ms == old->last_push_ms &&
	       row->last_status == old->last_status &&
	       str_eq(row->last_reason, old->last_reason) &&
	       str_eq(row->topic, old->topic) && same_mailboxes(row, old);
}

uint64_t ledger_registration_put(struct ledger *l,
                                 const struct store_registration *row)
{
	const struct store_registration *old = ledger_registration_of(l, row);
	struct store_registration copy = *row;
	struct ledger_registration *r;

	if (old == NULL) {
		copy.id = new_id(l);
		ledger_registration_insert(l, &copy);
		return copy.id;
	}
	r = find_registration(l, old->id);
	if (is_fresh(r, row)) {
		r->row.last_seen_ms = row->last_seen_ms;
		return old->id;
	}
	/* Copied before the old is freed: |row| may borrow from it. */
	copy_registration(row, &copy);
	copy.id = r->row.id;
	copy.user = r->user->name;
	free_registration_row(&r->row);
	r->row = copy;
	note(l, r);
	return copy.id;
}

/* count_owed shows how many pushes are owed, and since when. */
static void count_owed(const struct ledger *l)
{
	const struct ledger_pending *oldest = TAILQ_FIRST(&l->owed);

	metric_set(METRIC_QUEUE_DEPTH, (int64_t)l->pending_count);
	metric_set(METRIC_QUEUE_OLDEST,
	           oldest != NULL ? oldest->row.event_ms : 0);
}

/* owe puts |p| where it belongs by its age: behind all others, mostly. */
static void owe(struct ledger *l, struct ledger_pending *p)
{
	struct ledger_pending *before = TAILQ_LAST(&l->owed, ledger_ages);

	while (before != NULL && before->row.event_ms > p->row.event_ms)
		before = TAILQ_PREV(before, ledger_ages, by_age);
	if (before != NULL)
		TAILQ_INSERT_AFTER(&l->owed, before, p, by_age);
	else
		TAILQ_INSERT_HEAD(&l->owed, p, by_age);
	l->pending_count++;
}

/* owe_not: |p|, which is not gone, is owed no more. */
static void owe_not(struct ledger *l, struct ledger_pending *p)
{
	TAILQ_REMOVE(&l->owed, p, by_age);
	l->pending_count--;
}

void ledger_registration_remove(struct ledger *l, uint64_t id)
{
	struct ledger_registration *r = find_registration(l, id);
	struct ledger_user *u;

	if (r == NULL)
		return;
	u = r->user;
	HASH_DELETE(by_id, l->registrations, r);
	count_registrations(l);
	TAILQ_REMOVE(&u->registrations, r, of_user);
	if (!r->pending.base.gone)
		owe_not(l, &r->pending);
	count_owed(l);
	unlist(l, &r->pending.base); /* the store deletes it with this one */
	free_pending_row(&r->pending.row);
	r->pending.base.gone = true;
	free_registration_row(&r->row);
	r->row.user = STR_NULL;
	r->user = NULL;
	r->base.gone = true;
	ledger_mark(l, &r->base);
	release_user(l, u);
}

void ledger_forget_id(struct ledger *l, uint64_t id)
{
	struct ledger_registration *r = xcalloc(1, sizeof(*r));

	r->base.kind = LEDGER_REGISTRATION;
	r->base.gone = true;
	r->row.id = id;
	r->pending.base.gone = true;
	ledger_mark(l, &r->base);
}

/* States. */

static struct ledger_state *find_state(const struct ledger_user *u,
                                       struct str mailbox)
{
	struct str key = imap_mailbox_key(mailbox);
	struct ledger_state *s = NULL;

	if (u != NULL)
		HASH_FIND(by_mailbox, u->states, key.data, key.len, s);
	return s;
}

const struct store_state *ledger_state(const struct ledger *l, struct str user,
                                       struct str mailbox)
{
	const struct ledger_state *s =
		find_state(ledger_user_find(l, user), mailbox);

	return s != NULL && !s->base.gone ? &s->row : NULL;
}

void ledger_state_put(struct ledger *l, const struct store_state *row)
{
	struct ledger_user *u = make_user(l, row->user);
	struct ledger_state *s = find_state(u, row->mailbox);
	struct str mailbox;

	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->base.kind = LEDGER_STATE;
		s->user = u;
		s->row.mailbox = str_dup(imap_mailbox_key(row->mailbox));
		HASH_ADD_KEYPTR(by_mailbox, u->states, s->row.mailbox.data,
		                s->row.mailbox.len, s);
	}
	mailbox = s->row.mailbox;
	s->row = *row;
	s->row.user = u->name;
	s->row.mailbox = mailbox;
	s->base.gone = false;
	ledger_mark(l, &s->base);
}

void ledger_states_keep(struct ledger *l, struct str user, ledger_keep_fn *keep,
                        void *arg)
{
	struct ledger_user *u = ledger_user_find(l, user);
	struct ledger_state *s = u != NULL ? u->states : NULL;

	for (; s != NULL; s = s->by_mailbox.next) {
		if (s->base.gone || keep(arg, &s->row))
			continue;
		s->base.gone = true;
		ledger_mark(l, &s->base);
	}
}

/* Pending pushes. */

const struct store_pending *ledger_pending(const struct ledger *l,
                                           uint64_t registration_id)
{
	const struct ledger_registration *r =
		find_registration(l, registration_id);

	return r != NULL && !r->pending.base.gone ? &r->pending.row : NULL;
}

void ledger_pending_put(struct ledger *l, const struct store_pending *row)
{
	struct ledger_registration *r =
		find_registration(l, row->registration_id);
	struct store_pending copy = *row;
	struct str *names = xcalloc(row->mailbox_count, sizeof(*names));
	bool keeps_place;

	assert(r != NULL);
	for (size_t i = 0; i < row->mailbox_count; i++)
		names[i] = str_dup(row->mailboxes[i]);
	copy.mailboxes = names;
	/* While Apple is away, more mail to who is owed a push for long is not
	 * to walk past all who are for less. */
	keeps_place = !r->pending.base.gone &&
	              r->pending.row.event_ms == row->event_ms;
	if (!r->pending.base.gone && !keeps_place)
		owe_not(l, &r->pending);
	free_pending_row(&r->pending.row);
	r->pending.row = copy;
	r->pending.base.gone = false;
	if (!keeps_place)
		owe(l, &r->pending);
	count_owed(l);
	ledger_mark(l, &r->pending.base);
}

void ledger_pending_remove(struct ledger *l, uint64_t registration_id)
{
	struct ledger_registration *r = find_registration(l, registration_id);

	if (r == NULL || r->pending.base.gone)
		return;
	owe_not(l, &r->pending);
	count_owed(l);
	free_pending_row(&r->pending.row);
	r->pending.base.gone = true;
	ledger_mark(l, &r->pending.base);
}

size_t ledger_pending_count(const struct ledger *l)
{
	return l->pending_count;
}

/* Logins. */

const struct store_login *ledger_login(const struct ledger *l, struct str user)
{
	const struct ledger_user *u = ledger_user_find(l, user);

	return u != NULL && u->login != NULL && !u->login->base.gone
	               ? &u->login->row
	               : NULL;
}

void ledger_login_put(struct ledger *l, const struct store_login *row)
{
	struct ledger_user *u = make_user(l, row->user);
	struct str blob = str_dup(row->blob);

	if (u->login == NULL) {
		u->login = xcalloc(1, sizeof(*u->login));
		u->login->base.kind = LEDGER_LOGIN;
		u->login->user = u;
	}
	str_free(&u->login->row.blob);
	u->login->row = (struct store_login){
		.user = u->name,
		.blob = blob,
		.rejected = row->rejected,
	};
	u->login->base.gone = false;
	ledger_mark(l, &u->login->base);
}

void ledger_login_remove(struct ledger *l, struct str user)
{
	struct ledger_user *u = ledger_user_find(l, user);

	if (u == NULL || u->login == NULL || u->login->base.gone)
		return;
	str_free(&u->login->row.blob);
	u->login->base.gone = true;
	ledger_mark(l, &u->login->base);
}

/* The end of rows. */

static void free_state(struct ledger *l, struct ledger_state *s)
{
	struct ledger_user *u = s->user;

	HASH_DELETE(by_mailbox, u->states, s);
	str_free(&s->row.mailbox);
	free(s);
	release_user(l, u);
}

static void free_login(struct ledger *l, struct ledger_login *login)
{
	struct ledger_user *u = login->user;

	str_free(&login->row.blob);
	free(login);
	u->login = NULL;
	release_user(l, u);
}

void ledger_settle(struct ledger *l, struct ledger_row *row)
{
	unlist(l, row);
	if (!row->gone)
		return;
	switch (row->kind) {
	case LEDGER_REGISTRATION:
		free(registration_of(row));
		break;
	case LEDGER_STATE:
		free_state(l, (struct ledger_state *)row);
		break;
	case LEDGER_PENDING:
		break; /* lives in its registration */
	case LEDGER_LOGIN:
		free_login(l, (struct ledger_login *)row);
		break;
	}
}

/* free_user frees a user with all rows, when the lists and hashes that knew
 * them are no more. */
static void free_user(struct ledger_user *u)
{
	struct ledger_registration *r;
	struct ledger_registration *next_r;
	struct ledger_state *s = u->states;
	struct ledger_state *next_s;

	for (r = TAILQ_FIRST(&u->registrations); r != NULL; r = next_r) {
		next_r = TAILQ_NEXT(r, of_user);
		free_registration_row(&r->row);
		free_pending_row(&r->pending.row);
		free(r);
	}
	HASH_CLEAR(by_mailbox, u->states);
	for (; s != NULL; s = next_s) {
		next_s = s->by_mailbox.next;
		str_free(&s->row.mailbox);
		free(s);
	}
	if (u->login != NULL) {
		str_free(&u->login->row.blob);
		free(u->login);
	}
	str_free(&u->name);
	free(u);
}

/* free_list ends a list of marks. Registrations that were to be deleted are
 * nowhere else, all other rows hang on their user. */
static void free_list(struct ledger_row_list *list)
{
	struct ledger_row *row;
	struct ledger_row *next;

	for (row = TAILQ_FIRST(list); row != NULL; row = next) {
		next = TAILQ_NEXT(row, entry);
		if (row->kind == LEDGER_REGISTRATION && row->gone)
			free(registration_of(row));
	}
	TAILQ_INIT(list);
}

void ledger_rows_free(struct ledger *l)
{
	struct ledger_user *u = l->users;
	struct ledger_user *next;

	free_list(&l->changed);
	free_list(&l->writing);
	HASH_CLEAR(by_id, l->registrations);
	HASH_CLEAR(by_name, l->users);
	for (; u != NULL; u = next) {
		next = u->by_name.next;
		free_user(u);
	}
	TAILQ_INIT(&l->owed);
	l->pending_count = 0;
}
