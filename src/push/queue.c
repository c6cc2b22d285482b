/* SPDX-License-Identifier: ISC */
/*
 * queue - the ledger has the rows; which of them wait, are ready or in flight
 * is schedule's, and need not survive. Times of rows are the wall's.
 */
#include "push/queue.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "push/gate.h"
#include "push/owed.h"
#include "push/pace.h"
#include "push/schedule.h"
#include "push/standing.h"

enum {
	SENDS_PER_TURN = 256,
	AGAIN_MS = 1000, /* between tries that nobody answers */
	AGAIN_MAX_MS = 60 * 1000,
	STUCK_MS = 60 * 1000, /* should the transport forget to call */
	DOUBTS = 3,           /* suspects without anyone accepted: said */
};

/*
 * How long a row that is read may still wait: for a window, and once it was
 * answered for as long as it was told. The time of day may be days behind by
 * now, on a machine that starts without a clock.
 */
#define WINDOW_MAX_MS ((int64_t)60 * 1000)
#define DELAY_MAX_MS ((int64_t)24 * 3600 * 1000)

struct queue {
	struct log_ctx log;
	struct loop *loop;
	struct ledger *ledger;
	struct registry *registry;
	struct push_transport *transport; /* NULL: none yet */
	struct gate gate;
	struct schedule schedule;
	struct pace pace;
	struct standing_poll poll;
	bool doubted; /* it was said that refusals are not believed */
	bool pumping; /* on_pump is asked for */
};

static void on_pump(void *arg);

/* pump_later sends what is ready, on a later turn. */
static void pump_later(void *arg)
{
	struct queue *q = arg;

	if (q->pumping)
		return;
	q->pumping = true;
	loop_defer(q->loop, on_pump, q);
}

/* wall_due is an entry's due time as a row has it. */
static int64_t wall_due(const struct queue *q, const struct entry *e)
{
	uint64_t now = loop_now_ms(q->loop);
	uint64_t left = e->due_ms > now ? e->due_ms - now : 0;

	return loop_wall_ms(q->loop) + (int64_t)left;
}

/* Events. */

/* add_fresh puts |mailbox| behind what is in flight. */
static void add_fresh(struct entry *e, struct owed *o, struct str mailbox)
{
	size_t at = owed_find(o, mailbox);

	if (at >= e->sent_count && at < o->row.mailbox_count)
		return;
	if (at < e->sent_count) {
		owed_take(o, at, 1);
		e->sent_count--;
	}
	owed_add(o, mailbox);
}

void queue_owe(struct queue *q, uint64_t registration_id, struct str mailbox,
               uint64_t delay_ms)
{
	int64_t wall = loop_wall_ms(q->loop);
	const struct store_registration *reg =
		ledger_registration(q->ledger, registration_id);
	struct entry *e = schedule_find(&q->schedule, registration_id);
	struct owed o;

	/* A device that does not take its topic registers again, and then has
	 * seen what it was not rung for. */
	if (reg == NULL || standing_of(reg) == STANDING_STALE)
		return;
	if (e == NULL)
		e = schedule_add(&q->schedule, registration_id);
	owed_init(&o, q->ledger, registration_id, wall);
	o.row.generation++;
	add_fresh(e, &o, mailbox);
	if (e->state == ENTRY_IN_FLIGHT && e->fresh_event_ms == 0)
		e->fresh_event_ms = wall;
	schedule_advance(e, loop_now_ms(q->loop) + delay_ms);
	o.row.due_ms = wall_due(q, e);
	owed_put(&o, q->ledger);
	ledger_flush(q->ledger, NULL, NULL);
}

void queue_hasten(struct queue *q, uint64_t registration_id)
{
	struct entry *e = schedule_find(&q->schedule, registration_id);

	/* In flight: only if something came since. */
	if (e != NULL && e->due_ms != SCHEDULE_NEVER_MS)
		schedule_advance(e, loop_now_ms(q->loop));
}

size_t queue_depth(const struct queue *q)
{
	return ledger_pending_count(q->ledger);
}

/* Sending. */

static void on_ready(void *arg)
{
	struct queue *q = arg;

	gate_ready(&q->gate);
}

static void on_done(void *arg, uint64_t id, const struct push_result *result);

