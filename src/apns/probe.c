/* SPDX-License-Identifier: ISC */
/* probe - see probe.h. A connection of its own, without link: what went wrong
 * is to be told at once, not tried again. */
#include "apns/probe.h"

#include <stdbool.h>
#include <stdlib.h>

#include "apns/endpoint.h"
#include "apns/reply.h"
#include "apns/request.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"
#include "net/h2.h"
#include "net/tls.h"

/* No device has it. */
#define PROBE_TOKEN \
	"0000000000000000000000000000000000000000000000000000000000000000"

struct apns_probe {
	struct loop *loop;
	const struct apns_opts *opts;
	struct apns_endpoint endpoint;
	struct str topic;
	uint64_t deadline_ms;
	struct loop_timer *timer;
	struct dial *dial; /* until there is a stream */
	struct h2 *h2;
	bool settled; /* what follows is known, |done| is due */
	int rc;
	int status;
	const char *reason;
	struct err_detail why;
	apns_probe_fn *done;
	void *arg;
};

static void probe_free(struct apns_probe *p)
{
	dial_cancel(&p->dial);
	h2_free(&p->h2);
	loop_timer_free(&p->timer);
	free(p);
}

static void finish(void *arg)
{
	struct apns_probe *p = arg;

	p->done(p->arg, p->rc, p->status, p->reason, p->why.text);
	probe_free(p);
}

/* settle keeps the first outcome, for a turn on which h2 may be freed. */
static void settle(struct apns_probe *p, int rc)
{
	if (p->settled)
		return;
	p->settled = true;
	p->rc = rc;
	loop_defer(p->loop, finish, p);
}

/* fail settles it with a sentence, unless a GOAWAY gave a better one. */
static void fail(struct apns_probe *p, int rc, const char *why)
{
	bool refused = rc == ERR_AUTH;

	if (!p->settled && p->why.text[0] == '\0')
		(void)err_set(&p->why, rc, "%s%s",
		              refused ? "the certificate is refused: " : "",
		              why);
	settle(p, rc);
}

static void on_response(void *arg, const struct h2_response *response)
{
	struct apns_probe *p = arg;
	struct apns_reply reply;

	if (response->outcome != H2_ANSWERED) {
		fail(p, ERR_CLOSED, response->why);
		return;
	}
	apns_reply_parse(response->status, response->body,
	                 response->retry_after, &reply);
	p->status = reply.status;
	p->reason = reply.reason;
	settle(p, ERR_OK);
}

static void on_ready(void *arg)
{
	struct apns_probe *p = arg;
	const struct apns_request_opts opts = {
		.authority = p->endpoint.authority,
		.push_type = p->opts->push_type,
		.priority = p->opts->priority,
		.expiration_s = 0,
	};
	const struct push_job job = {
		.device_token = STR(PROBE_TOKEN),
		.topic = p->topic,
	};
	struct apns_request request;
	int rc = apns_request_fill(&request, &opts, &job, STR("{\"aps\":{}}"),
	                           loop_wall_ms(p->loop));

	if (rc == ERR_OK)
		rc = h2_submit(p->h2, &request.h2, p->deadline_ms, on_response,
		               p);
	if (rc != ERR_OK)
		fail(p, rc, "it takes no request");
}

static void on_slots(void *arg)
{
	(void)arg; /* one request is all */
}

/* on_goaway: the debug data may be Apple's JSON, which says why. */
static void on_goaway(void *arg, uint32_t code, struct str debug)
{
	struct apns_probe *p = arg;
	const char *reason = apns_reply_reason(debug);
	struct log_text text;

	if (p->settled)
		return;
	(void)err_set(&p->why, ERR_CLOSED, "it ended the connection: %s (%u)",
	              reason != NULL ? reason : log_safe(debug, &text), code);
}

static void on_closed(void *arg, int rc, const char *why)
{
	fail(arg, rc, why);
}

static const struct h2_handler handler = {
	.on_ready = on_ready,
	.on_slots = on_slots,
	.on_goaway = on_goaway,
	.on_closed = on_closed,
};

static void on_dialled(void *arg, int rc, struct stream *stream,
                       const char *why)
{
	struct apns_probe *p = arg;

	p->dial = NULL;
	if (rc != ERR_OK)
		fail(p, rc, why);
	else
		p->h2 = h2_new(p->loop, stream, 1, p->deadline_ms, &handler, p);
}

static void on_timer(void *arg)
{
	fail(arg, ERR_TIMEOUT, "no answer in time");
}

static int make_tls(const struct apns_opts *opts,
                    const struct credential *credential, struct tls_ctx **tls_r,
                    struct err_detail *detail)
{
	const struct tls_client_opts tls = {
		.ca_file = opts->ca_file,
		.files = opts->files,
		.ca_key = "apns.ca",
		.verify = true,
		.alpn = "h2",
		.certificate = buf_str(&credential->certificate),
		.key = buf_str(&credential->key),
		.http2 = true,
	};

	return tls_client_new(&tls, tls_r, detail);
}

int apns_probe_start(struct loop *loop, struct resolver *resolver,
                     const struct apns_opts *opts,
                     const struct credential *credential, struct str topic,
                     uint64_t deadline_ms, apns_probe_fn *done, void *arg,
                     struct err_detail *detail)
{
	struct dial_target target = { 0 };
	struct apns_endpoint endpoint;
	struct apns_probe *p;
	int rc;

	rc = apns_endpoint_parse(str_of(opts->url), &endpoint, detail);
	if (rc == ERR_OK)
		rc = make_tls(opts, credential, &target.tls, detail);
	if (rc != ERR_OK)
		return rc;
	p = xcalloc(1, sizeof(*p));
	p->loop = loop;
	p->opts = opts;
	p->endpoint = endpoint;
	p->topic = topic;
	p->deadline_ms = deadline_ms;
	p->reason = "";
	p->done = done;
	p->arg = arg;
	target.host = p->endpoint.host;
	target.port = p->endpoint.port;
	p->timer = loop_timer_new(loop, on_timer, p);
	loop_timer_set(p->timer, deadline_ms);
	/* Before the timer, since the dial's sentence says more. */
	p->dial = dial_start(loop, resolver, &target, NULL, deadline_ms / 2,
	                     on_dialled, p);
	tls_ctx_free(&target.tls); /* the dial holds it */
	return ERR_OK;
}
