/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/emit.h"
#include "unit/unit.h"

static void quoted_where_every_octet_prints(void **state)
{
	struct imap_emit e;

	(void)state;
	imap_emit_init(&e, 100);
	assert_ok(imap_emit_text(&e, STR("a LOGIN ")));
	assert_ok(imap_emit_string(&e, STR("u\"1\\ ~")));
	assert_ok(imap_emit_text(&e, STR(" ")));
	assert_ok(imap_emit_string(&e, STR("")));
	assert_ok(imap_emit_text(&e, STR("\r\n")));
	assert_false(imap_emit_finished(&e));
	assert_str(imap_emit_next(&e), "a LOGIN \"u\\\"1\\\\ ~\" \"\"\r\n");
	assert_true(imap_emit_finished(&e));
	assert_str(imap_emit_next(&e), "");
	imap_emit_done(&e);
	assert_null(e.text.data);
}

static void literal_waits_for_the_server(void **state)
{
	struct imap_emit e;

	(void)state;
	imap_emit_init(&e, 100);
	assert_ok(imap_emit_text(&e, STR("a LOGIN ")));
	assert_ok(imap_emit_string(&e, STR("\xc3\xa4")));
	assert_ok(imap_emit_text(&e, STR(" ")));
	assert_ok(imap_emit_string(&e, STR("x\r\nb LOGOUT\r\n")));
	assert_ok(imap_emit_text(&e, STR("\r\n")));
	assert_str(imap_emit_next(&e), "a LOGIN {2}\r\n");
	assert_str(imap_emit_next(&e), "\xc3\xa4 {13}\r\n");
	assert_false(imap_emit_finished(&e));
	assert_str(imap_emit_next(&e), "x\r\nb LOGOUT\r\n\r\n");
	assert_true(imap_emit_finished(&e));
	imap_emit_done(&e);
}

static void octets_decide_what_can_be_quoted(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	for (int c = 0; c < 256; c++) {
		char octet = (char)c;
		bool prints = c >= 0x20 && c <= 0x7e;

		assert_int_equal(imap_quotable(str_new(&octet, 1)), prints);
		assert_int_equal(imap_quote(str_new(&octet, 1), &out),
		                 prints ? ERR_OK : ERR_PARSE);
		if (!prints)
			assert_int_equal(out.len, 0);
		else
			assert_int_equal(out.len,
			                 c == '"' || c == '\\' ? 4 : 3);
		buf_clear(&out);
	}
	buf_reset(&out);
}

static void too_many_literals_are_a_limit(void **state)
{
	struct imap_emit e;
	size_t len;

	(void)state;
	imap_emit_init(&e, 1000);
	for (int i = 0; i < IMAP_EMIT_STOPS; i++)
		assert_ok(imap_emit_string(&e, STR("\n")));
	len = e.text.len;
	assert_int_equal(imap_emit_string(&e, STR("\n")), ERR_LIMIT);
	assert_int_equal(imap_emit_stop(&e), ERR_LIMIT);
	assert_int_equal(e.text.len, len);
	assert_ok(imap_emit_string(&e, STR("x")));
	imap_emit_done(&e);
}

static void ceiling_leaves_what_was_there(void **state)
{
	(void)state;
	for (size_t max = 2; max < 9; max++) {
		struct imap_emit e;

		imap_emit_init(&e, max);
		assert_ok(imap_emit_text(&e, STR("a ")));
		assert_int_equal(imap_emit_string(&e, STR("x\"yz\\")),
		                 ERR_LIMIT);
		assert_int_equal(imap_emit_string(&e, STR("\1\2\3\4")),
		                 ERR_LIMIT);
		assert_str(imap_emit_next(&e), "a ");
		assert_true(imap_emit_finished(&e));
		imap_emit_done(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quoted_where_every_octet_prints),
		cmocka_unit_test(literal_waits_for_the_server),
		cmocka_unit_test(octets_decide_what_can_be_quoted),
		cmocka_unit_test(too_many_literals_are_a_limit),
		cmocka_unit_test(ceiling_leaves_what_was_there),
	};

	return cmocka_run_group_tests_name("emit", tests, NULL, NULL);
}
