/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "base/str.h"
#include "unit/unit.h"

static void of_null_is_empty(void **state)
{
	(void)state;
	assert_int_equal(str_of(NULL).len, 0);
	assert_str(str_of("abc"), "abc");
	assert_int_equal(STR("a\0b").len, 3);
}

static void eq_compares_all_bytes(void **state)
{
	(void)state;
	assert_true(str_eq(STR_NULL, STR("")));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_false(str_eq(STR("ab"), STR("abc")));
	assert_false(str_eq(STR("ab"), STR("AB")));
}

static void ieq_folds_ascii_letters_only(void **state)
{
	(void)state;
	assert_true(str_ieq(STR("InBoX"), STR("INbox")));
	assert_true(str_ieq(STR_NULL, STR("")));
	assert_false(str_ieq(STR("a["), STR("a{")));
	assert_false(str_ieq(STR("@"), STR("`")));
	assert_false(str_ieq(STR("\xc4"), STR("\xe4")));
	assert_false(str_ieq(STR("inbox"), STR("inbo")));
}

static void cmp_orders_bytes_unsigned_and_shorter_first(void **state)
{
	(void)state;
	assert_int_equal(str_cmp(STR_NULL, STR("")), 0);
	assert_int_equal(str_cmp(STR("ab"), STR("ab")), 0);
	assert_true(str_cmp(STR("ab"), STR("abc")) < 0);
	assert_true(str_cmp(STR("abc"), STR("ab")) > 0);
	assert_true(str_cmp(STR("b"), STR("abc")) > 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_true(str_cmp(STR_NULL, STR("a")) < 0);
}

static void starts_and_ends(void **state)
{
	(void)state;
	assert_true(str_starts(STR("AUTH=PLAIN"), STR("AUTH=")));
	assert_false(str_starts(STR("auth=PLAIN"), STR("AUTH=")));
	assert_false(str_starts(STR("AUT"), STR("AUTH=")));
	assert_true(str_starts(STR_NULL, STR_NULL));
	assert_true(str_istarts(STR("auth=PLAIN"), STR("AUTH=")));
	assert_false(str_istarts(STR("auth"), STR("AUTH=")));
	assert_true(str_ends(STR("{12+}"), STR("+}")));
	assert_true(str_ends(STR("a"), STR("")));
	assert_false(str_ends(STR("}"), STR("+}")));
	assert_false(str_ends(STR("+}x"), STR("+}")));
}

static void find_returns_the_first_or_nothing(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("abcabc"), 'c'), 2);
	assert_int_equal(str_find(STR("ab\0"), '\0'), 2);
	assert_true(str_find(STR("abc"), 'd') == SIZE_MAX);
	assert_true(str_find(STR_NULL, 'd') == SIZE_MAX);
}

static void sub_is_clamped(void **state)
{
	(void)state;
	assert_str(str_sub(STR("abcdef"), 1, 3), "bcd");
	assert_str(str_sub(STR("abcdef"), 4, 100), "ef");
	assert_str(str_sub(STR("abcdef"), 4, SIZE_MAX), "ef");
	assert_str(str_sub(STR("abcdef"), 6, 1), "");
	assert_str(str_sub(STR("abcdef"), SIZE_MAX, SIZE_MAX), "");
	assert_str(str_sub(STR_NULL, 3, 3), "");
}

static void take_moves_the_cursor_clamped(void **state)
{
	struct str in = STR("abcdef");

	(void)state;
	assert_str(str_take(&in, 2), "ab");
	assert_str(in, "cdef");
	assert_str(str_take(&in, 0), "");
	assert_str(in, "cdef");
	assert_str(str_take(&in, SIZE_MAX), "cdef");
	assert_str(in, "");
	assert_str(str_take(&in, 1), "");
}

static void byte_is_consumed_only_when_it_is_there(void **state)
{
	struct str in = STR(" x");
	struct str empty = STR_NULL;

	(void)state;
	assert_false(str_byte(&in, 'x'));
	assert_str(in, " x");
	assert_true(str_byte(&in, ' '));
	assert_str(in, "x");
	assert_false(str_byte(&empty, '\0'));
}

static void number_table(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		int rc;
		uint64_t value;
		const char *rest;
	} rows[] = {
		{ "0", 0, 0, 0, "" },
		{ "7x", 10, 0, 7, "x" },
		{ "007 ", 10, 0, 7, " " },
		{ "10", 10, 0, 10, "" },
		{ "11", 10, ERR_LIMIT, 0, "11" },
		{ "100", 10, ERR_LIMIT, 0, "100" },
		{ "1", 0, ERR_LIMIT, 0, "1" },
		{ "5", 3, ERR_LIMIT, 0, "5" },
		{ "", 10, ERR_PARSE, 0, "" },
		{ "x1", 10, ERR_PARSE, 0, "x1" },
		{ "-1", 10, ERR_PARSE, 0, "-1" },
		{ "+1", 10, ERR_PARSE, 0, "+1" },
		{ " 1", 10, ERR_PARSE, 0, " 1" },
		{ "9223372036854775807", INT64_MAX, 0, INT64_MAX, "" },
		{ "9223372036854775808", INT64_MAX, ERR_LIMIT, 0,
		  "9223372036854775808" },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX, "" },
		{ "18446744073709551616", UINT64_MAX, ERR_LIMIT, 0,
		  "18446744073709551616" },
		{ "99999999999999999999", UINT64_MAX, ERR_LIMIT, 0,
		  "99999999999999999999" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str in = str_of(rows[i].in);
		uint64_t value = 0;

		assert_int_equal(str_number(&in, rows[i].max, &value),
		                 rows[i].rc);
		assert_true(value == rows[i].value);
		assert_str(in, rows[i].rest);
	}
}

static void dup_is_a_copy_that_ends_in_nul(void **state)
{
	char text[] = "a\0b";
	struct str copy = str_dup(str_new(text, 3));
	struct str empty = str_dup(STR_NULL);

	(void)state;
	text[0] = 'x';
	assert_true(str_eq(copy, STR("a\0b")));
	assert_int_equal(copy.data[3], '\0');
	assert_int_equal(empty.len, 0);
	assert_int_equal(empty.data[0], '\0');
	str_free(&copy);
	str_free(&empty);
	assert_null(copy.data);
	assert_int_equal(copy.len, 0);
	str_free(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_null_is_empty),
		cmocka_unit_test(eq_compares_all_bytes),
		cmocka_unit_test(ieq_folds_ascii_letters_only),
		cmocka_unit_test(cmp_orders_bytes_unsigned_and_shorter_first),
		cmocka_unit_test(starts_and_ends),
		cmocka_unit_test(find_returns_the_first_or_nothing),
		cmocka_unit_test(sub_is_clamped),
		cmocka_unit_test(take_moves_the_cursor_clamped),
		cmocka_unit_test(byte_is_consumed_only_when_it_is_there),
		cmocka_unit_test(number_table),
		cmocka_unit_test(dup_is_a_copy_that_ends_in_nul),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
