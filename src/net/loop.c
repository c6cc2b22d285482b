/* SPDX-License-Identifier: ISC */
/*
 * loop - libevent's core behind our own words. One turn is: deferred calls,
 * sleep, events. The clock is read once per part, so that everything in it
 * sees one time.
 */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop_io.h"

enum {
	CALLS_FIRST = 16,
	CALLS_KEEP = 1024, /* a queue that a burst made larger is given back */
	DELAY_MAX_S = 366 * 24 * 3600, /* what libevent surely can add */
};

struct call {
	loop_fn *fn; /* NULL: canceled */
	void *arg;
};

/* Calls in the order asked for. */
struct calls {
	struct call *items;
	size_t len;
	size_t cap;
};

struct loop_signal {
	LIST_ENTRY(loop_signal) entry;
	struct event event;
	struct loop *loop;
	loop_signal_fn *fn;
	void *arg;
};

struct loop {
	struct event_base *base;
	uint64_t now_ms;
	bool slept; /* |now_ms| is from before the sleep */
	bool stopping;
	struct calls deferred; /* asked for, for the next turn */
	struct calls running;  /* those of this turn */
	pthread_mutex_t lock;  /* guards |posted| alone */
	struct calls posted;
	int wake_fd;
	struct loop_io *wake;
	LIST_HEAD(, loop_signal) signals;
	void *kept;
	loop_fn *kept_free;
};

struct loop_timer {
	struct event event;
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	uint64_t due_ms;
};

static void calls_add(struct calls *c, loop_fn *fn, void *arg)
{
	if (c->len == c->cap) {
		c->cap = c->cap > 0 ? c->cap * 2 : CALLS_FIRST;
		c->items = xrealloc(c->items, c->cap, sizeof(*c->items));
	}
	c->items[c->len++] = (struct call){ .fn = fn, .arg = arg };
}

static void calls_cancel(struct calls *c, loop_fn *fn, const void *arg)
{
	for (size_t i = 0; i < c->len; i++) {
		if (c->items[i].fn == fn && c->items[i].arg == arg)
			c->items[i].fn = NULL;
	}
}

static void calls_reset(struct calls *c)
{
	free(c->items);
	*c = (struct calls){ 0 };
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		abort();
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* read_clock keeps time from going back even where the system's does. */
static void read_clock(struct loop *loop)
{
	uint64_t now = clock_ms(CLOCK_MONOTONIC);

	if (now > loop->now_ms)
		loop->now_ms = now;
	loop->slept = false;
}

void loop_enter(struct loop *loop)
{
	if (loop->slept)
		read_clock(loop);
}

/*
 * run_deferred makes the calls that were asked for before it began; those that
 * they ask for wait for the next turn, so that two who defer each other cannot
 * keep the loop from its descriptors.
 */
static void run_deferred(struct loop *loop)
{
	struct calls spare = loop->running;

	loop->running = loop->deferred;
	loop->deferred = spare;
	for (size_t i = 0; i < loop->running.len; i++) {
		struct call call = loop->running.items[i];

		if (call.fn != NULL)
			call.fn(call.arg);
	}
	loop->running.len = 0;
	if (loop->running.cap > CALLS_KEEP)
		calls_reset(&loop->running);
}

/* take_posted moves what other threads posted to the end of our own queue. */
static void take_posted(struct loop *loop)
{
	struct calls posted;

	pthread_mutex_lock(&loop->lock);
	posted = loop->posted;
	loop->posted = (struct calls){ 0 };
	pthread_mutex_unlock(&loop->lock);
	for (size_t i = 0; i < posted.len; i++) {
		if (posted.items[i].fn != NULL)
			calls_add(&loop->deferred, posted.items[i].fn,
			          posted.items[i].arg);
	}
	calls_reset(&posted);
}

static void on_wake(void *arg, unsigned int ready)
{
	struct loop *loop = arg;
	uint64_t count;

	(void)ready;
	/* Empty the counter first: a post after it wakes us once more. */
	if (read(loop->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN &&
	    errno != EINTR)
		abort();
	take_posted(loop);
}

/* base_new asks for no locks: only loop_post may come from other threads. */
static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config != NULL) {
		(void)event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
		base = event_base_new_with_config(config);
		event_config_free(config);
	}
	if (base == NULL) {
		(void)fputs("no event loop to be had\n", stderr);
		abort();
	}
	return base;
}

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	/* TLS writes through write(2), where MSG_NOSIGNAL cannot be said. */
	(void)signal(SIGPIPE, SIG_IGN);
	loop->base = base_new();
	LIST_INIT(&loop->signals);
	if (pthread_mutex_init(&loop->lock, NULL) != 0)
		abort();
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0) {
		(void)fputs("no event descriptor to be had\n", stderr);
		abort();
	}
	loop->wake = loop_io_new(loop, loop->wake_fd, on_wake, loop);
	loop_io_want(loop->wake, LOOP_READ);
	read_clock(loop);
	return loop;
}

