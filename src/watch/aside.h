/* SPDX-License-Identifier: ISC */
/*
 * aside - mailboxes of a user that are left alone for a while, since the
 * connection ended each time when they were asked for. Outlives connections;
 * time is an argument.
 */
#ifndef WATCH_ASIDE_H
#define WATCH_ASIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"

#define ASIDE_NEVER UINT64_MAX

struct aside_mailbox;

struct aside {
	SLIST_HEAD(, aside_mailbox) mailboxes; /* few, if any */
};

void aside_init(struct aside *a);
void aside_done(struct aside *a);

/* aside_put leaves |mailbox| alone for one or two minutes, twice as long as the
 * time before, up to six hours. Returns for how long, in ms. */
uint32_t aside_put(struct aside *a, struct str mailbox, uint64_t now_ms);

/* aside_take: it was answered, so nothing is wrong with it. */
void aside_take(struct aside *a, struct str mailbox);

/* aside_has: |mailbox| is to be left alone now. */
bool aside_has(const struct aside *a, struct str mailbox, uint64_t now_ms);

/* aside_until is when the next one may be asked for again; ASIDE_NEVER. */
uint64_t aside_until(const struct aside *a, uint64_t now_ms);

/* aside_is_empty: each was answered since it was put there. */
bool aside_is_empty(const struct aside *a);

#endif
