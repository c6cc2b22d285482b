/* SPDX-License-Identifier: ISC */
/* steps of APNs. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "replay/apple.h"
#include "replay/clock.h"
#include "replay/pattern.h"
#include "replay/script.h"
#include "replay/steps_impl.h"
#include "replay/words.h"

static void step_apns_is(const struct str *args)
{
	apple_set_mode(steps_mode(args[0]));
}

static void step_apns_sees(const struct str *args)
{
	struct str line;

	if (!apple_event(&line))
		script_fail("apns sees nothing, expected: %.*s", SHOW(args[0]));
	if (!pattern_matches(args[0], line))
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

	if (!pattern_matches(args[1], value))
		script_fail("apns saw another header: %.*s: %.*s",
		            SHOW(args[0]), SHOW(value));
}

/* answer reads "200", "410 Unregistered at -1h", "429 TooManyRequests
 * retry-after 30". */
static void answer(struct str token, struct str text)
{
	struct apple_answer a = { .status =
		                          (int)word_number(word_take(&text)) };
	struct str word;

	while ((word = word_take(&text)).len > 0) {
		if (str_eq(word, STR("at")))
			a.timestamp_ms =
				clock_wall_ms() + word_offset(word_take(&text));
		else if (str_eq(word, STR("retry-after")))
			a.retry_after = word_take(&text);
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
	apple_allow((uint32_t)word_number(args[0]));
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

const struct step_row steps_apns_rows[] = {
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
	{ NULL, NULL, false },
};
