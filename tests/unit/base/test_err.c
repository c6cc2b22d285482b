/* SPDX-License-Identifier: ISC */
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "unit/unit.h"

static void every_result_has_its_own_text(void **state)
{
	(void)state;
	for (int a = ERR_OK; a >= ERR_UNTRUSTED; a--) {
		assert_string_not_equal(err_text(a), "unknown error");
		for (int b = ERR_OK; b > a; b--)
			assert_string_not_equal(err_text(a), err_text(b));
	}
}

static void any_value_is_accepted(void **state)
{
	static const int odd[] = { 1, ERR_UNTRUSTED - 1, INT_MAX, INT_MIN };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_string_equal(err_text(odd[i]), "unknown error");
}

static void set_formats_and_returns_the_result(void **state)
{
	struct err_detail detail;

	(void)state;
	assert_int_equal(err_set(&detail, ERR_IO, "%s: %d", "file", 7), ERR_IO);
	assert_string_equal(detail.text, "file: 7");
	assert_int_equal(err_set(NULL, ERR_AUTH, "no detail"), ERR_AUTH);
}

static void long_sentence_is_cut(void **state)
{
	struct err_detail detail;

	(void)state;
	assert_int_equal(err_set(&detail, ERR_IO, "%01000d", 0), ERR_IO);
	assert_int_equal(strlen(detail.text), sizeof(detail.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_result_has_its_own_text),
		cmocka_unit_test(any_value_is_accepted),
		cmocka_unit_test(set_formats_and_returns_the_result),
		cmocka_unit_test(long_sentence_is_cut),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
