/* SPDX-License-Identifier: ISC */
/* loop, with a clock that stands still until the test moves it. */
#include "fake/fake_loop.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fake/fake.h"

enum { TURNS_MAX = 100000 };

/* 2026-01-01T00:00:00Z, when the monotonic clock says START_MS. */
#define WALL_START_MS ((int64_t)1767225600000)
#define START_MS ((uint64_t)1000000)

struct loop_timer {
	TAILQ_ENTRY(loop_timer) entry;
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	uint64_t due_ms;
	bool set;
};

struct fake_signal_fn {
	STAILQ_ENTRY(fake_signal_fn) entry;
	loop_signal_fn *fn;
	void *arg;
	int signo;
};

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	loop->now_ms = START_MS;
	TAILQ_INIT(&loop->timers);
	TAILQ_INIT(&loop->dials);
	TAILQ_INIT(&loop->listeners);
	TAILQ_INIT(&loop->fds);
	TAILQ_INIT(&loop->jobs);
	TAILQ_INIT(&loop->streams);
	STAILQ_INIT(&loop->outcomes);
	STAILQ_INIT(&loop->signals);
	return loop;
}

static void calls_cancel(struct fake_calls *c, loop_fn *fn, const void *arg)
{
	for (size_t i = 0; i < c->len; i++) {
		if (c->items[i].fn == fn && c->items[i].arg == arg)
			c->items[i].fn = NULL;
	}
}

bool fake_turn(struct loop *loop)
{
	struct fake_calls spare = loop->running;

	assert(spare.len == 0); /* not from inside an event */
	loop->running = loop->deferred;
	loop->deferred = spare;
	for (size_t i = 0; i < loop->running.len; i++) {
		struct fake_call call = loop->running.items[i];

		if (call.fn != NULL)
			call.fn(call.arg);
	}
	loop->running.len = 0;
	return loop->deferred.len > 0;
}

void fake_run(struct loop *loop)
{
	int turns = 0;

	while (fake_turn(loop)) {
		if (++turns > TURNS_MAX) {
			(void)fputs("fake_run: round in circles\n", stderr);
			abort();
		}
	}
}

void loop_free(struct loop **loop)
{
	struct loop *l = *loop;
	struct fake_signal_fn *sig;

	if (l == NULL)
		return;
	fake_run(l);
	fake_dial_done(l);
	fake_listen_done(l);
	streams_finish(l);
	fake_run(l);
	if (!TAILQ_EMPTY(&l->streams)) {
		(void)fputs("a stream outlived its loop\n", stderr);
		abort();
	}
	if (l->timers_made > 0) {
		(void)fputs("a timer outlived its loop\n", stderr);
		abort();
	}
	while ((sig = STAILQ_FIRST(&l->signals)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->signals, entry);
		free(sig);
	}
	free(l->deferred.items);
	free(l->running.items);
	free(l->resolve_why);
	*loop = NULL;
	free(l);
}

void loop_forked(struct loop *loop)
{
	(void)loop;
}

/* fire calls the first timer, at its time. */
static void fire(struct loop *loop)
{
	struct loop_timer *t = TAILQ_FIRST(&loop->timers);

	if (t->due_ms > loop->now_ms)
		loop->now_ms = t->due_ms;
	loop_timer_cancel(t);
	t->fn(t->arg);
}

void loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		if (fake_turn(loop))
			continue;
		if (TAILQ_EMPTY(&loop->timers))
			return; /* nothing can ever happen again */
		if (!loop->stopping)
			fire(loop);
	}
	fake_turn(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

bool fake_is_stopped(const struct loop *loop)
{
	return loop->stopping;
}

void fake_clock_advance(struct loop *loop, uint64_t ms)
{
	uint64_t until = loop->now_ms + ms;
	const struct loop_timer *t;

	fake_run(loop);
	while ((t = TAILQ_FIRST(&loop->timers)) != NULL && t->due_ms <= until) {
		fire(loop);
		fake_run(loop);
	}
	loop->now_ms = until;
}

uint64_t fake_clock_next(const struct loop *loop)
{
	const struct loop_timer *t = TAILQ_FIRST(&loop->timers);

	if (t == NULL)
		return UINT64_MAX;
	return t->due_ms > loop->now_ms ? t->due_ms - loop->now_ms : 0;
}

size_t fake_timers(const struct loop *loop)
{
	const struct loop_timer *t;
	size_t count = 0;

	TAILQ_FOREACH(t, &loop->timers, entry)
		count++;
	return count;
}

void fake_wall_jump(struct loop *loop, int64_t ms)
{
	loop->wall_offset_ms += ms;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

int64_t loop_wall_ms(const struct loop *loop)
{
	return WALL_START_MS + loop->wall_offset_ms +
	       (int64_t)(loop->now_ms - START_MS);
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
	struct fake_calls *c = &loop->deferred;

	if (c->len == c->cap) {
		c->cap = c->cap > 0 ? c->cap * 2 : 16;
		c->items = xrealloc(c->items, c->cap, sizeof(*c->items));
	}
	c->items[c->len++] = (struct fake_call){ .fn = fn, .arg = arg };
}

void loop_defer_cancel(struct loop *loop, loop_fn *fn, void *arg)
{
	calls_cancel(&loop->deferred, fn, arg);
	calls_cancel(&loop->running, fn, arg);
}

void loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
	loop_defer(loop, fn, arg); /* there are no other threads */
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = loop;
	t->fn = fn;
	t->arg = arg;
	loop->timers_made++;
	return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ms)
{
	struct loop_timer *other;

	loop_timer_cancel(t);
	t->set = true;
	t->due_ms = delay_ms > UINT64_MAX - t->loop->now_ms
	                    ? UINT64_MAX
	                    : t->loop->now_ms + delay_ms;
	TAILQ_FOREACH(other, &t->loop->timers, entry) {
		if (other->due_ms > t->due_ms) {
			TAILQ_INSERT_BEFORE(other, t, entry);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&t->loop->timers, t, entry);
}

void loop_timer_cancel(struct loop_timer *t)
{
	if (t->set)
		TAILQ_REMOVE(&t->loop->timers, t, entry);
	t->set = false;
}

void loop_timer_free(struct loop_timer **t)
{
	if (*t == NULL)
		return;
	loop_timer_cancel(*t);
	(*t)->loop->timers_made--;
	free(*t);
	*t = NULL;
}

void loop_on_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
	struct fake_signal_fn *sig = xcalloc(1, sizeof(*sig));

	sig->fn = fn;
	sig->arg = arg;
	sig->signo = signo;
	STAILQ_INSERT_TAIL(&loop->signals, sig, entry);
}

void loop_deafen(struct loop *loop)
{
	(void)loop; /* no signal comes by itself */
}

static void on_signal(void *arg)
{
	const struct fake_signal_fn *sig = arg;

	sig->fn(sig->signo, sig->arg);
}

void fake_signal(struct loop *loop, int signo)
{
	struct fake_signal_fn *sig;

	STAILQ_FOREACH(sig, &loop->signals, entry) {
		if (sig->signo == signo)
			loop_defer(loop, on_signal, sig);
	}
}
