/* SPDX-License-Identifier: ISC */
/* imapbell as the server, before a backend is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proxy/prelogin.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define LIST "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN"

static void begin(struct stage *st)
{
	stage_init(st);
	stage_start(st);
	stage_client(st);
}

static void default_list_before_the_first_probe(void **arg)
{
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.push_enabled = false;
	fake_dial_hang(st.loop);
	assert_ok(proxy_new(st.loop, st.resolver, st.service, &st.opts,
	                    &st.proxy, NULL));
	st.client = fake_accept(st.loop, 143);
	fake_run(st.loop);
	stage_sees_c(&st, "* OK [CAPABILITY " LIST "] imapbell ready.\r\n");
	stage_c(&st, "a CAPABILITY\r\n");
	stage_sees_c(&st, "* CAPABILITY " LIST "\r\n"
	                  "a OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

static void two_lists_after_a_probe(void **arg)
{
	struct stage st;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	assert_true(fake_is_closed(st.probe));
	st.client = fake_accept(st.loop, 143);
	fake_run(st.loop);
	stage_sees_c(&st, "* OK [CAPABILITY " LIST " XAPPLEPUSHSERVICE] "
	                  "imapbell ready.\r\n");
	stage_c(&st, "a capability\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN ID SASL-IR "
	                  "LITERAL+ XAPPLEPUSHSERVICE\r\n"
	                  "a OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

/* Asked each time: an expired credential ends the offer. */
static void offer_may_end_and_come_back(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_service_topic(st.service, NULL);
	stage_c(&st, "a CAPABILITY\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN ID SASL-IR "
	                  "LITERAL+\r\n"
	                  "a OK CAPABILITY completed.\r\n");
	fake_service_topic(st.service, FAKE_TOPIC);
	stage_c(&st, "b CAPABILITY\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN ID SASL-IR "
	                  "LITERAL+ XAPPLEPUSHSERVICE\r\n"
	                  "b OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

static void probe_is_repeated_and_a_failure_forgets_nothing(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	fake_clock_advance(st.loop, 300 * 1000);
	assert_int_equal(fake_dials(st.loop), 2);
	fake_clock_advance(st.loop, 1000);
	assert_int_equal(fake_dials(st.loop), 3);
	stage_done(&st);
}

static void answers_without_a_backend(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP\r\nb ID NIL\r\nc id (\"name\" {2+}\r\nx\n)\r\n");
	stage_sees_c(&st, "a OK NOOP completed.\r\n"
	                  "* ID NIL\r\nb OK ID completed.\r\n"
	                  "* ID NIL\r\nc OK ID completed.\r\n");
	stage_c(&st, "d ID (\"name\" {1}\r\n");
	stage_sees_c(&st, "+ OK\r\n");
	stage_c(&st, "x)\r\ne LOGOUT\r\n");
	stage_sees_c(&st, "* ID NIL\r\nd OK ID completed.\r\n"
	                  "* BYE Logging out.\r\ne OK LOGOUT completed.\r\n");
	assert_true(fake_is_closed(st.client));
	assert_int_equal(fake_dials(st.loop), 1);
	stage_done(&st);
}

/* RFC 2971: 30 pairs of a key and 1,024 octets on one line. */
static void long_id_passes(void **arg)
{
	char value[1024];
	struct stage st;
	struct buf line;

	(void)arg;
	begin(&st);
	memset(value, 'v', sizeof(value));
	buf_init(&line, 65536);
	assert_ok(buf_adds(&line, "a ID ("));
	for (int i = 0; i < 30; i++) {
		assert_ok(buf_adds(&line, i == 0 ? "\"k\" \"" : " \"k\" \""));
		assert_ok(buf_append(&line, value, sizeof(value)));
		assert_ok(buf_adds(&line, "\""));
	}
	assert_ok(buf_adds(&line, ")\r\n"));
	assert_true(line.len > 30000);
	fake_push(st.client, buf_str(&line));
	fake_run(st.loop);
	stage_sees_c(&st, "* ID NIL\r\na OK ID completed.\r\n");
	buf_reset(&line);
	stage_done(&st);
}

static void too_large_is_bad_under_its_tag(void **arg)
{
	char line[1200];
	struct stage st;

	(void)arg;
	(void)snprintf(line, sizeof(line), "a NOOP %0*d\r\n", 1100, 0);
	begin(&st);
	stage_c(&st, line);
	stage_sees_c(&st, "a BAD Command too large.\r\n");
	stage_done(&st);
}

static void bad_commands_are_counted(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a SELECT INBOX\r\n");
	stage_sees_c(&st, "a BAD Unknown command, or not before login.\r\n");
	/* A browser, or an attack through one. */
	stage_c(&st, "GET / HTTP/1.1\r\nHost: x\r\nmore\r\n");
	stage_sees_c(&st, "GET BAD Malformed command.\r\n"
	                  "Host: BAD Unknown command, or not before login.\r\n"
	                  "* BYE Too many bad commands.\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

static void refused_literal_is_consumed(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a FOO {11+}\r\nb1 LOGOUT\r\n x {2+}\r\nyz\r\nz NOOP\r\n");
	stage_sees_c(&st, "a BAD Unknown command, or not before login.\r\n"
	                  "z OK NOOP completed.\r\n");
	stage_c(&st, "a FOO {11}\r\ny NOOP\r\n");
	stage_sees_c(&st, "a BAD Unknown command, or not before login.\r\n"
	                  "y OK NOOP completed.\r\n");
	stage_done(&st);
}

static void malformed_lines(void **arg)
{
	static const char *const closes[] = {
		"a NOOP {}\r\n", "a NOOP {99999999999999999999}\r\n",
		"a NOOP x{9+}\r\n", "a NOOP \"x {9+}\r\n"
	};
	struct stage st;

	(void)arg;
	for (size_t i = 0; i < sizeof(closes) / sizeof(closes[0]); i++) {
		begin(&st);
		stage_c(&st, closes[i]);
		assert_true(str_starts(fake_written(st.client), STR("* BYE ")));
		assert_true(fake_is_closed(st.client));
		stage_done(&st);
	}
	begin(&st);
	stage_c(&st, "a NOOP\rb NOOP\r\nc NOOP\r\n");
	stage_sees_c(&st, "a BAD CR without LF.\r\nc OK NOOP completed.\r\n");
	stage_done(&st);
}

static void too_much_is_cut_off(void **arg)
{
	struct stage st;
	char *noops = xcalloc(1, 8 * 1024 + 1);

	(void)arg;
	for (size_t i = 0; i < 1024; i++)
		memcpy(noops + 8 * i, "a NOOP\r\n", 8);
	begin(&st);
	for (size_t i = 0; i <= PRELOGIN_BYTES_MAX / 8192; i++)
		stage_c(&st, noops);
	assert_true(fake_is_closed(st.client));
	assert_true(str_ends(fake_written(st.client),
	                     STR("* BYE Too much data before login.\r\n")));
	stage_done(&st);
	free(noops);
}

/* Ten thousand strangers who ask and do not read shall not fill the memory. */
static void answers_must_be_read(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_stall(st.client);
	for (size_t i = 0; i < 5000; i++)
		fake_push(st.client, STR("a CAPABILITY\r\n"));
	fake_run(st.loop);
	fake_unstall(st.client);
	fake_run(st.loop);
	assert_true(fake_is_closed(st.client));
	assert_true(fake_written(st.client).len < PRELOGIN_UNREAD_MAX + 1024);
	stage_done(&st);
}

/* CVE-2026-27857: an unfinished line is held in small bounds and ends with the
 * login timer. */
static void unfinished_line_ends_with_the_timer(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP ((((((((((((((((((((((((((((((");
	fake_clock_advance(st.loop, 59 * 1000);
	assert_false(fake_is_closed(st.client));
	fake_clock_advance(st.loop, 1000);
	stage_sees_c(&st, "* BYE Login took too long.\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_list_before_the_first_probe),
		cmocka_unit_test(two_lists_after_a_probe),
		cmocka_unit_test(offer_may_end_and_come_back),
		cmocka_unit_test(
			probe_is_repeated_and_a_failure_forgets_nothing),
		cmocka_unit_test(answers_without_a_backend),
		cmocka_unit_test(long_id_passes),
		cmocka_unit_test(too_large_is_bad_under_its_tag),
		cmocka_unit_test(bad_commands_are_counted),
		cmocka_unit_test(refused_literal_is_consumed),
		cmocka_unit_test(malformed_lines),
		cmocka_unit_test(too_much_is_cut_off),
		cmocka_unit_test(answers_must_be_read),
		cmocka_unit_test(unfinished_line_ends_with_the_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
