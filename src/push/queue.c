/* SPDX-License-Identifier: ISC */
/*
 * queue - the ledger has the rows; here is what need not survive: which of
 * them wait, are ready or in flight. Times here are monotonic, those of rows
 * the wall's, so that a jump of the clock delays nothing.
 */
#include "push/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "push/owed.h"

enum {
	SENDS_PER_TURN = 256,
	AGAIN_MS = 1000,      /* between tries that nobody answers */
	STUCK_MS = 60 * 1000, /* should the transport forget to call */
};

#define DELAY_MAX_MS ((int64_t)24 * 3600 * 1000) /* of a row that is read */
#define NEVER_MS UINT64_MAX

enum entry_state {
	ENTRY_NEW,
	ENTRY_WAITING,  /* for its timer */
	ENTRY_READY,    /* for the transport */
	ENTRY_IN_FLIGHT /* for its answer */
};

/* What is owed to one registration. The first |sent_count| mailboxes of its
 * row are in the push that is in flight; what came since stands behind. */
struct entry {
	struct queue *queue;
	uint64_t id;
	enum entry_state state;
	uint64_t due_ms; /* in flight: of what came since, or NEVER_MS */
	uint64_t not_before_ms;
	uint64_t sent_generation;
	size_t sent_count;
	int64_t fresh_event_ms; /* of the first event since, 0: none */
	struct loop_timer *timer;
	TAILQ_ENTRY(entry) ready;
	UT_hash_handle hh;
};

TAILQ_HEAD(entry_list, entry);

/* Whether the transport is worth a try. */
enum gate {
	GATE_OPEN,
	GATE_WAITING, /* for its call or the timer */
	GATE_HELD     /* for its call alone */
};

struct queue {
	struct log_ctx log;
	struct loop *loop;
	struct ledger *ledger;
	struct registry *registry;
	struct push_transport *transport;
	enum gate gate;
	struct loop_timer *gate_timer;
	bool pumping;          /* on_pump is asked for */
	struct entry *entries; /* hash */
	struct entry_list ready;
};

/* Entries. */

static struct entry *find_entry(const struct queue *q, uint64_t id)
{
	struct entry *e;

	HASH_FIND(hh, q->entries, &id, sizeof(id), e);
	return e;
}

static struct entry *new_entry(struct queue *q, uint64_t id)
{
	struct entry *e = xcalloc(1, sizeof(*e));

	e->queue = q;
	e->id = id;
	HASH_ADD(hh, q->entries, id, sizeof(e->id), e);
	return e;
}

/* leave takes an entry out of where its state has it. */
static void leave(struct entry *e)
{
	if (e->state == ENTRY_READY)
		TAILQ_REMOVE(&e->queue->ready, e, ready);
	else if (e->state == ENTRY_WAITING)
		loop_timer_cancel(e->timer);
}

static void free_entry(struct entry *e)
{
	leave(e);
	loop_timer_free(&e->timer);
	HASH_DELETE(hh, e->queue->entries, e);
	free(e);
}

static void on_pump(void *arg);

static void pump_later(struct queue *q)
{
	if (q->pumping)
		return;
	q->pumping = true;
	loop_defer(q->loop, on_pump, q);
}

/* be_ready puts an entry at the end of the list, or |first|. */
static void be_ready(struct entry *e, bool first)
{
	leave(e);
	e->state = ENTRY_READY;
	if (first)
		TAILQ_INSERT_HEAD(&e->queue->ready, e, ready);
	else
		TAILQ_INSERT_TAIL(&e->queue->ready, e, ready);
	pump_later(e->queue);
}

static void on_due(void *arg)
{
	be_ready(arg, false);
}

/* schedule makes an entry ready at |due_ms|. */
static void schedule(struct entry *e, uint64_t due_ms)
{
	uint64_t now = loop_now_ms(e->queue->loop);

	if (due_ms < e->not_before_ms)
		due_ms = e->not_before_ms;
	e->due_ms = due_ms;
	if (due_ms <= now) {
		be_ready(e, false);
		return;
	}
	leave(e);
	e->state = ENTRY_WAITING;
	if (e->timer == NULL)
		e->timer = loop_timer_new(e->queue->loop, on_due, e);
	loop_timer_set(e->timer, due_ms - now);
}

