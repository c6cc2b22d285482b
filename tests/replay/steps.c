/* SPDX-License-Identifier: ISC */
/* steps - see steps.h. */
#include "replay/steps.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "fake/fake.h"
#include "replay/apple.h"
#include "replay/clock.h"
#include "replay/conn.h"
#include "replay/house.h"
#include "replay/imapd.h"
#include "replay/script.h"
#include "replay/taps.h"
#include "replay/transcript.h"

enum { ARGS_MAX = 4, TEXT_MAX = 16 * 1024 * 1024 };

#define SHOW_MAX ((size_t)1000)

/* For "%.*s". */
#define SHOW(s)                                              \
	((s).len < SHOW_MAX ? (int)(s).len : (int)SHOW_MAX), \
		(s).data != NULL ? (s).data : ""

typedef void step_fn(const struct str *args);

static bool wants_start;

/* Words. */

static struct str take_word(struct str *in)
{
	size_t space;

	while (str_byte(in, ' '))
		;
	space = str_find(*in, ' ');
	return str_take(in, space == SIZE_MAX ? in->len : space);
}

static const struct {
	const char *name;
	uint64_t ms;
} units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", 24 * 3600 * 1000 },
};

/* take_unit takes the unit of a number; 0: there is none. */
static uint64_t take_unit(struct str *in)
{
	size_t n = 0;

	while (n < in->len && in->data[n] >= 'a' && in->data[n] <= 'z')
		n++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_eq(str_sub(*in, 0, n), str_of(units[i].name))) {
			(void)str_take(in, n);
			return units[i].ms;
		}
	return 0;
}

/* duration reads "1h30m", "29m", "500ms". */
static uint64_t duration(struct str word)
{
	struct str in = word;
	uint64_t sum = 0;

	do {
		uint64_t number;
		uint64_t unit;

		if (str_number(&in, UINT32_MAX, &number) != ERR_OK ||
		    (unit = take_unit(&in)) == 0)
			script_fail("no duration: %.*s", SHOW(word));
		sum += number * unit;
	} while (in.len > 0);
	return sum;
}

/* offset reads a duration with a sign. */
static int64_t offset(struct str word)
{
	bool minus = str_byte(&word, '-');

	if (!minus && !str_byte(&word, '+'))
		script_fail("neither + nor -: %.*s", SHOW(word));
	return minus ? -(int64_t)duration(word) : (int64_t)duration(word);
}

