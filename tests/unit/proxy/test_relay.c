/* SPDX-License-Identifier: ISC */
/* The session after login, line by line. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/metric.h"
#include "imap/framer.h"
#include "stage/stage.h"
#include "unit/unit.h"

static void begin(struct stage *st)
{
	stage_init(st);
	stage_start(st);
	stage_login(st);
}

static void what_is_not_edited_passes(void **arg)
{
	static const char *const responses[] = {
		"* 1 FETCH (BODY[] {46}\r\n* CAPABILITY IMAP4rev1\r\n"
		"a1 OK [CAPABILITY X]\r\n)\r\nz1 OK done\r\n",
		"* 1 FETCH (ENVELOPE (\"x\" \"* CAPABILITY A COMPRESS=DEFLATE\" "
		"NIL))\r\n",
		"* 1 FETCH (UID 9 BODY[1]<393216> {0}\r\n)\r\nZ1 OK x\r\n",
		"* 2 FETCH (BINARY[1] ~{4}\r\n\0\1\r\n)\r\n",
		"* LIST () \"/\" {5}\r\nIN\r\nB\r\n",
		"* OK see {5}\r\n* OK Hello \" foo\r\n",
		"* CAPABILITYX\r\n",
		"* OK [PERMANENTFLAGS (\\*)] [CAPABILITY]\r\n",
		"* OK CAPABILITY COMPRESS=DEFLATE\r\n",
		"* STATUS INBOX (MESSAGES 1)\r\n",
		"*  12 EXISTS\n",
		"nonsense\r\n",
		"\r\n",
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
		struct str text = str_of(responses[i]);
		struct stage st;

		if (i == 3) /* it holds a NUL */
			text = STR("* 2 FETCH (BINARY[1] ~{4}\r\n\0\1\r\n)"
			           "\r\n");
		begin(&st);
		fake_push(st.backend, text);
		fake_run(st.loop);
		assert_true(str_eq(fake_written(st.client), text));
		stage_done(&st);
	}
}

static void lists_are_edited_wherever_they_stand(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_b(&st, "* CAPABILITY IMAP4rev1 ID COMPRESS=DEFLATE\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n");
	stage_b(&st, "* ok [capability IMAP4rev1 ID] hi\r\n");
	stage_sees_c(&st, "* ok [capability IMAP4rev1 ID XAPPLEPUSHSERVICE] "
	                  "hi\r\n");
	stage_b(&st, "* NO [CAPABILITY IMAP4rev1 ID]\r\n");
	stage_sees_c(&st, "* NO [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE]"
	                  "\r\n");
	stage_b(&st, "* CAPA");
	stage_sees_c(&st, "");
	stage_b(&st, "BILITY IMAP4rev1 ID\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n");
	stage_done(&st);
}

/* list_of_length is `* CAPABILITY` with one long word, |len| octets in all. */
static struct buf list_of_length(size_t len)
{
	static const char end[] = " COMPRESS=DEFLATE\r\n";
	struct buf line;

	buf_init(&line, len);
	assert_int_equal(buf_adds(&line, "* CAPABILITY IMAP4rev1 ID X"), 0);
	while (line.len < len - (sizeof(end) - 1))
		assert_int_equal(buf_adds(&line, "x"), 0);
	assert_int_equal(buf_adds(&line, end), 0);
	return line;
}

/* One that is longer than what is held passes as it is, and is counted. */
static void long_lists_pass_and_are_counted(void **arg)
{
	static const struct {
		size_t len;
		bool edited;
	} rows[] = {
		{ 9000, true },
		{ IMAP_EDIT_HELD, true },
		{ IMAP_EDIT_HELD + 1, false },
		{ 3 * IMAP_EDIT_HELD, false },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf line = list_of_length(rows[i].len);
		int64_t skipped = metric_get(METRIC_EDITS_SKIPPED);
		struct str got;
		struct stage st;

		begin(&st);
		fake_push(st.backend, buf_str(&line));
		fake_run(st.loop);
		got = fake_written(st.client);
		if (rows[i].edited)
			assert_true(str_ends(got, STR("x XAPPLEPUSHSERVICE"
			                              "\r\n")));
		else
			assert_true(str_eq(got, buf_str(&line)));
		assert_int_equal(metric_get(METRIC_EDITS_SKIPPED) - skipped,
		                 rows[i].edited ? 0 : 1);
		buf_reset(&line);
		stage_done(&st);
	}
}

