/* SPDX-License-Identifier: ISC */
/*
 * opening - greeting, then a login or a probe (RFC 9051 sections 6.1.1, 6.2.2,
 * 6.2.3, 7.1). A server that behaves strangely before the tagged OK is not
 * believed: the name counts only after the reply to a login sent whole.
 */
#include "imap/opening.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "imap/capability.h"
#include "imap/sasl.h"

/* No other command is under way then. */
#define STARTTLS_TAG "S0"

void imap_opening_init(struct imap_opening *o,
                       const struct imap_opening_opts *opts)
{
	struct str tag = opts->tag.len > 0 ? opts->tag : STR("a1");

	*o = (struct imap_opening){ .state = IMAP_OPENING_GREETING,
		                    .opts = *opts };
	o->opts.tag = STR_NULL; /* the copy is the one that stays */
	tag = str_sub(tag, 0, sizeof(o->tag) - 1);
	memcpy(o->tag, tag.data, tag.len);
	imap_emit_init(&o->emit, IMAP_OPENING_SEND_MAX);
	buf_init(&o->greeting_list, IMAP_EDIT_HELD);
	buf_init(&o->list, IMAP_EDIT_HELD);
}

void imap_opening_done(struct imap_opening *o)
{
	imap_emit_done(&o->emit);
	buf_reset(&o->greeting_list);
	buf_reset(&o->list);
}

/* say makes |why| a sentence, with the server's own words if it said some. */
static enum imap_opening_state say(struct imap_opening *o,
                                   enum imap_opening_state state,
                                   const char *what, struct str said)
{
	struct log_text safe;

	(void)err_set(&o->why, ERR_UNAVAILABLE, "%s%s%s", what,
	              said.len > 0 ? ": " : "", log_safe(said, &safe));
	return state;
}

static enum imap_opening_state fail(struct imap_opening *o, const char *what,
                                    struct str said)
{
	return say(o, IMAP_OPENING_FAILED, what, said);
}

/* send_next gives out what may be sent now. */
static enum imap_opening_state send_next(struct imap_opening *o,
                                         enum imap_opening_state state,
                                         struct buf *send)
{
	if (buf_add(send, imap_emit_next(&o->emit)) != ERR_OK)
		return fail(o, "no room to send", STR_NULL);
	return state;
}

/* begin_probe asks for the list, which differs from the greeting's on some
 * servers. */
static enum imap_opening_state begin_probe(struct imap_opening *o,
                                           struct buf *send)
{
	if (imap_emit_text(&o->emit, str_of(o->tag)) != ERR_OK ||
	    imap_emit_text(&o->emit, STR(" CAPABILITY\r\n")) != ERR_OK)
		return fail(o, "no room to send", STR_NULL);
	return send_next(o, IMAP_OPENING_CAPABILITY, send);
}

/* id_tag is the tag of our |n|-th ID, which the login's cannot be. */
static struct str id_tag(const struct imap_opening *o, size_t n)
{
	static const struct str tags[][IMAP_OPENING_IDS] = {
		{ { "I0", 2 }, { "I1", 2 } },
		{ { "J0", 2 }, { "J1", 2 } },
	};

	return tags[o->tag[0] == 'I'][n];
}

/* send_ids says who is there. */
static int send_ids(struct imap_opening *o, struct buf *send)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < IMAP_OPENING_IDS && rc == ERR_OK; i++) {
		if (o->opts.id[i].len == 0)
			continue;
		o->ids_open++;
		rc = buf_add(send, id_tag(o, i));
		if (rc == ERR_OK)
			rc = buf_adds(send, " ID ");
		if (rc == ERR_OK)
			rc = buf_add(send, o->opts.id[i]);
		if (rc == ERR_OK)
			rc = buf_adds(send, "\r\n");
	}
	return rc;
}

/* begin_login sends the login, up to where the server must be waited for. */
static enum imap_opening_state begin_login(struct imap_opening *o,
                                           struct buf *send)
{
	bool sasl_ir =
		o->opts.sasl_ir ||
		imap_capability_has(buf_str(&o->greeting_list), STR("SASL-IR"));

	if (imap_login_emit(o->opts.login, str_of(o->tag), sasl_ir, &o->emit) !=
	    ERR_OK)
		return fail(o, "login too long", STR_NULL);
	if (send_ids(o, send) != ERR_OK)
		return fail(o, "no room to send", STR_NULL);
	return send_next(o, IMAP_OPENING_LOGIN, send);
}

/* begin says the first thing that may be said. */
static enum imap_opening_state begin(struct imap_opening *o, struct buf *send)
{
	return o->opts.login != NULL ? begin_login(o, send)
	                             : begin_probe(o, send);
}

/* begin_tls asks for TLS, whatever was listed: only what is said under TLS is
 * believed. */
