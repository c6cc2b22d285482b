/* SPDX-License-Identifier: ISC */
/*
 * relay - facts first: RFC 9051 sections 4.3, 5.5 and 7; RFC 7888; RFC 2177.
 * What is not edited passes octet by octet; what is ours goes out between two
 * responses only.
 */
#include "proxy/relay.h"

#include "base/metric.h"
#include "imap/capability.h"
#include "imap/response.h"
#include "proxy/backend.h"
#include "proxy/client.h"
#include "proxy/register.h"
#include "proxy/session.h"

/* An edited line: what is held of one, and words of ours. */
#define RELAY_EDIT_MAX (2 * IMAP_EDIT_HELD)

/* A `* STATUS` that may be the answer to ours. Names we ask for have 1,000
 * octets, quoted at most twice that. */
#define RELAY_HOLD_MAX ((size_t)8192)

void relay_init(struct relay *r)
{
	*r = (struct relay){ .fate = RELAY_BETWEEN };
	buf_init(&r->hold, RELAY_HOLD_MAX);
}

void relay_done(struct relay *r)
{
	buf_reset(&r->hold);
}

/* relay_literal_line sends a line up to the announcement in |f|, then |end|. */
static void relay_literal_line(struct session *s, const struct imap_frame *f,
                               const char *end)
{
	session_to_backend(s, str_sub(f->text, 0, f->literal.at));
	session_to_backend(s, str_of(end));
}

/* offer_literal asks the backend whether it will take the literal. */
static void offer_literal(struct session *s, const struct imap_frame *f)
{
	struct err_detail end;

	(void)err_set(&end, 0, "%s{%llu}\r\n", f->literal.binary ? "~" : "",
	              (unsigned long long)f->literal.size);
	relay_literal_line(s, f, end.text);
	s->relay.nonsync = f->literal.form == IMAP_LITERAL_NONSYNC;
	session_set_input(s, INPUT_LITERAL);
}

/*
 * end_answered: a literal is announced by a command that was answered already
 * (an APPEND of several messages that failed at the first) or that no reply
 * can be matched to. The line ends with an empty string in its place, whatever
 * the backend makes of it, and the octets are not sent.
 */
static void end_answered(struct session *s, const struct imap_frame *f)
{
	relay_literal_line(s, f, "\"\"\r\n");
	if (f->literal.form == IMAP_LITERAL_NONSYNC)
		session_set_input(s, INPUT_SWALLOW);
	else
		imap_framer_skip_literal(&s->from_client);
}

void relay_command(struct session *s, struct str tag,
                   const struct imap_frame *frame)
{
	s->relay.current =
		tag.len > 0 ? inflight_sent(&s->inflight, tag) : NULL;
	relay_more(s, frame);
}

void relay_more(struct session *s, const struct imap_frame *frame)
{
	if (frame->kind == IMAP_FRAME_LITERAL || !frame->last ||
	    frame->literal.form == IMAP_LITERAL_NONE)
		session_to_backend(s, frame->text);
	else if (s->relay.current != NULL)
		offer_literal(s, frame);
	else
		end_answered(s, frame);
}

void relay_idle(struct session *s, struct str tag,
                const struct imap_frame *frame)
{
	s->relay.current = inflight_sent(&s->inflight, tag);
	session_to_backend(s, frame->text);
	session_set_input(s, INPUT_IDLE_WAIT);
}

/* Any line ends IDLE, DONE or not: what follows it is a command, read when the
 * tagged reply says that IDLE is over. */
void relay_idle_line(struct session *s, const struct imap_frame *frame)
{
	session_to_backend(s, frame->text);
	if (frame->last)
		session_set_input(s, INPUT_IDLE_DONE);
}

/* note_id remembers whether a list of the backend has ID. */
static void note_id(struct session *s, struct str line)
{
	struct buf words;

	buf_init(&words, RELAY_EDIT_MAX);
	if (imap_capability_list(line, &words) == 0)
		s->relay.id = imap_capability_has(buf_str(&words), STR("ID"))
		                      ? RELAY_ID_THEIRS
		                      : RELAY_ID_OURS;
	buf_reset(&words);
}

