/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "unit/unit.h"

#ifdef __has_feature
#	define SANITIZED                            \
		(__has_feature(address_sanitizer) || \
		 __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define SANITIZED 1
#else
#	define SANITIZED 0
#endif

static const bool sanitized = SANITIZED;

static void init_allocates_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_null(b.data);
	assert_str(buf_str(&b), "");
	assert_ok(buf_append(&b, NULL, 0));
	assert_null(b.data);
	buf_reset(&b);
}

static void append_keeps_what_was_there(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 5000; i++)
		assert_ok(buf_add(&b, STR("0123456789")));
	assert_int_equal(b.len, 50000);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(b.data[i], '0' + (int)(i % 10));
	buf_reset(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
}

static void growth_doubles(void **state)
{
	struct buf b;
	size_t cap;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_ok(buf_adds(&b, "x"));
	cap = b.cap;
	while (b.len < cap)
		assert_ok(buf_adds(&b, "x"));
	assert_int_equal(b.cap, cap);
	assert_ok(buf_adds(&b, "x"));
	assert_int_equal(b.cap, 2 * cap);
	buf_reset(&b);
}

static void ceiling_is_reached_exactly_and_never_passed(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 5);
	assert_ok(buf_adds(&b, "abc"));
	assert_int_equal(buf_adds(&b, "def"), ERR_LIMIT);
	assert_str(buf_str(&b), "abc");
	assert_ok(buf_adds(&b, "de"));
	assert_str(buf_str(&b), "abcde");
	assert_int_equal(b.cap, 5);
	assert_int_equal(buf_adds(&b, "f"), ERR_LIMIT);
	buf_reset(&b);
}

static void huge_length_is_refused_without_wrapping(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_ok(buf_adds(&b, "abc"));
	assert_int_equal(buf_append(&b, "x", SIZE_MAX), ERR_LIMIT);
	assert_int_equal(buf_append(&b, "x", SIZE_MAX - 2), ERR_LIMIT);
	assert_str(buf_str(&b), "abc");
	buf_reset(&b);
}

static void no_memory_is_a_limit(void **state)
{
	struct buf b;

	(void)state;
	if (sanitized)
		skip(); /* such a size ends the program there */
	buf_init(&b, SIZE_MAX / 4);
	assert_ok(buf_adds(&b, "abc"));
	assert_int_equal(buf_append(&b, "x", SIZE_MAX / 4 - 10), ERR_LIMIT);
	assert_str(buf_str(&b), "abc");
	buf_reset(&b);
}

static void zero_ceiling_takes_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	assert_int_equal(buf_adds(&b, "a"), ERR_LIMIT);
	assert_ok(buf_adds(&b, ""));
	assert_null(b.data);
}

static void clear_wipes_and_keeps_the_memory(void **state)
{
	struct buf b;
	char *data;

	(void)state;
	buf_init(&b, 100);
	assert_ok(buf_adds(&b, "password"));
	data = b.data;
	buf_clear(&b);
	assert_ptr_equal(b.data, data);
	assert_int_equal(b.len, 0);
	assert_memory_equal(data, "\0\0\0\0\0\0\0\0", 8);
	buf_reset(&b);
}

static void consume_moves_the_rest_and_wipes_behind_it(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_ok(buf_adds(&b, "secret rest"));
	buf_consume(&b, 0);
	assert_str(buf_str(&b), "secret rest");
	buf_consume(&b, 7);
	assert_str(buf_str(&b), "rest");
	assert_memory_equal(b.data, "rest\0\0\0\0\0\0\0", 11);
	buf_reset(&b);
}

static void consume_of_all_gives_the_memory_back(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_consume(&b, 0);
	assert_ok(buf_adds(&b, "abc"));
	buf_consume(&b, 3);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	assert_int_equal(b.max, 100);
	assert_ok(buf_adds(&b, "again"));
	assert_str(buf_str(&b), "again");
	buf_reset(&b);
}

static void printf_appends_short_and_long(void **state)
{
	struct buf b;
	char big[1001];

	(void)state;
	memset(big, 'x', 1000);
	big[1000] = '\0';
	buf_init(&b, 1004);
	assert_ok(buf_printf(&b, "%d %s", 7, "ab"));
	assert_str(buf_str(&b), "7 ab");
	assert_ok(buf_printf(&b, "%s", big)); /* to the last byte */
	assert_int_equal(b.len, 1004);
	assert_str(str_sub(buf_str(&b), 4, SIZE_MAX), big);
	buf_reset(&b);
}

static void printf_above_the_ceiling_adds_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_ok(buf_printf(&b, "%s", "ab"));
	assert_int_equal(buf_printf(&b, "%s", "cde"), ERR_LIMIT);
	assert_int_equal(buf_printf(&b, "%0500d", 1), ERR_LIMIT);
	assert_str(buf_str(&b), "ab");
	assert_ok(buf_printf(&b, "%s", "cd"));
	assert_str(buf_str(&b), "abcd");
	buf_reset(&b);
}

static void cut_drops_the_end_and_wipes_it(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_cut(&b, 0);
	assert_ok(buf_adds(&b, "user secret"));
	buf_cut(&b, 11);
	assert_str(buf_str(&b), "user secret");
	buf_cut(&b, 4);
	assert_str(buf_str(&b), "user");
	for (size_t i = 4; i < 11; i++)
		assert_int_equal(b.data[i], 0);
	buf_reset(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_allocates_nothing),
		cmocka_unit_test(append_keeps_what_was_there),
		cmocka_unit_test(growth_doubles),
		cmocka_unit_test(ceiling_is_reached_exactly_and_never_passed),
		cmocka_unit_test(huge_length_is_refused_without_wrapping),
		cmocka_unit_test(no_memory_is_a_limit),
		cmocka_unit_test(zero_ceiling_takes_nothing),
		cmocka_unit_test(clear_wipes_and_keeps_the_memory),
		cmocka_unit_test(consume_moves_the_rest_and_wipes_behind_it),
		cmocka_unit_test(consume_of_all_gives_the_memory_back),
		cmocka_unit_test(cut_drops_the_end_and_wipes_it),
		cmocka_unit_test(printf_appends_short_and_long),
		cmocka_unit_test(printf_above_the_ceiling_adds_nothing),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