static void answers_come_in_order(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP\r\nb COMPRESS DEFLATE\r\nc NOOP\r\n"
	             "d LOGIN x y\r\n");
	stage_sees_b(&st, "a NOOP\r\nc NOOP\r\n");
	stage_sees_c(&st, "");
	stage_b(&st, "c OK early\r\n* 1 FETCH (BODY[] {2}\r\na");
	stage_sees_c(&st, "c OK early\r\n* 1 FETCH (BODY[] {2}\r\na");
	stage_b(&st, "b)\r\na OK late\r\n");
	stage_sees_c(&st, "b)\r\na OK late\r\nb NO Not available here.\r\n"
	                  "d BAD Already logged in.\r\n");
	stage_done(&st);
}

/* An answer of ours is due while the backend is in the middle of a response. */
static void never_inside_a_response(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_b(&st, "* 1 FETCH (BODY[] {4}\r\nab");
	stage_c(&st, "b COMPRESS DEFLATE\r\n");
	stage_sees_c(&st, "* 1 FETCH (BODY[] {4}\r\nab");
	stage_b(&st, "cd");
	stage_sees_c(&st, "cd");
	stage_b(&st, " X \"\r\n"); /* a line that goes on after a literal */
	stage_sees_c(&st, " X \"\r\nb NO Not available here.\r\n");
	stage_done(&st);
}

static void idle_is_waited_for(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a IDLE\r\nDONE\r\nb NOOP\r\n");
	stage_sees_b(&st, "a IDLE\r\n");
	stage_b(&st, "* 2 EXISTS\r\n+ idling\r\n");
	stage_sees_b(&st, "DONE\r\n");
	stage_b(&st, "* 3 EXISTS\r\n");
	stage_sees_b(&st, "");
	stage_b(&st, "a OK idle done\r\n");
	stage_sees_b(&st, "b NOOP\r\n");
	stage_sees_c(&st, "* 2 EXISTS\r\n+ idling\r\n* 3 EXISTS\r\n"
	                  "a OK idle done\r\n");
	stage_done(&st);
}

/* In IDLE a line is a line: it ends IDLE and is no command. */
static void nothing_is_intercepted_in_idle(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a IDLE\r\n");
	stage_b(&st, "+ idling\r\n");
	fake_written_clear(st.backend);
	stage_c(&st, "x COMPRESS DEFLATE {3+}\r\n");
	stage_sees_b(&st, "x COMPRESS DEFLATE {3+}\r\n");
	stage_c(&st, "b NOOP\r\n");
	stage_sees_b(&st, "");
	stage_b(&st, "a BAD Expected DONE\r\n");
	stage_sees_b(&st, "b NOOP\r\n");
	stage_done(&st);
}

static void refused_idle_leaves_commands(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a IDLE\r\nb NOOP\r\n");
	stage_b(&st, "a BAD no\r\n");
	stage_sees_b(&st, "a IDLE\r\nb NOOP\r\n");
	/* With a literal it would be two things at once. */
	stage_c(&st, "c IDLE {4+}\r\nDONE\r\nd NOOP\r\n");
	stage_sees_b(&st, "d NOOP\r\n");
	stage_b(&st, "b OK\r\n");
	stage_sees_c(&st, "a BAD no\r\nb OK\r\n"
	                  "c BAD IDLE takes no arguments.\r\n");
	stage_done(&st);
}

static void server_ends_idle_by_itself(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a IDLE\r\n");
	stage_b(&st, "+ idling\r\n");
	stage_c(&st, "DO");
	stage_b(&st, "a OK timeout\r\n");
	stage_c(&st, "NE\r\nb COMPRESS DEFLATE\r\n");
	stage_sees_b(&st, "a IDLE\r\nDONE\r\n");
	stage_b(&st, "DONE BAD what\r\n");
	stage_sees_c(&st, "+ idling\r\na OK timeout\r\nDONE BAD what\r\n"
	                  "b NO Not available here.\r\n");
	stage_done(&st);
}

/* What was begun in IDLE and is ended after it is a command to the server, with
 * the octets that it announces. */
static void command_begun_in_idle_has_its_literal(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a IDLE\r\n");
	stage_b(&st, "+ idling\r\n");
	stage_c(&st, "b APP");
	stage_b(&st, "a OK timeout\r\n");
	stage_c(&st, "END INBOX {9+}\r\nc LOGOUT\n\r\nd NOOP\r\n");
	stage_sees_b(&st, "a IDLE\r\nb APPEND INBOX {9}\r\n");
	stage_b(&st, "b NO full\r\n");
	stage_sees_b(&st, "d NOOP\r\n");
	stage_done(&st);
}

