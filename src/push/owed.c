/* SPDX-License-Identifier: ISC */
/* owed - edits of a pending row. */
#include "push/owed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "imap/mailbox.h"

void owed_init(struct owed *o, const struct ledger *l, uint64_t registration_id,
               int64_t now_ms)
{
	const struct store_pending *row = ledger_pending(l, registration_id);

	o->row = (struct store_pending){ .registration_id = registration_id,
		                         .due_ms = now_ms,
		                         .event_ms = now_ms };
	if (row != NULL)
		o->row = *row;
	o->room = o->row.mailbox_count + 1;
	o->names = xcalloc(o->room, sizeof(*o->names));
	for (size_t i = 0; i < o->row.mailbox_count; i++)
		o->names[i] = row->mailboxes[i];
	o->row.mailboxes = o->names;
}

size_t owed_find(const struct owed *o, struct str mailbox)
{
	size_t at = 0;

	while (at < o->row.mailbox_count &&
	       !imap_mailbox_eq(o->names[at], mailbox))
		at++;
	return at;
}

void owed_add(struct owed *o, struct str mailbox)
{
	if (o->row.mailbox_count == o->room) {
		o->room *= 2;
		o->names = xrealloc(o->names, o->room, sizeof(*o->names));
		o->row.mailboxes = o->names;
	}
	o->names[o->row.mailbox_count++] = mailbox;
}

void owed_take(struct owed *o, size_t at, size_t n)
{
	size_t behind = o->row.mailbox_count - at;

	assert(at <= o->row.mailbox_count && n <= behind);
	memmove(o->names + at, o->names + at + n,
	        (behind - n) * sizeof(*o->names));
	o->row.mailbox_count -= n;
}

void owed_put(struct owed *o, struct ledger *l)
{
	ledger_pending_put(l, &o->row);
	free(o->names);
	o->names = NULL;
}
