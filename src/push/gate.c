/* SPDX-License-Identifier: ISC */
/* gate - one table. */
#include "push/gate.h"

enum event {
	EVENT_SENT,
	EVENT_ANSWERED,
	EVENT_WAIT,
	EVENT_READY, /* or the timer */
	EVENT_HOLD,
	EVENT_MEND,
	EVENTS
};

/* What each event makes of each state, which stand in the order of their
 * enum. */
static const enum gate_state moves[EVENTS][GATE_STATES] = {
	[EVENT_SENT] = { GATE_OPEN, GATE_WAITING, GATE_HELD, GATE_TRIED,
	                 GATE_LATER, GATE_TRIED },
	[EVENT_ANSWERED] = { GATE_OPEN, GATE_WAITING, GATE_HELD, GATE_TRY,
	                     GATE_LATER, GATE_OPEN },
	[EVENT_WAIT] = { GATE_WAITING, GATE_WAITING, GATE_HELD, GATE_LATER,
	                 GATE_LATER, GATE_LATER },
	[EVENT_READY] = { GATE_OPEN, GATE_OPEN, GATE_HELD, GATE_TRY, GATE_TRY,
	                  GATE_TRIED },
	[EVENT_HOLD] = { GATE_HELD, GATE_HELD, GATE_HELD, GATE_HELD, GATE_HELD,
	                 GATE_HELD },
	[EVENT_MEND] = { GATE_OPEN, GATE_WAITING, GATE_TRY, GATE_TRY,
	                 GATE_LATER, GATE_TRY },
};

bool gate_is_open(const struct gate *g)
{
	return g->state == GATE_OPEN || g->state == GATE_TRY;
}

static void happen(struct gate *g, enum event event)
{
	bool was_open = gate_is_open(g);

	g->state = moves[event][g->state];
	if (gate_is_open(g)) {
		loop_timer_cancel(g->timer);
		if (!was_open)
			g->opens(g->arg);
	}
}

static void on_timer(void *arg)
{
	struct gate *g = arg;

	happen(g, g->state == GATE_HELD ? EVENT_MEND : EVENT_READY);
}

void gate_sent(struct gate *g)
{
	happen(g, EVENT_SENT);
}

bool gate_answered(struct gate *g)
{
	bool was_tried = g->state == GATE_TRIED;

	happen(g, EVENT_ANSWERED);
	return was_tried;
}

void gate_wait(struct gate *g, uint64_t delay_ms)
{
	happen(g, EVENT_WAIT);
	if (g->state != GATE_HELD)
		loop_timer_set(g->timer, delay_ms);
}

void gate_ready(struct gate *g)
{
	happen(g, EVENT_READY);
}

bool gate_hold(struct gate *g, uint64_t delay_ms)
{
	bool is_news = g->state == GATE_OPEN || g->state == GATE_WAITING;

	if (g->state != GATE_HELD)
		loop_timer_set(g->timer, delay_ms);
	happen(g, EVENT_HOLD);
	return is_news;
}

void gate_mend(struct gate *g)
{
	happen(g, EVENT_MEND);
}

void gate_init(struct gate *g, struct loop *loop, loop_fn *opens, void *arg)
{
	g->state = GATE_OPEN;
	g->timer = loop_timer_new(loop, on_timer, g);
	g->opens = opens;
	g->arg = arg;
}

void gate_done(struct gate *g)
{
	loop_timer_free(&g->timer);
}