static void id_is_answered_for_a_backend_without(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	/* The probe saw ID. */
	stage_c(&st, "a ID NIL\r\n");
	stage_sees_b(&st, "a ID NIL\r\n");
	stage_b(&st, "* ID NIL\r\na OK\r\n* CAPABILITY IMAP4rev1\r\n");
	stage_sees_c(&st, "* ID NIL\r\na OK\r\n"
	                  "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n");
	stage_c(&st, "b NOOP\r\nc ID (\"name\" {1+}\r\nx)\r\nd NOOP\r\n");
	stage_sees_b(&st, "b NOOP\r\n");
	stage_b(&st, "b OK\r\n");
	stage_sees_b(&st, "d NOOP\r\n");
	stage_sees_c(&st, "b OK\r\n* ID NIL\r\nc OK ID completed.\r\n");
	stage_done(&st);
}

static void malformed_lines_stay_here(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP\r\nb NOOP\rc LOGOUT\r\n\rd\r\ne NOOP\r\n");
	stage_sees_b(&st, "a NOOP\r\ne NOOP\r\n");
	stage_b(&st, "a OK\r\n");
	stage_sees_c(&st, "a OK\r\nb BAD CR without LF.\r\n"
	                  "* BAD CR without LF.\r\n");
	/* What ends the connection waits for the reply to what was fine. */
	stage_c(&st, "f SELECT abc{9+}\r\nb1 LOGOUT\r\n");
	stage_sees_b(&st, "");
	stage_sees_c(&st, "");
	assert_false(fake_is_closed(st.client));
	stage_b(&st, "e OK\r\n");
	assert_true(str_starts(fake_written(st.client), STR("e OK\r\n* BYE ")));
	assert_true(fake_is_closed(st.client));
	assert_true(fake_is_closed(st.backend));
	stage_done(&st);
}

static void odd_commands_pass_as_they_are(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "+1 NOOP\r\na  NOOP\r\n\r\n{2+} x\r\n\" foo\r\nb NOOP\n");
	stage_sees_b(&st, "+1 NOOP\r\na  NOOP\r\n\r\n{2+} x\r\n\" foo\r\n"
	                  "b NOOP\n");
	stage_done(&st);
}

