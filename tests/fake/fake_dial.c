/* SPDX-License-Identifier: ISC */
/* dial, with outcomes from a queue. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "fake/fake_loop.h"
#include "fake/fake_stream.h"
#include "net/dial.h"

struct fake_outcome {
	STAILQ_ENTRY(fake_outcome) entry;
	uint64_t delay_ms;
	uint16_t port;         /* of the dials that it is for; 0: any */
	struct stream *stream; /* or NULL: |rc| and |why| */
	int rc;
	bool hang;
	char why[384];
};

struct dial {
	TAILQ_ENTRY(dial) entry;
	struct loop *loop;
	struct fake_outcome *outcome; /* NULL: waits for one */
	struct loop_timer *timer;     /* of the outcome */
	struct loop_timer *deadline;
	dial_done_fn *done;
	void *arg;
	uint16_t port;
	char name[256];
};

static void outcome_free(struct fake_outcome *outcome)
{
	if (outcome == NULL)
		return;
	if (outcome->stream != NULL)
		fake_stream_drop(outcome->stream);
	free(outcome);
}

static void dial_free(struct dial *d)
{
	TAILQ_REMOVE(&d->loop->dials, d, entry);
	loop_timer_free(&d->timer);
	loop_timer_free(&d->deadline);
	outcome_free(d->outcome);
	free(d);
}

/* finish makes the one call; the dial is gone before it. */
static void finish(struct dial *d, int rc, struct stream *stream,
                   const char *text)
{
	dial_done_fn *done = d->done;
	void *arg = d->arg;
	struct err_detail why;

	(void)err_set(&why, rc, "%s", text);
	dial_free(d);
	done(arg, rc, stream, why.text);
}

static void on_outcome(void *arg)
{
	struct dial *d = arg;
	struct stream *stream = d->outcome->stream;

	d->outcome->stream = NULL;
	finish(d, stream != NULL ? ERR_OK : d->outcome->rc, stream,
	       d->outcome->why);
}

static void on_deadline(void *arg)
{
	struct dial *d = arg;
	char text[300];

	(void)snprintf(text, sizeof(text), "connect to %s timed out", d->name);
	finish(d, ERR_TIMEOUT, NULL, text);
}

/* outcome_for finds the oldest outcome for a dial to |port|, or NULL. */
static struct fake_outcome *outcome_for(const struct loop *loop, uint16_t port)
{
	struct fake_outcome *outcome;

	STAILQ_FOREACH(outcome, &loop->outcomes, entry) {
		if (outcome->port == 0 || outcome->port == port)
			break;
	}
	return outcome;
}

/* match gives waiting dials the outcomes that are there, oldest first. */
static void match(struct loop *loop)
{
	struct fake_outcome *outcome;
	struct dial *d;

	TAILQ_FOREACH(d, &loop->dials, entry) {
		if (d->outcome != NULL)
			continue;
		outcome = outcome_for(loop, d->port);
		if (outcome == NULL)
			continue;
		STAILQ_REMOVE(&loop->outcomes, outcome, fake_outcome, entry);
		d->outcome = outcome;
		if (!outcome->hang && outcome->delay_ms > 0)
			loop_timer_set(d->timer, outcome->delay_ms);
	}
}

/* on_ready ends the dials whose outcome has no delay, one a turn: a timer of
 * 0 ms would want the clock to move. */
static void on_ready(void *arg)
{
	struct dial *d;
	struct loop *loop = arg;

	TAILQ_FOREACH(d, &loop->dials, entry) {
		if (d->outcome != NULL && !d->outcome->hang &&
		    d->outcome->delay_ms == 0) {
			loop_defer(loop, on_ready, loop); /* for the others */
			on_outcome(d);
			return;
		}
	}
}

static void queue(struct loop *loop, const struct fake_outcome *outcome)
{
	struct fake_outcome *copy = xcalloc(1, sizeof(*copy));

	*copy = *outcome;
	copy->port = loop->dial_port;
	STAILQ_INSERT_TAIL(&loop->outcomes, copy, entry);
	match(loop);
	loop_defer(loop, on_ready, loop);
}

