/* SPDX-License-Identifier: ISC */
/*
 * apns - pushes out, verdicts back. What a push says is payload's, how it is
 * asked for request's, what an answer means reply's, and the connection link's;
 * here each push is kept until it has ended, once.
 */
#include "apns/apns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "apns/endpoint.h"
#include "apns/link.h"
#include "apns/payload.h"
#include "apns/reply.h"
#include "apns/request.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

/* Reasons that were told of: each is told once. */
enum { TOLD_MAX = 32 };

/* One push until its end. */
struct push {
	struct apns *apns;
	uint32_t credential; /* which one it was sent with */
	uint64_t registration_id;
	uint32_t attempts;
	struct str token;
	struct str topic;
	char id[APNS_ID_LEN + 1]; /* what APNs knows it by */
	uint64_t begun_ms;        /* of the loop's clock */
	int64_t sent_ms;          /* time of day */
	push_done_fn *done;
	void *arg;
	struct push_result result; /* of one that ends without APNs */
	STAILQ_ENTRY(push) all;
};

struct apns {
	struct push_transport transport; /* first: what the queue holds */
	struct loop *loop;
	struct log_ctx log;
	struct apns_endpoint endpoint;
	struct apns_request_opts request;
	char *push_type;
	struct str topic;    /* the credential's */
	uint32_t credential; /* counts those there were */
	uint64_t timeout_ms;
	unsigned retry_s;
	struct apns_link *link; /* NULL: dry-run */
	struct log_text told[TOLD_MAX];
	size_t told_count;
	push_ready_fn *ready;
	void *ready_arg;
	STAILQ_HEAD(pushes, push) settled; /* end on the next turn */
	bool closing;
};

static struct push *push_new(struct apns *a, const struct push_job *job,
                             push_done_fn *done, void *arg)
{
	struct push *p = xcalloc(1, sizeof(*p));

	p->apns = a;
	p->credential = a->credential;
	p->registration_id = job->registration_id;
	p->attempts = job->attempts;
	p->token = str_dup(job->device_token);
	p->topic = str_dup(job->topic);
	p->begun_ms = loop_now_ms(a->loop);
	p->sent_ms = loop_wall_ms(a->loop);
	p->done = done;
	p->arg = arg;
	return p;
}

static void push_free(struct push **push)
{
	struct push *p = *push;

	if (p == NULL)
		return;
	str_free(&p->token);
	str_free(&p->topic);
	free(p);
	*push = NULL;
}

/* push_end gives the verdict, the last that happens to a push. */
static void push_end(struct push *p, const struct push_result *result)
{
	push_done_fn *done = p->done;
	void *arg = p->arg;
	uint64_t id = p->registration_id;

	push_free(&p);
	done(arg, id, result);
}

static void end_settled(void *arg)
{
	struct apns *a = arg;
	struct pushes turn = STAILQ_HEAD_INITIALIZER(turn);
	struct push *p;

	STAILQ_CONCAT(&turn, &a->settled);
	while ((p = STAILQ_FIRST(&turn)) != NULL) {
		struct push_result result = p->result;

		STAILQ_REMOVE_HEAD(&turn, all);
		push_end(p, &result);
	}
}

/* push_settle ends |p| on a later turn without APNs. */
static void push_settle(struct push *p, enum push_verdict verdict, int status,
                        const char *reason)
{
	struct apns *a = p->apns;

	p->result.verdict = verdict;
	p->result.status = status;
	p->result.reason = reason;
	if (STAILQ_EMPTY(&a->settled))
		loop_defer(a->loop, end_settled, a);
	STAILQ_INSERT_TAIL(&a->settled, p, all);
}

/* push_log writes the one line of an answered push. */
static void push_log(const struct push *p, const struct push_result *result)
{
	const struct apns *a = p->apns;
	struct log_text token;
	struct log_text topic;

	log_info(&a->log,
	         "push answered status=%d%s%s token=%s topic=%s ms=%llu id=%s",
	         result->status, result->reason[0] != '\0' ? " reason=" : "",
	         result->reason, log_token(p->token, &token),
	         log_safe(p->topic, &topic),
	         (unsigned long long)(loop_now_ms(a->loop) - p->begun_ms),
	         p->id);
}

/* is_news notes |text|; false if it was noted before, or too much was. */
static bool is_news(struct apns *a, const char *text)
{
	for (size_t i = 0; i < a->told_count; i++)
		if (str_eq(str_of(a->told[i].text), str_of(text)))
			return false;
	if (a->told_count == TOLD_MAX)
		return false;
	(void)log_safe(str_of(text), &a->told[a->told_count++]);
	return true;
}

