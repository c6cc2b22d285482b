/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "conf/scan.h"
#include "unit/conf_files.h"
#include "unit/unit.h"

static void numbers_within_32_bits_pass(void **state)
{
	static const char *const good[] = {
		"",
		"a = 0;",
		"a = 2147483647;",
		"a = 0x7fffffff;",
		"a = 0000000000000000007;",
		"a = 99999999999L;",
		"a99999999999 = 1;",
		"a-99999999999_99999999999 = 1;",
		"# 99999999999\n// 99999999999\n/* 99999999999\n */ a = 1;",
		"a = \"99999999999 \\\" 99999999999\";",
		"a = \"# not a comment\"; b = 1;",
		"a = 1.5e10;",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(conf_scan("x", str_of(good[i]), NULL));
}

static void larger_numbers_are_named(void **state)
{
	static const struct {
		const char *text;
		const char *where;
	} bad[] = {
		{ "a = 2147483648;", "x:1: " },
		{ "a = 4294967297;", "x:1: " },
		{ "\n\na=\n99999999999999999999999;", "x:4: " },
		{ "a = 0x80000000;", "x:1: " },
		{ "a = 0x100000001;", "x:1: " },
		{ "a = -4294967297;", "x:1: " },
		{ "/* \n */ # \n // \n a = \"\n\"; b = (1, 4294967297);",
		  "x:5: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err_detail detail = { "" };

		assert_int_equal(conf_scan("x", str_of(bad[i].text), &detail),
		                 ERR_INVALID);
		assert_ptr_equal(strstr(detail.text, bad[i].where),
		                 detail.text);
		assert_non_null(strstr(detail.text, "out of range"));
	}
}

static void text_of_no_file_has_no_line(void **state)
{
	struct err_detail detail = { "" };

	(void)state;
	assert_int_equal(conf_scan(NULL, STR("4294967297"), &detail),
	                 ERR_INVALID);
	assert_ptr_equal(strstr(detail.text, "a number"), detail.text);
}

static void nul_is_refused(void **state)
{
	struct err_detail detail = { "" };

	(void)state;
	assert_int_equal(conf_scan("x", STR("a = 1;\n\0b = 2;"), &detail),
	                 ERR_INVALID);
	assert_string_equal(detail.text, "x:2: a NUL is in the text");
}

static void open_comment_is_refused(void **state)
{
	struct err_detail detail = { "" };

	(void)state;
	assert_int_equal(conf_scan("x", STR("a = 1;\n/* b\n\n*"), &detail),
	                 ERR_INVALID);
	assert_string_equal(detail.text, "x:2: a comment is not closed");
	assert_int_equal(conf_scan("x", STR("/*/"), NULL), ERR_INVALID);
	assert_ok(conf_scan("x", STR("/**/ a = \"/*\"; # /*"), NULL));
}

/* What libconfig itself refuses is not reported here. */
static void unclosed_ends_with_the_text(void **state)
{
	static const char *const open[] = {
		"\"", "\"a\\", "#", "//", "/", "@include", "0x", "@",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		assert_ok(conf_scan("x", str_of(open[i]), NULL));
}

static void included_files_are_read_too(void **state)
{
	struct err_detail detail = { "" };
	const char *inner = files_put("inner", "a = 1;\nb = 4294967297;\n");
	char text[128], wanted[128];

	(void)state;
	snprintf(text, sizeof(text), "@include \"%s\"\n", inner);
	assert_int_equal(conf_scan("x", str_of(text), &detail), ERR_INVALID);
	snprintf(wanted, sizeof(wanted), "%s:2: ", inner);
	assert_ptr_equal(strstr(detail.text, wanted), detail.text);
}

static void missing_include_is_named_with_its_line(void **state)
{
	struct err_detail detail = { "" };

	(void)state;
	assert_int_equal(
		conf_scan("x", STR("\n@include \"/nonexistent\"\n"), &detail),
		ERR_INVALID);
	assert_string_equal(detail.text,
	                    "x:2: /nonexistent: No such file or directory");
}

static void included_directory_is_refused(void **state)
{
	struct err_detail detail = { "" };

	(void)state;
	assert_int_equal(conf_scan("x", STR("@include \"/\"\n"), &detail),
	                 ERR_INVALID);
	assert_string_equal(detail.text, "x:1: /: Is a directory");
}

static void include_of_itself_ends(void **state)
{
	const char *path = files_path("self");
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "@include \"%s\"\n", path);
	files_put("self", text);
	assert_ok(conf_scan("x", str_of(text), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_within_32_bits_pass),
		cmocka_unit_test(larger_numbers_are_named),
		cmocka_unit_test(text_of_no_file_has_no_line),
		cmocka_unit_test(nul_is_refused),
		cmocka_unit_test(open_comment_is_refused),
		cmocka_unit_test(unclosed_ends_with_the_text),
		cmocka_unit_test_teardown(included_files_are_read_too,
		                          files_clear),
		cmocka_unit_test(missing_include_is_named_with_its_line),
		cmocka_unit_test(included_directory_is_refused),
		cmocka_unit_test_teardown(include_of_itself_ends, files_clear),
	};

	return cmocka_run_group_tests_name("scan", tests, files_begin,
	                                   files_end);
}
