/* SPDX-License-Identifier: ISC */
/*
 * client - commands are taken apart only as far as tag and verb (RFC 9051
 * section 2.2.1); what is not written exactly is forwarded as it is, unless a
 * lenient server might read a command in it that is ours.
 */
#include "proxy/client.h"

#include <assert.h>

#include "imap/command.h"
#include "proxy/authenticate.h"
#include "proxy/intercept.h"
#include "proxy/prelogin.h"
#include "proxy/session.h"

struct str client_tag(struct str command)
{
	struct imap_command c;

	/* The tag is set, perhaps empty, also when the rest does not fit. */
	if (imap_command_parse(command, &c) != 0)
		return c.tag;
	return c.tag;
}

/*
 * after_refused: a command was refused at |f|, a frame of it. The octets of a
 * literal that the client does not wait to send are part of the command: they
 * are dropped, with all that follows up to its end. One that waits sends
 * nothing more.
 */
static void after_refused(struct session *s, const struct imap_frame *f)
{
	if (f->kind != IMAP_FRAME_LITERAL && f->last) {
		if (f->literal.form == IMAP_LITERAL_SYNC)
			imap_framer_skip_literal(&s->from_client);
		if (f->literal.form != IMAP_LITERAL_NONSYNC) {
			if (s->input != INPUT_COMMAND)
				session_set_input(s, INPUT_COMMAND);
			return;
		}
	}
	if (s->input != INPUT_SWALLOW)
		session_set_input(s, INPUT_SWALLOW);
}

static void refuse(struct session *s, struct str tag,
                   const struct imap_frame *f, const char *text)
{
	session_reply(s, tag, STR_NULL, text);
	if (s->state == SESSION_PRELOGIN)
		prelogin_count_bad(s);
	if (s->state != SESSION_CLOSING)
		after_refused(s, f);
}

/* collected gives a whole command to the one who answers it. */
static void collected(struct session *s)
{
	struct collect whole = s->collect;
	const struct intercept *row = s->collecting;

	/* The answer may begin to collect again. */
	collect_init(&s->collect, 0);
	s->collecting = NULL;
	session_set_input(s, INPUT_COMMAND);
	row->answer(s, buf_str(&whole.text));
	collect_done(&whole);
}

static void collect(struct session *s, const struct imap_frame *f)
{
	struct str command;

	switch (collect_add(&s->collect, f)) {
	case COLLECT_MORE:
		break;
	case COLLECT_GO_AHEAD:
		session_go_ahead(s, "OK");
		break;
	case COLLECT_WHOLE:
		collected(s);
		break;
	case COLLECT_REFUSED:
		/* Nothing is kept of a first frame that is too large. */
		command = f->first ? f->text : buf_str(&s->collect.text);
		refuse(s, client_tag(command), f, "BAD Command too large.");
		collect_done(&s->collect);
		break;
	}
}

static void begin_collect(struct session *s, const struct intercept *row,
                          const struct imap_frame *f)
{
	collect_init(&s->collect, row->max_for != NULL ? row->max_for(f->text)
	                                               : row->max_bytes);
	s->collect.front_only = row->front_only;
	s->collecting = row;
	session_set_input(s, INPUT_COLLECT);
	collect(s, f);
}

/*
 * must_wait: replies to earlier commands have to come first. A tag that is
 * outstanding already would leave open which of the two a reply belongs to,
 * and what is answered here is answered in order and may talk to the backend.
 */
static bool must_wait(const struct session *s, const struct intercept *row,
                      struct str tag)
{
	if (row->action == INTERCEPT_ANSWER)
		return !inflight_is_empty(&s->inflight);
	return row->action != INTERCEPT_REFUSE &&
	       inflight_find(&s->inflight, tag) != NULL;
}

/* hold keeps the first line of a command until earlier ones are answered. */
static void hold(struct session *s, const struct imap_frame *f)
{
	s->held_frame = *f;
	s->held_text.max = f->text.len;
	if (buf_add(&s->held_text, f->text) != 0)
		session_close(s, "out of memory");
	else
		session_set_input(s, INPUT_HELD);
}

