/* SPDX-License-Identifier: ISC */
/*
 * login - one attempt: parse, dial, let imap/opening speak, tell the verdict.
 * RFC 9051 section 6.2, RFC 4616 (PLAIN), RFC 4959 (SASL-IR), RFC 5530 (codes).
 */
#include "proxy/login.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"
#include "imap/command.h"
#include "imap/id.h"
#include "imap/login.h"
#include "imap/opening.h"
#include "imap/reader.h"
#include "net/dial.h"
#include "proxy/backend.h"
#include "proxy/client.h"
#include "proxy/collect.h"
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

/* A SASL response: as a LOGIN command, see intercept. */
#define LOGIN_SASL_MAX ((size_t)16 * 1024)

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

/* back_to_prelogin: the client may try again. */
static void back_to_prelogin(struct session *s)
{
	login_end(s);
	str_free(&s->user);
	s->is_offered = false;
	session_set_state(s, SESSION_PRELOGIN);
	session_set_input(s, INPUT_COMMAND);
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
	log_error(&s->log, "backend %s: %s", backend_name(s->env->backend),
	          why);
	backend_doubt(s->env->backend);
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
		return buf_adds(out, "NO [AUTHENTICATIONFAILED] "
		                     "Authentication failed.");
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

/* refused: the backend said NO or BAD. It is told after a while. */
static void refused(struct session *s, struct str response)
{
	struct imap_response r;
	struct log_text user;
	struct log_text said;
	struct buf text;
	struct str rest;

	backend_answered(s->env->backend);
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
	if (!imap_response_code(&r, STR("UNAVAILABLE"), &rest))
		s->login_failures++;
	session_set_state(s, SESSION_REFUSED);
	loop_timer_set(s->timer, penalty_ms(s->login_failures));
}

/* accepted: the tagged OK; the name counts from now on. */
static void accepted(struct session *s)
{
	struct login *l = s->login;
	struct log_text user;
	bool is_other = imap_login_is_other(&l->who);

	backend_answered(s->env->backend);
	log_info(&s->log, "login user=\"%s\" result=ok backend=%s push=%s",
	         log_safe(s->user, &user), backend_name(s->env->backend),
	         s->is_offered ? "offered" : "no");
	sessions_logged_in(s->env->sessions, s);
	if (s->env->opts->push_enabled && !is_other) {
		service_logged_in(s->env->service, &l->who);
		if (service_keeps_logins(s->env->service))
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
	struct buf send;

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
	case IMAP_OPENING_GREETING:
	case IMAP_OPENING_STARTTLS:
	case IMAP_OPENING_TLS:
	case IMAP_OPENING_CAPABILITY:
	case IMAP_OPENING_LOGIN:
	case IMAP_OPENING_CHALLENGE:
	case IMAP_OPENING_PROBED:
		break;
	}
}

/* wants_tls: the backend agreed to STARTTLS. */
static bool wants_tls(const struct session *s)
{
	return s->state == SESSION_LOGIN &&
	       s->login->opening.state == IMAP_OPENING_TLS;
}

/* start_tls: |left| octets came behind the OK of STARTTLS. */
static void start_tls(struct session *s, size_t left)
{
	if (imap_opening_left(&s->login->opening, left))
		dial_start_tls(s->backend, backend_target(s->env->backend));
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
		backend_unreached(s->env->backend, why);
		unavailable(s);
	}
	session_update(s);
}

void login_on_timer(struct session *s)
{
	if (s->state == SESSION_REFUSED)
		tell(s);
	else
		login_unavailable(s, "no answer to a login in time");
}

/* login_new makes an attempt of |who|, whose parts become its own. */
static struct login *login_new(const struct session *s, struct str tag,
                               const struct imap_login *who)
{
	struct login *l = xcalloc(1, sizeof(*l));
	struct imap_opening_opts opts = {
		.login = &l->who,
		.tag = tag,
		.sasl_ir = backend_has(s->env->backend, STR("SASL-IR")),
		.starttls = backend_target(s->env->backend)->starttls,
	};

	l->who = *who;
	l->tag = str_dup(tag);
	buf_init(&l->id, IMAP_ID_LIST_MAX);
	identify_own(s, &l->id);
	opts.id[0] = buf_str(&l->id);
	opts.id[1] = identify_client(s);
	imap_opening_init(&l->opening, &opts);
	imap_reader_init(&l->reader, LOGIN_RESPONSE_MAX);
	buf_init(&l->reply, LOGIN_REPLY_MAX);
	return l;
}

