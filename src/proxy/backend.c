/* SPDX-License-Identifier: ISC */
/*
 * backend - the probe: a connection of our own that reads the greeting, asks
 * CAPABILITY and leaves. What was learnt stays until the next probe succeeds,
 * so that a short fault changes nothing.
 */
#include "proxy/backend.h"

#include <stdlib.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "imap/opening.h"
#include "imap/reader.h"

/* How old the lists may get. */
#define BACKEND_FRESH_MS ((uint64_t)300 * 1000)

/* While the backend does not answer. */
#define BACKEND_RETRY_MIN_MS 1000
#define BACKEND_RETRY_MAX_MS 60000

/* One probe, the connection included. */
#define BACKEND_PROBE_MS ((uint64_t)10 * 1000)

#define BACKEND_LIST_MAX ((size_t)8192)
#define BACKEND_RESPONSE_MAX ((size_t)64 * 1024)

/* A probe that is under way. */
struct probe {
	struct dial *dial;
	struct stream *stream;
	struct imap_opening opening;
	struct imap_reader reader;
};

struct backend {
	struct log_ctx log;
	struct loop *loop;
	struct resolver *resolver;
	struct dial_target target;
	const struct imap_capability_policy *policy;
	struct err_detail name;
	struct loop_timer *timer; /* the probe's deadline, or the next one */
	struct backoff backoff;
	struct probe *probe;
	bool is_known;
	bool is_down;
	struct buf own;        /* what the backend itself listed, both lists */
	struct buf greeting;   /* edited */
	struct buf capability; /* edited */
};

static void probe_free(struct probe **p)
{
	if (*p == NULL)
		return;
	if ((*p)->dial != NULL)
		dial_cancel(&(*p)->dial);
	if ((*p)->stream != NULL)
		stream_close(&(*p)->stream);
	imap_opening_done(&(*p)->opening);
	imap_reader_done(&(*p)->reader);
	free(*p);
	*p = NULL;
}

/* probe_failed: what is known stays; the next try comes with a delay. */
static void probe_failed(struct backend *b, const char *why)
{
	uint32_t random;

	if (!b->is_down)
		log_warn(&b->log, "backend %s: %s", b->name.text, why);
	else
		log_debug(&b->log, "backend %s: %s", b->name.text, why);
	b->is_down = true;
	probe_free(&b->probe); /* owns |why| */
	rand_bytes(&random, sizeof(random));
	loop_timer_set(b->timer, backoff_next(&b->backoff, random));
}

/* edit makes |out| the list that is shown for the backend's |words|; a list
 * that does not fit leaves the old one. */
static void edit(struct backend *b, struct str words, struct buf *out)
{
	struct buf list;

	buf_init(&list, BACKEND_LIST_MAX);
	if (imap_capability_prelogin(words, b->policy, &list) != 0) {
		log_warn(&b->log, "backend %s: capability list too long",
		         b->name.text);
		buf_reset(&list);
		return;
	}
	buf_reset(out);
	*out = list;
}

/* learn takes over what a probe found. */
static void learn(struct backend *b, const struct imap_opening *o)
{
	/* A backend whose greeting has no list is asked by its clients. */
	struct str greeting = o->greeting_list.len > 0
	                              ? buf_str(&o->greeting_list)
	                              : buf_str(&o->list);

	buf_reset(&b->own);
	if (buf_add(&b->own, buf_str(&o->greeting_list)) != 0 ||
	    buf_adds(&b->own, " ") != 0 ||
	    buf_add(&b->own, buf_str(&o->list)) != 0)
		log_debug(&b->log, "backend %s: list cut", b->name.text);
	edit(b, greeting, &b->greeting);
	edit(b, buf_str(&o->list), &b->capability);
	if (b->is_down || !b->is_known)
		log_info(&b->log, "backend %s: up", b->name.text);
	b->is_known = true;
	b->is_down = false;
}

static void probe_done(struct backend *b)
{
	learn(b, &b->probe->opening);
	/* Politely; what it answers nobody reads. */
	if (stream_write(b->probe->stream, STR("z LOGOUT\r\n")) != 0)
		log_debug(&b->log, "backend %s: gone", b->name.text);
	probe_free(&b->probe);
	backoff_reset(&b->backoff);
	loop_timer_set(b->timer, BACKEND_FRESH_MS);
}

