/* SPDX-License-Identifier: ISC */
/* What a traced user's conversation shows in the log, and what never. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "unit/unit.h"
#include "watch/trace.h"

static struct buf logged;

void __wrap_log_info(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void __wrap_log_info(const struct log_ctx *ctx, const char *fmt, ...)
{
	char line[1024];
	va_list args;

	assert_int_equal(ctx->area, LOG_WATCH);
	assert_int_equal(ctx->id, 3);
	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	assert_ok(buf_adds(&logged, line));
	assert_ok(buf_adds(&logged, "\n"));
}

static const struct log_ctx anna = { LOG_WATCH, 3 };

static void want_log(const char *text)
{
	assert_ok(buf_append(&logged, "", 1));
	assert_string_equal(logged.data, text);
	buf_reset(&logged);
}

static void only_who_is_named_is_traced(void **state)
{
	static const struct {
		const char *wanted;
		bool traced;
	} rows[] = { { NULL, false },   { "", false },      { "bert", false },
		     { "Anna", false }, { "annaa", false }, { "anna", true },
		     { "all", true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct watch_trace *t =
			watch_trace_new(rows[i].wanted, STR("anna"), &anna);

		assert_int_equal(t != NULL, rows[i].traced);
		watch_trace_free(&t);
		/* Nobody's trace takes everything. */
		watch_trace_received(t, STR("* OK\r\n"));
		watch_trace_sent(t, STR("W1 NOOP\r\n"), false);
	}
	want_log("");
}

static void both_directions_are_shown(void **state)
{
	struct watch_trace *t = watch_trace_new("all", STR("anna"), &anna);

	(void)state;
	watch_trace_received(t, STR("* OK hello\r\n"));
	watch_trace_sent(t, STR("DONE\r\nW4 LOGOUT\r\n"), false);
	watch_trace_received(t, STR("* 4 EXISTS\r\n"));
	want_log("trace server: * OK hello\n"
	         "trace watcher: DONE\n"
	         "trace watcher: W4 LOGOUT\n"
	         "trace server: * 4 EXISTS\n");
	watch_trace_free(&t);
}

/* In one line, behind a continuation, as LOGIN, quoted or literal. */
static void login_shows_no_secret(void **state)
{
	static const char *const logins[][3] = {
		{ "W0 AUTHENTICATE PLAIN AGFubmEAZ2VoZWlt\r\n", NULL, NULL },
		{ "W0 AUTHENTICATE PLAIN\r\n", "AGFubmEAZ2VoZWlt\r\n", NULL },
		{ "W0 LOGIN \"anna\" \"geheim\"\r\n", NULL, NULL },
		{ "W0 LOGIN anna {6}\r\n", "geheim", "\r\n" },
		{ "W0 LOGIN {4}\r\n", "anna {6}\r\n", "geheim\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		struct watch_trace *t =
			watch_trace_new("all", STR("anna"), &anna);

		for (size_t n = 0; n < 3 && logins[i][n] != NULL; n++)
			watch_trace_sent(t, str_of(logins[i][n]), true);
		assert_ok(buf_append(&logged, "", 1));
		assert_non_null(strstr(logged.data, "trace watcher: W0 "));
		if (strstr(logged.data, "geheim") != NULL ||
		    strstr(logged.data, "Z2VoZWlt") != NULL)
			fail_msg("%s", logged.data);
		buf_reset(&logged);
		watch_trace_free(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_who_is_named_is_traced),
		cmocka_unit_test(both_directions_are_shown),
		cmocka_unit_test(login_shows_no_secret),
	};

	buf_init(&logged, 10000);
	return cmocka_run_group_tests_name("watch_trace", tests, NULL, NULL);
}
