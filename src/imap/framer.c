/* SPDX-License-Identifier: ISC */
/*
 * framer - the state between lines, and what is held of a line whose end has
 * not come. RFC 9051 sections 2.2 and 4.3, RFC 7888 and 3516; where servers
 * read the same octets differently, the line is bad rather than guessed.
 *
 * Nothing depends on where reads fall: a line is whole or long by its length
 * alone, and the last frame of a long one is always its last IMAP_LINE_TAIL
 * octets. Octets are looked at when they are taken from the input, each once;
 * the search for LF comes on top.
 */
#include "imap/framer.h"

#include <assert.h>

#include "base/err.h"
#include "imap/line.h"

enum framer_state {
	STATE_START,   /* at the first line of a command or response */
	STATE_AGAIN,   /* the line goes on after a literal */
	STATE_LONG,    /* of this line a part was, or will be, given out */
	STATE_LITERAL, /* |literal_left| octets to come, perhaps none */
	STATE_DEAD,    /* nothing more is given out */
	STATES
};

#define TO(state) (1U << (state))
#define TO_AFTER_LINE \
	(TO(STATE_START) | TO(STATE_LITERAL) | TO(STATE_LONG) | TO(STATE_DEAD))

static const uint8_t moves[] = {
	[STATE_START] = TO_AFTER_LINE,
	[STATE_AGAIN] = TO_AFTER_LINE,
	[STATE_LONG] = TO_AFTER_LINE,
	[STATE_LITERAL] = TO(STATE_AGAIN) | TO(STATE_START),
	[STATE_DEAD] = TO(STATE_DEAD),
};

static_assert(sizeof(moves) == STATES, "one row of moves per state");

/* What is remembered of a response, and of a long line, in |flags|. */
enum {
	FLAG_EDIT = 1,   /* the line may be edited: held longer */
	FLAG_CODE = 2,   /* a "[" in status text is not closed yet */
	FLAG_QUOTED = 4, /* long line: inside a quoted string */
	FLAG_ESCAPED = 8 /* long line: behind a backslash in it */
};

/* A tag and a verb fit into any line that is called whole. */
enum { LINE_HELD_MIN = 128 };

static void set_state(struct imap_framer *f, enum framer_state to)
{
	assert((moves[f->state] & TO(to)) != 0);
	f->state = (uint8_t)to;
	if (to == STATE_START) {
		f->cls = IMAP_CLASS_NONE;
		f->flags = 0;
	}
}

/* give_bad makes |frame| the bad one. An error that closes ends it all. */
static int give_bad(struct imap_framer *f, struct str text,
                    enum imap_frame_error error, struct imap_frame *frame)
{
	frame->kind = IMAP_FRAME_BAD;
	frame->text = text;
	frame->last = true;
	frame->error = error;
	f->given = f->held.len;
	set_state(f, imap_frame_error_closes(error) ? STATE_DEAD : STATE_START);
	return ERR_OK;
}

/* line_limit is the length up to which the line is held whole. */
static size_t line_limit(const struct imap_framer *f)
{
	size_t limit = f->line_held;

	if ((f->flags & FLAG_EDIT) != 0 && limit < IMAP_EDIT_HELD)
		return IMAP_EDIT_HELD;
	return limit < LINE_HELD_MIN ? LINE_HELD_MIN : limit;
}

/* hold moves |n| octets from |in| to what is held. */
static int hold(struct imap_framer *f, struct str *in, size_t n)
{
	int rc;

	f->held.max = line_limit(f) + 2 * IMAP_LINE_TAIL;
	rc = buf_add(&f->held, str_sub(*in, 0, n));
	if (rc == ERR_OK)
		(void)str_take(in, n);
	return rc;
}

/* heeds_quotes: quotes mean something in the line at hand. */
static bool heeds_quotes(const struct imap_framer *f)
{
	if (f->side == IMAP_CLIENT)
		return f->lines == IMAP_LINES_COMMAND;
	return f->cls == IMAP_CLASS_DATA;
}

