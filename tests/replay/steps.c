/* SPDX-License-Identifier: ISC */
/* steps - see steps.h. What a step does stands in steps_house, steps_apns and
 * steps_conn. */
#include "replay/steps.h"

#include <stdio.h>

#include "replay/apple.h"
#include "replay/conn.h"
#include "replay/house.h"
#include "replay/script.h"
#include "replay/steps_impl.h"
#include "replay/transcript.h"
#include "replay/words.h"

enum { ARGS_MAX = 4 };

/* The first form that fits is taken. */
static const struct step_row *const tables[] = {
	steps_house_rows, steps_apns_rows,
	steps_conn_rows, /* last: there any word may come first */
};

const char *steps_untold(void)
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

void steps_want_told(const char *when)
{
	const char *text = steps_untold();

	if (text != NULL)
		script_fail("%s, no step has told this: %s", when, text);
}

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
	word = word_take(step);
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
		struct str part = word_take(&form);

		if (!fit(part, &step, args, &count))
			return false;
	}
	return step.len == 0;
}

static const struct step_row *find_row(struct str step, struct str *args)
{
	const struct step_row *row;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (row = tables[i]; row->form != NULL; row++)
			if (fits(row->form, step, args))
				return row;
	script_fail("no such step: %.*s", SHOW(step));
}

bool steps_needs_process(struct str step)
{
	struct str args[ARGS_MAX];

	return find_row(step, args)->needs_process;
}

void steps_run(struct str step)
{
	struct str args[ARGS_MAX];
	const struct step_row *row = find_row(step, args);

	if (row->needs_process && !house_lives())
		script_fail("the process has ended");
	transcript_step(step);
	row->fn(args);
	if (house_lives())
		house_settle();
}

void steps_end(void)
{
	const char *text = transcript_error();

	steps_want_told("at the end");
	if (text != NULL)
		script_fail("no step has told this: log has: %s", text);
}