/* on_response returns whether the probe goes on. */
static bool on_response(struct backend *b, struct str response)
{
	struct probe *p = b->probe;
	bool for_client;
	struct buf send;
	int rc;

	buf_init(&send, BACKEND_LIST_MAX);
	(void)imap_opening_feed(&p->opening, response, &send, &for_client);
	rc = stream_write(p->stream, buf_str(&send));
	buf_reset(&send);
	if (rc != 0)
		probe_failed(b, "connection lost");
	else if (p->opening.state == IMAP_OPENING_FAILED)
		probe_failed(b, p->opening.why.text);
	else if (p->opening.state == IMAP_OPENING_PROBED)
		probe_done(b);
	return b->probe != NULL;
}

static size_t on_data(void *arg, struct str bytes)
{
	struct backend *b = arg;
	struct str in = bytes;
	struct str response;
	int rc = 0;

	while (b->probe != NULL) {
		rc = imap_reader_next(&b->probe->reader, &in, &response);
		if (rc != 0 || !on_response(b, response))
			break;
	}
	if (b->probe != NULL && rc != ERR_MORE)
		probe_failed(b, "it does not speak IMAP");
	return bytes.len;
}

static void on_eof(void *arg)
{
	probe_failed(arg, "it closed the connection");
}

static void on_error(void *arg, int rc, const char *why)
{
	(void)rc; /* said in |why| */
	probe_failed(arg, why);
}

static const struct stream_handler handler = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_error = on_error,
};

static void on_dialled(void *arg, int rc, struct stream *stream,
                       const char *why)
{
	struct backend *b = arg;

	b->probe->dial = NULL;
	if (rc != 0) {
		probe_failed(b, why);
		return;
	}
	b->probe->stream = stream;
	stream_set_handler(stream, &handler, b);
}

static void probe_start(struct backend *b)
{
	struct imap_opening_opts opts = { .login = NULL };

	b->probe = xcalloc(1, sizeof(*b->probe));
	imap_opening_init(&b->probe->opening, &opts);
	imap_reader_init(&b->probe->reader, BACKEND_RESPONSE_MAX);
	b->probe->dial = dial_start(b->loop, b->resolver, &b->target,
	                            BACKEND_PROBE_MS, on_dialled, b);
	/* Longer than the dial's own deadline, whose sentence says more. */
	loop_timer_set(b->timer, BACKEND_PROBE_MS * 2);
}

static void on_timer(void *arg)
{
	struct backend *b = arg;

	if (b->probe != NULL)
		probe_failed(b, "no answer in time");
	else
		probe_start(b);
}

struct backend *backend_new(struct loop *loop, struct resolver *resolver,
                            const struct dial_target *target,
                            const struct imap_capability_policy *policy)
{
	struct backend *b = xcalloc(1, sizeof(*b));

	b->log = (struct log_ctx){ .area = LOG_PROXY };
	b->loop = loop;
	b->resolver = resolver;
	b->target = *target;
	b->policy = policy;
	(void)err_set(&b->name, 0, "%s:%u", target->host,
	              (unsigned)target->port);
	backoff_init(&b->backoff, BACKEND_RETRY_MIN_MS, BACKEND_RETRY_MAX_MS);
	buf_init(&b->own, 2 * BACKEND_LIST_MAX);
	buf_init(&b->greeting, BACKEND_LIST_MAX);
	buf_init(&b->capability, BACKEND_LIST_MAX);
	edit(b, STR_NULL, &b->greeting);
	edit(b, STR_NULL, &b->capability);
	b->timer = loop_timer_new(loop, on_timer, b);
	probe_start(b);
	return b;
}

void backend_free(struct backend **bp)
{
	struct backend *b = *bp;

	if (b == NULL)
		return;
	probe_free(&b->probe);
	loop_timer_free(&b->timer);
	buf_reset(&b->own);
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
	return buf_str(&b->greeting);
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
	return imap_capability_has(buf_str(&b->own), word);
}
