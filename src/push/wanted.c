/* SPDX-License-Identifier: ISC */
/*
 * wanted - sorted, so that a user with thousands of mailboxes costs no time
 * that grows with their square.
 */
#include "push/wanted.h"

#include <stdlib.h>

#include "base/mem.h"
#include "imap/mailbox.h"

static int by_name(const void *pa, const void *pb)
{
	const struct store_mailbox *a = pa;
	const struct store_mailbox *b = pb;
	bool inbox_a = str_eq(a->name, STR("INBOX"));
	bool inbox_b = str_eq(b->name, STR("INBOX"));

	if (inbox_a != inbox_b)
		return inbox_a ? -1 : 1;
	return str_cmp(a->name, b->name);
}

/* collect writes the mailboxes of |u| to |items| (NULL: none) and returns how
 * many they are. */
static size_t collect(const struct ledger_user *u, struct store_mailbox *items)
{
	const struct store_registration *r = ledger_registration_first(u);
	size_t count = 0;

	for (; r != NULL; r = ledger_registration_next(r)) {
		for (size_t i = 0; i < r->mailbox_count; i++, count++) {
			if (items == NULL)
				continue;
			items[count].name =
				imap_mailbox_key(r->mailboxes[i].name);
			items[count].proved = r->mailboxes[i].proved;
		}
	}
	return count;
}

void wanted_init(struct wanted *w, const struct ledger *l, struct str user)
{
	const struct ledger_user *u = ledger_user_find(l, user);
	size_t total = collect(u, NULL);

	w->items = xcalloc(total, sizeof(*w->items));
	w->count = 0;
	(void)collect(u, w->items);
	qsort(w->items, total, sizeof(*w->items), by_name);
	for (size_t i = 0; i < total; i++) {
		struct store_mailbox *last =
			w->count > 0 ? &w->items[w->count - 1] : NULL;

		if (last != NULL && by_name(last, &w->items[i]) == 0)
			last->proved |= w->items[i].proved;
		else
			w->items[w->count++] = w->items[i];
	}
}

void wanted_done(struct wanted *w)
{
	free(w->items);
	w->items = NULL;
	w->count = 0;
}

/* find finds a mailbox, or NULL. */
static const struct store_mailbox *find(const struct wanted *w,
                                        struct str mailbox)
{
	const struct store_mailbox key = { imap_mailbox_key(mailbox), false };

	return bsearch(&key, w->items, w->count, sizeof(*w->items), by_name);
}

bool wanted_has(const struct wanted *w, struct str mailbox)
{
	return find(w, mailbox) != NULL;
}

bool wanted_is_proved(const struct wanted *w, struct str mailbox)
{
	const struct store_mailbox *found = find(w, mailbox);

	return found != NULL && found->proved;
}
