/* SPDX-License-Identifier: ISC */
/*
 * link - a connection counts as open when the peer's SETTINGS came: with TLS
 * 1.3 a refused client certificate shows only after the handshake. Apple takes
 * rapid connects for an attack, so every connection that was of no use doubles
 * the wait before the next one.
 */
#include "apns/link.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "apns/reply.h"
#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/dial.h"

enum {
	DIAL_MS = 25 * 1000, /* name, each address, TLS */
	SETTINGS_MS = 10 * 1000,
	BACKOFF_MIN_MS = 1000,
	BACKOFF_MAX_MS = 60 * 1000,
	HOLD_MS = 5 * 60 * 1000, /* after our certificate was refused */
	UNWELL_MAX = 3,          /* answers in a row */
	USEFUL_MS = 60 * 1000,   /* a connection that stood so long was good */
	IDLE_MS = 5 * 60 * 1000, /* then a PING goes ahead of the request */
	PAUSE_MIN_MS = 500,      /* after streams reset on a live connection */
	PAUSE_MAX_MS = 60 * 1000,
	COMPLAIN_MS = 10 * 60 * 1000, /* the same failure is said so often */
};

enum link_state {
	LINK_IDLE,    /* no connection, nothing wants one */
	LINK_WAITING, /* for the back-off */
	LINK_DIALLING,
	LINK_SETTLING, /* until SETTINGS */
	LINK_READY,
	LINK_CLOSING,
	LINK_STATES
};

#define TO(state) (1U << (state))

static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[LINK_IDLE] = { "idle", TO(LINK_WAITING) | TO(LINK_DIALLING) |
	                                TO(LINK_CLOSING) },
	[LINK_WAITING] = { "waiting", TO(LINK_DIALLING) | TO(LINK_IDLE) |
	                                      TO(LINK_CLOSING) },
	[LINK_DIALLING] = { "dialling", TO(LINK_SETTLING) | TO(LINK_IDLE) |
	                                        TO(LINK_CLOSING) },
	[LINK_SETTLING] = { "settling",
	                    TO(LINK_READY) | TO(LINK_IDLE) | TO(LINK_CLOSING) },
	[LINK_READY] = { "ready", TO(LINK_IDLE) | TO(LINK_CLOSING) },
	[LINK_CLOSING] = { "closing", 0 },
};

static_assert(sizeof(states) / sizeof(states[0]) == LINK_STATES,
              "every state has its moves");

/* One HTTP/2 connection: the current one, or one that drains. */
struct connection {
	struct apns_link *link;
	struct h2 *h2;
	uint64_t ready_ms; /* 0: SETTINGS have not come */
	uint64_t used_ms;
	bool has_answered; /* a request, well */
	unsigned unwell;   /* answers in a row that were not */
	LIST_ENTRY(connection) all;
};

/* One request until its answer. */
struct flight {
	struct connection *connection;
	apns_link_fn *fn;
	void *arg;
};

struct apns_link {
	struct loop *loop;
	struct resolver *resolver;
	struct log_ctx log;
	char *host;
	uint16_t port;
	size_t in_flight_max;
	struct tls_ctx *tls;
	loop_fn *ready;
	void *arg;
	enum link_state state;
	bool wanted;
	struct dial *dial;
	struct connection *current; /* one of |all|, or NULL */
	LIST_HEAD(, connection) all;
	struct loop_timer *redial;
	uint64_t redial_ms; /* not dialled before */
	struct backoff backoff;
	struct loop_timer *resume;
	bool paused;
	struct backoff pause;
	struct err_detail complaint; /* the last one said */
	uint64_t complaint_ms;
};

static void link_set_state(struct apns_link *l, enum link_state to)
{
	assert((states[l->state].to & TO(to)) != 0);
	log_debug(&l->log, "state %s -> %s", states[l->state].name,
	          states[to].name);
	l->state = to;
}

/* complain says a failure that lasts once, then every ten minutes. A refused
 * certificate is for the operator to mend. */
