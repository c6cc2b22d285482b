/* SPDX-License-Identifier: ISC */
/* offer - see offer.h. */
#include "role/offer.h"

#include <stdlib.h>

#include "apns/apns.h"
#include "apns/expiry.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "net/certificate.h"
#include "role/sender.h"

/* The clock may jump. */
#define CHECK_MS ((int64_t)3600 * 1000)

struct offer {
	struct log_ctx log;
	struct loop *loop;
	struct resolver *resolver;
	const struct conf *conf;
	loop_fn *changed;
	void *arg;
	struct apns *apns;    /* NULL: nothing can be sent */
	struct str topic;     /* of the credential; NULL: there is none */
	int64_t not_after_ms; /* 0: it does not end */
	enum expiry expiry;
	enum expiry said; /* the last that was logged */
	struct loop_timer *timer;
};

static bool is_offered(const struct offer *o)
{
	return o->topic.data != NULL && o->expiry != EXPIRY_LONG_OVER;
}

/* say logs how near the end is: each stage once. */
static void say(struct offer *o)
{
	static const int days[] = {
		[EXPIRY_30_DAYS] = 30,
		[EXPIRY_14_DAYS] = 14,
		[EXPIRY_7_DAYS] = 7,
		[EXPIRY_1_DAY] = 1,
	};
	const char *path = o->conf->apns_certificate;
	char day[16];

	if (o->expiry <= o->said)
		return;
	o->said = o->expiry;
	(void)certificate_day(o->not_after_ms, day);
	if (o->expiry == EXPIRY_LONG_OVER)
		log_error(&o->log,
		          "push is off: apns.certificate %s has "
		          "expired on %s",
		          path, day);
	else if (o->expiry == EXPIRY_OVER)
		log_error(&o->log,
		          "apns.certificate %s has expired on %s: pushes wait, "
		          "a day later push is no longer offered",
		          path, day);
	else
		log_warn(&o->log, "apns.certificate %s expires on %s days=%d",
		         path, day, days[o->expiry]);
}

/* look finds out how near the end is, and when to look again. */
static void look(struct offer *o)
{
	int64_t now = loop_wall_ms(o->loop);
	int64_t wait;

	if (o->not_after_ms == 0)
		return;
	o->expiry = expiry_of(o->not_after_ms, now);
	say(o);
	wait = expiry_wait_ms(o->not_after_ms, now);
	loop_timer_set(o->timer, (uint64_t)(wait < CHECK_MS ? wait : CHECK_MS));
}

static void on_timer(void *arg)
{
	struct offer *o = arg;
	bool was_offered = is_offered(o);

	look(o);
	if (is_offered(o) != was_offered)
		o->changed(o->arg);
}

/* load reads what |c| names; what is unusual is logged. */
static int load(const struct conf *c, const struct files *f, int64_t now_ms,
                struct sender *s, struct err_detail *detail)
{
	struct err_detail why;
	int rc = sender_load(c, f, s, detail);

	if (rc == ERR_OK && sender_warning(s, now_ms, &why))
		log_warn(&(struct log_ctx){ LOG_APNS, 0 },
		         "apns.certificate %s: %s", c->apns_certificate,
		         why.text);
	return rc;
}

/* equip has pushes sent with |s|. */
static int equip(struct offer *o, const struct files *f, const struct sender *s,
                 struct err_detail *detail)
{
	struct apns_opts opts = sender_opts(o->conf, f);
	const struct credential *credential =
		sender_is_dry_run(o->conf) ? NULL : &s->credential;
	struct err_detail why;
	int rc;

	opts.topic = s->topic.data;
	if (o->apns != NULL)
		rc = apns_renew(o->apns, &opts, credential, &why);
	else
		rc = apns_new(o->loop, o->resolver, &opts, credential, &o->apns,
		              &why);
	return rc == ERR_OK ? rc : err_set(detail, rc, "apns: %s", why.text);
}

/* take makes |s| what is offered. That its end is near was said by load; that
 * it is over is worse than a warning. */
static void take(struct offer *o, const struct sender *s)
{
	str_free(&o->topic);
	o->topic = str_dup(s->topic);
	o->not_after_ms = s->credential.not_after_ms;
	o->expiry = EXPIRY_FAR;
	if (o->not_after_ms != 0)
		o->expiry = expiry_of(o->not_after_ms, loop_wall_ms(o->loop));
	o->said = o->expiry < EXPIRY_OVER ? o->expiry : EXPIRY_1_DAY;
	metric_set(METRIC_CREDENTIAL_EXPIRY, o->not_after_ms / 1000);
	look(o);
}

