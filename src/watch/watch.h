/* SPDX-License-Identifier: ISC */
/*
 * watch - from the accounts that are wanted to watchers: one per user, shared
 * by all the user's devices, at the backend of the user's route. Connects are
 * spread; a lost one comes back with back-off and jitter; a rejected login is
 * not repeated until the user logs in again. A user who cannot be watched is in
 * the dark: the devices are rung now and then, so that they come and look (wake
 * rings). A restart begins that anew, since nobody saw what came meanwhile; it
 * rings no others.
 */
#ifndef WATCH_WATCH_H
#define WATCH_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "net/loop.h"
#include "net/resolve.h"
#include "net/route.h"
#include "push/notifier.h"
#include "push/queue.h"
#include "push/registry.h"
#include "watch/login.h"

struct watch;

struct watch_opts {
	const struct routes *routes; /* borrowed for the life of watch */
	unsigned renew_s;            /* 1740 */
	unsigned poll_s;             /* 60 */
	unsigned connections_max;    /* 10000, towards one backend */
	unsigned connect_rate;       /* 20 a second, likewise */
	const char *trace_user;      /* NULL none, "all" everyone */
	bool wake;                   /* wake rings */
	struct watch_login_opts login;
};

/* watch_new: all that is given is borrowed. |queue| takes the wake rings. */
struct watch *watch_new(struct loop *loop, struct resolver *resolver,
                        struct registry *registry, struct notifier *notifier,
                        struct queue *queue, const struct watch_opts *opts);
void watch_free(struct watch **w);

/* watch_set_opts has |opts| hold from now on, of the same mode of login and for
 * the same routes, also for watchers that are there. Those in the dark are
 * looked at again. */
void watch_set_opts(struct watch *w, const struct watch_opts *opts);

#endif