static enum imap_opening_state begin_tls(struct imap_opening *o,
                                         struct buf *send)
{
	if (buf_adds(send, STARTTLS_TAG " STARTTLS\r\n") != ERR_OK)
		return fail(o, "no room to send", STR_NULL);
	return IMAP_OPENING_STARTTLS;
}

/*
 *   greeting        = "*" SP (resp-cond-auth / resp-cond-bye) CRLF
 *   resp-cond-auth  = ("OK" / "PREAUTH") SP resp-text
 * PREAUTH is somebody's session, but not this user's.
 */
static enum imap_opening_state on_greeting(struct imap_opening *o,
                                           struct str response,
                                           const struct imap_response *r,
                                           struct buf *send)
{
	if (r->cls != IMAP_CLASS_STATUS)
		return fail(o, "not an IMAP greeting", response);
	if (r->status == IMAP_STATUS_PREAUTH)
		return fail(o, "the server greets with PREAUTH", STR_NULL);
	if (r->status != IMAP_STATUS_OK)
		return fail(o, "the server refuses connections", r->text);
	if (imap_capability_list(response, &o->greeting_list) == ERR_LIMIT)
		return fail(o, "capability list too long", STR_NULL);
	return o->opts.starttls ? begin_tls(o, send) : begin(o, send);
}

/* on_starttls waits for the tagged OK; untagged data may be anybody's. */
static enum imap_opening_state on_starttls(struct imap_opening *o,
                                           const struct imap_response *r)
{
	bool listed = imap_capability_has(buf_str(&o->greeting_list),
	                                  STR("STARTTLS"));

	if (r->cls == IMAP_CLASS_CONTINUATION)
		return fail(o, "unexpected continuation", STR_NULL);
	if (r->cls != IMAP_CLASS_TAGGED)
		return IMAP_OPENING_STARTTLS;
	if (r->status == IMAP_STATUS_OK)
		return IMAP_OPENING_TLS;
	return fail(o,
	            listed ? "the server refuses STARTTLS"
	                   : "the server has no STARTTLS",
	            r->text);
}

/* on_probe waits for `* CAPABILITY` and the tagged OK. */
static enum imap_opening_state on_probe(struct imap_opening *o,
                                        struct str response,
                                        const struct imap_response *r)
{
	if (r->cls == IMAP_CLASS_DATA &&
	    imap_response_is(r, STR("CAPABILITY"))) {
		buf_reset(&o->list);
		if (imap_capability_list(response, &o->list) == ERR_LIMIT)
			return fail(o, "capability list too long", STR_NULL);
	}
	if (r->cls != IMAP_CLASS_TAGGED)
		return IMAP_OPENING_CAPABILITY;
	if (r->status != IMAP_STATUS_OK)
		return fail(o, "CAPABILITY refused", r->text);
	if (o->list.len == 0)
		return fail(o, "no capability list", STR_NULL);
	return IMAP_OPENING_PROBED;
}

/* is_proved: what the mechanism demands of the client was sent. */
static bool is_proved(const struct imap_opening *o)
{
	const struct imap_sasl *m = imap_sasl_of(o->opts.login->method);

	return m == NULL || (o->challenges >= m->challenges_min &&
	                     o->state != IMAP_OPENING_CHALLENGE);
}

/* on_login_reply ends the login, also when a literal of it was pending. */
static enum imap_opening_state on_login_reply(struct imap_opening *o,
                                              const struct imap_response *r)
{
	if (r->status != IMAP_STATUS_OK)
		return say(o, IMAP_OPENING_REFUSED, "login refused", r->text);
	if (!imap_emit_finished(&o->emit) || !is_proved(o))
		return fail(o, "OK before the login was sent", STR_NULL);
	return IMAP_OPENING_OPEN;
}

/* is_id_reply: it answers one of our ID commands. */
static bool is_id_reply(const struct imap_opening *o,
                        const struct imap_response *r)
{
	if (o->ids_open == 0)
		return false;
	if (r->cls != IMAP_CLASS_TAGGED)
		return r->cls == IMAP_CLASS_DATA &&
		       imap_response_is(r, STR("ID"));
	return str_eq(r->tag, id_tag(o, 0)) || str_eq(r->tag, id_tag(o, 1));
}

/* take_id_reply returns whether the client sees it: never. */
static bool take_id_reply(struct imap_opening *o, const struct imap_response *r)
{
	if (r->cls == IMAP_CLASS_TAGGED)
		o->ids_open--;
	return false;
}

/*
 *   continue-req    = "+" SP (resp-text / base64) CRLF
 * Where the login has a stop, its content does not matter; behind the last one
 * it asks the client itself.
 */
static enum imap_opening_state on_continuation(struct imap_opening *o,
                                               const struct imap_response *r,
                                               struct buf *send)
{
	const struct imap_sasl *m = imap_sasl_of(o->opts.login->method);

