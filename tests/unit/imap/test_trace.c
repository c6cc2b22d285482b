/* SPDX-License-Identifier: ISC */
#include "imap/trace.h"
#include "unit/unit.h"

#define DIGITS "0123456789abcdef0123456789abcdef"

/* The frames of an input, one line each, as a trace shows them. */
static const struct {
	enum imap_side side;
	enum imap_trace trace;
	struct str in;
	const char *lines;
} traces[] = {
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a NOOP\r\nb FETCH 1 (UID)\r\n"),
	  "a NOOP\nb FETCH 1 (UID)\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a LOGIN bob secret\r\n"),
	  "a LOGIN <secret>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a login\r\n"),
	  "a login <secret>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a LOGIN {3}\r\nbob \"secret\"\r\n"),
	  "a LOGIN <secret>\n<literal, 3 octets>\n<continued, 11 octets>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a AUTHENTICATE PLAIN AGEAYg==\r\n"),
	  "a AUTHENTICATE PLAIN <secret>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a AUTHENTICATE X_Y-1\r\n"),
	  "a AUTHENTICATE X_Y-1\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a AUTHENTICATE AGEAYg== x\r\n"),
	  "a AUTHENTICATE <secret>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN,
	  IN("a  LOGIN bob secret\r\na\tLOGIN b s\r\n"),
	  "<no command, 21 octets>\n<no command, 13 octets>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_SECRET, IN("AGEAYg==\r\n*\r\n"),
	  "<secret>\n<secret>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("DONE\r\nsecret\r\n"),
	  "DONE\n<no command, 8 octets>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_STRANGER,
	  IN("a LOGN bob secret\r\nb SELECT secret\r\nc NOOP\r\n"
	     "d ID (\"name\" \"x\")\r\ne login b secret\r\n"
	     "f AUTHENTICATE PLAIN AGEAYg==\r\nAGEAYg==\r\n"),
	  "a LOGN <secret>\nb SELECT <secret>\nc NOOP\n"
	  "d ID (\"name\" \"x\")\ne login <secret>\n"
	  "f AUTHENTICATE PLAIN <secret>\n<no command, 10 octets>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN,
	  IN("a XAPPLEPUSHSERVICE aps-version 2 aps-account-id 0715A26B-CA09-"
	     "4730-A419-793000CA982E aps-device-token " DIGITS DIGITS
	     " mailboxes (INBOX)\r\n"),
	  "a XAPPLEPUSHSERVICE aps-version 2 aps-account-id 0715A26B-CA09-"
	  "4730-A419-793000CA982E aps-device-token 01234567... mailboxes "
	  "(INBOX)\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a NOOP\0\r\n"),
	  "<NUL in a line, 9 octets>\n" },
	{ IMAP_CLIENT, IMAP_TRACE_OPEN, IN("a SELECT \"\xc3\xa4\t\"\r\n"),
	  "a SELECT \"\\xc3\\xa4\\x09\"\n" },
	{ IMAP_SERVER, IMAP_TRACE_OPEN,
	  IN("* OK hi\r\n* 1 FETCH (BODY[] {3}\r\nabc UID 4)\r\n+ go\r\n"),
	  "* OK hi\n* 1 FETCH (BODY[] {3}\n<literal, 3 octets>\n"
	  "<continued, 9 octets>\n+ go\n" },
	{ IMAP_SERVER, IMAP_TRACE_SECRET, IN("+ Y2hhbGxlbmdl\r\na OK x\r\n"),
	  "<secret>\n<secret>\n" },
	{ IMAP_SERVER, IMAP_TRACE_OPEN, IN("hello\x1b\r\n"), "hello\\x1b\n" },
};

static void secrets_are_blanked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(traces); i++) {
		struct str in = traces[i].in;
		struct imap_framer f;
		struct imap_frame frame;
		struct buf out;

		buf_init(&out, 1000);
		imap_framer_init(&f, traces[i].side);
		while (imap_framer_next(&f, &in, &frame) == 0) {
			imap_trace_frame(&frame, traces[i].trace, &out);
			assert_ok(buf_adds(&out, "\n"));
		}
		assert_str(buf_str(&out), traces[i].lines);
		imap_framer_done(&f);
		buf_reset(&out);
	}
}

static void text_is_cut_to_the_ceiling(void **state)
{
	struct imap_frame frame = { .kind = IMAP_FRAME_LINE,
		                    .text = STR("* OK \t\t\t\r\n"),
		                    .first = true,
		                    .cls = IMAP_CLASS_STATUS };

	(void)state;
	for (size_t max = 0; max < 20; max++) {
		struct buf out;

		buf_init(&out, max);
		imap_trace_frame(&frame, IMAP_TRACE_OPEN, &out);
		assert_true(
			str_starts(STR("* OK \\x09\\x09\\x09"), buf_str(&out)));
		buf_reset(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_blanked),
		cmocka_unit_test(text_is_cut_to_the_ceiling),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
