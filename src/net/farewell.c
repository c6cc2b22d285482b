/* SPDX-License-Identifier: ISC */
/*
 * farewell - why not just close(): a byte unread at that time makes the kernel
 * send RST, which destroys our last words (a BYE, an alert) before the peer
 * has read them. So we say our end and read on, a little while and a few
 * bytes, forgetting what comes.
 */
#include "net/farewell.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/loop_io.h"

enum {
	SEND_MS = 5000,
	LINGER_MS = 2000,
	DISCARD_BYTES = 1024 * 1024,
	READS_PER_TURN = 4,
};

struct farewell {
	TAILQ_ENTRY(farewell) entry;
	struct farewells *all;
	struct wire wire;
	struct output out;
	struct loop_io *io;
	struct loop_timer *timer;
	size_t discarded;
	bool lingering; /* our end is said */
	bool peer_ended;
};

static void farewell_free(struct farewell *f, bool reset)
{
	TAILQ_REMOVE(&f->all->list, f, entry);
	f->all->count--;
	loop_io_free(&f->io);
	loop_timer_free(&f->timer);
	output_done(&f->out);
	wire_done(&f->wire, reset);
	free(f);
}

/* wait_for watches for |wish|, and for input that must be read away. */
static void wait_for(struct farewell *f, enum wire_result wish)
{
	unsigned int want = f->peer_ended ? 0 : LOOP_READ;

	if (wish == WIRE_WANT_READ)
		want |= LOOP_READ;
	else if (wish == WIRE_WANT_WRITE)
		want |= LOOP_WRITE;
	loop_io_want(f->io, want);
}

/* send_rest sends what waits, then our end; it may free |f|. */
static void send_rest(struct farewell *f)
{
	size_t len = output_pending(&f->out);
	enum wire_result result = WIRE_DONE;

	if (len > 0)
		result = output_send(&f->out, &f->wire, &len);
	if (result == WIRE_DONE && len > 0)
		result = WIRE_WANT_WRITE; /* the others' turn */
	else if (result == WIRE_DONE)
		result = wire_finish(&f->wire);
	if (result == WIRE_WANT_READ || result == WIRE_WANT_WRITE) {
		wait_for(f, result);
	} else if (result != WIRE_DONE || f->peer_ended) {
		farewell_free(f, false);
	} else {
		f->lingering = true;
		loop_timer_set(f->timer, LINGER_MS);
		wait_for(f, WIRE_DONE);
	}
}

/* discard reads and forgets. Returns false when it freed |f|. */
static bool discard(struct farewell *f)
{
	enum wire_result result = WIRE_DONE;
	size_t len;

	for (int i = 0; i < READS_PER_TURN && result == WIRE_DONE; i++) {
		len = 0;
		result = wire_discard(&f->wire, f->all->scratch,
		                      f->all->scratch_len, &len);
		mem_wipe(f->all->scratch, len);
		f->discarded += len;
	}
	if (result == WIRE_END)
		f->peer_ended = true;
	if (result == WIRE_BROKEN || f->discarded > DISCARD_BYTES ||
	    (f->peer_ended && f->lingering)) {
		farewell_free(f, false);
		return false;
	}
	return true;
}

static void on_ready(void *arg, unsigned int ready)
{
	struct farewell *f = arg;

	if ((ready & LOOP_READ) != 0 && !f->peer_ended && !discard(f))
		return;
	if (!f->lingering)
		send_rest(f);
}

static void on_deadline(void *arg)
{
	farewell_free(arg, true);
}

void farewell_start(struct farewells *all, struct wire *wire,
                    struct output *out, bool peer_ended)
{
	struct farewell *f = xcalloc(1, sizeof(*f));

	/* Not a reset: what it says has most likely arrived. */
	if (all->count >= all->max)
		farewell_free(TAILQ_FIRST(&all->list), false);
	f->all = all;
	f->wire = *wire;
	*wire = (struct wire){ .fd = -1 };
	f->out = *out;
	output_init(out);
	f->peer_ended = peer_ended;
	f->io = loop_io_new(all->loop, f->wire.fd, on_ready, f);
	f->timer = loop_timer_new(all->loop, on_deadline, f);
	TAILQ_INSERT_TAIL(&all->list, f, entry);
	all->count++;
	loop_timer_set(f->timer, SEND_MS);
	send_rest(f);
}

void farewells_finish(struct farewells *all)
{
	struct farewell *f;
	struct farewell *next;

	for (f = TAILQ_FIRST(&all->list); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		farewell_free(f, true);
	}
}
