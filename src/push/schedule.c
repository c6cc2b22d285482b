/* SPDX-License-Identifier: ISC */
/* schedule - see schedule.h. */
#include "push/schedule.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

struct entry *schedule_find(const struct schedule *s, uint64_t id)
{
	struct entry *e;

	HASH_FIND(hh, s->entries, &id, sizeof(id), e);
	return e;
}

struct entry *schedule_add(struct schedule *s, uint64_t id)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->schedule = s;
	e->id = id;
	HASH_ADD(hh, s->entries, id, sizeof(e->id), e);
	return e;
}

/* leave takes an entry out of where its state has it. */
static void leave(struct entry *e)
{
	if (e->state == ENTRY_READY)
		TAILQ_REMOVE(&e->schedule->ready, e, ready);
	else if (e->state == ENTRY_WAITING)
		loop_timer_cancel(e->timer);
}

void schedule_remove(struct entry **e)
{
	struct entry *old = *e;

	*e = NULL;
	leave(old);
	loop_timer_free(&old->timer);
	HASH_DELETE(hh, old->schedule->entries, old);
	free(old);
}

/* be_ready puts an entry at the end of the list, or |first|. */
static void be_ready(struct entry *e, bool first)
{
	struct schedule *s = e->schedule;

	leave(e);
	e->state = ENTRY_READY;
	if (first)
		TAILQ_INSERT_HEAD(&s->ready, e, ready);
	else
		TAILQ_INSERT_TAIL(&s->ready, e, ready);
	s->woken(s->arg);
}

static void on_due(void *arg)
{
	be_ready(arg, false);
}

void schedule_set(struct entry *e, uint64_t due_ms)
{
	struct schedule *s = e->schedule;
	uint64_t now = loop_now_ms(s->loop);

	if (due_ms < e->not_before_ms)
		due_ms = e->not_before_ms;
	e->due_ms = due_ms;
	if (due_ms <= now) {
		be_ready(e, false);
		return;
	}
	leave(e);
	e->state = ENTRY_WAITING;
	if (e->timer == NULL)
		e->timer = loop_timer_new(s->loop, on_due, e);
	loop_timer_set(e->timer, due_ms - now);
}

void schedule_advance(struct entry *e, uint64_t due_ms)
{
	if (due_ms < e->not_before_ms)
		due_ms = e->not_before_ms;
	switch (e->state) {
	case ENTRY_NEW:
		schedule_set(e, due_ms);
		break;
	case ENTRY_WAITING:
		if (due_ms < e->due_ms)
			schedule_set(e, due_ms);
		break;
	case ENTRY_READY:
		break;
	case ENTRY_IN_FLIGHT:
		if (due_ms < e->due_ms)
			e->due_ms = due_ms;
		break;
	}
}

void schedule_first(struct entry *e)
{
	e->due_ms = loop_now_ms(e->schedule->loop);
	be_ready(e, true);
}

struct entry *schedule_next(const struct schedule *s)
{
	return TAILQ_FIRST(&s->ready);
}

void schedule_fly(struct entry *e)
{
	leave(e);
	e->state = ENTRY_IN_FLIGHT;
	e->due_ms = SCHEDULE_NEVER_MS;
}

void schedule_init(struct schedule *s, struct loop *loop, loop_fn *woken,
                   void *arg)
{
	s->loop = loop;
	s->woken = woken;
	s->arg = arg;
	s->entries = NULL;
	TAILQ_INIT(&s->ready);
}

void schedule_done(struct schedule *s)
{
	struct entry *e;
	struct entry *next;

	HASH_ITER(hh, s->entries, e, next)
		schedule_remove(&e);
}
