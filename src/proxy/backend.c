/* SPDX-License-Identifier: ISC */
/*
 * backend - probes, one after the other. What was learnt stays until the next
 * one succeeds, so that a short fault changes nothing.
 */
#include "proxy/backend.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "imap/capability.h"
#include "proxy/probe.h"

/* How old the lists may get. */
#define BACKEND_FRESH_MS ((uint64_t)300 * 1000)

/* While the backend does not answer. */
#define BACKEND_RETRY_MIN_MS 1000
#define BACKEND_RETRY_MAX_MS 60000

/* The connection of a probe, and as much again for the answers. */
#define BACKEND_PROBE_MS ((uint64_t)10 * 1000)

#define BACKEND_LIST_MAX ((size_t)8192)

struct backend {
	struct log_ctx log;
	struct loop *loop;
	struct resolver *resolver;
	struct dial_target target;
	struct err_detail name;
	struct loop_timer *timer; /* until the next probe */
	struct backoff backoff;
	struct probe *probe; /* under way, or NULL */
	bool is_known;
	bool is_down;
	struct buf greeting; /* the lists, as the backend has them */
	struct buf capability;
};

/* probe_failed: what is known stays; the next try comes with a delay. */
static void probe_failed(struct backend *b, const char *why)
{
	uint32_t random;

	if (!b->is_down)
		log_warn(&b->log, "backend %s: %s", b->name.text, why);
	else
		log_debug(&b->log, "backend %s: %s", b->name.text, why);
	b->is_down = true;
	rand_bytes(&random, sizeof(random));
	loop_timer_set(b->timer, backoff_next(&b->backoff, random));
}

/* keep makes |out| the list |words|; one that does not fit leaves the old. */
static void keep(struct backend *b, struct str words, struct buf *out)
{
	struct buf list;

	buf_init(&list, BACKEND_LIST_MAX);
	if (buf_add(&list, words) != 0) {
		log_warn(&b->log, "backend %s: capability list too long",
		         b->name.text);
		return;
	}
	buf_reset(out);
	*out = list;
}

/* learn takes over what a probe found. */
static void learn(struct backend *b, const struct imap_opening *o)
{
	keep(b, buf_str(&o->greeting_list), &b->greeting);
	keep(b, buf_str(&o->list), &b->capability);
	if (b->is_down || !b->is_known)
		log_info(&b->log, "backend %s: up", b->name.text);
	b->is_known = true;
	b->is_down = false;
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
	loop_timer_set(b->timer, BACKEND_FRESH_MS);
}

static void start_probe(void *arg)
{
	struct backend *b = arg;

	b->probe = probe_start(b->loop, b->resolver, &b->target,
	                       BACKEND_PROBE_MS, on_probed, b);
}

struct backend *backend_new(struct loop *loop, struct resolver *resolver,
                            const struct dial_target *target)
{
	struct backend *b = xcalloc(1, sizeof(*b));

	b->log = (struct log_ctx){ .area = LOG_PROXY };
	b->loop = loop;
	b->resolver = resolver;
	b->target = *target;
	(void)err_set(&b->name, 0, "%s:%u", target->host,
	              (unsigned)target->port);
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
	return &b->target;
}

const char *backend_name(const struct backend *b)
{
	return b->name.text;
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

bool backend_has(const struct backend *b, struct str word)
{
	return imap_capability_has(buf_str(&b->greeting), word) ||
	       imap_capability_has(buf_str(&b->capability), word);
}
