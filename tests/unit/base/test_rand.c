/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/rand.h"
#include "unit/unit.h"

static void bytes_fill_all_and_differ(void **state)
{
	/* Above 256 the kernel may give less than asked. */
	static unsigned char a[100000];
	static unsigned char b[100000];

	(void)state;
	rand_bytes(a, sizeof(a));
	rand_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	/* 16 zeros at the end by chance: once in 2^128. */
	assert_memory_not_equal(a + sizeof(a) - 16, (char[16]){ 0 }, 16);
	rand_bytes(a, 0);
}

static void below_stays_below_and_reaches_all(void **state)
{
	unsigned int seen[7] = { 0 };

	(void)state;
	for (int i = 0; i < 7000; i++) {
		uint32_t n = rand_below(7);

		assert_true(n < 7);
		seen[n]++;
	}
	/* 1000 each; the deviation is 29, this is 17 of them. */
	for (size_t i = 0; i < 7; i++)
		assert_in_range(seen[i], 500, 1500);
}

static void below_takes_any_bound(void **state)
{
	(void)state;
	assert_int_equal(rand_below(1), 0);
	for (int i = 0; i < 100; i++) {
		assert_true(rand_below(UINT32_MAX) < UINT32_MAX);
		assert_true(rand_below(0x80000001U) < 0x80000001U);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_fill_all_and_differ),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(below_takes_any_bound),
	};

	return cmocka_run_group_tests_name("rand", tests, NULL, NULL);
}
