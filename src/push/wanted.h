/* SPDX-License-Identifier: ISC */
/* wanted - the mailboxes that any device of a user registered. */
#ifndef PUSH_WANTED_H
#define PUSH_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "push/ledger.h"

/* INBOX first, then by name, each once; proved if it is for any device. */
struct wanted {
	struct store_mailbox *items; /* names are the ledger's */
	size_t count;
};

void wanted_init(struct wanted *w, const struct ledger *l, struct str user);
void wanted_done(struct wanted *w);

/* wanted_has: |mailbox| is among them; wanted_is_proved: and proved. */
bool wanted_has(const struct wanted *w, struct str mailbox);
bool wanted_is_proved(const struct wanted *w, struct str mailbox);

#endif
