/* SPDX-License-Identifier: ISC */
/* The clock is ours (the linker wraps clock_gettime), stderr is a file. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "unit/unit.h"

int __wrap_clock_gettime(clockid_t id, struct timespec *now_r);

static const struct log_ctx proxy = { LOG_PROXY, 7 };
static const struct log_ctx net = { LOG_NET, 0 };
static char text[1 << 20];
static uint64_t now_ms;
static int file;
static int real_stderr;

int __wrap_clock_gettime(clockid_t id, struct timespec *now_r)
{
	if (id == CLOCK_REALTIME) {
		now_r->tv_sec = 1795341600; /* 2026-11-22T10:00:00Z */
		now_r->tv_nsec = 123999999;
		return 0;
	}
	now_r->tv_sec = (time_t)(now_ms / 1000);
	now_r->tv_nsec = (long)(now_ms % 1000) * 1000000;
	return 0;
}

/* logged returns what was written since it was asked last. */
static const char *logged(void)
{
	ssize_t len;

	assert_ok(lseek(file, 0, SEEK_SET));
	len = read(file, text, sizeof(text) - 1);
	assert_true(len >= 0);
	text[len] = '\0';
	assert_ok(ftruncate(file, 0));
	assert_ok(lseek(file, 0, SEEK_SET));
	return text;
}

static void use(enum log_level level, enum log_format format,
                enum log_target target, uint32_t debug_areas)
{
	const struct log_opts opts = { level, format, target, debug_areas };

	log_setup(&opts);
}

static int begin(void **state)
{
	(void)state;
	now_ms += 3600 * 1000; /* away from the lines of other tests */
	if (dup2(file, STDERR_FILENO) < 0)
		return -1;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_STDERR, 0);
	(void)logged();
	return 0;
}

static int end(void **state)
{
	(void)state;
	return dup2(real_stderr, STDERR_FILENO) < 0 ? -1 : 0;
}

static void text_line_has_time_level_area_and_id(void **state)
{
	(void)state;
	log_info(&proxy, "closing: %s user=%c", "why", 'a');
	assert_string_equal(logged(), "2026-11-22T10:00:00.123Z info proxy[7] "
	                              "closing: why user=a\n");
	log_error(&net, "bad");
	assert_string_equal(logged(),
	                    "2026-11-22T10:00:00.123Z error net bad\n");
}

static void message_never_starts_a_second_line(void **state)
{
	(void)state;
	log_warn(&net, "a\r\nb\x1b[31m\x7f \xc3\xa4 \xff \xc2\x9b \\x0a");
	assert_non_null(strstr(logged(), " warn net a\\x0d\\x0ab\\x1b[31m\\x7f "
	                                 "\xc3\xa4 \\xff \\xc2\\x9b \\x0a\n"));
}

static void json_line_is_escaped(void **state)
{
	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_STDERR, 0);
	log_info(&proxy, "say \"hi\" \\x0a \n \xc3\xa4 \xff \x7f");
	assert_string_equal(
		logged(),
		"{\"time\":\"2026-11-22T10:00:00.123Z\",\"level\":\"info\","
		"\"area\":\"proxy\",\"id\":7,\"message\":\"say \\\"hi\\\" "
		"\\\\x0a \\u000a \xc3\xa4 \\ufffd \\u007f\"}\n");
	log_error(&net, "bad");
	assert_non_null(strstr(logged(), "\"area\":\"net\",\"message\":\"bad\"}"
	                                 "\n"));
}

static void journal_line_has_a_priority_and_no_time(void **state)
{
	(void)state;
	use(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	log_error(&net, "a");
	log_warn(&net, "a");
	log_info(&net, "a");
	log_debug(&proxy, "a");
	assert_string_equal(logged(), "<3>error net a\n<4>warn net a\n"
	                              "<6>info net a\n<7>debug proxy[7] a\n");
	use(LOG_LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_JOURNAL, 0);
	log_info(&net, "b");
	assert_string_equal(logged(), "<6>{\"level\":\"info\",\"area\":\"net\","
	                              "\"message\":\"b\"}\n");
}

static void syslog_does_not_write_to_stderr(void **state)
{
	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_SYSLOG, 0);
	log_info(&net, "test of imapbell");
	assert_string_equal(logged(), "");
}

static void long_message_is_cut_and_marked(void **state)
{
	const char *line;
	size_t len;

	(void)state;
	log_info(&net, "%05000d", 0);
	line = logged();
	len = strlen(line);
	assert_true(len > 1000 && len < 1100);
	assert_string_equal(line + len - 5, "0...\n");
}

static void longest_escapes_still_close_the_line(void **state)
{
	char ugly[1000];
	const char *line;

	(void)state;
	memset(ugly, 1, sizeof(ugly) - 1);
	ugly[sizeof(ugly) - 1] = '\0';
	use(LOG_LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_STDERR, 0);
	log_info(&net, "%s", ugly);
	line = logged();
	assert_true(strlen(line) <= 4096);
	assert_string_equal(line + strlen(line) - 12, "\\u0001...\"}\n");
}