void fake_dial_only(struct loop *loop, uint16_t port)
{
	loop->dial_port = port;
}

struct fake_peer *fake_dial_connect(struct loop *loop, uint64_t delay_ms)
{
	struct fake_outcome outcome = { .delay_ms = delay_ms };
	struct fake_peer *peer;

	outcome.stream = fake_stream_new(loop, &peer);
	queue(loop, &outcome);
	return peer;
}

void fake_dial_fail(struct loop *loop, uint64_t delay_ms, int rc,
                    const char *why)
{
	struct fake_outcome outcome = { .delay_ms = delay_ms, .rc = rc };

	(void)snprintf(outcome.why, sizeof(outcome.why), "%s", why);
	queue(loop, &outcome);
}

void fake_dial_hang(struct loop *loop)
{
	const struct fake_outcome outcome = { .hang = true };

	queue(loop, &outcome);
}

size_t fake_dials(const struct loop *loop)
{
	return loop->dials_started;
}

size_t fake_dials_open(const struct loop *loop)
{
	const struct dial *d;
	size_t count = 0;

	TAILQ_FOREACH(d, &loop->dials, entry)
		count++;
	return count;
}

size_t fake_dials_waiting_to(const struct loop *loop, uint16_t port)
{
	const struct dial *d;
	size_t count = 0;

	TAILQ_FOREACH(d, &loop->dials, entry)
		count += d->outcome == NULL && (port == 0 || d->port == port);
	return count;
}

size_t fake_dials_waiting(const struct loop *loop)
{
	return fake_dials_waiting_to(loop, 0);
}

const struct dial_target *fake_dial_target(const struct loop *loop)
{
	return &loop->target;
}

/* keep_target copies |target|, for the test to look at. */
static void keep_target(struct loop *loop, const struct dial_target *target)
{
	str_free(&loop->target_host);
	str_free(&loop->target_name);
	loop->target_host = str_dup(str_of(target->host));
	loop->target_name = str_dup(str_of(target->name));
	loop->target = *target;
	loop->target.host = loop->target_host.data;
	if (target->name != NULL)
		loop->target.name = loop->target_name.data;
}

static void keep_from(struct loop *loop, const struct dial_from *from)
{
	loop->has_from = from != NULL;
	if (from == NULL)
		return;
	loop->from = *from;
	loop->client = *from->client;
	loop->listener = *from->listener;
	loop->from.client = &loop->client;
	loop->from.listener = &loop->listener;
}

const struct dial_from *fake_dial_from(const struct loop *loop)
{
	return loop->has_from ? &loop->from : NULL;
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
                        const struct dial_target *target,
                        const struct dial_from *from, uint64_t deadline_ms,
                        dial_done_fn *done, void *arg)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	(void)resolver;
	keep_target(loop, target);
	keep_from(loop, from);
	d->loop = loop;
	d->done = done;
	d->arg = arg;
	d->port = target->port;
	(void)snprintf(d->name, sizeof(d->name), "%.200s:%u", target->host,
	               (unsigned int)target->port);
	d->timer = loop_timer_new(loop, on_outcome, d);
	d->deadline = loop_timer_new(loop, on_deadline, d);
	loop_timer_set(d->deadline, deadline_ms);
	TAILQ_INSERT_TAIL(&loop->dials, d, entry);
	loop->dials_started++;
	match(loop);
	loop_defer(loop, on_ready, loop);
	return d;
}

void dial_start_tls(struct stream *stream, const struct dial_target *target)
{
	stream_start_tls(stream, target->tls,
	                 target->name != NULL ? target->name : target->host);
}

void dial_cancel(struct dial **d)
{
	struct dial *old = *d;

	*d = NULL;
	if (old != NULL)
		dial_free(old);
}

void fake_dial_done(struct loop *loop)
{
	struct fake_outcome *outcome;

	assert(TAILQ_EMPTY(&loop->dials)); /* neither done nor canceled */
	while ((outcome = STAILQ_FIRST(&loop->outcomes)) != NULL) {
		STAILQ_REMOVE_HEAD(&loop->outcomes, entry);
		outcome_free(outcome);
	}
	str_free(&loop->target_host);
	str_free(&loop->target_name);
}
