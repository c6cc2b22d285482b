/* SPDX-License-Identifier: ISC */
/*
 * login - one attempt: dial, let imap/opening speak, tell the verdict. RFC 9051
 * section 6.2, RFC 5530 (codes).
 */
#include "proxy/login.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"
#include "imap/id.h"
#include "imap/opening.h"
#include "imap/reader.h"
#include "imap/sasl.h"
#include "net/dial.h"
#include "net/stream.h"
#include "proxy/authenticate.h"
#include "proxy/backend.h"
#include "proxy/backends.h"
#include "proxy/client.h"
#include "proxy/identify.h"
#include "proxy/prelogin.h"
#include "proxy/session.h"
#include "proxy/sessions.h"

/* Name resolution, connection and handshake, all addresses together. */
#define LOGIN_DIAL_MS ((uint64_t)10 * 1000)

/* The n-th refusal is told after this doubled n - 1 times, on top of what the
 * backend itself took. */
#define LOGIN_PENALTY_MS ((uint64_t)1000)
#define LOGIN_PENALTY_MAX_MS ((uint64_t)16 * 1000)

/* Attempts of one session, those that no backend could be asked about too. */
#define LOGIN_ATTEMPTS_MAX 20

/* What a backend may say until its verdict. */
#define LOGIN_RESPONSE_MAX ((size_t)64 * 1024)
#define LOGIN_REPLY_MAX ((size_t)256 * 1024)

#define LOGIN_REFUSED "NO [AUTHENTICATIONFAILED] Authentication failed."
#define LOGIN_UNAVAILABLE \
	"NO [UNAVAILABLE] The mail server cannot be reached, try again later."

/* How long a password is kept for a registration that follows. */
#define LOGIN_KEPT_MS ((uint64_t)60 * 1000)

struct login {
	struct imap_login who;
	struct str tag; /* the client's; owned */
	struct dial *dial;
	struct imap_opening opening;
	struct imap_reader reader;
	struct buf id; /* our ID command's arguments, or empty */
	/* For the client, when there is a verdict. */
	struct buf reply;
};

/* A refusal with another code, or none, says no more than "refused": nobody
 * shall learn which users exist. */
static const char *const codes[] = {
	"ALERT",
	"AUTHENTICATIONFAILED",
	"AUTHORIZATIONFAILED",
	"CONTACTADMIN",
	"EXPIRED",
	"INUSE",
	"LIMIT",
	"PRIVACYREQUIRED",
	"UNAVAILABLE",
};

void login_end(struct session *s)
{
	struct login *l = s->login;

	if (l == NULL)
		return;
	if (l->dial != NULL)
		dial_cancel(&l->dial);
	imap_opening_done(&l->opening);
	imap_reader_done(&l->reader);
	imap_login_done(&l->who);
	buf_reset(&l->id);
	buf_reset(&l->reply);
	str_free(&l->tag);
	free(l);
	s->login = NULL;
}

void login_forget(struct session *s)
{
	if (s->kept_timer != NULL)
		loop_timer_free(&s->kept_timer);
	if (s->kept == NULL)
		return;
	imap_login_done(s->kept);
	free(s->kept);
	s->kept = NULL;
}

static void on_kept_timer(void *arg)
{
	login_forget(arg);
}

/* keep_login holds on to name and password for a registration that follows. */
static void keep_login(struct session *s)
{
	s->kept = xcalloc(1, sizeof(*s->kept));
	*s->kept = s->login->who;
	s->login->who = (struct imap_login){ 0 };
	s->kept_timer = loop_timer_new(s->env->loop, on_kept_timer, s);
	loop_timer_set(s->kept_timer, LOGIN_KEPT_MS);
}

/* back_to_prelogin: the client may try again. What it is in the middle of
 * saying is an answer that nobody waits for any more. */
static void back_to_prelogin(struct session *s)
{
	bool is_answering = s->input == INPUT_SASL &&
	                    !imap_framer_at_start(&s->from_client);

	login_end(s);
	str_free(&s->user);
	s->is_offered = false;
	collect_done(&s->collect);
	session_set_state(s, SESSION_PRELOGIN);
	session_set_input(s, is_answering ? INPUT_SWALLOW : INPUT_COMMAND);
	loop_timer_set(s->timer, (uint64_t)s->env->opts->login_s * 1000);
}

static void limit_attempts(struct session *s)
{
	if (s->login_failures >= s->env->opts->login_failures ||
	    s->login_attempts >= LOGIN_ATTEMPTS_MAX)
		session_bye(s, "Too many failed logins.");
}