/* tell says, once each, what was not thought of: a request that APNs finds
 * wrong, or an answer that is not in its own list. */
static void tell(struct apns *a, const struct apns_reply *reply)
{
	const char *reason = reply->said.text;

	if (reply->action != APNS_BUG && reply->is_known)
		return;
	if (!is_news(a, reason))
		return;
	if (reply->action == APNS_BUG)
		log_error(&a->log,
		          "APNs finds fault with our request, push dropped "
		          "status=%d reason=%s",
		          reply->status, reply->reason);
	else
		log_warn(&a->log,
		         "APNs gives an answer that it does not document, push "
		         "%s status=%d reason=\"%s\"",
		         reply->action == APNS_DROP ? "dropped" : "kept",
		         reply->status, reason);
}

/* health_of is what an answer says of its connection. A new one is to try
 * after the credential was refused. */
static enum apns_link_health health_of(enum apns_action action)
{
	switch (action) {
	case APNS_CREDENTIAL:
	case APNS_RECONNECT:
		return APNS_LINK_DEAD;
	case APNS_ERROR:
		return APNS_LINK_UNWELL;
	default:
		return APNS_LINK_WELL;
	}
}

/* judge fills |result_r|, and returns what the answer says of the
 * connection. */
static enum apns_link_health judge(const struct push *p,
                                   const struct h2_response *response,
                                   struct push_result *result_r)
{
	struct apns *a = p->apns;
	const struct apns_reply_case c = {
		.retry_s = a->retry_s,
		.attempts = p->attempts,
		.other_topic = a->topic.len > 0 && !str_eq(p->topic, a->topic),
		.sent_ms = p->sent_ms,
		.random = rand_below(UINT32_MAX),
	};
	struct apns_reply reply;

	apns_reply_parse(response->status, response->body,
	                 response->retry_after, &reply);
	apns_reply_judge(&reply, &c, result_r);
	tell(a, &reply);
	push_log(p, result_r);
	/* Refused was the credential before this one. */
	if (result_r->verdict == PUSH_HOLD && p->credential != a->credential)
		*result_r = (struct push_result){ .verdict = PUSH_AGAIN,
			                          .reason = "" };
	return health_of(reply.action);
}

static enum apns_link_health on_response(void *arg,
                                         const struct h2_response *response)
{
	enum apns_link_health health = APNS_LINK_WELL;
	struct push *p = arg;
	struct push_result result = { .verdict = PUSH_AGAIN, .reason = "" };

	if (response->outcome == H2_ANSWERED)
		health = judge(p, response, &result);
	else if (response->outcome == H2_UNKNOWN && !p->apns->closing)
		/* Always the same words, so that many become one line. */
		log_warn(&p->apns->log, "push not answered, goes again: %s",
		         response->why);
	else
		log_debug(&p->apns->log, "push not sent, goes again: %s",
		          response->why);
	push_end(p, &result);
	return health;
}

/* submit hands the request over. Results: 0, or that of the room that refused:
 * ERR_UNAVAILABLE may pass, anything else will not. */
static int submit(struct push *p, const struct push_job *job,
                  struct str payload)
{
	struct apns *a = p->apns;
	struct apns_request request;
	int rc;

	rc = apns_request_fill(&request, &a->request, job, payload, p->sent_ms);
	if (rc != 0)
		return rc;
	memcpy(p->id, request.id, sizeof(p->id));
	return apns_link_submit(a->link, &request.h2, a->timeout_ms,
	                        on_response, p);
}

static void log_dry(const struct push *p, struct str payload)
{
	struct log_text token;
	struct log_text topic;

	/* The payload is printable ASCII whatever the account-id was. */
	log_info(&p->apns->log, "dry-run push topic=%s token=%s payload=%.*s",
	         log_safe(p->topic, &topic), log_token(p->token, &token),
	         (int)payload.len, payload.data);
}

/* drop settles a push that APNs would refuse for ever. */
static void drop(struct push *p, int rc)
{
	struct log_text token;

	log_warn(&p->apns->log,
	         "push cannot be sent token=%s registration=%llu: %s",
	         log_token(p->token, &token),
	         (unsigned long long)p->registration_id,
	         rc == ERR_INVALID ? "device token or topic is malformed"
	                           : "account-id is malformed");
	push_settle(p, PUSH_DROP, 0, "other");
}