/*
 * follow_code goes on through the code of a status response.
 *   resp-text       = ["[" resp-text-code "]" SP] [text]
 *   resp-text-code  = ... / "BADCHARSET" [SP "(" charset *(SP charset) ")" ]
 * A charset is an astring: the one place outside data where a server may
 * announce a literal.
 */
static void follow_code(struct imap_framer *f, struct str text)
{
	if (str_find(text, ']') != SIZE_MAX)
		f->flags &= (uint8_t)~FLAG_CODE;
}

/* learn_class classes a server's first line by |head|, which may be more of it
 * than the last time: what was open then may be closed in it. */
static void learn_class(struct imap_framer *f, struct str head)
{
	struct str text;

	if (f->side != IMAP_SERVER || f->state != STATE_START)
		return;
	f->flags = 0;
	f->cls = (uint8_t)imap_line_class(head, &text);
	if (f->cls == IMAP_CLASS_CONTINUATION || f->cls == IMAP_CLASS_STATUS ||
	    f->cls == IMAP_CLASS_TAGGED || imap_line_is_capability(head))
		f->flags |= FLAG_EDIT;
	if (str_starts(text, STR("["))) {
		f->flags |= FLAG_CODE;
		follow_code(f, text);
	}
}

static void follow_quotes(struct imap_framer *f, struct str text)
{
	struct imap_quotes q = {
		.open = (f->flags & FLAG_QUOTED) != 0,
		.escaped = (f->flags & FLAG_ESCAPED) != 0,
	};

	imap_quotes_scan(&q, text);
	f->flags &= FLAG_EDIT | FLAG_CODE;
	f->flags |= q.open ? FLAG_QUOTED : 0;
	f->flags |= q.escaped ? FLAG_ESCAPED : 0;
}

/* follow goes on through |text| of a line, each octet once. */
static void follow(struct imap_framer *f, struct str text)
{
	if (heeds_quotes(f))
		follow_quotes(f, text);
	else if (f->state != STATE_START) /* there learn_class did it */
		follow_code(f, text);
}

/*
 * stands_alone: SP, "(" or the start of a line that goes on after a literal is
 * before the announcement. At the start of a command it would be the tag,
 * which no server takes for a literal.
 */
static bool stands_alone(const struct imap_framer *f, struct str text,
                         size_t at)
{
	if (at == 0)
		return f->state == STATE_AGAIN;
	return text.data[at - 1] == ' ' || text.data[at - 1] == '(';
}

/*
 * judge_client decides what the end of a client's line means. |*follows_r|:
 * a literal comes next. Every refusal here is a case in which one server runs
 * the following octets as a command and another consumes them.
 */
static enum imap_frame_error judge_client(const struct imap_framer *f,
                                          struct str text,
                                          const struct imap_announcement *a,
                                          bool *follows_r)
{
	*follows_r = false;
	if (a->ending == IMAP_ENDING_NONE || f->lines != IMAP_LINES_COMMAND)
		return IMAP_FRAME_OK;
	if ((f->flags & FLAG_QUOTED) != 0)
		return IMAP_FRAME_LITERAL_QUOTED;
	/* Whatever is before it: the tail may not reach back so far. */
	if (a->ending == IMAP_ENDING_HUGE)
		return IMAP_FRAME_LITERAL_SIZE;
	if (!stands_alone(f, text, a->at))
		return a->plus ? IMAP_FRAME_LITERAL_GLUED : IMAP_FRAME_OK;
	if (a->ending == IMAP_ENDING_BROKEN)
		return IMAP_FRAME_LITERAL_SYNTAX;
	*follows_r = true;
	return IMAP_FRAME_OK;
}

/*
 * judge_server: a server announces in data and in an open code only, never
 * with "+"; in both a "{" outside quotes can be nothing else, so what stands
 * before it does not matter. Status text may look like anything.
 */
