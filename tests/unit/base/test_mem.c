/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/unit.h"

static void xcalloc_is_zeroed_and_never_null(void **state)
{
	char *data = xcalloc(3, 4);
	char *none = xcalloc(0, 4);

	(void)state;
	assert_memory_equal(data, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_non_null(none);
	free(data);
	free(none);
}

static void xrealloc_keeps_content_and_is_never_null(void **state)
{
	char *data = xrealloc(NULL, 2, 2);

	(void)state;
	memcpy(data, "abcd", 4);
	data = xrealloc(data, 1000, 4);
	assert_memory_equal(data, "abcd", 4);
	data = xrealloc(data, 0, 4);
	assert_non_null(data);
	free(data);
}

static void xgrow_has_room_for_each(void **state)
{
	size_t count = 0;
	int *numbers = NULL;

	(void)state;
	for (int i = 0; i < 100; i++) {
		numbers = xgrow(numbers, &count, sizeof(*numbers));
		assert_int_equal(count, i + 1);
		numbers[i] = i;
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(numbers[i], i);
	free(numbers);
}

static void xstrdup_copies_and_keeps_null(void **state)
{
	const char *text = "text";
	char *copy = xstrdup(text);

	(void)state;
	assert_string_equal(copy, text);
	assert_ptr_not_equal(copy, text);
	assert_null(xstrdup(NULL));
	free(copy);
}

static void wipe_overwrites_all_of_it_and_no_more(void **state)
{
	char data[] = "abcdef";

	(void)state;
	mem_wipe(data + 1, 4);
	assert_memory_equal(data, "a\0\0\0\0f", 6);
	mem_wipe(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xcalloc_is_zeroed_and_never_null),
		cmocka_unit_test(xrealloc_keeps_content_and_is_never_null),
		cmocka_unit_test(xgrow_has_room_for_each),
		cmocka_unit_test(xstrdup_copies_and_keeps_null),
		cmocka_unit_test(wipe_overwrites_all_of_it_and_no_more),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