bool relay_answers_id(const struct session *s)
{
	const struct backend *b = s->server;

	switch (s->relay.id) {
	case RELAY_ID_UNKNOWN:
		return backend_is_known(b) && !backend_has(b, STR("ID"));
	case RELAY_ID_THEIRS:
		return false;
	case RELAY_ID_OURS:
		return true;
	}
	return false;
}

bool relay_edit(struct session *s, struct str line, struct buf *out)
{
	struct imap_capability_policy policy = session_policy(s);

	if (imap_capability_edit(line, &policy, IMAP_CAPABILITY_SESSION, out) !=
	    0)
		return false;
	note_id(s, line);
	return true;
}

/* is_candidate: the front of a line that can carry capability text. */
static bool is_candidate(const struct imap_frame *f)
{
	return f->first &&
	       (f->cls == IMAP_CLASS_STATUS || f->cls == IMAP_CLASS_TAGGED ||
	        (f->cls == IMAP_CLASS_DATA &&
	         str_istarts(f->text, STR("* CAPABILITY"))));
}

/* pass edits a candidate if it is whole: one that is too long to be held, or
 * goes on behind a literal, passes as it is. */
static void pass(struct session *s, const struct imap_frame *f)
{
	struct buf line;

	if (is_candidate(f) && f->kind == IMAP_FRAME_PART)
		metric_add(METRIC_EDITS_SKIPPED, 1);
	buf_init(&line, RELAY_EDIT_MAX);
	if (is_candidate(f) && f->kind == IMAP_FRAME_LINE &&
	    f->literal.form == IMAP_LITERAL_NONE &&
	    relay_edit(s, f->text, &line))
		session_to_client(s, buf_str(&line));
	else
		session_to_client(s, f->text);
	buf_reset(&line);
}

/* keep holds a frame back until its response is whole; a response that is too
 * long is none of ours. */
static void keep(struct session *s, const struct imap_frame *f)
{
	struct relay *r = &s->relay;

	if (buf_add(&r->hold, f->text) == 0)
		return;
	session_to_client(s, buf_str(&r->hold));
	buf_reset(&r->hold);
	session_to_client(s, f->text);
	r->fate = RELAY_PASS;
}

/* begin_tagged finds out whom a tagged reply answers. */
static enum relay_fate begin_tagged(struct session *s,
                                    const struct imap_frame *f)
{
	struct imap_response reply;
	struct log_text tag;

	if (imap_response_parse(f->text, &reply) != 0)
		return RELAY_PASS;
	if (register_on_tagged(s, &reply))
		return RELAY_DROP;
	s->relay.settles = inflight_find(&s->inflight, reply.tag);
	if (s->relay.settles == NULL)
		log_debug(&s->log, "reply to unknown tag \"%s\"",
		          log_safe(reply.tag, &tag));
	return RELAY_PASS;
}

/* begin_response decides at its first frame what becomes of a response. */
static enum relay_fate begin_response(struct session *s,
                                      const struct imap_frame *f)
{
	struct relay *r = &s->relay;

	r->cls = f->cls;
	switch (f->cls) {
	case IMAP_CLASS_CONTINUATION:
		/* Whoever sent {n+} expects no "+". */
		return s->input == INPUT_LITERAL && r->nonsync ? RELAY_DROP
		                                               : RELAY_PASS;
	case IMAP_CLASS_STATUS:
		r->bye_seen |= str_istarts(f->text, STR("* BYE"));
		return RELAY_PASS;
	case IMAP_CLASS_TAGGED:
		return begin_tagged(s, f);
	case IMAP_CLASS_DATA:
		return register_is_waiting(s) &&
		                       str_istarts(f->text, STR("* STATUS "))
		               ? RELAY_HOLD
		               : RELAY_PASS;
	case IMAP_CLASS_NONE:
	case IMAP_CLASS_OTHER:
		break;
	}
	return RELAY_PASS;
}

