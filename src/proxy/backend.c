/* SPDX-License-Identifier: ISC */
/*
 * backend - probes, one after the other. What was learnt stays until the next
 * one succeeds, so that a short fault changes nothing of what is listed.
 */
#include "proxy/backend.h"

#include <assert.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"
#include "imap/capability.h"
#include "net/address.h"
#include "proxy/probe.h"

/* While it is down: nobody waits much longer than that for its return. */
#define BACKEND_RETRY_MIN_MS 1000
#define BACKEND_RETRY_MAX_MS 8000

/* The connection of a probe, and as much again for the answers. */
#define BACKEND_PROBE_MS ((uint64_t)10 * 1000)

enum backend_state {
	BACKEND_NEW, /* not heard of yet */
	BACKEND_UP,
	BACKEND_DOWN,
	BACKEND_STATES
};

#define TO(state) (1U << BACKEND_##state)

static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[BACKEND_NEW] = { "new", TO(UP) | TO(DOWN) },
	[BACKEND_UP] = { "up", TO(DOWN) },
	[BACKEND_DOWN] = { "down", TO(UP) },
};

static_assert(sizeof(states) / sizeof(states[0]) == BACKEND_STATES,
              "every state has a name");

struct backend {
	struct log_ctx log;
	struct loop *loop;
	struct resolver *resolver;
	const struct dial_target *target;
	uint64_t fresh_ms; /* how old the lists may get */
	loop_fn *changed;
	void *arg;
	char name[ADDRESS_NAME_MAX];
	struct loop_timer *timer; /* until the next probe */
	struct backoff backoff;
	struct probe *probe; /* under way, or NULL */
	enum backend_state state;
	bool is_known;       /* a probe succeeded: the lists */
	bool answered;       /* a login, since the probe began */
	struct buf greeting; /* the lists, as the backend has them */
	struct buf capability;
};

static void backend_set_state(struct backend *b, enum backend_state to)
{
	assert(states[b->state].to & (1U << to));
	log_debug(&b->log, "backend %s: %s -> %s", b->name,
	          states[b->state].name, states[to].name);
	b->state = to;
	b->changed(b->arg);
}

/* set_down says |why| once. */
static void set_down(struct backend *b, const char *why)
{
	if (b->state == BACKEND_DOWN) {
		log_debug(&b->log, "backend %s: %s", b->name, why);
		return;
	}
	log_error(&b->log, "backend %s is down: %s", b->name, why);
	backend_set_state(b, BACKEND_DOWN);
}

/* seen: it answered just now. */
static void seen(const struct backend *b)
{
	metric_set(METRIC_BACKEND_SEEN_MS, (int64_t)loop_now_ms(b->loop));
}

static void set_up(struct backend *b)
{
	if (b->state == BACKEND_UP)
		return;
	log_info(&b->log, "backend %s is up", b->name);
	backend_set_state(b, BACKEND_UP);
}

/* probe_failed: it is down, unless it was up for somebody else meanwhile. */
static void probe_failed(struct backend *b, const char *why)
{
	if (b->answered && b->state == BACKEND_UP)
		log_warn(&b->log, "backend %s: the probe failed: %s", b->name,
		         why);
	else
		set_down(b, why);
	loop_timer_set(b->timer,
	               backoff_next(&b->backoff, rand_below(UINT32_MAX)));
}

/* keep makes |out| the list |words|; one that does not fit leaves the old. */
static void keep(struct backend *b, struct str words, struct buf *out)
{
	struct buf list;

	buf_init(&list, BACKEND_LIST_MAX);
	if (buf_add(&list, words) != 0) {
		log_warn(&b->log, "backend %s: capability list too long",
		         b->name);
		return;
	}
	buf_reset(out);
	*out = list;
}

/* complain_of_id says, while it is so, that nobody is told whose logins these
 * are. */