/* tell gives the client a verdict that was not OK. */
static void tell(struct session *s)
{
	struct buf reply = s->login->reply;

	buf_init(&s->login->reply, 0);
	back_to_prelogin(s);
	session_answer(s, buf_str(&reply));
	buf_reset(&reply);
	limit_attempts(s);
}

/* set_reply makes `tag text` the reply and drops what was kept for an OK. */
static void set_reply(struct session *s, struct str text)
{
	struct login *l = s->login;

	buf_reset(&l->reply);
	if (buf_add(&l->reply, l->tag) != 0 || buf_adds(&l->reply, " ") != 0 ||
	    buf_add(&l->reply, text) != 0 || buf_adds(&l->reply, "\r\n") != 0)
		session_close(s, "reply too long");
}

/* unavailable: the backend has been complained about. */
static void unavailable(struct session *s)
{
	metric_add(METRIC_LOGINS_UNAVAILABLE, 1);
	session_drop_backend(s);
	set_reply(s, STR(LOGIN_UNAVAILABLE));
	if (s->state != SESSION_CLOSING)
		tell(s);
}

void login_unavailable(struct session *s, const char *why)
{
	log_error(&s->log, "backend %s: %s", backend_name(s->server), why);
	backend_doubt(s->server);
	unavailable(s);
}

/* is_passed: clients act on this code, so it may be seen. */
static bool is_passed(const struct imap_response *r)
{
	struct str rest;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (imap_response_code(r, str_of(codes[i]), &rest))
			return true;
	return false;
}

/* refusal appends "NO ..." for the client: the backend's words behind a known
 * code, ours otherwise. */
static int refusal(const struct imap_response *r, struct buf *out)
{
	int rc;

	if (!is_passed(r))
		return buf_adds(out, LOGIN_REFUSED);
	rc = buf_adds(out, "NO [");
	if (rc == 0)
		rc = buf_add(out, r->code);
	if (rc == 0)
		rc = buf_adds(out, "] ");
	return rc == 0 ? buf_add(out, r->text) : rc;
}

static uint64_t penalty_ms(unsigned failures)
{
	uint64_t delay_ms = LOGIN_PENALTY_MS;

	for (unsigned i = 1; i < failures && delay_ms < LOGIN_PENALTY_MAX_MS;
	     i++)
		delay_ms *= 2;
	return delay_ms;
}

/* tell_later tells a refusal after a while. */
static void tell_later(struct session *s, bool failed)
{
	if (failed) {
		metric_add(METRIC_LOGINS_REFUSED, 1);
		s->login_failures++;
	}
	session_set_state(s, SESSION_REFUSED);
	loop_timer_set(s->timer, penalty_ms(s->login_failures));
}

/* refused: the backend said NO or BAD. */
static void refused(struct session *s, struct str response)
{
	struct imap_response r;
	struct log_text user;
	struct log_text said;
	struct buf text;
	struct str rest;

	backend_answered(s->server);
	session_drop_backend(s);
	if (imap_response_parse(response, &r) != 0)
		r = (struct imap_response){ .cls = IMAP_CLASS_OTHER };
	log_info(&s->log, "login user=\"%s\" result=refused said=\"%s\"",
	         log_safe(s->user, &user), log_safe(r.text, &said));
	buf_init(&text, LOGIN_RESPONSE_MAX);
	if (refusal(&r, &text) != 0)
		session_close(s, "reply too long");
	else
		set_reply(s, buf_str(&text));
	buf_reset(&text);
	if (s->state == SESSION_CLOSING)
		return;
	/* The backend's trouble is not the client's failure. */
	tell_later(s, !imap_response_code(&r, STR("UNAVAILABLE"), &rest));
}

/* accepted: the tagged OK; the name counts from now on. */
static void accepted(struct session *s)
{
	struct login *l = s->login;
	struct log_text user;
	bool is_other = imap_login_is_other(&l->who);

	backend_answered(s->server);
	log_info(&s->log, "login user=\"%s\" result=ok backend=%s push=%s",
	         log_safe(s->user, &user), backend_name(s->server),
	         s->is_offered ? "offered" : "no");
	metric_add(METRIC_LOGINS_OK, 1);
	sessions_logged_in(s->env->sessions, s);
	if (s->env->opts->push_enabled && !is_other) {
		service_logged_in(s->env->service, &l->who);
		if (service_keeps_logins(s->env->service) &&
		    imap_login_has_password(&l->who))
			keep_login(s);
	}
	loop_timer_set(s->timer, (uint64_t)s->env->opts->idle_s * 1000);
	relay_begin(s);
	session_to_client(s, buf_str(&l->reply));
	identify_forget(s); /* said now */
	login_end(s);
}