/* on_command does what |row| says with the first frame of a command. */
static void on_command(struct session *s, const struct intercept *row,
                       struct str tag, const struct imap_frame *f)
{
	switch (row->action) {
	case INTERCEPT_FORWARD:
		relay_command(s, tag, f);
		break;
	case INTERCEPT_IDLE:
		/* A literal here would be answered by the "+" of IDLE, and its
		 * octets would be lines that end it, then commands. */
		if (f->last && f->literal.form == IMAP_LITERAL_NONE)
			relay_idle(s, tag, f);
		else
			refuse(s, tag, f, "BAD IDLE takes no arguments.");
		break;
	case INTERCEPT_ANSWER:
		begin_collect(s, row, f);
		break;
	case INTERCEPT_REFUSE:
		refuse(s, tag, f, row->refusal);
		break;
	}
}

static const struct intercept forward_as_is = {
	.action = INTERCEPT_FORWARD,
};

static const struct intercept malformed = {
	.action = INTERCEPT_REFUSE,
	.refusal = "BAD Malformed command.",
};

/* row_for_odd: the line is not exactly `tag SP verb`. */
static const struct intercept *row_for_odd(const struct session *s,
                                           struct str line)
{
	if (s->state != SESSION_RELAY || intercept_is_owned(s, line))
		return &malformed;
	return &forward_as_is;
}

/* is_lone_word: a line without a verb. Before login it may be a response to an
 * AUTHENTICATE that was refused, and is not to be seen in our answer. */
static bool is_lone_word(const struct session *s, struct str line)
{
	return s->state != SESSION_RELAY && str_find(line, ' ') == SIZE_MAX;
}

static void on_head(struct session *s, const struct imap_frame *f)
{
	const struct intercept *row;
	struct imap_command c;

	if (imap_command_parse(f->text, &c) == 0)
		row = intercept_find(s, c.verb);
	else
		row = row_for_odd(s, f->text);
	if (is_lone_word(s, f->text))
		c.tag = STR_NULL;
	if (must_wait(s, row, c.tag))
		hold(s, f);
	else
		on_command(s, row, c.tag, f);
}

/*
 * on_bad: the framer would not have this line. While the stream is in step and
 * nothing of the command was forwarded it costs a BAD, else the connection, but
 * not the replies to the commands before it.
 */
static void on_bad(struct session *s, const struct imap_frame *f)
{
	const char *why = imap_frame_error_text(f->error);
	struct err_detail text;

	if (imap_frame_error_closes(f->error) || s->input == INPUT_IDLE) {
		if (s->input == INPUT_COMMAND && f->first &&
		    !inflight_is_empty(&s->inflight))
			hold(s, f);
		else
			session_bye(s, why);
		return;
	}
	if (s->input == INPUT_SASL) {
		authenticate_on_line(s, f);
		return;
	}
	(void)err_set(&text, ERR_PARSE, "BAD %s.", why);
	refuse(s, client_tag(f->text), f, text.text);
}

void client_on_frame(struct session *s, const struct imap_frame *frame)
{
	if (frame->kind == IMAP_FRAME_BAD) {
		on_bad(s, frame);
		return;
	}
	switch (s->input) {
	case INPUT_COMMAND:
		if (frame->first)
			on_head(s, frame);
		else
			relay_more(s, frame);
		break;
	case INPUT_COLLECT:
		collect(s, frame);
		break;
	case INPUT_SWALLOW:
		after_refused(s, frame);
		break;
	case INPUT_SASL:
		authenticate_on_line(s, frame);
		break;
	case INPUT_IDLE:
		relay_idle_line(s, frame);
		break;
	case INPUT_HELD:
	case INPUT_LITERAL:
	case INPUT_IDLE_WAIT:
	case INPUT_IDLE_DONE:
	case INPUT_BUSY:
	case INPUTS:
		assert(false && "a frame that was not wanted");
	}
}

void client_release(struct session *s)
{
	struct buf text = s->held_text;
	struct imap_frame frame = s->held_frame;

	if (s->input != INPUT_HELD)
		return;
	buf_init(&s->held_text, 0);
	frame.text = buf_str(&text);
	session_set_input(s, INPUT_COMMAND);
	client_on_frame(s, &frame); /* which may hold it again */
	buf_reset(&text);
}