/* turn_away answers at once while the backend is down. */
static void turn_away(struct session *s, struct str tag)
{
	metric_add(METRIC_LOGINS_UNAVAILABLE, 1);
	s->login_attempts++;
	session_reply(s, tag, STR_NULL, LOGIN_UNAVAILABLE);
	limit_attempts(s);
}

/* begin dials for |who|, which becomes the attempt's. */
static void begin(struct session *s, struct str tag, struct imap_login *who)
{
	const struct proxy_opts *opts = s->env->opts;
	const struct dial_from from = { .client = &s->client_addr,
		                        .listener = &s->server_addr };
	struct login *l;

	if (identify_is_loop(s))
		log_error(&s->log, "a proxy loop: backend.url leads here");
	if (identify_is_loop(s) || backend_is_down(s->env->backend)) {
		imap_login_done(who);
		turn_away(s, tag);
		return;
	}
	l = login_new(s, tag, who);
	s->login = l;
	s->login_attempts++;
	s->user = str_dup(l->who.user);
	s->is_offered = opts->push_enabled && !imap_login_is_other(&l->who) &&
	                service_offer(s->env->service, s->user, &s->topic);
	session_set_traced(s, s->user);
	session_set_state(s, SESSION_LOGIN);
	session_set_input(s, INPUT_BUSY);
	loop_timer_set(s->timer, (uint64_t)opts->login_s * 1000);
	l->dial = dial_start(s->env->loop, s->env->resolver,
	                     backend_target(s->env->backend), &from,
	                     LOGIN_DIAL_MS, on_dialled, s);
}

/* bad refuses what does not parse; nothing was dialled. */
static void bad(struct session *s, struct str tag, const char *text)
{
	session_reply(s, tag, STR_NULL, text);
	prelogin_count_bad(s);
}

void login_command(struct session *s, struct str command)
{
	struct imap_login who = { 0 };
	struct str tag = client_tag(command);

	if (imap_login_parse(command, &who) != 0)
		bad(s, tag, "BAD Malformed LOGIN.");
	else
		begin(s, tag, &who);
}

/* plain takes the message of SASL PLAIN. */
static void plain(struct session *s, struct str tag, struct str base64)
{
	struct imap_login who = { 0 };

	if (imap_login_parse_plain(base64, &who) != 0)
		bad(s, tag, "BAD Malformed SASL PLAIN message.");
	else
		begin(s, tag, &who);
}

/*
 * authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]
 * initial-resp = base64 / "="
 */
void login_authenticate(struct session *s, struct str command)
{
	struct imap_command c;
	struct str mechanism;
	size_t space;

	if (imap_command_parse(command, &c) != 0) {
		bad(s, c.tag, "BAD Malformed AUTHENTICATE.");
		return;
	}
	space = str_find(c.args, ' ');
	mechanism = str_take(&c.args, space == SIZE_MAX ? c.args.len : space);
	if (!str_ieq(mechanism, STR("PLAIN"))) {
		bad(s, c.tag, "NO Unsupported authentication mechanism.");
		return;
	}
	if (str_byte(&c.args, ' ')) {
		plain(s, c.tag, c.args);
		return;
	}
	str_free(&s->sasl_tag);
	s->sasl_tag = str_dup(c.tag);
	session_set_input(s, INPUT_SASL);
	session_go_ahead(s, "");
}

static struct str without_line_end(struct str line)
{
	if (str_ends(line, STR("\n")))
		line.len--;
	if (str_ends(line, STR("\r")))
		line.len--;
	return line;
}

/* on_sasl_line: the whole line is there. */
static void on_sasl_line(struct session *s, struct str line)
{
	session_set_input(s, INPUT_COMMAND);
	if (str_eq(line, STR("*")))
		session_reply(s, s->sasl_tag, STR_NULL,
		              "BAD Authentication cancelled.");
	else
		plain(s, s->sasl_tag, line);
}

void login_on_sasl(struct session *s, const struct imap_frame *frame)
{
	struct collect line;

	if (frame->kind == IMAP_FRAME_BAD) {
		session_set_input(s, INPUT_COMMAND);
		bad(s, s->sasl_tag, "BAD Malformed line.");
		return;
	}
	if (frame->first)
		collect_init(&s->collect, LOGIN_SASL_MAX);
	switch (collect_add(&s->collect, frame)) {
	case COLLECT_MORE:
	case COLLECT_GO_AHEAD:
		break;
	case COLLECT_REFUSED:
		session_bye(s, "Line too long.");
		break;
	case COLLECT_WHOLE:
		line = s->collect;
		collect_init(&s->collect, 0);
		on_sasl_line(s, without_line_end(buf_str(&line.text)));
		collect_done(&line);
		break;
	}
}