/* advance makes an entry due at |due_ms| if that is earlier. */
static void advance(struct entry *e, uint64_t due_ms)
{
	if (due_ms < e->not_before_ms)
		due_ms = e->not_before_ms;
	switch (e->state) {
	case ENTRY_NEW:
		schedule(e, due_ms);
		break;
	case ENTRY_WAITING:
		if (due_ms < e->due_ms)
			schedule(e, due_ms);
		break;
	case ENTRY_READY:
		break;
	case ENTRY_IN_FLIGHT:
		if (due_ms < e->due_ms)
			e->due_ms = due_ms;
		break;
	}
}

/* wall_due is an entry's due time as a row has it. */
static int64_t wall_due(const struct entry *e)
{
	uint64_t now = loop_now_ms(e->queue->loop);
	uint64_t left = e->due_ms > now ? e->due_ms - now : 0;

	return loop_wall_ms(e->queue->loop) + (int64_t)left;
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
	struct entry *e = find_entry(q, registration_id);
	struct owed o;

	if (ledger_registration(q->ledger, registration_id) == NULL)
		return;
	if (e == NULL)
		e = new_entry(q, registration_id);
	owed_init(&o, q->ledger, registration_id, wall);
	o.row.generation++;
	add_fresh(e, &o, mailbox);
	if (e->state == ENTRY_IN_FLIGHT && e->fresh_event_ms == 0)
		e->fresh_event_ms = wall;
	advance(e, loop_now_ms(q->loop) + delay_ms);
	o.row.due_ms = wall_due(e);
	owed_put(&o, q->ledger);
	ledger_flush(q->ledger, NULL, NULL);
}

void queue_hasten(struct queue *q, uint64_t registration_id)
{
	struct entry *e = find_entry(q, registration_id);

	/* In flight: only if something came since. */
	if (e != NULL && e->due_ms != NEVER_MS)
		advance(e, loop_now_ms(q->loop));
}

size_t queue_depth(const struct queue *q)
{
	return ledger_pending_count(q->ledger);
}

/* Sending. */

static void set_gate(struct queue *q, enum gate gate, uint64_t retry_ms)
{
	if (q->gate == GATE_HELD && gate == GATE_WAITING)
		return;
	q->gate = gate;
	if (gate == GATE_WAITING)
		loop_timer_set(q->gate_timer, retry_ms);
	else
		loop_timer_cancel(q->gate_timer);
}

static void on_ready(void *arg)
{
	struct queue *q = arg;

	set_gate(q, GATE_OPEN, 0);
	pump_later(q);
}

static void on_done(void *arg, uint64_t id, const struct push_result *result);

/* send gives one row to the transport. Results: 0; ERR_UNAVAILABLE. */
static int send(struct entry *e, const struct store_registration *reg,
                const struct store_pending *row)
{
	struct queue *q = e->queue;
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
	leave(e);
	e->state = ENTRY_IN_FLIGHT;
	e->due_ms = NEVER_MS;
	e->sent_generation = row->generation;
	e->sent_count = row->mailbox_count;
	e->fresh_event_ms = 0;
	return ERR_OK;
}

static void on_pump(void *arg)
{
	struct queue *q = arg;
	struct entry *e;
	int left = SENDS_PER_TURN;

	q->pumping = false;
	while (q->transport != NULL && q->gate == GATE_OPEN &&
	       (e = TAILQ_FIRST(&q->ready)) != NULL) {
		const struct store_registration *reg =
			ledger_registration(q->ledger, e->id);
		const struct store_pending *row =
			ledger_pending(q->ledger, e->id);

		if (left-- == 0) {
			pump_later(q); /* others have work to do too */
			return;
		}
		if (reg == NULL || row == NULL)
			free_entry(e); /* unregistered meanwhile */
		else if (send(e, reg, row) != ERR_OK)
			set_gate(q, GATE_WAITING, STUCK_MS);
	}
}

/* Verdicts. */

/*
 * settle: the push that was in flight needs no other. The row goes, unless
 * something came since: then that is left.
 */