/* current_answered: the tagged reply to the command that the client sent last.
 * If it waits for "+", there will be none. */
static void current_answered(struct session *s)
{
	s->relay.current = NULL;
	switch (s->input) {
	case INPUT_LITERAL:
		if (s->relay.nonsync) {
			session_set_input(s, INPUT_SWALLOW);
			break;
		}
		imap_framer_skip_literal(&s->from_client);
		session_set_input(s, INPUT_COMMAND);
		break;
	case INPUT_IDLE_WAIT:
	case INPUT_IDLE:
	case INPUT_IDLE_DONE:
		session_set_input(s, INPUT_COMMAND);
		break;
	case INPUT_COMMAND:
	case INPUT_COLLECT:
	case INPUT_SWALLOW:
	case INPUT_SASL:
	case INPUT_HELD:
	case INPUT_BUSY:
	case INPUTS:
		break;
	}
}

static void settle(struct session *s)
{
	struct inflight_entry *e = s->relay.settles;

	if (e == NULL)
		return;
	s->relay.settles = NULL;
	if (e == s->relay.current)
		current_answered(s);
	inflight_settle(&s->inflight, &e);
}

/* go_ahead: a "+" came. */
static void go_ahead(struct session *s)
{
	if (s->input == INPUT_LITERAL)
		session_set_input(s, INPUT_COMMAND);
	else if (s->input == INPUT_IDLE_WAIT)
		session_set_input(s, INPUT_IDLE);
}

/* end_hold decides about a response that might be ours. */
static void end_hold(struct session *s)
{
	struct relay *r = &s->relay;

	if (!register_on_status(s, buf_str(&r->hold)))
		session_to_client(s, buf_str(&r->hold));
	buf_reset(&r->hold);
}

/* end_response: the client stands between two responses again. */
static void end_response(struct session *s)
{
	size_t before = s->inflight.count;
	struct relay *r = &s->relay;

	if (r->fate == RELAY_HOLD)
		end_hold(s);
	r->fate = RELAY_BETWEEN;
	if (r->cls == IMAP_CLASS_CONTINUATION)
		go_ahead(s);
	settle(s);
	relay_flush(s);
	if (s->inflight.count < before)
		client_release(s);
}

void relay_flush(struct session *s)
{
	struct str lines;

	while (session_may_insert(s) &&
	       inflight_take_answer(&s->inflight, &lines)) {
		session_to_client(s, lines);
		str_free(&lines);
	}
}

bool relay_on_backend(struct session *s, struct str *in)
{
	struct relay *r = &s->relay;
	struct imap_frame f;

	if (imap_framer_next(&s->from_backend, in, &f) != 0)
		return false;
	session_trace(s, "backend", &f, false);
	if (f.kind == IMAP_FRAME_BAD) {
		log_error(&s->log, "backend %s: %s", backend_name(s->server),
		          imap_frame_error_text(f.error));
		session_bye(s, "[UNAVAILABLE] Backend sent nonsense.");
		return false;
	}
	if (f.first)
		r->fate = begin_response(s, &f);
	if (r->fate == RELAY_PASS)
		pass(s, &f);
	else if (r->fate == RELAY_HOLD)
		keep(s, &f);
	if (imap_framer_at_start(&s->from_backend))
		end_response(s);
	return true;
}

void relay_on_backend_end(struct session *s, const char *why)
{
	if (s->relay.bye_seen) {
		session_close(s, "backend said BYE");
		return;
	}
	log_warn(&s->log, "backend %s: %s", backend_name(s->server), why);
	session_bye(s, "[UNAVAILABLE] Connection to the backend lost.");
}

void relay_begin(struct session *s)
{
	session_set_state(s, SESSION_RELAY);
	session_set_input(s, INPUT_COMMAND);
}
