/* SPDX-License-Identifier: ISC */
/*
 * notifier - from what a watcher saw to pushes that are owed. Merges per user:
 * the first new mail goes at once, then a window; changes (flags, expunges,
 * reads elsewhere) are debounced with a cap. The new mailbox state and the
 * pending rows it causes reach the store in one transaction.
 */
#ifndef PUSH_NOTIFIER_H
#define PUSH_NOTIFIER_H

#include "net/loop.h"
#include "push/ledger.h"
#include "push/queue.h"
#include "push/registry.h"

struct notifier;

struct notifier_opts {
	uint32_t merge_ms;        /* 2000 */
	uint32_t merge_max_ms;    /* 60000 */
	uint32_t change_delay_ms; /* 20000 */
	uint32_t change_max_ms;   /* 60000 */
};

enum notifier_kind {
	NOTIFIER_STATE, /* nothing to ring for: only the state advances */
	NOTIFIER_NEW,   /* new messages */
	NOTIFIER_CHANGE /* flags, expunge, read elsewhere */
};

struct notifier *notifier_new(struct loop *loop, struct ledger *ledger,
                              struct registry *registry, struct queue *queue,
                              const struct notifier_opts *opts);
void notifier_free(struct notifier **n);

/* notifier_set_opts: |opts| hold from now on; a pause that runs ends as it was
 * to. */
void notifier_set_opts(struct notifier *n, const struct notifier_opts *opts);

/*
 * notifier_event: the mailbox |state|->mailbox of |state|->user is now as
 * |state| says. Every registration that lists it is owed a push for NEW and
 * CHANGE. Unknown users are ignored.
 */
void notifier_event(struct notifier *n, enum notifier_kind kind,
                    const struct store_state *state);

#endif
