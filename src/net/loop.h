/* SPDX-License-Identifier: ISC */
/*
 * loop - the event loop of a process, and its only source of time. Everything
 * here is called from the loop's own thread, loop_post excepted.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdint.h>

struct loop;
struct loop_timer;

typedef void loop_fn(void *arg);
typedef void loop_signal_fn(int signo, void *arg);

/* loop_new returns a loop; aborts when the system has none to give. */
struct loop *loop_new(void);

/*
 * loop_free makes the calls still deferred, so that what waits to be swept is
 * freed, and frees the loop; every timer and listener must be gone, every
 * stream closed.
 */
void loop_free(struct loop **loop);

/* loop_deafen blocks the signals that it was asked to tell of, for a process
 * that ends: without its loop the next one would kill it. */
void loop_deafen(struct loop *loop);

/*
 * loop_forked makes, in a forked child, the loop the child's own: what is
 * watched, and what is let go of from now on, disturbs the parent's no more.
 */
void loop_forked(struct loop *loop);

/* loop_run turns until loop_stop; the turn that stops it is finished. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* loop_now_ms is monotonic and constant within a turn; it starts anywhere. */
uint64_t loop_now_ms(const struct loop *loop);

/* loop_wall_ms is the time of day, milliseconds since 1970; it may jump. */
int64_t loop_wall_ms(const struct loop *loop);

/*
 * loop_defer calls |fn| once, on a later turn's start, before the loop sleeps.
 * Calls come in the order they were asked for.
 */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* loop_defer_cancel drops every deferred or posted call of |fn| with |arg|. */
void loop_defer_cancel(struct loop *loop, loop_fn *fn, void *arg);

/*
 * loop_post is loop_defer for other threads: safe from any thread, wakes the
 * loop.
 */
void loop_post(struct loop *loop, loop_fn *fn, void *arg);

/* loop_timer_new returns a timer that is not set; freed by loop_timer_free. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn *fn, void *arg);

/* loop_timer_set (re)arms it: |fn| once, |delay_ms| from now. */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ms);

/* loop_timer_cancel: |fn| is not called unless set again. */
void loop_timer_cancel(struct loop_timer *t);

/* loop_timer_free cancels and frees; allowed inside its own |fn|. */
void loop_timer_free(struct loop_timer **t);

/* loop_on_signal calls |fn| on the loop whenever |signo| arrives, until the
 * loop is freed. */
void loop_on_signal(struct loop *loop, int signo, loop_signal_fn *fn,
                    void *arg);

#endif
