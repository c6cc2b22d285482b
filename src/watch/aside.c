/* SPDX-License-Identifier: ISC */
/* aside - see aside.h. What nobody wants any more leaves with the user, or when
 * there are too many. */
#include "watch/aside.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/mem.h"
#include "base/rand.h"

enum {
	ASIDE_MIN_MS = 2 * 60 * 1000,
	ASIDE_MAX_MS = 6 * 3600 * 1000,
	ASIDE_MAILBOXES = 64,
};

struct aside_mailbox {
	SLIST_ENTRY(aside_mailbox) entry;
	struct str name;
	uint64_t until_ms;
	struct backoff backoff;
};

void aside_init(struct aside *a)
{
	SLIST_INIT(&a->mailboxes);
}

static void free_mailbox(struct aside *a, struct aside_mailbox *m)
{
	SLIST_REMOVE(&a->mailboxes, m, aside_mailbox, entry);
	str_free(&m->name);
	free(m);
}

void aside_done(struct aside *a)
{
	while (!SLIST_EMPTY(&a->mailboxes))
		free_mailbox(a, SLIST_FIRST(&a->mailboxes));
}

static struct aside_mailbox *find(const struct aside *a, struct str mailbox)
{
	struct aside_mailbox *m;

	SLIST_FOREACH(m, &a->mailboxes, entry)
	if (str_eq(m->name, mailbox))
		return m;
	return NULL;
}

/* make_room forgets the one that was put there first, if there are too many. */
static void make_room(struct aside *a)
{
	struct aside_mailbox *m;
	struct aside_mailbox *last = NULL;
	size_t count = 0;

	SLIST_FOREACH(m, &a->mailboxes, entry)
	{
		last = m;
		count++;
	}
	if (count >= ASIDE_MAILBOXES)
		free_mailbox(a, last);
}

uint32_t aside_put(struct aside *a, struct str mailbox, uint64_t now_ms)
{
	struct aside_mailbox *m = find(a, mailbox);
	uint32_t delay_ms;

	if (m == NULL) {
		make_room(a);
		m = xcalloc(1, sizeof(*m));
		m->name = str_dup(mailbox);
		backoff_init(&m->backoff, ASIDE_MIN_MS, ASIDE_MAX_MS);
		SLIST_INSERT_HEAD(&a->mailboxes, m, entry);
	}
	delay_ms = backoff_next(&m->backoff, rand_below(UINT32_MAX));
	m->until_ms = now_ms + delay_ms;
	return delay_ms;
}

void aside_take(struct aside *a, struct str mailbox)
{
	struct aside_mailbox *m = find(a, mailbox);

	if (m != NULL)
		free_mailbox(a, m);
}

bool aside_has(const struct aside *a, struct str mailbox, uint64_t now_ms)
{
	const struct aside_mailbox *m = find(a, mailbox);

	return m != NULL && m->until_ms > now_ms;
}

uint64_t aside_until(const struct aside *a, uint64_t now_ms)
{
	const struct aside_mailbox *m;
	uint64_t until_ms = ASIDE_NEVER;

	SLIST_FOREACH(m, &a->mailboxes, entry)
	if (m->until_ms > now_ms && m->until_ms < until_ms)
		until_ms = m->until_ms;
	return until_ms;
}

bool aside_is_empty(const struct aside *a)
{
	return SLIST_EMPTY(&a->mailboxes);
}
