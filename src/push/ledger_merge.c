/* SPDX-License-Identifier: ISC */
/* ledger_merge - rows of the store meet those made before they were read. */
#include <stdlib.h>

#include "base/mem.h"
#include "imap/mailbox.h"
#include "push/ledger_impl.h"
#include "push/owed.h"

/* A registration of the store whose key is in memory under another id. */
struct alias {
	uint64_t stored_id;
	uint64_t id;
	UT_hash_handle hh;
};

/* settle_last: the row that was put last is as the store has it. */
static void settle_last(struct ledger *l)
{
	ledger_settle(l, TAILQ_LAST(&l->changed, ledger_row_list));
}

/* was_proved: |row| lists the mailbox |name| as proved. */
static bool was_proved(const struct store_registration *row, struct str name)
{
	for (size_t i = 0; i < row->mailbox_count; i++) {
		if (row->mailboxes[i].proved &&
		    imap_mailbox_eq(row->mailboxes[i].name, name))
			return true;
	}
	return false;
}

/* unite_registration keeps the one in memory, and from the one of the store
 * what was known longer. */
static void unite_registration(struct ledger *l,
                               const struct store_registration *mine,
                               const struct store_registration *stored)
{
	struct store_mailbox *boxes =
		xcalloc(mine->mailbox_count, sizeof(*boxes));
	struct store_registration united = *mine;

	for (size_t i = 0; i < mine->mailbox_count; i++) {
		boxes[i] = mine->mailboxes[i];
		boxes[i].proved =
			boxes[i].proved || was_proved(stored, boxes[i].name);
	}
	united.mailboxes = boxes;
	if (stored->first_seen_ms < united.first_seen_ms)
		united.first_seen_ms = stored->first_seen_ms;
	(void)ledger_registration_put(l, &united);
	free(boxes);
}

static void merge_registration(struct ledger *l,
                               const struct store_registration *stored,
                               struct alias **aliases)
{
	const struct store_registration *mine =
		ledger_registration_of(l, stored);
	struct alias *alias;

	if (mine == NULL) {
		ledger_registration_insert(l, stored);
		settle_last(l);
		return;
	}
	unite_registration(l, mine, stored);
	ledger_forget_id(l, stored->id);
	alias = xcalloc(1, sizeof(*alias));
	alias->stored_id = stored->id;
	alias->id = ledger_registration_of(l, stored)->id;
	HASH_ADD(hh, *aliases, stored_id, sizeof(alias->stored_id), alias);
}

/* owe adds |count| mailboxes to what is owed to a registration. */
static void owe(struct ledger *l, uint64_t id, const struct str *names,
                size_t count, int64_t due_ms, int64_t event_ms)
{
	struct owed o;

	owed_init(&o, l, id, event_ms);
	o.row.generation++;
	if (due_ms < o.row.due_ms)
		o.row.due_ms = due_ms;
	if (event_ms < o.row.event_ms)
		o.row.event_ms = event_ms;
	for (size_t i = 0; i < count; i++) {
		if (owed_find(&o, names[i]) == o.row.mailbox_count)
			owed_add(&o, names[i]);
	}
	owed_put(&o, l);
}

/* ring owes |mailbox| to each device of |user| that lists it. */
static void ring(struct ledger *l, struct str user, struct str mailbox)
{
	const struct store_registration *r =
		ledger_registration_first(ledger_user_find(l, user));
	int64_t now_ms = loop_wall_ms(l->loop);

	for (; r != NULL; r = ledger_registration_next(r)) {
		for (size_t i = 0; i < r->mailbox_count; i++) {
			if (imap_mailbox_eq(r->mailboxes[i].name, mailbox))
				owe(l, r->id, &r->mailboxes[i].name, 1, now_ms,
				    now_ms);
		}
	}
}

static void merge_state(struct ledger *l, const struct store_state *stored)
{
	const struct store_state *mine =
		ledger_state(l, stored->user, stored->mailbox);

	if (mine == NULL) {
		ledger_state_put(l, stored);
		settle_last(l);
		return;
	}
	if (mine->uidvalidity != stored->uidvalidity ||
	    mine->uidnext != stored->uidnext ||
	    mine->modseq != stored->modseq ||
	    mine->messages != stored->messages ||
	    mine->unseen != stored->unseen)
		ring(l, stored->user, stored->mailbox);
}

static void merge_pending(struct ledger *l, const struct store_pending *stored,
                          struct alias *aliases)
{
	uint64_t id = stored->registration_id;
	struct store_pending row = *stored;
	struct alias *alias;

	HASH_FIND(hh, aliases, &id, sizeof(id), alias);
	if (alias != NULL)
		id = alias->id;
	if (ledger_registration(l, id) == NULL)
		return; /* of a damaged store */
	if (ledger_pending(l, id) != NULL) {
		owe(l, id, stored->mailboxes, stored->mailbox_count,
		    stored->due_ms, stored->event_ms);
		return;
	}
	row.registration_id = id;
	ledger_pending_put(l, &row);
	if (alias == NULL)
		settle_last(l);
}

static void free_aliases(struct alias **aliases)
{
	struct alias *alias = *aliases;
	struct alias *next;

	HASH_CLEAR(hh, *aliases);
	for (; alias != NULL; alias = next) {
		next = alias->hh.next;
		free(alias);
	}
}

void ledger_merge(struct ledger *l, const struct store_snapshot *snapshot)
{
	struct alias *aliases = NULL;

	for (size_t i = 0; i < snapshot->registration_count; i++)
		merge_registration(l, &snapshot->registrations[i], &aliases);
	for (size_t i = 0; i < snapshot->state_count; i++)
		merge_state(l, &snapshot->states[i]);
	for (size_t i = 0; i < snapshot->pending_count; i++)
		merge_pending(l, &snapshot->pendings[i], aliases);
	for (size_t i = 0; i < snapshot->login_count; i++) {
		if (ledger_login(l, snapshot->logins[i].user) != NULL)
			continue;
		ledger_login_put(l, &snapshot->logins[i]);
		settle_last(l);
	}
	free_aliases(&aliases);
}
