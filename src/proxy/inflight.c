/* SPDX-License-Identifier: ISC */
/* inflight - a list with the order kept (RFC 9051 section 5.5). */
#include "proxy/inflight.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void inflight_init(struct inflight *q)
{
	STAILQ_INIT(&q->entries);
	q->count = 0;
}

static struct inflight_entry *inflight_push(struct inflight *q, bool is_answer,
                                            struct str text)
{
	struct inflight_entry *e = xcalloc(1, sizeof(*e));

	e->is_answer = is_answer;
	e->text = str_dup(text);
	STAILQ_INSERT_TAIL(&q->entries, e, link);
	q->count++;
	return e;
}

void inflight_done(struct inflight *q)
{
	while (!inflight_is_empty(q)) {
		struct inflight_entry *e = STAILQ_FIRST(&q->entries);

		inflight_settle(q, &e);
	}
}

bool inflight_is_empty(const struct inflight *q)
{
	return STAILQ_EMPTY(&q->entries);
}

bool inflight_is_full(const struct inflight *q)
{
	return q->count >= INFLIGHT_MAX;
}

struct inflight_entry *inflight_sent(struct inflight *q, struct str tag)
{
	return inflight_push(q, false, tag);
}

void inflight_answer(struct inflight *q, struct str lines)
{
	(void)inflight_push(q, true, lines);
}

struct inflight_entry *inflight_find(const struct inflight *q, struct str tag)
{
	struct inflight_entry *e;

	STAILQ_FOREACH(e, &q->entries, link)
		if (!e->is_answer && str_eq(e->text, tag))
			return e;
	return NULL;
}

void inflight_settle(struct inflight *q, struct inflight_entry **e)
{
	assert(q->count > 0);
	STAILQ_REMOVE(&q->entries, *e, inflight_entry, link);
	q->count--;
	str_free(&(*e)->text);
	free(*e);
	*e = NULL;
}

bool inflight_take_answer(struct inflight *q, struct str *lines_r)
{
	struct inflight_entry *e = STAILQ_FIRST(&q->entries);

	if (e == NULL || !e->is_answer)
		return false;
	*lines_r = str_dup(e->text);
	inflight_settle(q, &e);
	return true;
}