static enum imap_frame_error judge_server(const struct imap_framer *f,
                                          const struct imap_announcement *a,
                                          bool *follows_r)
{
	bool may = heeds_quotes(f) ? (f->flags & FLAG_QUOTED) == 0
	                           : (f->flags & FLAG_CODE) != 0;

	*follows_r = false;
	if (!may || a->plus)
		return IMAP_FRAME_OK;
	if (a->ending == IMAP_ENDING_HUGE)
		return IMAP_FRAME_LITERAL_SIZE;
	*follows_r = a->ending == IMAP_ENDING_LITERAL;
	return IMAP_FRAME_OK;
}

/* begin_literal writes the announcement into the frame. */
static void begin_literal(struct imap_framer *f,
                          const struct imap_announcement *a,
                          struct imap_frame *frame)
{
	frame->literal.form =
		a->plus ? IMAP_LITERAL_NONSYNC : IMAP_LITERAL_SYNC;
	frame->literal.binary = a->binary;
	frame->literal.size = a->size;
	frame->literal.at = a->at;
	f->literal_left = a->size;
	f->flags &= FLAG_CODE;
	set_state(f, STATE_LITERAL);
}

/*
 * end_line gives out the last |text| of a line, all of which was followed if
 * |frame| is a PART, and goes to what comes next.
 */
static int end_line(struct imap_framer *f, struct str text,
                    struct imap_frame *frame)
{
	struct imap_announcement a = imap_line_announcement(text);
	enum imap_frame_error error;
	bool follows;

	/* Most lines end like no literal, and nobody asks for their quotes. */
	if (frame->kind == IMAP_FRAME_LINE && a.ending != IMAP_ENDING_NONE)
		follow(f, text);
	error = f->side == IMAP_CLIENT ? judge_client(f, text, &a, &follows)
	                               : judge_server(f, &a, &follows);
	if (error != IMAP_FRAME_OK)
		return give_bad(f, text, error, frame);
	frame->text = text;
	frame->last = true;
	f->given = f->held.len;
	if (follows)
		begin_literal(f, &a, frame);
	else
		set_state(f, STATE_START);
	return ERR_OK;
}

/*
 * bad_line refuses a client's line with a NUL or a bare CR in it. Only the
 * first line of a command can be refused alone: of a later one the server may
 * have the command's beginning.
 */
static int bad_line(struct imap_framer *f, struct str text, size_t bad,
                    struct imap_frame *frame)
{
	struct imap_announcement a = imap_line_announcement(text);
	enum imap_frame_error error =
		text.data[bad] == '\0' ? IMAP_FRAME_NUL : IMAP_FRAME_BARE_CR;

	if (f->state != STATE_START)
		error = IMAP_FRAME_LONG_ERROR;
	else if (a.ending != IMAP_ENDING_NONE && f->lines == IMAP_LINES_COMMAND)
		error = IMAP_FRAME_LITERAL_AFTER_ERROR;
	return give_bad(f, text, error, frame);
}

/* whole_line gives out |text|, a line that fits its limit. */
static int whole_line(struct imap_framer *f, struct str text,
                      struct imap_frame *frame)
{
	if (f->side == IMAP_CLIENT) {
		size_t bad = imap_line_find_bad(text);

		if (bad != SIZE_MAX)
			return bad_line(f, text, bad, frame);
	}
	learn_class(f, text);
	frame->cls = frame->first ? f->cls : IMAP_CLASS_NONE;
	return end_line(f, text, frame);
}

/* is_cr_bad: what is held ends in a CR and no LF follows. */
static bool is_cr_bad(const struct imap_framer *f, struct str line)
{
	return f->held.len > 0 && f->held.data[f->held.len - 1] == '\r' &&
	       line.len > 0 && line.data[0] != '\n';
}