/* keep_line holds a response for the client back, with its list edited, until
 * there is a verdict. */
static void keep_line(struct session *s, struct str response)
{
	struct buf *reply = &s->login->reply;

	if (!relay_edit(s, response, reply) && buf_add(reply, response) != 0)
		session_close(s, "login reply too long");
}

/* on_response feeds one whole response of the backend to the opening. */
static void on_response(struct session *s, struct str response)
{
	struct login *l = s->login;
	enum imap_opening_state state;
	bool for_client = false;
	bool was_asked;
	struct buf send;

	assert(l != NULL); /* in SESSION_LOGIN */
	was_asked = l->opening.state == IMAP_OPENING_CHALLENGE;
	session_trace_response(s, "backend", response);
	buf_init(&send, IMAP_OPENING_SEND_MAX);
	state = imap_opening_feed(&l->opening, response, &send, &for_client);
	session_to_backend(s, buf_str(&send));
	buf_reset(&send);
	if (s->state != SESSION_CLOSING && for_client)
		keep_line(s, response);
	if (s->state == SESSION_CLOSING)
		return;
	switch (state) {
	case IMAP_OPENING_OPEN:
		accepted(s);
		break;
	case IMAP_OPENING_REFUSED:
		refused(s, response);
		break;
	case IMAP_OPENING_FAILED:
		login_unavailable(s, l->opening.why.text);
		break;
	case IMAP_OPENING_CHALLENGE:
		/* Not again for what else is said until the answer comes. */
		if (!was_asked)
			authenticate_ask(s, l->opening.challenge);
		break;
	case IMAP_OPENING_GREETING:
	case IMAP_OPENING_STARTTLS:
	case IMAP_OPENING_TLS:
	case IMAP_OPENING_CAPABILITY:
	case IMAP_OPENING_LOGIN:
	case IMAP_OPENING_PROBED:
		break;
	}
}

/* wants_tls: the backend agreed to STARTTLS. */
static bool wants_tls(const struct session *s)
{
	if (s->state != SESSION_LOGIN)
		return false;
	assert(s->login != NULL); /* in that state */
	return s->login->opening.state == IMAP_OPENING_TLS;
}

/* start_tls: |left| octets came behind the OK of STARTTLS. */
static void start_tls(struct session *s, size_t left)
{
	if (imap_opening_left(&s->login->opening, left))
		dial_start_tls(s->backend, backend_target(s->server));
	else
		login_unavailable(s, s->login->opening.why.text);
}

void login_on_bytes(struct session *s, struct str *in)
{
	struct str response;
	int rc;

	while (s->state == SESSION_LOGIN) {
		rc = imap_reader_next(&s->login->reader, in, &response);
		if (rc == ERR_MORE)
			return;
		if (rc != 0) {
			login_unavailable(s, "it does not speak IMAP");
			return;
		}
		on_response(s, response);
		if (wants_tls(s)) {
			start_tls(s, in->len);
			return;
		}
	}
}

void login_on_open(struct session *s)
{
	struct buf send;

	if (!wants_tls(s))
		return;
	buf_init(&send, IMAP_OPENING_SEND_MAX);
	if (imap_opening_secured(&s->login->opening, &send) ==
	    IMAP_OPENING_FAILED)
		login_unavailable(s, s->login->opening.why.text);
	else
		session_to_backend(s, buf_str(&send));
	buf_reset(&send);
}

static void on_dialled(void *arg, int rc, struct stream *stream,
                       const char *why)
{
	struct session *s = arg;
	struct login *l = s->login;

	l->dial = NULL;
	if (s->state == SESSION_CLOSING) {
		if (rc == 0)
			stream_abort(&stream);
		return;
	}
	if (rc == 0) {
		session_take_backend(s, stream);
	} else if (rc == ERR_TIMEOUT) {
		login_unavailable(s, why);
	} else {
		backend_unreached(s->server, why);
		unavailable(s);
	}
	session_update(s);
}

void login_on_timer(struct session *s)
{
	if (s->state == SESSION_REFUSED)
		tell(s);
	else if (s->input == INPUT_SASL)
		session_bye(s, "Login took too long.");
	else
		login_unavailable(s, "no answer to a login in time");
}

/* login_new makes an attempt of |who|, whose parts become its own. */
static struct login *login_new(struct str tag, struct imap_login *who)
{
	struct login *l = xcalloc(1, sizeof(*l));