static uint64_t number(struct str word)
{
	struct str in = word;
	uint64_t value;

	if (str_number(&in, INT64_MAX, &value) != ERR_OK || in.len > 0)
		script_fail("no number: %.*s", SHOW(word));
	return value;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* take_escape takes \r, \n or \xHH; other backslashes are IMAP's. */
static bool take_escape(struct str *in, char *c_r)
{
	if (in->len < 2 || in->data[0] != '\\')
		return false;
	if (in->data[1] == 'r' || in->data[1] == 'n') {
		*c_r = in->data[1] == 'r' ? '\r' : '\n';
		(void)str_take(in, 2);
		return true;
	}
	if (in->len < 4 || in->data[1] != 'x' || hex_digit(in->data[2]) < 0 ||
	    hex_digit(in->data[3]) < 0)
		return false;
	*c_r = (char)(hex_digit(in->data[2]) * 16 + hex_digit(in->data[3]));
	(void)str_take(in, 4);
	return true;
}

/* add_said appends what a peer says when the script has it say |text|: a line,
 * without its end if there is a backslash in its place. */
static void add_said(struct str text, struct buf *out)
{
	bool open = str_ends(text, STR("\\"));
	struct buf filled;
	struct str in;
	char c;

	buf_init(&filled, TEXT_MAX);
	script_fill(str_sub(text, 0, text.len - open), &filled);
	in = buf_str(&filled);
	while (in.len > 0) {
		if (!take_escape(&in, &c))
			c = *str_take(&in, 1).data;
		must(buf_append(out, &c, 1));
	}
	buf_reset(&filled);
	if (!open)
		must(buf_adds(out, "\r\n"));
}

/* What was not told. */

/* untold finds something that happened and that no step has told, or NULL. */
static const char *untold(void)
{
	static char text[SHOW_MAX + 32];
	const char *of_conns = conns_untaken();
	struct str line;

	if (of_conns != NULL)
		return of_conns;
	if (!apple_event(&line))
		return NULL;
	(void)snprintf(text, sizeof(text), "apns sees: %.*s", SHOW(line));
	return text;
}

static void want_nothing_untold(const char *when)
{
	const char *text = untold();

	if (text != NULL)
		script_fail("%s, no step has told this: %s", when, text);
}

/* The process. */

static void step_conf(const struct str *args)
{
	house_set(args[0], args[1]);
}

static void step_restart(const struct str *args)
{
	(void)args;
	want_nothing_untold("before the process is killed");
	if (clock_loop() != NULL)
		house_kill();
	wants_start = true;
}

static void step_sighup(const struct str *args)
{
	(void)args;
	fake_signal(clock_loop(), SIGHUP);
}

static void step_sigterm(const struct str *args)
{
	(void)args;
	fake_signal(clock_loop(), SIGTERM);
}

static void step_process_ends(const struct str *args)
{
	(void)args;
	if (!house_has_ended())
		script_fail("the process goes on");
}

static void step_credential_lasts(const struct str *args)
{
	house_credential(duration(args[0]), STR_NULL);
}

static void step_credential_topic(const struct str *args)
{
	house_credential(duration(args[0]), args[1]);
}

static void step_credential_broken(const struct str *args)
{
	(void)args;
	house_break_credential();
}

static void step_time(const struct str *args)
{
	uint64_t ms = duration(args[0]);
	uint64_t passed = 0;

	while (passed < ms && house_lives()) {
		const char *text = untold();

		if (text != NULL)
			script_fail("after %" PRIu64 " ms already: %s", passed,
			            text);
		passed += house_advance(ms - passed);
	}
}

static void step_wall(const struct str *args)
{
	fake_wall_jump(clock_loop(), offset(args[0]));
}

static void step_dice(const struct str *args)
{
	taps_dice((uint32_t)number(args[0]));
}

static void step_quiet(const struct str *args)
{
	(void)args;
	want_nothing_untold("it is not quiet");
}

/* Connections. */

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
	add_said(args[1], &text);
	conn_say(conn_of(args[0]), buf_str(&text));
	buf_reset(&text);
}

static void step_says_times(const struct str *args)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	for (uint64_t n = number(args[1]); n > 0; n--)
		add_said(args[2], &text);
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
	if (!script_matches(args[1], line))
		script_fail("%.*s sees something else\n  expected: %.*s\n"
		            "  came:     %.*s",
		            SHOW(args[0]), SHOW(args[1]), SHOW(line));
	conn_take(c);
}

static void step_sees_times(const struct str *args)
{
	const struct str one[] = { args[0], args[2] };

	for (uint64_t n = number(args[1]); n > 0; n--)
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

/* Servers. */

static enum mode mode_of(struct str word)
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
	imapd_set_mode(mode_of(args[0]));
}

