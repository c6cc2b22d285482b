/* SPDX-License-Identifier: ISC */
/*
 * offload - blocking work (SQLite, getaddrinfo) on a helper thread: work
 * there, result back on the loop, in the order submitted.
 */
#ifndef NET_OFFLOAD_H
#define NET_OFFLOAD_H

#include "net/loop.h"

struct offload;

/* offload_new starts one thread called |name| (15 characters at most). */
struct offload *offload_new(struct loop *loop, const char *name);

/*
 * offload_submit runs |work| with |arg| on the thread, then |done| with |arg|
 * on the loop. |arg| belongs to the thread between the two. Exactly one |done|
 * per submit, unless offload_leave comes first.
 */
void offload_submit(struct offload *o, loop_fn *work, loop_fn *done, void *arg);

/*
 * offload_free lets every submitted |work| finish, calls their |done| from
 * inside this call, and joins the thread. Blocks for as long as that takes.
 */
void offload_free(struct offload **o);

/*
 * offload_leave is offload_free for work that nobody wants any more and that
 * may take long: it waits for nothing and calls no |done|. |drop| is called
 * once for the |arg| of each job that is open; of the one that is worked on by
 * the thread, when that is over, which may be never.
 */
void offload_leave(struct offload **o, loop_fn *drop);

#endif