/* send gives one row to the transport. Results: 0; ERR_UNAVAILABLE. */
static int send(struct queue *q, struct entry *e,
                const struct store_registration *reg,
                const struct store_pending *row)
{
	const struct push_job job = {
		.registration_id = e->id,
		.account_id = reg->account_id,
		.device_token = reg->device_token,
		.topic = reg->topic,
		.version = reg->version,
		.mailboxes = row->mailboxes,
		.mailbox_count = row->mailbox_count,
		.attempts = row->attempts,
	};
	int rc = q->transport->ops->send(q->transport, &job, on_done, q);

	if (rc != ERR_OK)
		return ERR_UNAVAILABLE;
	schedule_fly(e);
	e->sent_generation = row->generation;
	e->sent_count = row->mailbox_count;
	e->sent_ms = loop_wall_ms(q->loop);
	e->fresh_event_ms = 0;
	gate_sent(&q->gate);
	return ERR_OK;
}

/* try sends what is ready, unless it is not the time for that device. */
static void try(struct queue *q, struct entry *e)
{
	const struct store_registration *reg =
		ledger_registration(q->ledger, e->id);
	const struct store_pending *row = ledger_pending(q->ledger, e->id);
	uint64_t until;

	if (reg == NULL || row == NULL) {
		schedule_remove(&e); /* unregistered meanwhile */
		return;
	}
	until = pace_until(&q->pace, reg->device_token, loop_now_ms(q->loop));
	if (until != 0)
		schedule_set(e, until);
	else if (send(q, e, reg, row) != ERR_OK)
		gate_wait(&q->gate, STUCK_MS);
}

static void on_pump(void *arg)
{
	struct queue *q = arg;
	struct entry *e;
	int left = SENDS_PER_TURN;

	q->pumping = false;
	while (q->transport != NULL && gate_is_open(&q->gate) &&
	       (e = schedule_next(&q->schedule)) != NULL) {
		if (left-- == 0) {
			pump_later(q); /* others have work to do too */
			return;
		}
		try(q, e);
	}
}

/* What an answer means for the row. */

/*
 * settle: the push that was in flight needs no other. The row goes, unless
 * something came since: then that is left.
 */
static void settle(struct queue *q, struct entry *e,
                   const struct store_pending *row)
{
	struct owed o;

	if (row->generation == e->sent_generation) {
		ledger_pending_remove(q->ledger, e->id);
		schedule_remove(&e);
		return;
	}
	owed_init(&o, q->ledger, e->id, 0);
	/* All of it, should what came since have been in it already. */
	if (e->sent_count < o.row.mailbox_count)
		owed_take(&o, 0, e->sent_count);
	e->sent_count = 0;
	e->not_before_ms = 0;
	if (e->fresh_event_ms != 0)
		o.row.event_ms = e->fresh_event_ms;
	schedule_set(e, e->due_ms);
	o.row.attempts = 0;
	o.row.due_ms = wall_due(q, e);
	owed_put(&o, q->ledger);
}

/* postpone: answered, "not now". */
static void postpone(struct queue *q, struct entry *e, uint64_t delay_ms)
{
	struct owed o;

	owed_init(&o, q->ledger, e->id, 0);
	e->sent_count = 0;
	e->not_before_ms = loop_now_ms(q->loop) + delay_ms;
	schedule_set(e, e->not_before_ms);
	o.row.attempts++;
	o.row.due_ms = wall_due(q, e);
	owed_put(&o, q->ledger);
}

/*
 * give_back: the row is as if it had not been sent. It goes before others,
 * but once only: a push that is never answered would keep them waiting.
 */
static void give_back(struct queue *q, struct entry *e)
{
	uint64_t delay_ms = AGAIN_MS;

	e->sent_count = 0;
	if (e->unanswered++ == 0) {
		schedule_first(e);
		return;
	}
	for (uint32_t n = 1; n < e->unanswered && delay_ms < AGAIN_MAX_MS; n++)
		delay_ms *= 2;
	if (delay_ms > AGAIN_MAX_MS)
		delay_ms = AGAIN_MAX_MS;
	e->not_before_ms = loop_now_ms(q->loop) + delay_ms;
	schedule_set(e, e->not_before_ms);
}

/* hold_back: it was refused for what is nobody's fault but ours, and goes
 * after the others, should it be its fault all the same. */
static void hold_back(struct entry *e)
{
	e->sent_count = 0;
	schedule_set(e, 0);
}

/* cease: nothing is owed to a device that can not be rung. */
static void cease(struct queue *q, struct entry *e)
{
	ledger_pending_remove(q->ledger, e->id);
	schedule_remove(&e);
}

/* forget ends the registration. */
static void forget(struct queue *q, struct entry *e)
{
	uint64_t id = e->id;

	schedule_remove(&e);
	registry_remove(q->registry, id);
}

