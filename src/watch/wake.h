/* SPDX-License-Identifier: ISC */
/*
 * wake - when to ring the phones of one user who cannot be watched, so that
 * they come to look and the user's login with them: within a minute, then
 * after 15 minutes, 1 hour, 6 hours, 23 hours, and every 23 hours from there.
 * Only when: whom and how is the owner's business.
 */
#ifndef WATCH_WAKE_H
#define WATCH_WAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

/* |first|: of its sequence. */
typedef void wake_fn(void *arg, bool first);

enum wake_state { WAKE_OFF, WAKE_PAUSED, WAKE_ON };

struct wake {
	enum wake_state state;
	struct loop *loop;
	wake_fn *ring;
	void *arg;
	struct loop_timer *timer; /* NULL: was never on */
	size_t rung;              /* of this sequence */
	uint64_t due_ms;          /* not when off */
};

/* wake_init: nothing rings yet. */
void wake_init(struct wake *w, struct loop *loop, wake_fn *ring, void *arg);
void wake_done(struct wake *w);

/* wake_start begins the sequence, or goes on where wake_pause left it: what
 * became due meanwhile rings at once. May be called again. */
void wake_start(struct wake *w);

/* wake_pause: nothing rings for now. So a user whose login is refused each
 * time it comes is not rung each time. */
void wake_pause(struct wake *w);

/* wake_reset: nothing rings, and the sequence is to begin anew. */
void wake_reset(struct wake *w);

#endif
