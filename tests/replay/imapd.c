/* SPDX-License-Identifier: ISC */
/* imapd - see imapd.h. */
#include "replay/imapd.h"

#include "base/buf.h"
#include "base/err.h"
#include "fake/fake.h"
#include "replay/clock.h"
#include "replay/script.h"

#define CAPABILITIES "IMAP4rev1 SASL-IR LITERAL+ ID IDLE AUTH=PLAIN"

static enum mode mode;
static struct str greeting; /* none: the usual one */

void imapd_set_mode(enum mode to)
{
	mode = to;
}

void imapd_set_greeting(struct str line)
{
	str_free(&greeting);
	greeting = str_dup(line);
}

void imapd_free(void)
{
	str_free(&greeting);
	mode = MODE_UP;
}

static void greet(struct conn *c)
{
	if (mode == MODE_MUTE)
		return;
	conn_say(c, greeting.len > 0 ? greeting
	                             : STR("* OK [CAPABILITY " CAPABILITIES
	                                   "] backend ready\r\n"));
}

/* answer_dials decides about those who want to connect. */
static bool answer_dials(void)
{
	struct loop *loop = clock_loop();

	if (mode == MODE_DEAD || fake_dials_waiting_to(loop, IMAPD_PORT) == 0)
		return false;
	fake_dial_only(loop, IMAPD_PORT);
	if (mode == MODE_DOWN)
		fake_dial_fail(loop, 0, ERR_CLOSED,
		               "connect to backend: Connection refused");
	else
		greet(conn_new(STR_NULL, fake_dial_connect(loop, 0)));
	return true;
}

static struct str tag_of(struct str line)
{
	size_t space = str_find(line, ' ');

	return space == SIZE_MAX ? STR_NULL : str_sub(line, 0, space);
}

static void tell_capabilities(struct conn *c, struct str tag)
{
	struct buf reply;

	buf_init(&reply, 1024);
	must(buf_adds(&reply, "* CAPABILITY " CAPABILITIES "\r\n"));
	must(buf_add(&reply, tag));
	must(buf_adds(&reply, " OK done\r\n"));
	conn_say(c, buf_str(&reply));
	buf_reset(&reply);
}

/* serve does what is due on a connection without a name; it may free it. */
static bool serve(struct conn *c)
{
	struct str line;
	struct str tag;

	if (!conn_line(c, &line)) {
		if (!conn_is_over(c))
			return false;
		conn_free(&c);
		return true;
	}
	tag = tag_of(line);
	if (str_ends(line, STR(" CAPABILITY")) && mode == MODE_UP) {
		tell_capabilities(c, tag);
		conn_take(c);
		return true;
	}
	if (str_eq(line, STR("z LOGOUT"))) {
		conn_take(c);
		return true;
	}
	return false;
}

bool imapd_work(void)
{
	struct conn *c;
	struct conn *next;
	bool any = answer_dials();

	for (c = conn_first(); c != NULL; c = next) {
		next = conn_next(c);
		any |= serve(c);
	}
	return any;
}

struct conn *imapd_newcomer(void)
{
	struct conn *c;
	struct str line;

	for (c = conn_first(); c != NULL; c = conn_next(c))
		if (conn_line(c, &line))
			return c;
	return conn_first();
}