/* begin: with a topic but no transport (a bad apns.ca) push is offered, and
 * pushes wait. */
static void begin(struct offer *o, const struct files *f)
{
	struct err_detail why;
	struct sender s = { 0 };

	if (load(o->conf, f, loop_wall_ms(o->loop), &s, &why) != ERR_OK) {
		log_error(&o->log, "push is off: %s", why.text);
		return;
	}
	if (equip(o, f, &s, &why) != ERR_OK)
		log_error(&o->log, "no push can be sent: %s", why.text);
	take(o, &s);
	if (is_offered(o))
		log_info(&o->log, "push topic=%s apns=%s", o->topic.data,
		         o->conf->apns_url);
	sender_done(&s);
}

struct offer *offer_new(struct loop *loop, struct resolver *resolver,
                        const struct conf *c, const struct files *f,
                        loop_fn *changed, void *arg)
{
	struct offer *o = xcalloc(1, sizeof(*o));

	o->log.area = LOG_PUSH;
	o->loop = loop;
	o->resolver = resolver;
	o->conf = c;
	o->changed = changed;
	o->arg = arg;
	o->timer = loop_timer_new(loop, on_timer, o);
	if (!c->push_enabled)
		return o;
	if (sender_is_absent(c))
		log_warn(&o->log, "push is off: no apns.certificate");
	else
		begin(o, f);
	return o;
}

void offer_free(struct offer **offer)
{
	struct offer *o = *offer;

	if (o == NULL)
		return;
	apns_free(&o->apns);
	loop_timer_free(&o->timer);
	str_free(&o->topic);
	free(o);
	*offer = NULL;
}

int offer_check(const struct conf *c, struct err_detail *detail)
{
	struct offer o = { .loop = loop_new(), .conf = c };
	struct sender s = { 0 };
	int rc = ERR_OK;

	/* Nothing is dialled before it is needed, so none is resolved. */
	if (!sender_is_absent(c))
		rc = load(c, NULL, loop_wall_ms(o.loop), &s, detail);
	if (rc == ERR_OK && !sender_is_absent(c)) {
		rc = equip(&o, NULL, &s, detail);
		sender_done(&s);
	}
	apns_free(&o.apns);
	loop_free(&o.loop);
	return rc;
}

const char *offer_topic(const struct offer *o)
{
	return is_offered(o) ? o->topic.data : NULL;
}

struct push_transport *offer_transport(const struct offer *o)
{
	return o->apns != NULL ? apns_transport(o->apns) : NULL;
}

/* replace reads the credential again and uses it; on failure nothing has
 * changed and |s| is empty. */
static int replace(struct offer *o, const struct files *f, struct sender *s,
                   struct err_detail *detail)
{
	int64_t now = loop_wall_ms(o->loop);
	int rc = load(o->conf, f, now, s, detail);

	if (rc != ERR_OK)
		return rc;
	if (s->credential.not_after_ms != 0 && s->credential.not_after_ms < now)
		rc = err_set(detail, ERR_INVALID,
		             "apns.certificate %s has expired",
		             o->conf->apns_certificate);
	else
		rc = equip(o, f, s, detail);
	if (rc != ERR_OK)
		sender_done(s);
	return rc;
}

/* warn_topic: phones that registered before know the old one. */
static void warn_topic(const struct offer *o, const struct sender *s)
{
	if (o->topic.data != NULL && !str_eq(o->topic, s->topic))
		log_warn(&o->log,
		         "push topic=%s replaces topic=%s: devices are rung "
		         "with the one they were told until they register "
		         "again",
		         s->topic.data, o->topic.data);
}

int offer_reload(struct offer *o, const struct files *f)
{
	const struct conf *c = o->conf;
	struct err_detail why;
	struct sender s = { 0 };
	char day[16];
	int rc;

	if (!c->push_enabled || (sender_is_absent(c) && o->apns == NULL))
		return ERR_NOT_FOUND;
	if (sender_is_absent(c)) {
		log_warn(&o->log, "apns.certificate is set no more: the "
		                  "credential in use stays until a restart");
		return ERR_NOT_FOUND;
	}
	rc = replace(o, f, &s, &why);
	if (rc != ERR_OK) {
		log_error(&o->log, "credential not replaced: %s", why.text);
		return rc;
	}
	warn_topic(o, &s);
	take(o, &s);
	sender_done(&s);
	log_info(&o->log, "credential replaced topic=%s until=%s",
	         o->topic.data,
	         o->not_after_ms != 0 ? certificate_day(o->not_after_ms, day)
	                              : "ever");
	return ERR_OK;
}
