/* SPDX-License-Identifier: ISC */
/* owed - a pending row that is being changed: a copy, put back whole. */
#ifndef PUSH_OWED_H
#define PUSH_OWED_H

#include <stddef.h>
#include <stdint.h>

#include "push/ledger.h"

struct owed {
	struct store_pending row; /* its mailboxes are |names| */
	struct str *names;        /* borrowed one by one */
	size_t room;
};

/* owed_init copies the row of a registration, or begins one (generation 0, no
 * mailbox) whose event and due time are |now_ms|. */
void owed_init(struct owed *o, const struct ledger *l, uint64_t registration_id,
               int64_t now_ms);

/* owed_find returns the place of |mailbox|, or |row|.mailbox_count. */
size_t owed_find(const struct owed *o, struct str mailbox);

/* owed_add puts |mailbox|, which is borrowed, at the end. */
void owed_add(struct owed *o, struct str mailbox);

/* owed_take takes out the |n| mailboxes from |at|. */
void owed_take(struct owed *o, size_t at, size_t n);

/* owed_put writes the row back to |l| and ends |o|. */
void owed_put(struct owed *o, struct ledger *l);

#endif