static void complain(struct apns_link *l, int rc, const char *why)
{
	uint64_t now = loop_now_ms(l->loop);
	struct err_detail text;

	if (rc == ERR_AUTH)
		(void)err_set(&text, rc,
		              "our certificate is refused: %s; pushes wait for "
		              "%d s, or for a reload",
		              why, HOLD_MS / 1000);
	else
		(void)err_set(&text, rc, "no connection: %s", why);
	if (strcmp(text.text, l->complaint.text) == 0 &&
	    now - l->complaint_ms < COMPLAIN_MS) {
		log_debug(&l->log, "%s", text.text);
		return;
	}
	l->complaint = text;
	l->complaint_ms = now;
	if (rc == ERR_TLS || rc == ERR_AUTH || rc == ERR_UNTRUSTED)
		log_error(&l->log, "%s", text.text);
	else
		log_warn(&l->log, "%s", text.text);
}

/* tell_ready runs on a turn of its own, since who is told sends at once. */
static void tell_ready(void *arg)
{
	struct apns_link *l = arg;

	if (!l->wanted || l->paused || l->state != LINK_READY ||
	    h2_slots(l->current->h2) == 0)
		return;
	l->wanted = false;
	l->ready(l->arg);
}

static void tell_ready_later(struct apns_link *l)
{
	loop_defer_cancel(l->loop, tell_ready, l);
	loop_defer(l->loop, tell_ready, l);
}

static void on_resume(void *arg)
{
	struct apns_link *l = arg;

	l->paused = false;
	tell_ready_later(l);
}

static void resume_now(struct apns_link *l)
{
	loop_timer_cancel(l->resume);
	l->paused = false;
}

/*
 * pause_sending: the peer reset a stream or let it time out, the connection
 * stands. Sent again at once, the same might happen as fast as both can turn.
 */
static void pause_sending(struct apns_link *l)
{
	if (l->paused)
		return;
	l->paused = true;
	loop_timer_set(l->resume, backoff_next(&l->pause, rand_below(1 << 16)));
}

static void start_dial(struct apns_link *l);

/* redial_if_wanted leaves LINK_IDLE if somebody waits. */
static void redial_if_wanted(struct apns_link *l)
{
	uint64_t now = loop_now_ms(l->loop);

	if (l->state != LINK_IDLE || !l->wanted)
		return;
	if (now >= l->redial_ms) {
		start_dial(l);
		return;
	}
	link_set_state(l, LINK_WAITING);
	loop_timer_set(l->redial, l->redial_ms - now);
}

static void on_redial(void *arg)
{
	start_dial(arg);
}

/* gone: there is no current connection any more, the next one may be dialled
 * after |delay_ms|. */
static void gone(struct apns_link *l, uint64_t delay_ms)
{
	link_set_state(l, LINK_IDLE);
	l->redial_ms = loop_now_ms(l->loop) + delay_ms;
	resume_now(l);
	redial_if_wanted(l);
}

/* next_delay_ms is how long to wait after a failure |rc|. A certificate does
 * not get better by itself. */
static uint64_t next_delay_ms(struct apns_link *l, int rc)
{
	if (rc == ERR_AUTH)
		return HOLD_MS;
	return backoff_next(&l->backoff, rand_below(1 << 16));
}

/*
 * retire takes |c| out of use if it is the current connection. One that stood
 * for a while is replaced at once, one that answered at least something after
 * the shortest delay. SETTINGS alone do not count: a peer that says GOAWAY next
 * each time is one that does not want us. |rc| says why it is over.
 */
static void retire(struct connection *c, int rc)
{
	struct apns_link *l = c->link;
	uint64_t now = loop_now_ms(l->loop);
	bool stood = c->ready_ms != 0 && now - c->ready_ms >= USEFUL_MS;

	if (l->current != c)
		return;
	l->current = NULL;
	if (stood || c->has_answered)
		backoff_reset(&l->backoff);
	gone(l, stood && rc != ERR_AUTH ? 0 : next_delay_ms(l, rc));
}

static void connection_free(struct connection *c);

/* sweep ends a retired connection once its last request is answered. */
static void sweep(void *arg)
{
	struct connection *c = arg;

	if (c->link->current != c && h2_in_flight(c->h2) == 0)
		connection_free(c);
}