	if (!imap_emit_finished(&o->emit))
		return send_next(o, IMAP_OPENING_LOGIN, send);
	if (m == NULL || o->challenges == m->challenges_max ||
	    o->state == IMAP_OPENING_CHALLENGE)
		return fail(o, "unexpected continuation", STR_NULL);
	o->challenges++;
	o->challenge = r->text;
	return IMAP_OPENING_CHALLENGE;
}

/* on_login waits for "+" and for the tagged reply. */
static enum imap_opening_state on_login(struct imap_opening *o,
                                        const struct imap_response *r,
                                        struct buf *send)
{
	if (r->cls == IMAP_CLASS_CONTINUATION)
		return on_continuation(o, r, send);
	return r->cls == IMAP_CLASS_TAGGED ? on_login_reply(o, r) : o->state;
}

/* step takes a response that is IMAP and neither BYE nor someone's tag. */
static enum imap_opening_state step(struct imap_opening *o, struct str response,
                                    const struct imap_response *r,
                                    struct buf *send)
{
	switch (o->state) {
	case IMAP_OPENING_GREETING:
		return on_greeting(o, response, r, send);
	case IMAP_OPENING_STARTTLS:
		return on_starttls(o, r);
	case IMAP_OPENING_TLS:
		return fail(o, "unencrypted data behind the OK of STARTTLS",
		            response);
	case IMAP_OPENING_CAPABILITY:
		return on_probe(o, response, r);
	case IMAP_OPENING_LOGIN:
	case IMAP_OPENING_CHALLENGE:
		return on_login(o, r, send);
	case IMAP_OPENING_OPEN:
	case IMAP_OPENING_REFUSED:
	case IMAP_OPENING_PROBED:
	case IMAP_OPENING_FAILED:
		break;
	}
	return o->state; /* over */
}

static bool is_waiting(const struct imap_opening *o)
{
	return o->state < IMAP_OPENING_OPEN;
}

/* is_ours: |tag| belongs to the command whose reply is due. */
static bool is_ours(const struct imap_opening *o, struct str tag)
{
	switch (o->state) {
	case IMAP_OPENING_STARTTLS:
		return str_eq(tag, STR(STARTTLS_TAG));
	case IMAP_OPENING_CAPABILITY:
	case IMAP_OPENING_LOGIN:
	case IMAP_OPENING_CHALLENGE:
		return str_eq(tag, str_of(o->tag));
	case IMAP_OPENING_GREETING:
	case IMAP_OPENING_TLS:
	case IMAP_OPENING_OPEN:
	case IMAP_OPENING_REFUSED:
	case IMAP_OPENING_PROBED:
	case IMAP_OPENING_FAILED:
		break;
	}
	return false;
}

enum imap_opening_state imap_opening_feed(struct imap_opening *o,
                                          struct str response, struct buf *send,
                                          bool *for_client_r)
{
	bool login = o->state == IMAP_OPENING_LOGIN ||
	             o->state == IMAP_OPENING_CHALLENGE;
	struct imap_response r;

	*for_client_r = false;
	if (!is_waiting(o))
		return o->state;
	if (imap_response_parse(response, &r) != ERR_OK)
		o->state = fail(o, "not IMAP", response);
	else if (r.status == IMAP_STATUS_BYE)
		o->state = fail(o, "the server said BYE", r.text);
	else if (is_id_reply(o, &r))
		login = take_id_reply(o, &r);
	else if (r.cls == IMAP_CLASS_TAGGED && !is_ours(o, r.tag))
		o->state = fail(o, "a reply to no command", r.text);
	else
		o->state = step(o, response, &r, send);
	*for_client_r = login && o->state != IMAP_OPENING_FAILED &&
	                r.cls != IMAP_CLASS_CONTINUATION;
	return o->state;
}

int imap_opening_respond(struct imap_opening *o, struct imap_login *l,
                         struct str base64, struct buf *send)
{
	int rc;

	assert(o->state == IMAP_OPENING_CHALLENGE);
	rc = imap_sasl_answer(l, base64, send);
	if (rc == ERR_OK)
		o->state = IMAP_OPENING_LOGIN;
	return rc;
}

bool imap_opening_left(struct imap_opening *o, size_t len)
{
	assert(o->state == IMAP_OPENING_TLS);
	if (len == 0)
		return true;
	(void)err_set(&o->why, ERR_UNAVAILABLE,
	              "%zu unencrypted octets behind the OK of STARTTLS", len);
	o->state = IMAP_OPENING_FAILED;
	return false;
}

enum imap_opening_state imap_opening_secured(struct imap_opening *o,
                                             struct buf *send)
{
	assert(o->state == IMAP_OPENING_TLS);
	buf_reset(&o->greeting_list);
	o->state = begin(o, send);
	return o->state;
}