/*
 * count_ready counts the octets of a long line that may go out, from the front
 * of what is held and then of |line|, which is all that came: those before a
 * bad one, else all but the last IMAP_LINE_TAIL.
 */
static size_t count_ready(const struct imap_framer *f, struct str line,
                          bool *bad_r)
{
	size_t all = f->held.len + line.len;
	size_t bad;

	*bad_r = false;
	if (f->side == IMAP_CLIENT) {
		bad = is_cr_bad(f, line) ? 0 : imap_line_find_bad(line);
		*bad_r = bad != SIZE_MAX;
		if (*bad_r)
			return f->held.len + bad - is_cr_bad(f, line);
	}
	return all > IMAP_LINE_TAIL ? all - IMAP_LINE_TAIL : 0;
}

/* give_ready gives out up to |n| octets, |n| > 0, in one piece. */
static int give_ready(struct imap_framer *f, struct str *in, size_t n,
                      struct imap_frame *frame)
{
	if (f->held.len > 0) {
		frame->text = str_sub(buf_str(&f->held), 0, n);
		f->given = frame->text.len;
		return ERR_OK;
	}
	frame->text = str_take(in, n);
	follow(f, frame->text);
	return ERR_OK;
}

/* next_part goes on with a long line. */
static int next_part(struct imap_framer *f, struct str *in,
                     struct imap_frame *frame)
{
	struct str line = imap_line_first(*in);
	bool bad;
	size_t ready = count_ready(f, line, &bad);

	frame->kind = IMAP_FRAME_PART;
	if (ready > 0)
		return give_ready(f, in, ready, frame);
	if (bad)
		return give_bad(f, STR_NULL, IMAP_FRAME_LONG_ERROR, frame);
	follow(f, line);
	if (hold(f, in, line.len) != ERR_OK)
		return give_bad(f, STR_NULL, IMAP_FRAME_NO_MEMORY, frame);
	if (str_ends(line, STR("\n")))
		return end_line(f, buf_str(&f->held), frame);
	return ERR_MORE;
}

static int next_line(struct imap_framer *f, struct str *in,
                     struct imap_frame *frame);

/*
 * begin_long is called when what is held fills the limit and goes on. A line
 * that may be edited gets a higher limit; any other goes out in parts.
 */
static int begin_long(struct imap_framer *f, struct str *in,
                      struct imap_frame *frame)
{
	struct str head = buf_str(&f->held);

	learn_class(f, head);
	if (line_limit(f) > head.len)
		return next_line(f, in, frame);
	/* Nothing of it was given out, but its end may be far. */
	if (f->side == IMAP_CLIENT && imap_line_find_bad(head) != SIZE_MAX)
		return give_bad(f, head, IMAP_FRAME_LONG_ERROR, frame);
	follow(f, head);
	frame->cls = frame->first ? f->cls : IMAP_CLASS_NONE;
	set_state(f, STATE_LONG);
	return next_part(f, in, frame);
}

/* next_line takes a line that is whole, or as much of it as is here. */
static int next_line(struct imap_framer *f, struct str *in,
                     struct imap_frame *frame)
{
	struct str line = imap_line_first(*in);
	bool ends = str_ends(line, STR("\n"));
	size_t limit = line_limit(f);
	size_t room = limit > f->held.len ? limit - f->held.len : 0;
	bool is_long = line.len > room;

	frame->kind = IMAP_FRAME_LINE;
	frame->first = f->state == STATE_START;
	if (ends && !is_long && f->held.len == 0)
		return whole_line(f, str_take(in, line.len), frame);
	if (hold(f, in, is_long ? room : line.len) != ERR_OK)
		return give_bad(f, STR_NULL, IMAP_FRAME_NO_MEMORY, frame);
	if (is_long)
		return begin_long(f, in, frame);
	return ends ? whole_line(f, buf_str(&f->held), frame) : ERR_MORE;
}

/* next_octets takes octets of a literal. {0} is one empty frame, due even if
 * nothing more ever comes. */
