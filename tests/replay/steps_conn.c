/* SPDX-License-Identifier: ISC */
/* steps of clients, and of connections that come to the backend. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fake/fake.h"
#include "replay/clock.h"
#include "replay/conn.h"
#include "replay/imapd.h"
#include "replay/pattern.h"
#include "replay/script.h"
#include "replay/steps_impl.h"
#include "replay/words.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

static struct conn *conn_of(struct str name)
{
	struct conn *c = conn_find(name);

	if (c == NULL)
		script_fail("there is no connection \"%.*s\"", SHOW(name));
	return c;
}

static void want_new(struct str name)
{
	if (conn_find(name) != NULL)
		script_fail("\"%.*s\" is still there", SHOW(name));
}

static void step_connects(const struct str *args)
{
	struct fake_peer *peer = fake_accept(clock_loop(), 0);

	want_new(args[0]);
	if (peer == NULL)
		script_fail("nobody listens");
	(void)conn_new(args[0], peer);
}

static void step_says(const struct str *args)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	words_said(args[1], &text);
	conn_say(conn_of(args[0]), buf_str(&text));
	buf_reset(&text);
}

static void step_says_times(const struct str *args)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	for (uint64_t n = word_number(args[1]); n > 0; n--)
		words_said(args[2], &text);
	conn_say(conn_of(args[0]), buf_str(&text));
	buf_reset(&text);
}

static void step_sees(const struct str *args)
{
	struct conn *c = conn_of(args[0]);
	struct str line;

	if (!conn_line(c, &line))
		script_fail(
			"%.*s sees nothing%s, expected: %.*s", SHOW(args[0]),
			conn_is_over(c) ? " and is closed" : "", SHOW(args[1]));
	if (!pattern_matches(args[1], line))
		script_fail("%.*s sees something else\n  expected: %.*s\n"
		            "  came:     %.*s",
		            SHOW(args[0]), SHOW(args[1]), SHOW(line));
	conn_take(c);
}

static void step_sees_times(const struct str *args)
{
	const struct str one[] = { args[0], args[2] };

	for (uint64_t n = word_number(args[1]); n > 0; n--)
		step_sees(one);
}

static void step_sees_nothing(const struct str *args)
{
	struct str line;

	if (conn_line(conn_of(args[0]), &line))
		script_fail("%.*s sees: %.*s", SHOW(args[0]), SHOW(line));
}

static void step_is_closed(const struct str *args)
{
	struct conn *c = conn_of(args[0]);

	step_sees_nothing(args);
	if (!conn_is_over(c))
		script_fail("%.*s is not closed", SHOW(args[0]));
	conn_free(&c);
}

static void step_closes(const struct str *args)
{
	fake_push_eof(conn_peer(conn_of(args[0])));
}

static void step_leaves(const struct str *args)
{
	struct conn *c = conn_of(args[0]);

	fake_push_eof(conn_peer(c));
	conn_free(&c);
}

static void step_breaks(const struct str *args)
{
	struct conn *c = conn_of(args[0]);

	fake_break(conn_peer(c), ERR_CLOSED, "connection reset");
	conn_free(&c);
}

static void step_stalls(const struct str *args)
{
	fake_stall(conn_peer(conn_of(args[0])));
}

static void step_reads(const struct str *args)
{
	fake_unstall(conn_peer(conn_of(args[0])));
}

static void step_is_heard(const struct str *args)
{
	if (!fake_is_reading(conn_peer(conn_of(args[0]))))
		script_fail("%.*s is not read", SHOW(args[0]));
}

static void step_is_not_heard(const struct str *args)
{
	if (fake_is_reading(conn_peer(conn_of(args[0]))))
		script_fail("%.*s is read", SHOW(args[0]));
}

/* The backend. */

enum mode steps_mode(struct str word)
{
	static const char *const names[] = {
		[MODE_UP] = "up",
		[MODE_DOWN] = "down",
		[MODE_DEAD] = "dead",
		[MODE_MUTE] = "mute",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq(word, str_of(names[i])))
			return (enum mode)i;
	script_fail("no way for a server to be: %.*s", SHOW(word));
}

static void step_backend_is(const struct str *args)
{
	imapd_set_mode(steps_mode(args[0]));
}

static void step_backend_greets(const struct str *args)
{
	struct buf line;

	buf_init(&line, TEXT_MAX);
	words_said(args[0], &line);
	imapd_set_greeting(buf_str(&line));
	buf_reset(&line);
}

static void step_backend_accepts(const struct str *args)
{
	struct conn *c = imapd_newcomer();

	want_new(args[0]);
	if (c == NULL)
		script_fail("nobody has come to the backend");
	conn_rename(c, args[0]);
}

const struct step_row steps_conn_rows[] = {
	{ "backend is _", step_backend_is, false },
	{ "backend greets: *", step_backend_greets, false },
	{ "backend accepts _", step_backend_accepts, true },
	{ "_ connects", step_connects, true },
	{ "_ sees: *", step_sees, false },
	{ "_ sees _ times: *", step_sees_times, false },
	{ "_ sees nothing", step_sees_nothing, false },
	{ "_ says _ times: *", step_says_times, true },
	{ "_ is closed", step_is_closed, false },
	{ "_ closes", step_closes, true },
	{ "_ leaves", step_leaves, true },
	{ "_ breaks", step_breaks, true },
	{ "_ stalls", step_stalls, true },
	{ "_ reads", step_reads, true },
	{ "_ is heard", step_is_heard, true },
	{ "_ is not heard", step_is_not_heard, true },
	{ "_: *", step_says, true },
	{ NULL, NULL, false },
};