/* say_doubt says, once, that suspicions are not believed. */
static void say_doubt(struct queue *q, const struct push_result *result)
{
	if (q->doubted)
		return;
	q->doubted = true;
	log_error(&q->log,
	          "tokens are refused status=%d reason=%s refused=%zu "
	          "accepted=%zu: no device is removed for it; is this the "
	          "environment, production or development, of the credential?",
	          result->status, result->reason, q->poll.suspect,
	          q->poll.good);
}

/*
 * suspect: APNs does not know the token. Returns whether the answer is to be
 * noted: the first one, from which the time counts.
 */
static bool suspect(struct queue *q, struct entry *e,
                    const struct store_registration *reg,
                    const struct store_pending *row,
                    const struct push_result *result)
{
	bool first = standing_of(reg) != STANDING_SUSPECT;
	int64_t for_ms = loop_wall_ms(q->loop) - reg->last_push_ms;
	bool late = !first && for_ms >= STANDING_SUSPECT_MS;
	bool believed;

	if (first)
		standing_poll_add(&q->poll, STANDING_SUSPECT);
	believed = standing_poll_accepts(&q->poll);
	if (late && believed)
		forget(q, e);
	else
		settle(q, e, row);
	if (!believed && (late || q->poll.suspect >= DOUBTS))
		say_doubt(q, result);
	return first;
}

/* judge does what the verdict says. Returns whether the answer is to be noted
 * in the registration. */
static bool judge(struct queue *q, struct entry *e,
                  const struct store_registration *reg,
                  const struct store_pending *row,
                  const struct push_result *result)
{
	/* It has registered since, maybe for another topic. */
	bool outdated = reg->last_seen_ms > e->sent_ms;

	switch (result->verdict) {
	case PUSH_DELIVERED:
	case PUSH_DROP:
		settle(q, e, row);
		return true;
	case PUSH_LATER:
		postpone(q, e, result->delay_ms);
		if (result->scope == PUSH_SCOPE_DEVICE)
			pace_slow(&q->pace, reg->device_token,
			          e->not_before_ms);
		return true;
	case PUSH_UNREGISTER:
		/* Seen later, it is not gone: the answer is about before. */
		if (reg->last_seen_ms > result->gone_ms)
			settle(q, e, row);
		else
			forget(q, e);
		return true;
	case PUSH_SUSPECT:
		if (!outdated)
			return suspect(q, e, reg, row, result);
		give_back(q, e);
		return false;
	case PUSH_STALE:
		if (outdated)
			give_back(q, e);
		else
			cease(q, e);
		return !outdated;
	case PUSH_AGAIN:
		give_back(q, e);
		return false;
	case PUSH_HOLD:
		hold_back(e);
		return false;
	}
	return false;
}

/* What an answer means for all. */

/* time_push: how long it took since the event that caused it. */
static void time_push(const struct queue *q, const struct store_pending *row)
{
	int64_t ms = loop_wall_ms(q->loop) - row->event_ms;

	metric_observe(METRIC_PUSH, ms > 0 ? (uint64_t)ms : 0);
}

/* count counts an answer, and lets it vote on what is suspicious. */
static void count(struct queue *q, const struct push_result *result)
{
	char labels[80];

	(void)snprintf(labels, sizeof(labels), "status=\"%d\",reason=\"%s\"",
	               result->status, result->reason);
	metric_add_labelled(METRIC_PUSHES, labels, 1);
	if (result->verdict != PUSH_SUSPECT)
		standing_poll_add(&q->poll, result->verdict == PUSH_DELIVERED
		                                    ? STANDING_GOOD
		                                    : STANDING_UNKNOWN);
	if (q->doubted && standing_poll_accepts(&q->poll))
		q->doubted = false;
}

/* hold stops all pushes for a while, and says so when it begins. */
static void hold(struct queue *q, const struct push_result *result)
{
	unsigned long long seconds = result->delay_ms / 1000;

	if (!gate_hold(&q->gate, result->delay_ms))
		return;
	if (result->verdict == PUSH_HOLD)
		log_error(&q->log,
		          "pushes held status=%d reason=%s: the credential is "
		          "refused; one is tried in %llu s, or after a reload",
		          result->status, result->reason, seconds);
	else
		log_warn(&q->log,
		         "pushes held status=%d reason=%s: one is tried in "
		         "%llu s",
		         result->status, result->reason, seconds);
}

/* tell_gate does what an answer means for the pushes to come. */
static void tell_gate(struct queue *q, const struct push_result *result)
{
	if (result->verdict == PUSH_AGAIN)
		gate_wait(&q->gate, AGAIN_MS);
	else if (result->verdict == PUSH_HOLD ||
	         (result->verdict == PUSH_LATER &&
	          result->scope == PUSH_SCOPE_ALL))
		hold(q, result);
	else if (gate_answered(&q->gate))
		log_info(&q->log, "pushes go on");
}

