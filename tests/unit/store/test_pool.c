/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "store/pool.h"
#include "unit/unit.h"

static void taken_memory_is_zero_aligned_and_its_own(void **state)
{
	struct pool p;
	unsigned char *taken[200];

	(void)state;
	pool_init(&p);
	for (size_t i = 0; i < 200; i++) {
		/* Small ones, and some that need a chunk of their own. */
		size_t len = i % 50 == 49 ? 10000 : i;

		taken[i] = pool_take(&p, len, 1);
		assert_int_equal((uintptr_t)taken[i] % _Alignof(max_align_t),
		                 0);
		for (size_t at = 0; at < len; at++)
			assert_int_equal(taken[i][at], 0);
		memset(taken[i], (int)i, len);
	}
	for (size_t i = 0; i < 200; i++) {
		size_t len = i % 50 == 49 ? 10000 : i;

		for (size_t at = 0; at < len; at++)
			assert_int_equal(taken[i][at], (unsigned char)i);
	}
	pool_done(&p);
}

static void strings_are_copied(void **state)
{
	char text[] = "abc";
	struct pool p;
	struct str s;

	(void)state;
	pool_init(&p);
	s = pool_str(&p, str_new(text, 3));
	text[0] = 'x';
	assert_str(s, "abc");
	assert_non_null(pool_str(&p, STR_NULL).data);
	assert_int_equal(pool_str(&p, STR_NULL).len, 0);
	pool_done(&p);
	/* Usable again. */
	assert_str(pool_str(&p, STR("d")), "d");
	pool_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_memory_is_zero_aligned_and_its_own),
		cmocka_unit_test(strings_are_copied),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