static void step_backend_greets(const struct str *args)
{
	struct buf line;

	buf_init(&line, TEXT_MAX);
	add_said(args[0], &line);
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

static void step_apns_is(const struct str *args)
{
	apple_set_mode(mode_of(args[0]));
}

static void step_apns_sees(const struct str *args)
{
	struct str line;

	if (!apple_event(&line))
		script_fail("apns sees nothing, expected: %.*s", SHOW(args[0]));
	if (!script_matches(args[0], line))
		script_fail("apns sees something else\n  expected: %.*s\n"
		            "  came:     %.*s",
		            SHOW(args[0]), SHOW(line));
	apple_take();
}

static void step_apns_sees_nothing(const struct str *args)
{
	struct str line;

	(void)args;
	if (apple_event(&line))
		script_fail("apns sees: %.*s", SHOW(line));
}

static void step_apns_header(const struct str *args)
{
	struct str value = apple_header(args[0]);

	if (!script_matches(args[1], value))
		script_fail("apns saw another header: %.*s: %.*s",
		            SHOW(args[0]), SHOW(value));
}

/* answer reads "200", "410 Unregistered at -1h", "429 TooManyRequests
 * retry-after 30". */
static void answer(struct str token, struct str text)
{
	struct apple_answer a = { .status = (int)number(take_word(&text)) };
	struct str word;

	while ((word = take_word(&text)).len > 0) {
		if (str_eq(word, STR("at")))
			a.timestamp_ms =
				clock_wall_ms() + offset(take_word(&text));
		else if (str_eq(word, STR("retry-after")))
			a.retry_after = take_word(&text);
		else
			a.reason = word;
	}
	if (!apple_answer(token, &a))
		script_fail("no push waits for an answer");
}

static void step_apns_answers(const struct str *args)
{
	answer(STR_NULL, args[0]);
}

static void step_apns_answers_token(const struct str *args)
{
	answer(args[0], args[1]);
}

static void step_apns_goaway(const struct str *args)
{
	(void)args;
	apple_goaway(false, STR_NULL);
}

static void step_apns_goaway_text(const struct str *args)
{
	apple_goaway(false, args[0]);
}

static void step_apns_goaway_refusing(const struct str *args)
{
	(void)args;
	apple_goaway(true, STR_NULL);
}

static void step_apns_allows(const struct str *args)
{
	apple_allow((uint32_t)number(args[0]));
}

static void step_apns_breaks(const struct str *args)
{
	(void)args;
	apple_break(ERR_CLOSED, "connection reset");
}

static void step_apns_refuses(const struct str *args)
{
	(void)args;
	apple_break(ERR_AUTH, "tls alert: certificate expired (45)");
}

static void step_apns_closes(const struct str *args)
{
	(void)args;
	apple_close();
}

/* The store. */

static void step_store_fails(const struct str *args)
{
	(void)args;
	house_store()->commit_rc = ERR_IO;
}

static void step_store_heals(const struct str *args)
{
	(void)args;
	house_store()->commit_rc = ERR_OK;
	house_store()->load_rc = ERR_OK;
}

static void step_store_unreadable(const struct str *args)
{
	(void)args;
	house_store()->load_rc = ERR_IO;
}

static void step_store_lost(const struct str *args)
{
	(void)args;
	house_store()->commit_rc = ERR_INVALID;
}

static void step_store_hangs(const struct str *args)
{
	(void)args;
	house_store()->hold = true;
}

static void step_store_answers(const struct str *args)
{
	(void)args;
	scriptstore_release(house_store());
}

/* find_row tells whether a row of the store is as |pattern| says; all rows go
 * to |rows|. */
static bool find_row(struct str pattern, struct buf *rows)
{
	struct str in;

	buf_init(rows, TEXT_MAX);
	scriptstore_text(house_store(), SIZE_MAX, rows);
	in = buf_str(rows);
	while (in.len > 0) {
		struct str row = str_take(&in, str_find(in, '\n') + 1);

		row.len--;
		if (script_matches(pattern, row))
			return true;
	}
	return false;
}

static void step_store_has(const struct str *args)
{
	struct buf rows;

	if (!find_row(args[0], &rows))
		script_fail("the store has no row: %.*s\n  but:\n%.*s",
		            SHOW(args[0]), SHOW(buf_str(&rows)));
	buf_reset(&rows);
}

static void step_store_lacks(const struct str *args)
{
	struct buf rows;

	if (find_row(args[0], &rows))
		script_fail("the store has a row: %.*s", SHOW(args[0]));
	buf_reset(&rows);
}

/* What operators see. */

static void step_log_has(const struct str *args)
{
	if (!transcript_take(args[0]))
		script_fail("not logged: %.*s", SHOW(args[0]));
}

static void step_log_lacks(const struct str *args)
{
	if (transcript_has(args[0]))
		script_fail("logged: %.*s", SHOW(args[0]));
}

struct wanted_metric {
	struct str name;
	int64_t value;
	bool found;
};

static void on_metric(void *arg, const char *name, int64_t value)
{
	struct wanted_metric *w = arg;

	if (!str_eq(w->name, str_of(name)))
		return;
	w->found = true;
	w->value = value;
}

static void step_metric(const struct str *args)
{
	struct wanted_metric w = { .name = args[0] };

	metric_walk(on_metric, &w);
	if (w.value != (int64_t)number(args[1]))
		script_fail("%.*s is %" PRId64 "%s", SHOW(args[0]), w.value,
		            w.found ? "" : " (there is none)");
}

/*
 * "_" is one word, "_:" one with a colon behind it, "*" the rest of the line.
 * The first form that fits is taken.
 */
static const struct row {
	const char *form;
	step_fn *fn;
	bool needs_process;
} rows[] = {
	{ "conf _ = *", step_conf, false },
	{ "restart", step_restart, false },
	{ "process ends", step_process_ends, false },
	{ "sighup", step_sighup, true },
	{ "sigterm", step_sigterm, true },
	{ "credential lasts _", step_credential_lasts, false },
	{ "credential lasts _ topic _", step_credential_topic, false },
	{ "credential is broken", step_credential_broken, false },
	{ "time _", step_time, true },
	{ "wall _", step_wall, true },
	{ "dice _", step_dice, false },
	{ "quiet", step_quiet, false },
	{ "backend is _", step_backend_is, false },
	{ "backend greets: *", step_backend_greets, false },
	{ "backend accepts _", step_backend_accepts, true },
	{ "apns is _", step_apns_is, false },
	{ "apns sees: *", step_apns_sees, true },
	{ "apns sees nothing", step_apns_sees_nothing, true },
	{ "apns saw _: *", step_apns_header, true },
	{ "apns answers: *", step_apns_answers, true },
	{ "apns answers _: *", step_apns_answers_token, true },
	{ "apns goaway", step_apns_goaway, true },
	{ "apns goaway: *", step_apns_goaway_text, true },
	{ "apns goaway refusing", step_apns_goaway_refusing, true },
	{ "apns allows _", step_apns_allows, true },
	{ "apns breaks", step_apns_breaks, true },
	{ "apns refuses our certificate", step_apns_refuses, true },
	{ "apns closes", step_apns_closes, true },
	{ "store fails", step_store_fails, false },
	{ "store heals", step_store_heals, false },
	{ "store is unreadable", step_store_unreadable, false },
	{ "store is lost", step_store_lost, false },
	{ "store hangs", step_store_hangs, false },
	{ "store answers", step_store_answers, true },
	{ "store has: *", step_store_has, false },
	{ "store lacks: *", step_store_lacks, false },
	{ "log has: *", step_log_has, false },
	{ "log lacks: *", step_log_lacks, false },
	{ "metric _ is _", step_metric, false },
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
};

/* fit takes one word of the form off |step|. */
static bool fit(struct str part, struct str *step, struct str *args,
                size_t *count)
{
	struct str word;

	if (str_eq(part, STR("*"))) {
		(void)str_byte(step, ' ');
		args[(*count)++] = *step;
		*step = STR_NULL;
		return true;
	}
	word = take_word(step);
	if (str_eq(part, STR("_:")) && str_ends(word, STR(":")))
		word.len--;
	else if (!str_eq(part, STR("_")))
		return str_eq(part, word);
	else if (str_ends(word, STR(":")))
		return false;
	args[(*count)++] = word;
	return word.len > 0;
}

static bool fits(const char *text, struct str step, struct str *args)
{
	struct str form = str_of(text);
	size_t count = 0;

	while (form.len > 0) {
		struct str part = take_word(&form);

		if (!fit(part, &step, args, &count))
			return false;
	}
	return step.len == 0;
}

static const struct row *find_row_of(struct str step, struct str *args)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (fits(rows[i].form, step, args))
			return &rows[i];
	script_fail("no such step: %.*s", SHOW(step));
}

bool steps_needs_process(struct str step)
{
	struct str args[ARGS_MAX];

	return find_row_of(step, args)->needs_process;
}

void steps_run(struct str step)
{
	struct str args[ARGS_MAX];
	const struct row *row = find_row_of(step, args);

	if (row->needs_process && !house_lives())
		script_fail("the process has ended");
	transcript_step(step);
	row->fn(args);
	if (house_lives())
		house_settle();
}

bool steps_wants_start(void)
{
	bool wanted = wants_start;

	wants_start = false;
	return wanted;
}

void steps_end(void)
{
	const char *text = transcript_error();

	want_nothing_untold("at the end");
	if (text != NULL)
		script_fail("no step has told this: log has: %s", text);
}