static void sweep_later(struct connection *c)
{
	if (c->link->current == c || c->link->state == LINK_CLOSING)
		return;
	loop_defer_cancel(c->link->loop, sweep, c);
	loop_defer(c->link->loop, sweep, c);
}

static void connection_free(struct connection *c)
{
	loop_defer_cancel(c->link->loop, sweep, c);
	LIST_REMOVE(c, all);
	h2_free(&c->h2);
	free(c);
}

static void on_h2_ready(void *arg)
{
	struct connection *c = arg;
	struct apns_link *l = c->link;

	c->ready_ms = loop_now_ms(l->loop);
	c->used_ms = c->ready_ms;
	if (l->current != c)
		return;
	link_set_state(l, LINK_READY);
	l->complaint.text[0] = '\0';
	log_info(&l->log, "connected host=%s port=%u slots=%zu", l->host,
	         (unsigned)l->port, h2_slots(c->h2));
	tell_ready_later(l);
}

static void on_h2_slots(void *arg)
{
	struct connection *c = arg;

	if (c->link->current == c)
		tell_ready_later(c->link);
}

/* log_goaway: the debug data is Apple's JSON, or any text, or nothing. */
static void log_goaway(const struct connection *c, uint32_t code,
                       struct str debug)
{
	const struct log_ctx *log = &c->link->log;
	const char *reason = apns_reply_reason(debug);
	size_t in_flight = h2_in_flight(c->h2);
	struct log_text text;

	if (code == 0 && debug.len == 0)
		log_info(log, "goaway received in_flight=%zu", in_flight);
	else if (reason != NULL)
		log_warn(log, "goaway received code=%u reason=%s in_flight=%zu",
		         code, reason, in_flight);
	else
		log_warn(log,
		         "goaway received code=%u debug=\"%s\" in_flight=%zu",
		         code, log_safe(debug, &text), in_flight);
}

static void on_h2_goaway(void *arg, uint32_t code, struct str debug)
{
	struct connection *c = arg;
	bool refused = apns_reply_blames_us(debug);

	log_goaway(c, code, debug);
	if (refused)
		complain(c->link, ERR_AUTH, apns_reply_reason(debug));
	retire(c, refused ? ERR_AUTH : ERR_CLOSED);
	sweep_later(c);
}

static void on_h2_closed(void *arg, int rc, const char *why)
{
	struct connection *c = arg;
	struct apns_link *l = c->link;

	if (c->ready_ms == 0 || rc == ERR_AUTH)
		complain(l, rc, why);
	else
		log_info(&l->log, "connection closed: %s", why);
	retire(c, rc);
	connection_free(c);
}

static const struct h2_handler handler = {
	.on_ready = on_h2_ready,
	.on_slots = on_h2_slots,
	.on_goaway = on_h2_goaway,
	.on_closed = on_h2_closed,
};

