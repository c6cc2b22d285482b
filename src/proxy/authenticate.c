/* SPDX-License-Identifier: ISC */
/*
 * authenticate - RFC 9051 section 6.2.2, RFC 4422 section 3, RFC 4959
 * (SASL-IR). A client's line after "+" is never taken for a command, and none
 * is taken without "+".
 */
#include "proxy/authenticate.h"

#include <stdlib.h>

#include "base/mem.h"
#include "imap/command.h"
#include "imap/sasl.h"
#include "proxy/login.h"
#include "proxy/prelogin.h"
#include "proxy/session.h"

/* A tag, the verb, the name of a mechanism and what is between. */
#define FRONT_MAX ((size_t)128)

/* An answer to a backend's challenge; what is no message of a mechanism. */
#define LINE_MAX ((size_t)16 * 1024)

/* What of AUTHENTICATE came, while there is no backend. */
struct sasl {
	struct str tag; /* the client's; owned */
	struct imap_login who;
};

void authenticate_end(struct session *s)
{
	if (s->sasl == NULL)
		return;
	str_free(&s->sasl->tag);
	imap_login_done(&s->sasl->who);
	free(s->sasl);
	s->sasl = NULL;
}

/* refuse ends it with |text|; nothing was dialled. */
static void refuse(struct session *s, struct str tag, const char *text)
{
	session_reply(s, tag, STR_NULL, text);
	authenticate_end(s);
	prelogin_count_bad(s);
}

void authenticate_ask(struct session *s, struct str challenge)
{
	struct buf line;

	session_set_input(s, INPUT_SASL);
	buf_init(&line, challenge.len + 4);
	if (buf_adds(&line, "+ ") != 0 || buf_add(&line, challenge) != 0 ||
	    buf_adds(&line, "\r\n") != 0)
		session_close(s, "challenge too long");
	else
		session_answer(s, buf_str(&line));
	buf_reset(&line);
}

/* ask asks for the next message that is due. */
static void ask(struct session *s)
{
	authenticate_ask(s, str_of(imap_sasl_prompt(&s->sasl->who)));
}

/* begin has the backend asked. */
static void begin(struct session *s)
{
	login_begin(s, s->sasl->tag, &s->sasl->who);
	authenticate_end(s);
}

/* take takes a message in base64. */
static void take(struct session *s, struct str base64)
{
	switch (imap_sasl_take(&s->sasl->who, base64)) {
	case 0:
		begin(s);
		break;
	case ERR_MORE:
		ask(s);
		break;
	default:
		refuse(s, s->sasl->tag, "BAD Malformed SASL message.");
		break;
	}
}

/* new_sasl begins to gather what |m| wants. */
static struct sasl *new_sasl(const struct imap_sasl *m, struct str tag)
{
	struct sasl *sasl = xcalloc(1, sizeof(*sasl));

	sasl->tag = str_dup(tag);
	sasl->who.method = m->method;
	return sasl;
}

static bool is_asked(const struct imap_sasl *m)
{
	return m->prompts[0] != NULL;
}

/*
 *   authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]
 *   initial-resp = base64 / "="
 */
void authenticate_command(struct session *s, struct str command)
{
	const struct imap_sasl *m;
	struct imap_command c;
	struct str name;

	if (imap_command_parse(command, &c) != 0) {
		refuse(s, c.tag, "BAD Malformed AUTHENTICATE.");
		return;
	}
	name = str_take(&c.args, str_find(c.args, ' '));
	m = imap_sasl_find(name);
	if (m == NULL || !prelogin_takes(s, m->name)) {
		refuse(s, c.tag, "NO Unsupported authentication mechanism.");
		return;
	}
	if (c.args.len > 0 && !is_asked(m)) {
		refuse(s, c.tag, "BAD The server speaks first.");
		return;
	}
	s->sasl = new_sasl(m, c.tag);
	if (!is_asked(m))
		begin(s);
	else if (!str_byte(&c.args, ' '))
		ask(s);
	else
		take(s, str_eq(c.args, STR("=")) ? STR_NULL : c.args);
}

/* line_max is room for a message of |m| in base64. */
static size_t line_max(const struct imap_sasl *m)
{
	return (m->message_max + 2) / 3 * 4 + 2;
}

size_t authenticate_max(struct str line)
{
	const struct imap_sasl *m = NULL;
	struct imap_command c;

	if (imap_command_parse(line, &c) == 0)
		m = imap_sasl_find(str_take(&c.args, str_find(c.args, ' ')));
	return FRONT_MAX + (m != NULL ? line_max(m) : LINE_MAX);
}

static struct str without_line_end(struct str line)
{
	if (str_ends(line, STR("\n")))
		line.len--;
	if (str_ends(line, STR("\r")))
		line.len--;
	return line;
}

/* on_message: a message came whole, or "*" in place of it. */
static void on_message(struct session *s, struct str line)
{
	session_set_input(s, INPUT_COMMAND);
	if (!str_eq(line, STR("*"))) {
		take(s, line);
		return;
	}
	session_reply(s, s->sasl->tag, STR_NULL,
	              "BAD Authentication cancelled.");
	authenticate_end(s);
}

/* on_answer: the same for an answer to the backend's challenge. */
static void on_answer(struct session *s, struct str line)
{
	session_set_input(s, INPUT_BUSY);
	if (str_eq(line, STR("*")))
		login_abandon(s, "BAD Authentication cancelled.");
	else
		login_respond(s, line);
}

static void on_bad(struct session *s)
{
	bool asked_here = s->sasl != NULL;

	session_set_input(s, asked_here ? INPUT_COMMAND : INPUT_BUSY);
	if (asked_here)
		refuse(s, s->sasl->tag, "BAD Malformed line.");
	else
		login_abandon(s, "BAD Malformed line.");
}

void authenticate_on_line(struct session *s, const struct imap_frame *frame)
{
	bool asked_here = s->sasl != NULL;
	struct collect line;

	if (frame->kind == IMAP_FRAME_BAD) {
		on_bad(s);
		return;
	}
	if (frame->first)
		collect_init(
			&s->collect,
			asked_here ? line_max(imap_sasl_of(s->sasl->who.method))
				   : LINE_MAX);
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
		if (asked_here)
			on_message(s, without_line_end(buf_str(&line.text)));
		else
			on_answer(s, without_line_end(buf_str(&line.text)));
		collect_done(&line);
		break;
	}
}
