/* SPDX-License-Identifier: ISC */
/*
 * gate - whether the transport is worth a send: it may have no connection now,
 * or refuse everybody. After a refusal one push goes ahead of the others.
 */
#ifndef PUSH_GATE_H
#define PUSH_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

enum gate_state {
	GATE_OPEN,
	GATE_WAITING, /* for gate_ready or the timer */
	GATE_HELD,    /* for gate_mend or the timer */
	GATE_TRY,     /* one may go */
	GATE_LATER,   /* one may, after gate_ready or the timer */
	GATE_TRIED,   /* one went: its answer decides */
	GATE_STATES
};

struct gate {
	enum gate_state state;
	struct loop_timer *timer;
	loop_fn *opens;
	void *arg;
};

/* gate_init begins with an open gate. |opens| is called with |arg| when a send
 * becomes worth it, also from inside the call that makes it so. */
void gate_init(struct gate *g, struct loop *loop, loop_fn *opens, void *arg);
void gate_done(struct gate *g);

/* gate_is_open: a send is worth it. */
bool gate_is_open(const struct gate *g);

/* gate_sent: one went. gate_answered: one was answered, and not with what
 * holds for everybody; returns whether it was the one to try. */
void gate_sent(struct gate *g);
bool gate_answered(struct gate *g);

/* gate_wait: no send before gate_ready, or for |delay_ms|. */
void gate_wait(struct gate *g, uint64_t delay_ms);
void gate_ready(struct gate *g);

/*
 * gate_hold: everybody would be refused, so no send for |delay_ms|, then one.
 * Returns whether that is news: not if it was held, or if this is the answer
 * of the one.
 */
bool gate_hold(struct gate *g, uint64_t delay_ms);

/* gate_mend: what it is held for may be over, so one may go now. */
void gate_mend(struct gate *g);

#endif