static int send_push(struct push_transport *t, const struct push_job *job,
                     push_done_fn *done, void *arg)
{
	struct apns *a = (struct apns *)t;
	struct push *p;
	struct buf payload;
	int rc;

	if (a->closing)
		return ERR_UNAVAILABLE;
	p = push_new(a, job, done, arg);
	buf_init(&payload, APNS_PAYLOAD_MAX);
	rc = apns_payload_render(job, &payload);
	if (rc == 0 && a->link == NULL) {
		log_dry(p, buf_str(&payload));
		push_settle(p, PUSH_DELIVERED, 200, "");
	} else if (rc == 0) {
		rc = submit(p, job, buf_str(&payload));
	}
	buf_reset(&payload);
	if (rc == 0)
		return 0;
	if (rc == ERR_UNAVAILABLE) {
		push_free(&p);
		apns_link_want(a->link);
		return rc;
	}
	drop(p, rc);
	return 0;
}

static void set_ready(struct push_transport *t, push_ready_fn *ready, void *arg)
{
	struct apns *a = (struct apns *)t;

	a->ready = ready;
	a->ready_arg = arg;
}

static const struct push_transport_ops ops = {
	.send = send_push,
	.on_ready = set_ready,
};

static void on_link_ready(void *arg)
{
	struct apns *a = arg;

	if (a->ready != NULL)
		a->ready(a->ready_arg);
}

/* make_tls makes the context of the connections to come. */
static int make_tls(const struct apns_opts *o,
                    const struct credential *credential, struct tls_ctx **tls_r,
                    struct err_detail *detail)
{
	struct tls_client_opts opts = {
		.ca_file = o->ca_file,
		.files = o->files,
		.ca_key = "apns.ca",
		.verify = true,
		.alpn = "h2",
		.http2 = true,
	};

	if (credential == NULL)
		return err_set(detail, ERR_INVALID,
		               "apns needs a certificate, or dry-run");
	opts.certificate = buf_str(&credential->certificate);
	opts.key = buf_str(&credential->key);
	return tls_client_new(&opts, tls_r, detail);
}

static int make_link(struct apns *a, struct resolver *resolver,
                     const struct apns_opts *opts,
                     const struct credential *credential,
                     struct err_detail *detail)
{
	const struct apns_link_opts link = {
		.host = a->endpoint.host,
		.port = a->endpoint.port,
		.in_flight_max = opts->in_flight_max,
	};
	struct tls_ctx *tls = NULL;
	int rc = make_tls(opts, credential, &tls, detail);

	if (rc == 0)
		a->link = apns_link_new(a->loop, resolver, &link, tls,
		                        on_link_ready, a);
	return rc;
}

/* set_opts takes over what every push looks at. */
static void set_opts(struct apns *a, const struct apns_opts *opts)
{
	free(a->push_type);
	a->push_type = xstrdup(opts->push_type);
	str_free(&a->topic);
	a->topic = str_dup(str_of(opts->topic));
	a->timeout_ms = (uint64_t)opts->request_timeout_s * 1000;
	a->retry_s = opts->retry_s;
	a->request.push_type = a->push_type;
	a->request.priority = opts->priority;
	a->request.expiration_s = opts->expiration_s;
}

int apns_new(struct loop *loop, struct resolver *resolver,
             const struct apns_opts *opts, const struct credential *credential,
             struct apns **a_r, struct err_detail *detail)
{
	struct apns *a = xcalloc(1, sizeof(*a));
	int rc;

	a->transport.ops = &ops;
	a->loop = loop;
	a->log.area = LOG_APNS;
	a->request.authority = a->endpoint.authority;
	set_opts(a, opts);
	STAILQ_INIT(&a->settled);
	rc = apns_endpoint_parse(str_of(opts->url), &a->endpoint, detail);
	if (rc == 0 && !a->endpoint.dry_run)
		rc = make_link(a, resolver, opts, credential, detail);
	if (rc != 0) {
		apns_free(&a);
		return rc;
	}
	*a_r = a;
	return 0;
}

int apns_renew(struct apns *a, const struct apns_opts *opts,
               const struct credential *credential, struct err_detail *detail)
{
	struct tls_ctx *tls = NULL;
	int rc = ERR_OK;

	if (a->link != NULL)
		rc = make_tls(opts, credential, &tls, detail);
	if (rc != ERR_OK)
		return rc;
	set_opts(a, opts);
	a->credential++;
	if (a->link != NULL)
		apns_link_renew(a->link, tls, opts->in_flight_max);
	return ERR_OK;
}

void apns_free(struct apns **apns)
{
	struct apns *a = *apns;

	if (a == NULL)
		return;
	a->closing = true;
	loop_defer_cancel(a->loop, end_settled, a);
	end_settled(a);
	apns_link_free(&a->link);
	free(a->push_type);
	str_free(&a->topic);
	free(a);
	*apns = NULL;
}

struct push_transport *apns_transport(struct apns *a)
{
	return &a->transport;
}