static void backend_lost_at_a_boundary(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_b(&st, "* 1 EXISTS\r\n* half a li");
	fake_push_eof(st.backend);
	fake_run(st.loop);
	stage_sees_c(&st, "* 1 EXISTS\r\n"
	                  "* BYE [UNAVAILABLE] Connection to the backend lost."
	                  "\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

/* Whoever writes to it learns so first; its last words are still to come. */
static void backend_lost_while_the_client_speaks(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_push(st.client, STR("a NOOP\r\nb NOOP\r\n"));
	fake_break(st.backend, ERR_CLOSED, "reset");
	fake_run(st.loop);
	stage_sees_c(&st, "* BYE [UNAVAILABLE] Connection to the backend lost."
	                  "\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

static void backend_lost_inside_a_literal(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_b(&st, "* 1 FETCH (BODY[] {9}\r\nabc");
	fake_break(st.backend, ERR_CLOSED, "reset");
	fake_run(st.loop);
	stage_sees_c(&st, "* 1 FETCH (BODY[] {9}\r\nabc");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

static void one_bye_is_enough(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGOUT\r\n");
	stage_b(&st, "* BYE so long\r\na OK done\r\n");
	fake_push_eof(st.backend);
	fake_run(st.loop);
	stage_sees_c(&st, "* BYE so long\r\na OK done\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

static void half_closed_client_gets_its_replies(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_push(st.client, STR("a NOOP\r\nb COMPRESS DEFLATE\r\nc NO"));
	fake_push_eof(st.client);
	fake_run(st.loop);
	assert_false(fake_is_closed(st.backend));
	stage_b(&st, "* 1 EXISTS\r\n");
	stage_b(&st, "a OK\r\n");
	stage_sees_c(&st, "* 1 EXISTS\r\na OK\r\nb NO Not available here.\r\n");
	assert_true(fake_is_closed(st.client));
	assert_true(fake_is_closed(st.backend));
	stage_done(&st);
}

static void half_closed_client_ends_otherwise(void **arg)
{
	static const char *const last[] = { "", "a APPEND x {9+}\r\n",
		                            "a IDLE\r\n", "a NO" };

	(void)arg;
	for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
		struct stage st;

		begin(&st);
		stage_c(&st, last[i]);
		stage_b(&st, "+ go\r\n");
		fake_push_eof(st.client);
		fake_run(st.loop);
		assert_true(fake_is_closed(st.client));
		assert_true(fake_is_closed(st.backend));
		stage_done(&st);
	}
}

static void silent_sessions_end(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_clock_advance(st.loop, 1000 * 1000);
	stage_c(&st, "a IDLE\r\n");
	stage_b(&st, "+ idling\r\n");
	fake_clock_advance(st.loop, 1800 * 1000);
	/* What the server says in IDLE does not keep a dead client. */
	stage_b(&st, "* OK Still here\r\n");
	assert_false(fake_is_closed(st.client));
	fake_written_clear(st.client);
	fake_clock_advance(st.loop, 60 * 1000);
	stage_sees_c(&st, "* BYE Idle for too long.\r\n");
	assert_true(fake_is_closed(st.backend));
	stage_done(&st);
}

static void slow_client_pauses_the_backend(void **arg)
{
	struct stage st;
	size_t size = (size_t)1024 * 1024;
	char *octets = xcalloc(1, size);

	(void)arg;
	begin(&st);
	fake_stall(st.client);
	stage_b(&st, "* 1 FETCH (BODY[] {1048576}\r\n");
	memset(octets, 'x', size);
	fake_push_split(st.backend, str_new(octets, size), 8192);
	fake_run(st.loop);
	assert_false(fake_is_reading(st.backend));
	assert_true(fake_is_reading(st.client));
	fake_unstall(st.client);
	fake_run(st.loop);
	assert_true(fake_is_reading(st.backend));
	stage_b(&st, ")\r\n");
	assert_int_equal(fake_written(st.client).len,
	                 size + strlen("* 1 FETCH (BODY[] {1048576}\r\n)\r\n"));
	stage_done(&st);
	free(octets);
}

static void slow_backend_pauses_the_client(void **arg)
{
	struct stage st;
	size_t size = (size_t)1024 * 1024;
	char *octets = xcalloc(1, size);

	(void)arg;
	begin(&st);
	stage_c(&st, "a APPEND INBOX {1048576+}\r\n");
	stage_b(&st, "+ go\r\n");
	stage_sees_b(&st, "a APPEND INBOX {1048576}\r\n");
	fake_stall(st.backend);
	memset(octets, 'x', size);
	fake_push_split(st.client, str_new(octets, size), 8192);
	fake_run(st.loop);
	assert_false(fake_is_reading(st.client));
	assert_true(fake_is_reading(st.backend));
	fake_unstall(st.backend);
	fake_run(st.loop);
	assert_true(fake_is_reading(st.client));
	assert_int_equal(fake_written(st.backend).len, size);
	stage_done(&st);
	free(octets);
}

/* A client that sends commands and reads no replies is not read for ever. */
static void inflight_is_bounded(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	for (int i = 0; i < 1100; i++)
		stage_c(&st, i % 2 ? "a COMPRESS x\r\n" : "b COMPRESS x\r\n");
	assert_true(fake_is_reading(st.client));
	stage_c(&st, "x NOOP\r\n");
	for (int i = 0; i < 1100; i++)
		stage_c(&st, "a COMPRESS x\r\n");
	assert_false(fake_is_reading(st.client));
	stage_b(&st, "x OK\r\n");
	assert_true(fake_is_reading(st.client));
	stage_done(&st);
}

static void backend_with_an_endless_literal(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_b(&st, "* 1 FETCH (BODY[] {99999999999999999999}\r\n");
	assert_true(fake_is_closed(st.client));
	assert_true(fake_is_closed(st.backend));
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_edited_passes),
		cmocka_unit_test(lists_are_edited_wherever_they_stand),
		cmocka_unit_test(long_lists_pass_and_are_counted),
		cmocka_unit_test(answers_come_in_order),
		cmocka_unit_test(never_inside_a_response),
		cmocka_unit_test(idle_is_waited_for),
		cmocka_unit_test(nothing_is_intercepted_in_idle),
		cmocka_unit_test(refused_idle_leaves_commands),
		cmocka_unit_test(server_ends_idle_by_itself),
		cmocka_unit_test(command_begun_in_idle_has_its_literal),
		cmocka_unit_test(id_is_answered_for_a_backend_without),
		cmocka_unit_test(malformed_lines_stay_here),
		cmocka_unit_test(odd_commands_pass_as_they_are),
		cmocka_unit_test(backend_lost_at_a_boundary),
		cmocka_unit_test(backend_lost_while_the_client_speaks),
		cmocka_unit_test(backend_lost_inside_a_literal),
		cmocka_unit_test(one_bye_is_enough),
		cmocka_unit_test(half_closed_client_gets_its_replies),
		cmocka_unit_test(half_closed_client_ends_otherwise),
		cmocka_unit_test(silent_sessions_end),
		cmocka_unit_test(slow_client_pauses_the_backend),
		cmocka_unit_test(slow_backend_pauses_the_client),
		cmocka_unit_test(inflight_is_bounded),
		cmocka_unit_test(backend_with_an_endless_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
