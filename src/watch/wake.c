/* SPDX-License-Identifier: ISC */
/* wake - see wake.h. One timer for each user in the dark, made when needed. */
#include "watch/wake.h"

#include "base/rand.h"

#define MINUTE_MS ((uint64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)

/* All users may get into the dark together, at a start without the key: their
 * phones come back to one server. */
#define SPREAD_MS (1 * MINUTE_MS)

/* From one to the next; the last repeats. A phone registers after 23 hours by
 * itself. */
static const uint64_t pauses_ms[] = {
	15 * MINUTE_MS,
	1 * HOUR_MS,
	6 * HOUR_MS,
	23 * HOUR_MS,
};

enum { PAUSES = sizeof(pauses_ms) / sizeof(pauses_ms[0]) };

static void set_timer(struct wake *w)
{
	uint64_t now_ms = loop_now_ms(w->loop);

	loop_timer_set(w->timer, w->due_ms > now_ms ? w->due_ms - now_ms : 0);
}

static void on_due(void *arg)
{
	struct wake *w = arg;
	bool first = w->rung == 0;

	w->due_ms = loop_now_ms(w->loop) +
	            pauses_ms[w->rung < PAUSES ? w->rung : PAUSES - 1];
	w->rung++;
	set_timer(w);
	w->ring(w->arg, first);
}

void wake_init(struct wake *w, struct loop *loop, wake_fn *ring, void *arg)
{
	*w = (struct wake){ .loop = loop, .ring = ring, .arg = arg };
}

void wake_done(struct wake *w)
{
	loop_timer_free(&w->timer);
}

void wake_start(struct wake *w)
{
	if (w->timer == NULL)
		w->timer = loop_timer_new(w->loop, on_due, w);
	if (w->state == WAKE_OFF)
		w->due_ms = loop_now_ms(w->loop) + rand_below(SPREAD_MS);
	if (w->state != WAKE_ON)
		set_timer(w);
	w->state = WAKE_ON;
}

void wake_pause(struct wake *w)
{
	if (w->state != WAKE_ON)
		return;
	loop_timer_cancel(w->timer);
	w->state = WAKE_PAUSED;
}

void wake_reset(struct wake *w)
{
	wake_pause(w);
	w->state = WAKE_OFF;
	w->rung = 0;
}