static void complain_of_id(const struct backend *b)
{
	if (b->target->forward == DIAL_FORWARD_ID && b->state != BACKEND_UP &&
	    !backend_has(b, STR("ID")))
		log_error(
			&b->log,
			"backend %s has no ID: backend.forward = \"id\" tells "
			"it no address",
			b->name);
}

/* learn takes over what a probe found. */
static void learn(struct backend *b, const struct imap_opening *o)
{
	keep(b, buf_str(&o->greeting_list), &b->greeting);
	keep(b, buf_str(&o->list), &b->capability);
	b->is_known = true;
	seen(b);
	complain_of_id(b);
	set_up(b);
	b->changed(b->arg); /* the lists */
}

static void on_probed(void *arg, const struct imap_opening *opening,
                      const struct stream *stream, const char *why)
{
	struct backend *b = arg;

	(void)stream;
	b->probe = NULL;
	if (opening == NULL) {
		probe_failed(b, why);
		return;
	}
	learn(b, opening);
	backoff_reset(&b->backoff);
	loop_timer_set(b->timer, b->fresh_ms);
}

static void start_probe(void *arg)
{
	struct backend *b = arg;

	b->answered = false;
	b->probe = probe_start(b->loop, b->resolver, b->target,
	                       BACKEND_PROBE_MS, on_probed, b);
}

/* probe_now does not wait for the timer. */
static void probe_now(struct backend *b)
{
	if (b->probe != NULL)
		return;
	loop_timer_cancel(b->timer);
	start_probe(b);
}

struct backend *backend_new(struct loop *loop, struct resolver *resolver,
                            const struct dial_target *target, uint64_t fresh_ms,
                            loop_fn *changed, void *arg)
{
	struct backend *b = xcalloc(1, sizeof(*b));

	b->log = (struct log_ctx){ .area = LOG_PROXY };
	b->loop = loop;
	b->resolver = resolver;
	b->target = target;
	b->fresh_ms = fresh_ms;
	b->changed = changed;
	b->arg = arg;
	(void)address_name(target->host, target->port, b->name);
	backoff_init(&b->backoff, BACKEND_RETRY_MIN_MS, BACKEND_RETRY_MAX_MS);
	buf_init(&b->greeting, BACKEND_LIST_MAX);
	buf_init(&b->capability, BACKEND_LIST_MAX);
	b->timer = loop_timer_new(loop, start_probe, b);
	start_probe(b);
	return b;
}

void backend_free(struct backend **bp)
{
	struct backend *b = *bp;

	if (b == NULL)
		return;
	probe_cancel(&b->probe);
	loop_timer_free(&b->timer);
	buf_reset(&b->greeting);
	buf_reset(&b->capability);
	free(b);
	*bp = NULL;
}

const struct dial_target *backend_target(const struct backend *b)
{
	return b->target;
}

const char *backend_name(const struct backend *b)
{
	return b->name;
}

struct str backend_greeting(const struct backend *b)
{
	/* A backend whose greeting has no list is asked by its clients. */
	return buf_str(b->greeting.len > 0 ? &b->greeting : &b->capability);
}

struct str backend_capability(const struct backend *b)
{
	return buf_str(&b->capability);
}

bool backend_is_known(const struct backend *b)
{
	return b->is_known;
}

bool backend_is_down(const struct backend *b)
{
	return b->state == BACKEND_DOWN;
}

bool backend_is_up(const struct backend *b)
{
	return b->state == BACKEND_UP;
}

void backend_unreached(struct backend *b, const char *why)
{
	if (b->state == BACKEND_DOWN)
		return; /* it was dialled before that */
	set_down(b, why);
	probe_now(b);
}

void backend_doubt(struct backend *b)
{
	if (b->state != BACKEND_DOWN)
		probe_now(b);
}

void backend_answered(struct backend *b)
{
	b->answered = true;
	seen(b);
	if (b->state == BACKEND_NEW)
		set_up(b);
}

bool backend_has(const struct backend *b, struct str word)
{
	return imap_capability_has(buf_str(&b->greeting), word) ||
	       imap_capability_has(buf_str(&b->capability), word);
}
