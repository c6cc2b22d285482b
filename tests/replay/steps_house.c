/* SPDX-License-Identifier: ISC */
/* steps of the process, its time, its store and what it tells. */
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "fake/fake.h"
#include "replay/clock.h"
#include "replay/house.h"
#include "replay/pattern.h"
#include "replay/script.h"
#include "replay/steps_impl.h"
#include "replay/taps.h"
#include "replay/transcript.h"
#include "replay/words.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

static void step_conf(const struct str *args)
{
	house_set(args[0], args[1]);
}

static void step_restart(const struct str *args)
{
	(void)args;
	steps_want_told("before the process is killed");
	house_restart();
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
	house_credential(word_duration(args[0]), STR_NULL);
}

static void step_credential_topic(const struct str *args)
{
	house_credential(word_duration(args[0]), args[1]);
}

static void step_credential_broken(const struct str *args)
{
	(void)args;
	house_break_credential();
}

static void step_time(const struct str *args)
{
	uint64_t ms = word_duration(args[0]);
	uint64_t passed = 0;

	while (passed < ms && house_lives()) {
		const char *text = steps_untold();

		if (text != NULL)
			script_fail("after %" PRIu64 " ms already: %s", passed,
			            text);
		passed += house_advance(ms - passed);
	}
}

static void step_wall(const struct str *args)
{
	fake_wall_jump(clock_loop(), word_offset(args[0]));
}

static void step_dice(const struct str *args)
{
	taps_dice((uint32_t)word_number(args[0]));
}

static void step_quiet(const struct str *args)
{
	(void)args;
	steps_want_told("it is not quiet");
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
		if (pattern_matches(pattern, row))
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

static void on_metric(void *arg, const struct metric_sample *sample)
{
	struct wanted_metric *w = arg;

	if (!str_eq(w->name, str_of(sample->name)))
		return;
	w->found = true;
	w->value = sample->value;
}

static void step_metric(const struct str *args)
{
	struct wanted_metric w = { .name = args[0] };

	metric_show(0, on_metric, &w);
	if (w.value != (int64_t)word_number(args[1]))
		script_fail("%.*s is %" PRId64 "%s", SHOW(args[0]), w.value,
		            w.found ? "" : " (there is none)");
}

const struct step_row steps_house_rows[] = {
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
	{ NULL, NULL, false },
};