static void on_done(void *arg, uint64_t id, const struct push_result *result)
{
	struct queue *q = arg;
	struct entry *e = schedule_find(&q->schedule, id);
	const struct store_registration *reg;
	const struct store_pending *row;

	assert(e != NULL && e->state == ENTRY_IN_FLIGHT);
	tell_gate(q, result);
	if (result->status != 0) {
		count(q, result);
		e->unanswered = 0;
	}
	reg = ledger_registration(q->ledger, id);
	row = ledger_pending(q->ledger, id);
	if (reg == NULL || row == NULL) {
		schedule_remove(&e); /* unregistered meanwhile */
		return;
	}
	log_debug(&q->log, "push answered status=%d reason=%s attempts=%u",
	          result->status, result->reason, row->attempts);
	if (result->verdict == PUSH_DELIVERED)
		time_push(q, row);
	if (judge(q, e, reg, row, result) && result->status != 0)
		registry_pushed(q->registry, id, result->status,
		                result->reason);
	ledger_flush(q->ledger, NULL, NULL);
	pump_later(q);
}

/* Rows of the store. */

static int by_due(const void *pa, const void *pb)
{
	const struct store_pending *a = pa;
	const struct store_pending *b = pb;

	return (a->due_ms > b->due_ms) - (a->due_ms < b->due_ms);
}

/* collect makes an array of all rows; what they point to stays the ledger's. */
static struct store_pending *collect(const struct queue *q)
{
	struct store_pending *rows =
		xcalloc(ledger_pending_count(q->ledger), sizeof(*rows));
	const struct ledger_user *u = ledger_user_first(q->ledger);
	size_t count = 0;

	for (; u != NULL; u = ledger_user_next(u)) {
		const struct store_registration *reg =
			ledger_registration_first(u);

		for (; reg != NULL; reg = ledger_registration_next(reg)) {
			const struct store_pending *row =
				ledger_pending(q->ledger, reg->id);

			if (row != NULL)
				rows[count++] = *row;
		}
	}
	return rows;
}

/* adopt makes an entry for a row that was read, or hastens the one there is. */
static void adopt(struct queue *q, const struct store_pending *row)
{
	int64_t max = row->attempts > 0 ? DELAY_MAX_MS : WINDOW_MAX_MS;
	int64_t delay = row->due_ms - loop_wall_ms(q->loop);
	struct entry *e = schedule_find(&q->schedule, row->registration_id);
	uint64_t due;

	if (delay < 0)
		delay = 0;
	if (delay > max)
		delay = max;
	due = loop_now_ms(q->loop) + (uint64_t)delay;
	if (e == NULL) {
		e = schedule_add(&q->schedule, row->registration_id);
		if (row->attempts > 0)
			e->not_before_ms = due;
	}
	schedule_advance(e, due);
}

static void on_loaded(void *arg)
{
	struct queue *q = arg;
	size_t count = ledger_pending_count(q->ledger);
	struct store_pending *rows = collect(q);

	qsort(rows, count, sizeof(*rows), by_due);
	for (size_t i = 0; i < count; i++)
		adopt(q, &rows[i]);
	free(rows);
}

/* Life. */

/* use takes a transport into use, if there is one. */
static void use(struct queue *q, struct push_transport *transport)
{
	q->transport = transport;
	if (transport != NULL)
		transport->ops->on_ready(transport, on_ready, q);
}

void queue_mend(struct queue *q, struct push_transport *transport)
{
	if (transport != q->transport)
		use(q, transport);
	gate_mend(&q->gate);
	pump_later(q);
}

struct queue *queue_new(struct loop *loop, struct ledger *ledger,
                        struct registry *registry,
                        struct push_transport *transport)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	q->log.area = LOG_PUSH;
	/* What appears with its first count has no rate. */
	metric_add_labelled(METRIC_PUSHES, "status=\"200\",reason=\"\"", 0);
	q->loop = loop;
	q->ledger = ledger;
	q->registry = registry;
	gate_init(&q->gate, loop, pump_later, q);
	schedule_init(&q->schedule, loop, pump_later, q);
	use(q, transport);
	ledger_on_loaded(ledger, on_loaded, q);
	return q;
}

void queue_free(struct queue **queue)
{
	struct queue *q = *queue;

	if (q == NULL)
		return;
	loop_defer_cancel(q->loop, on_pump, q);
	schedule_done(&q->schedule);
	gate_done(&q->gate);
	pace_done(&q->pace);
	free(q);
	*queue = NULL;
}