static void level_and_areas_decide_what_is_written(void **state)
{
	uint32_t bits = 0;

	(void)state;
	assert_true(log_wants(&net, LOG_LEVEL_INFO));
	assert_false(log_wants(&net, LOG_LEVEL_DEBUG));
	assert_ok(log_area_parse(STR("net"), &bits));
	use(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, bits);
	assert_true(log_wants(&net, LOG_LEVEL_ERROR));
	assert_false(log_wants(&net, LOG_LEVEL_WARN));
	assert_true(log_wants(&net, LOG_LEVEL_DEBUG));
	assert_false(log_wants(&proxy, LOG_LEVEL_DEBUG));
	log_debug(&proxy, "no");
	log_debug(&net, "yes");
	log_info(&net, "no");
	assert_string_equal(logged(), "<7>debug net yes\n");
}

static void area_parse_knows_every_name_and_all(void **state)
{
	static const char *const names[] = { "conf",  "net",  "tls",   "imap",
		                             "proxy", "push", "watch", "apns",
		                             "store", "role" };
	uint32_t bits = 0;

	(void)state;
	assert_int_equal(sizeof(names) / sizeof(names[0]), LOG_AREAS);
	for (unsigned int i = 0; i < LOG_AREAS; i++) {
		assert_ok(log_area_parse(str_of(names[i]), &bits));
		assert_int_equal(bits, 1U << i);
	}
	assert_ok(log_area_parse(STR("all"), &bits));
	assert_int_equal(bits, (1U << LOG_AREAS) - 1);
	bits = 99;
	assert_int_equal(log_area_parse(STR("ne"), &bits), ERR_NOT_FOUND);
	assert_int_equal(log_area_parse(STR(""), &bits), ERR_NOT_FOUND);
	assert_int_equal(bits, 99);
}

static void repeated_line_is_counted_and_reported_by_the_next(void **state)
{
	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	for (int i = 0; i < 5; i++)
		log_warn(&net, "same");
	assert_string_equal(logged(), "<4>warn net same\n");
	log_warn(&net, "other");
	assert_string_equal(logged(), "<4>warn net same repeated=4\n"
	                              "<4>warn net other\n");
	log_warn(&net, "third");
	assert_string_equal(logged(), "<4>warn net third\n");
}

static void repeated_line_comes_again_after_ten_seconds(void **state)
{
	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	log_warn(&net, "same");
	now_ms += 9999;
	log_warn(&net, "same");
	assert_string_equal(logged(), "<4>warn net same\n");
	now_ms += 1;
	log_warn(&net, "same");
	assert_string_equal(logged(), "<4>warn net same repeated=1\n"
	                              "<4>warn net same\n");
	now_ms += 10000;
	log_warn(&net, "same");
	assert_string_equal(logged(), "<4>warn net same\n");
}

static void count_is_reported_when_anybody_speaks_later(void **state)
{
	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_JSON, LOG_TARGET_JOURNAL, 0);
	log_warn(&net, "same");
	log_warn(&net, "same");
	(void)logged();
	log_info(&proxy, "hello");
	assert_null(strstr(logged(), "repeated"));
	now_ms += 10000;
	log_info(&proxy, "bye");
	assert_string_equal(logged(),
	                    "<4>{\"level\":\"warn\",\"area\":\"net\","
	                    "\"message\":\"same\",\"repeated\":1}\n"
	                    "<6>{\"level\":\"info\",\"area\":\"proxy\","
	                    "\"id\":7,\"message\":\"bye\"}\n");
}

static void setup_reports_what_is_counted(void **state)
{
	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	log_warn(&net, "same");
	log_warn(&net, "same");
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	assert_string_equal(logged(), "<4>warn net same\n"
	                              "<4>warn net same repeated=1\n");
}

static void same_words_of_another_object_level_or_area_are_new(void **state)
{
	const struct log_ctx other = { LOG_PROXY, 8 };

	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	log_info(&proxy, "closing");
	log_info(&other, "closing");
	log_warn(&other, "closing");
	log_info(&net, "closing");
	assert_string_equal(logged(), "<6>info proxy[7] closing\n"
	                              "<6>info proxy[8] closing\n"
	                              "<4>warn proxy[8] closing\n"
	                              "<6>info net closing\n");
}

static void errno_survives_a_line(void **state)
{
	(void)state;
	errno = ENOTTY;
	log_info(&net, "x");
	assert_int_equal(errno, ENOTTY);
}