	l->who = *who;
	*who = (struct imap_login){ 0 };
	l->tag = str_dup(tag);
	buf_init(&l->id, IMAP_ID_LIST_MAX);
	imap_reader_init(&l->reader, LOGIN_RESPONSE_MAX);
	buf_init(&l->reply, LOGIN_REPLY_MAX);
	return l;
}

/* dial goes to the user's backend. */
static void dial(struct session *s)
{
	const struct dial_target *target = backend_target(s->server);
	const struct dial_from from = {
		.client = &s->client_addr,
		.listener = &s->server_addr,
		.tls = str_of(stream_tls_version(s->client)),
	};
	struct login *l = s->login;
	struct imap_opening_opts opts = {
		.login = &l->who,
		.tag = l->tag,
		.sasl_ir = backend_has(s->server, STR("SASL-IR")),
		.starttls = target->starttls,
	};

	identify_own(s, &l->id);
	opts.id[0] = buf_str(&l->id);
	opts.id[1] = identify_client(s);
	imap_opening_init(&l->opening, &opts);
	l->dial = dial_start(s->env->loop, s->env->resolver, target, &from,
	                     LOGIN_DIAL_MS, on_dialled, s);
}

/* no_route refuses who belongs to no backend, in the words of one. */
static void no_route(struct session *s)
{
	struct log_text user;

	log_info(&s->log,
	         "login user=\"%s\" result=refused: no route for the domain, "
	         "and no backend.url",
	         log_safe(s->user, &user));
	set_reply(s, STR(LOGIN_REFUSED));
	if (s->state != SESSION_CLOSING)
		tell_later(s, true);
}

/* turn_away answers at once while the backend is down. */
static void turn_away(struct session *s, struct str tag)
{
	metric_add(METRIC_LOGINS_UNAVAILABLE, 1);
	s->login_attempts++;
	session_reply(s, tag, STR_NULL, LOGIN_UNAVAILABLE);
	limit_attempts(s);
}

/* name_user: this is the name that will count. */
static void name_user(struct session *s)
{
	const struct imap_login *who = &s->login->who;

	str_free(&s->user);
	s->user = str_dup(who->user);
	s->is_offered = s->env->opts->push_enabled &&
	                !imap_login_is_other(who) &&
	                service_offer(s->env->service, s->user, &s->topic);
	session_set_traced(s, s->user);
}

void login_begin(struct session *s, struct str tag, struct imap_login *who)
{
	s->server = backends_find(s->env->backends, who->user);
	/* No error: whoever likes to can say so in an ID. */
	if (identify_is_loop(s))
		log_warn(&s->log, "a proxy loop, going by the client's ID: "
		                  "does backend.url lead here?");
	if (identify_is_loop(s) ||
	    (s->server != NULL && backend_is_down(s->server))) {
		imap_login_done(who);
		turn_away(s, tag);
		return;
	}
	s->login = login_new(tag, who);
	s->login_attempts++;
	name_user(s);
	session_set_state(s, SESSION_LOGIN);
	session_set_input(s, INPUT_BUSY);
	loop_timer_set(s->timer, (uint64_t)s->env->opts->login_s * 1000);
	if (s->server == NULL)
		no_route(s);
	else
		dial(s);
}

void login_abandon(struct session *s, const char *text)
{
	const struct imap_sasl *m = imap_sasl_of(s->login->who.method);
	struct log_text user;

	log_info(&s->log, "login user=\"%s\" result=abandoned",
	         log_safe(s->user, &user));
	session_drop_backend(s);
	set_reply(s, str_of(text));
	if (s->state == SESSION_CLOSING)
		return;
	/* A challenge that is not always made is a refusal with its reason:
	 * who does not wait for the NO has failed all the same. */
	if (m->challenges_min == 0)
		tell_later(s, true);
	else
		tell(s);
}

void login_respond(struct session *s, struct str base64)
{
	struct login *l = s->login;
	struct buf send;

	buf_init(&send, IMAP_OPENING_SEND_MAX);
	if (imap_opening_respond(&l->opening, &l->who, base64, &send) != 0) {
		login_abandon(s, "BAD Malformed SASL message.");
	} else {
		name_user(s);
		session_to_backend(s, buf_str(&send));
	}
	buf_reset(&send);
}

void login_command(struct session *s, struct str command)
{
	struct imap_login who = { 0 };
	struct str tag = client_tag(command);

	if (imap_login_parse(command, &who) == 0) {
		login_begin(s, tag, &who);
		return;
	}
	session_reply(s, tag, STR_NULL, "BAD Malformed LOGIN.");
	prelogin_count_bad(s);
}