static int next_octets(struct imap_framer *f, struct str *in,
                       struct imap_frame *frame)
{
	if (in->len == 0 && f->literal_left > 0)
		return ERR_MORE;
	frame->kind = IMAP_FRAME_LITERAL;
	frame->text =
		str_take(in, f->literal_left < in->len ? (size_t)f->literal_left
	                                               : in->len);
	f->literal_left -= frame->text.len;
	frame->last = f->literal_left == 0;
	if (frame->last)
		set_state(f, STATE_AGAIN);
	return ERR_OK;
}

void imap_framer_init(struct imap_framer *f, enum imap_side side)
{
	*f = (struct imap_framer){
		.side = side,
		.lines = IMAP_LINES_COMMAND,
		.line_held = IMAP_LINE_HELD,
		.state = STATE_START,
	};
	buf_init(&f->held, IMAP_LINE_HELD);
}

void imap_framer_done(struct imap_framer *f)
{
	buf_reset(&f->held);
}

int imap_framer_next(struct imap_framer *f, struct str *in,
                     struct imap_frame *frame_r)
{
	struct imap_frame frame = { .kind = IMAP_FRAME_LINE };
	int rc = ERR_MORE;

	buf_consume(&f->held, f->given);
	f->given = 0;
	switch ((enum framer_state)f->state) {
	case STATE_START:
	case STATE_AGAIN:
		rc = next_line(f, in, &frame);
		break;
	case STATE_LONG:
		rc = next_part(f, in, &frame);
		break;
	case STATE_LITERAL:
		rc = next_octets(f, in, &frame);
		break;
	case STATE_DEAD:
	case STATES:
		(void)str_take(in, in->len);
		break;
	}
	if (rc == ERR_OK)
		*frame_r = frame;
	return rc;
}

void imap_framer_skip_literal(struct imap_framer *f)
{
	assert(f->state == STATE_LITERAL);
	f->literal_left = 0;
	set_state(f, STATE_START);
}

bool imap_framer_at_start(const struct imap_framer *f)
{
	return f->state == STATE_START && f->held.len == f->given;
}

bool imap_framer_gave_nothing(const struct imap_framer *f)
{
	return f->state == STATE_START;
}

const char *imap_frame_error_text(enum imap_frame_error error)
{
	switch (error) {
	case IMAP_FRAME_OK:
		break;
	case IMAP_FRAME_NUL:
		return "NUL in a line";
	case IMAP_FRAME_BARE_CR:
		return "CR without LF";
	case IMAP_FRAME_LITERAL_SYNTAX:
		return "Malformed literal";
	case IMAP_FRAME_LITERAL_SIZE:
		return "Literal too large";
	case IMAP_FRAME_LITERAL_GLUED:
		return "Literal without a space before it";
	case IMAP_FRAME_LITERAL_QUOTED:
		return "Literal in an unfinished quoted string";
	case IMAP_FRAME_LITERAL_AFTER_ERROR:
		return "Literal announced by a malformed line";
	case IMAP_FRAME_LONG_ERROR:
		return "NUL or CR in a line that was forwarded in part";
	case IMAP_FRAME_NO_MEMORY:
		return "Out of memory";
	}
	return "No error";
}

bool imap_frame_error_closes(enum imap_frame_error error)
{
	switch (error) {
	case IMAP_FRAME_OK:
	case IMAP_FRAME_NUL:
	case IMAP_FRAME_BARE_CR:
		break;
	case IMAP_FRAME_LITERAL_SYNTAX:
	case IMAP_FRAME_LITERAL_SIZE:
	case IMAP_FRAME_LITERAL_GLUED:
	case IMAP_FRAME_LITERAL_QUOTED:
	case IMAP_FRAME_LITERAL_AFTER_ERROR:
	case IMAP_FRAME_LONG_ERROR:
	case IMAP_FRAME_NO_MEMORY:
		return true;
	}
	return false;
}
