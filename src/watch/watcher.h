/* SPDX-License-Identifier: ISC */
/*
 * watcher - one connection to the backend for one user: dials, logs in, tells
 * the notifier what happened in the user's mailboxes since the stored states,
 * then what happens in INBOX as it happens and in the others from time to time.
 * Ends when the connection does; whoever made it decides about another.
 */
#ifndef WATCH_WATCHER_H
#define WATCH_WATCHER_H

#include <stdbool.h>

#include "base/log.h"
#include "base/str.h"
#include "watch/aside.h"
#include "watch/watch.h"

struct watcher;

/* What all watchers share; outlives them. */
struct watcher_env {
	struct loop *loop;
	struct resolver *resolver;
	struct registry *registry;
	struct notifier *notifier;
	struct watch_opts opts;
};

enum watcher_end {
	WATCHER_UNREACHABLE, /* no connection came about, or it was not greeted
	                      */
	WATCHER_LOST,        /* it ended, or the server refused for now */
	WATCHER_NO_INBOX,    /* likewise, the INBOX */
	WATCHER_REJECTED,    /* the server says that the login is wrong, and
	                        it is still the one that is stored */
	WATCHER_UNWANTED     /* |on_inbox| said so */
};

struct watcher_handler {
	/* The login is through, |inbox| is what STATUS tells. False: it is not
	 * to be watched, and nothing more is done with it. */
	bool (*on_inbox)(void *arg, const struct store_state *inbox);
	/* The mailboxes are compared, INBOX is listened to. Called once. */
	void (*on_watching)(void *arg);
	/* It is over, for the reason |why|. Called once, on a turn of its own;
	 * the watcher is freed in it. */
	void (*on_end)(void *arg, enum watcher_end end, const char *why);
};

/*
 * watcher_new starts to dial |target|. |user| is copied, empty: the master as
 * nobody but himself; |env|, |target|, |aside| and |handler| are borrowed. The
 * mailboxes of |aside| are not asked for, and one at which the connection ends
 * is put there.
 */
struct watcher *watcher_new(const struct watcher_env *env,
                            const struct dial_target *target, struct str user,
                            struct aside *aside, const struct log_ctx *log,
                            const struct watcher_handler *handler, void *arg);

/* watcher_polls: INBOX is listened to by a poll now and then, for lack of IDLE;
 * to be asked from |on_watching| on. */
bool watcher_polls(const struct watcher *w);

/* watcher_refresh: what the user's devices want may have changed. */
void watcher_refresh(struct watcher *w);

/* watcher_set_times: the times in its |env| may have changed; what waits, waits
 * as long as it was to. */
void watcher_set_times(struct watcher *w);

/* watcher_free says goodbye if there is a connection; no call comes any more.
 * Not from inside on_watching. */
void watcher_free(struct watcher **w);

#endif