static void settle(struct entry *e, const struct store_pending *row)
{
	struct queue *q = e->queue;
	struct owed o;

	if (row->generation == e->sent_generation) {
		ledger_pending_remove(q->ledger, e->id);
		free_entry(e);
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
	schedule(e, e->due_ms);
	o.row.attempts = 0;
	o.row.due_ms = wall_due(e);
	owed_put(&o, q->ledger);
}

/* postpone: answered, "not now". */
static void postpone(struct entry *e, uint64_t delay_ms)
{
	struct queue *q = e->queue;
	struct owed o;

	owed_init(&o, q->ledger, e->id, 0);
	e->sent_count = 0;
	e->not_before_ms = loop_now_ms(q->loop) + delay_ms;
	schedule(e, e->not_before_ms);
	o.row.attempts++;
	o.row.due_ms = wall_due(e);
	owed_put(&o, q->ledger);
}

/* give_back: the row is as if it had not been sent. */
static void give_back(struct entry *e)
{
	e->sent_count = 0;
	e->due_ms = loop_now_ms(e->queue->loop);
	be_ready(e, true);
}

/* unregister: the device is gone since |gone_ms|, unless it was seen later
 * (then the answer is about a time before that). */
static void unregister(struct entry *e, const struct store_registration *reg,
                       const struct store_pending *row, int64_t gone_ms)
{
	struct queue *q = e->queue;

	if (reg->last_seen_ms > gone_ms) {
		settle(e, row);
		return;
	}
	free_entry(e);
	registry_remove(q->registry, reg->id);
}

static void judge(struct entry *e, const struct store_registration *reg,
                  const struct store_pending *row,
                  const struct push_result *result)
{
	struct queue *q = e->queue;

	switch (result->verdict) {
	case PUSH_DELIVERED:
	case PUSH_DROP:
		settle(e, row);
		break;
	case PUSH_LATER:
		postpone(e, result->delay_ms);
		break;
	case PUSH_UNREGISTER:
		unregister(e, reg, row, result->gone_ms);
		break;
	case PUSH_AGAIN:
		give_back(e);
		set_gate(q, GATE_WAITING, AGAIN_MS);
		break;
	case PUSH_HOLD:
		give_back(e);
		set_gate(q, GATE_HELD, 0);
		break;
	}
}

static void on_done(void *arg, uint64_t id, const struct push_result *result)
{
	struct queue *q = arg;
	struct entry *e = find_entry(q, id);
	const struct store_registration *reg;
	const struct store_pending *row;

	assert(e != NULL && e->state == ENTRY_IN_FLIGHT);
	if (result->status != 0)
		registry_pushed(q->registry, id, result->status,
		                result->reason);
	reg = ledger_registration(q->ledger, id);
	row = ledger_pending(q->ledger, id);
	if (reg == NULL || row == NULL) {
		free_entry(e); /* unregistered meanwhile */
		return;
	}
	log_debug(&q->log, "push answered status=%d reason=%s attempts=%u",
	          result->status, result->reason, row->attempts);
	judge(e, reg, row, result);
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
	int64_t delay = row->due_ms - loop_wall_ms(q->loop);
	struct entry *e = find_entry(q, row->registration_id);
	uint64_t due;

	if (delay < 0)
		delay = 0;
	if (delay > DELAY_MAX_MS)
		delay = DELAY_MAX_MS;
	due = loop_now_ms(q->loop) + (uint64_t)delay;
	if (e == NULL) {
		e = new_entry(q, row->registration_id);
		if (row->attempts > 0)
			e->not_before_ms = due;
	}
	advance(e, due);
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

/* on_gate is the timer: one try without a call. */
static void on_gate(void *arg)
{
	on_ready(arg);
}

struct queue *queue_new(struct loop *loop, struct ledger *ledger,
                        struct registry *registry,
                        struct push_transport *transport)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	q->log.area = LOG_PUSH;
	q->loop = loop;
	q->ledger = ledger;
	q->registry = registry;
	q->transport = transport;
	q->gate_timer = loop_timer_new(loop, on_gate, q);
	TAILQ_INIT(&q->ready);
	if (transport != NULL)
		transport->ops->on_ready(transport, on_ready, q);
	ledger_on_loaded(ledger, on_loaded, q);
	return q;
}

void queue_free(struct queue **queue)
{
	struct queue *q = *queue;
	struct entry *e;
	struct entry *next;

	if (q == NULL)
		return;
	loop_defer_cancel(q->loop, on_pump, q);
	loop_timer_free(&q->gate_timer);
	HASH_ITER(hh, q->entries, e, next)
		free_entry(e);
	free(q);
	*queue = NULL;
}