static void child_of_a_fork_may_log_and_repeats_nothing(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	log_warn(&net, "same");
	log_warn(&net, "same");
	(void)logged();
	pid = fork();
	if (pid == 0) {
		log_warn(&net, "child");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_string_equal(logged(), "<4>warn net child\n");
}

static void *chatter(void *arg)
{
	const struct log_ctx ctx = { LOG_STORE, *(const uint64_t *)arg };

	for (int i = 0; i < 500; i++)
		log_info(&ctx, "line %d of some length to tear apart", i);
	return NULL;
}

static void threads_never_mix_their_lines(void **state)
{
	uint64_t ids[] = { 1, 2, 3, 4 };
	pthread_t threads[4];
	const char *line;
	size_t lines = 0;

	(void)state;
	use(LOG_LEVEL_INFO, LOG_FORMAT_TEXT, LOG_TARGET_JOURNAL, 0);
	for (size_t i = 0; i < 4; i++)
		assert_ok(pthread_create(&threads[i], NULL, chatter, &ids[i]));
	for (size_t i = 0; i < 4; i++)
		assert_ok(pthread_join(threads[i], NULL));
	for (line = logged(); *line != '\0'; line = strchr(line, '\n') + 1) {
		struct str s =
			str_new(line, (size_t)(strchr(line, '\n') - line));

		assert_true(str_starts(s, STR("<6>info store[")));
		assert_true(str_ends(s, STR(" of some length to tear apart")));
		lines++;
	}
	assert_int_equal(lines, 2000);
}

static void safe_table(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{ { NULL, 0 }, "" },
		{ { "plain ~!'", 9 }, "plain ~!'" },
		{ { "a\r\n\x1b\0\"\\", 7 }, "a\\x0d\\x0a\\x1b\\x00\\x22\\x5c" },
		{ { "\x7f", 1 }, "\\x7f" },
		{ { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x94", 9 },
		  "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x94" },
		{ { "\xc3", 1 }, "\\xc3" },
		{ { "\xc3z", 2 }, "\\xc3z" },
		{ { "\xc0\xaf", 2 }, "\\xc0\\xaf" },
		{ { "\xe0\x80\xaf", 3 }, "\\xe0\\x80\\xaf" },
		{ { "\xed\xa0\x80", 3 }, "\\xed\\xa0\\x80" },
		{ { "\xf4\x90\x80\x80", 4 }, "\\xf4\\x90\\x80\\x80" },
		{ { "\xf5\x80\x80\x80", 4 }, "\\xf5\\x80\\x80\\x80" },
		{ { "\xc2\x9b", 2 }, "\\xc2\\x9b" },
		{ { "\xe2\x80\xa8", 3 }, "\\xe2\\x80\\xa8" },
		{ { "\xe2\x80\xae", 3 }, "\\xe2\\x80\\xae" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log_text out;

		assert_string_equal(log_safe(rows[i].in, &out), rows[i].out);
		assert_ptr_equal(log_safe(rows[i].in, &out), out.text);
	}
}

static void safe_is_bounded_and_marks_what_is_missing(void **state)
{
	char in[5000];
	struct log_text out;

	(void)state;
	memset(in, 'x', sizeof(in));
	assert_int_equal(strlen(log_safe(str_new(in, 255), &out)), 255);
	assert_int_equal(out.text[254], 'x');
	assert_int_equal(strlen(log_safe(str_new(in, 256), &out)), 255);
	assert_string_equal(out.text + 251, "x...");
	assert_int_equal(strlen(log_safe(str_new(in, 5000), &out)), 255);
	/* Escapes and characters are left out whole, at every offset. */
	for (size_t n = 245; n < 256; n++) {
		const char *dots;

		memset(in, 'x', sizeof(in));
		memset(in + n, '\n', 100);
		dots = strstr(log_safe(str_new(in, 400), &out), "...");
		assert_non_null(dots);
		assert_true(strlen(out.text) < sizeof(out.text));
		assert_int_equal(dots[3], '\0');
		assert_true(dots[-1] == 'x' ||
		            memcmp(dots - 4, "\\x0a", 4) == 0);
	}
}

static void token_shows_eight_digits(void **state)
{
	struct log_text out;

	(void)state;
	assert_string_equal(log_token(STR("0123456789abcdef"), &out),
	                    "01234567");
	assert_string_equal(log_token(STR("0123"), &out), "0123");
	assert_string_equal(log_token(STR("12\r\n3456789"), &out), "12");
	assert_string_equal(log_token(STR_NULL, &out), "");
}

static int open_files(void **state)
{
	(void)state;
	real_stderr = dup(STDERR_FILENO);
	file = memfd_create("stderr", MFD_CLOEXEC);
	return real_stderr < 0 || file < 0 ? -1 : 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(text_line_has_time_level_area_and_id),
		CASE(message_never_starts_a_second_line),
		CASE(json_line_is_escaped),
		CASE(journal_line_has_a_priority_and_no_time),
		CASE(syslog_does_not_write_to_stderr),
		CASE(long_message_is_cut_and_marked),
		CASE(longest_escapes_still_close_the_line),
		CASE(level_and_areas_decide_what_is_written),
		CASE(area_parse_knows_every_name_and_all),
		CASE(repeated_line_is_counted_and_reported_by_the_next),
		CASE(repeated_line_comes_again_after_ten_seconds),
		CASE(count_is_reported_when_anybody_speaks_later),
		CASE(setup_reports_what_is_counted),
		CASE(same_words_of_another_object_level_or_area_are_new),
		CASE(errno_survives_a_line),
		CASE(child_of_a_fork_may_log_and_repeats_nothing),
		CASE(threads_never_mix_their_lines),
		CASE(safe_table),
		CASE(safe_is_bounded_and_marks_what_is_missing),
		CASE(token_shows_eight_digits),
	};

	return cmocka_run_group_tests_name("log", tests, open_files, NULL);
}