/* release frees all but what was deferred. */
static void release(struct loop *loop)
{
	struct loop_signal *sig;

	while ((sig = LIST_FIRST(&loop->signals)) != NULL) {
		LIST_REMOVE(sig, entry);
		(void)event_del(&sig->event);
		free(sig);
	}
	loop_io_free(&loop->wake);
	(void)close(loop->wake_fd);
	event_base_free(loop->base);
	(void)pthread_mutex_destroy(&loop->lock);
	calls_reset(&loop->deferred);
	calls_reset(&loop->running);
	calls_reset(&loop->posted);
	free(loop);
}

void loop_free(struct loop **loop)
{
	struct loop *l = *loop;

	if (l == NULL)
		return;
	assert(l->running.len == 0); /* not from inside a call of its own */
	do {
		take_posted(l);
		run_deferred(l);
		if (l->deferred.len == 0 && l->kept_free != NULL) {
			l->kept_free(l->kept);
			l->kept_free = NULL;
		}
	} while (l->deferred.len > 0);
	*loop = NULL;
	release(l);
}

void loop_deafen(struct loop *loop)
{
	struct loop_signal *sig;
	sigset_t set;

	(void)sigemptyset(&set);
	LIST_FOREACH(sig, &loop->signals, entry)
		(void)sigaddset(&set, event_get_signal(&sig->event));
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

void loop_forked(struct loop *loop)
{
	/* The epoll set is shared with the parent until this makes our own:
	 * removing events from it before would deafen the parent. */
	if (event_reinit(loop->base) != 0)
		abort();
}

void loop_run(struct loop *loop)
{
	int flags;

	loop->stopping = false;
	loop->slept = true;
	while (!loop->stopping) {
		loop_enter(loop);
		run_deferred(loop);
		if (loop->stopping)
			break;
		flags = EVLOOP_ONCE;
		if (loop->deferred.len > 0)
			flags |= EVLOOP_NONBLOCK;
		loop->slept = true;
		(void)event_base_loop(loop->base, flags);
	}
	loop_enter(loop);
	run_deferred(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

int64_t loop_wall_ms(const struct loop *loop)
{
	(void)loop;
	return (int64_t)clock_ms(CLOCK_REALTIME);
}

void loop_defer(struct loop *loop, loop_fn *fn, void *arg)
{
	calls_add(&loop->deferred, fn, arg);
}

void loop_defer_cancel(struct loop *loop, loop_fn *fn, void *arg)
{
	calls_cancel(&loop->deferred, fn, arg);
	calls_cancel(&loop->running, fn, arg);
	pthread_mutex_lock(&loop->lock);
	calls_cancel(&loop->posted, fn, arg);
	pthread_mutex_unlock(&loop->lock);
}

void loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
	const uint64_t one = 1;
	bool first;

	pthread_mutex_lock(&loop->lock);
	first = loop->posted.len == 0;
	calls_add(&loop->posted, fn, arg);
	pthread_mutex_unlock(&loop->lock);
	/* The counter cannot fill up: one write per emptied queue. */
	if (first && write(loop->wake_fd, &one, sizeof(one)) < 0)
		abort();
}

/*
 * on_timeout is libevent's call, by a coarser clock than ours that may run a
 * few milliseconds ahead of the wanted time: nobody may be called early.
 */
static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	loop_enter(t->loop);
	if (t->loop->now_ms < t->due_ms) {
		loop_timer_set(t, t->due_ms - t->loop->now_ms);
		return;
	}
	t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = loop;
	t->fn = fn;
	t->arg = arg;
	if (evtimer_assign(&t->event, loop->base, on_timeout, t) != 0)
		abort();
	return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ms)
{
	const uint64_t max_ms = (uint64_t)DELAY_MAX_S * 1000;
	struct timeval tv;

	if (delay_ms > max_ms)
		delay_ms = max_ms;
	tv.tv_sec = (time_t)(delay_ms / 1000);
	tv.tv_usec = (suseconds_t)(delay_ms % 1000 * 1000);
	t->due_ms = t->loop->now_ms + delay_ms;
	if (event_add(&t->event, &tv) != 0)
		abort();
}

void loop_timer_cancel(struct loop_timer *t)
{
	(void)event_del(&t->event);
}

void loop_timer_free(struct loop_timer **t)
{
	if (*t == NULL)
		return;
	(void)event_del(&(*t)->event);
	free(*t);
	*t = NULL;
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
	struct loop_signal *sig = arg;

	(void)what;
	loop_enter(sig->loop);
	sig->fn((int)signo, sig->arg);
}

void loop_on_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *sig = xcalloc(1, sizeof(*sig));

	sig->loop = loop;
	sig->fn = fn;
	sig->arg = arg;
	if (evsignal_assign(&sig->event, loop->base, signo, on_signal, sig) !=
	            0 ||
	    evsignal_add(&sig->event, NULL) != 0)
		abort();
	LIST_INSERT_HEAD(&loop->signals, sig, entry);
}

struct event_base *loop_event_base(struct loop *loop)
{
	return loop->base;
}

void loop_keep(struct loop *loop, void *data, loop_fn *free_fn)
{
	loop->kept = data;
	loop->kept_free = free_fn;
}

void *loop_kept(const struct loop *loop)
{
	return loop->kept;
}