static void on_dialled(void *arg, int rc, struct stream *stream,
                       const char *why)
{
	struct apns_link *l = arg;
	struct connection *c;

	l->dial = NULL;
	if (rc != 0) {
		complain(l, rc, why);
		gone(l, next_delay_ms(l, rc));
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->link = l;
	LIST_INSERT_HEAD(&l->all, c, all);
	l->current = c;
	link_set_state(l, LINK_SETTLING);
	c->h2 = h2_new(l->loop, stream, l->in_flight_max, SETTINGS_MS, &handler,
	               c);
}

static void start_dial(struct apns_link *l)
{
	const struct dial_target target = {
		.host = l->host,
		.port = l->port,
		.tls = l->tls,
	};

	link_set_state(l, LINK_DIALLING);
	l->dial = dial_start(l->loop, l->resolver, &target, NULL, DIAL_MS,
	                     on_dialled, l);
}

/*
 * examine replaces a connection for what its answers say. One that only ever
 * gave such answers was of no use, so the next one waits longer.
 */
static void examine(struct connection *c, enum apns_link_health health)
{
	switch (health) {
	case APNS_LINK_WELL:
		c->has_answered = true;
		c->unwell = 0;
		return;
	case APNS_LINK_UNWELL:
		c->unwell++;
		break;
	case APNS_LINK_DEAD:
		c->unwell = UNWELL_MAX;
		break;
	}
	if (c->unwell < UNWELL_MAX || c->link->current != c)
		return;
	log_info(&c->link->log, "connection replaced for its answers");
	retire(c, ERR_UNAVAILABLE);
}

static void on_response(void *arg, const struct h2_response *response)
{
	struct flight f = *(struct flight *)arg;
	struct connection *c = f.connection;
	struct apns_link *l = c->link;
	enum apns_link_health health;

	free(arg);
	if (response->outcome == H2_ANSWERED)
		backoff_reset(&l->pause);
	else if (l->current == c && l->state == LINK_READY)
		pause_sending(l);
	health = f.fn(f.arg, response);
	if (response->outcome == H2_ANSWERED && l->state != LINK_CLOSING)
		examine(c, health);
	sweep_later(c);
}

struct apns_link *apns_link_new(struct loop *loop, struct resolver *resolver,
                                const struct apns_link_opts *opts,
                                struct tls_ctx *tls, loop_fn *ready, void *arg)
{
	struct apns_link *l = xcalloc(1, sizeof(*l));

	l->loop = loop;
	l->resolver = resolver;
	l->log.area = LOG_APNS;
	l->host = xstrdup(opts->host);
	l->port = opts->port;
	l->in_flight_max = opts->in_flight_max;
	l->tls = tls;
	l->ready = ready;
	l->arg = arg;
	LIST_INIT(&l->all);
	l->redial = loop_timer_new(loop, on_redial, l);
	l->resume = loop_timer_new(loop, on_resume, l);
	backoff_init(&l->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	backoff_init(&l->pause, PAUSE_MIN_MS, PAUSE_MAX_MS);
	return l;
}

void apns_link_free(struct apns_link **link)
{
	struct apns_link *l = *link;
	struct connection *c;
	struct connection *next;

	if (l == NULL)
		return;
	link_set_state(l, LINK_CLOSING);
	loop_defer_cancel(l->loop, tell_ready, l);
	if (l->dial != NULL)
		dial_cancel(&l->dial);
	l->current = NULL;
	for (c = LIST_FIRST(&l->all); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		connection_free(c);
	}
	loop_timer_free(&l->redial);
	loop_timer_free(&l->resume);
	tls_ctx_free(&l->tls);
	free(l->host);
	free(l);
	*link = NULL;
}

void apns_link_renew(struct apns_link *l, struct tls_ctx *tls,
                     size_t in_flight_max)
{
	struct connection *old = l->current;

	tls_ctx_free(&l->tls);
	l->tls = tls;
	l->in_flight_max = in_flight_max;
	l->complaint.text[0] = '\0';
	backoff_reset(&l->backoff);
	l->redial_ms = 0;
	if (l->state == LINK_IDLE)
		return;
	dial_cancel(&l->dial);
	loop_timer_cancel(l->redial);
	l->current = NULL;
	gone(l, 0);
	if (old != NULL)
		sweep_later(old);
}

void apns_link_want(struct apns_link *l)
{
	if (l->state == LINK_CLOSING)
		return;
	l->wanted = true;
	redial_if_wanted(l);
	tell_ready_later(l);
}

int apns_link_submit(struct apns_link *l, const struct h2_request *request,
                     uint64_t timeout_ms, apns_link_fn *fn, void *arg)
{
	struct connection *c = l->current;
	uint64_t now = loop_now_ms(l->loop);
	struct flight *f;
	int rc;

	if (l->state != LINK_READY || l->paused || h2_slots(c->h2) == 0)
		return ERR_UNAVAILABLE;
	/* A path that a firewall forgot is found out in 5 s, not 15. */
	if (now - c->used_ms >= IDLE_MS)
		h2_ping(c->h2);
	f = xcalloc(1, sizeof(*f));
	f->connection = c;
	f->fn = fn;
	f->arg = arg;
	rc = h2_submit(c->h2, request, timeout_ms, on_response, f);
	if (rc != 0) {
		free(f);
		return rc;
	}
	c->used_ms = now;
	return 0;
}
