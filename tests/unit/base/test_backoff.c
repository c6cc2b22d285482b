/* SPDX-License-Identifier: ISC */
#include "base/backoff.h"
#include "unit/unit.h"

static void delay_lies_between_half_and_all_of_the_step(void **state)
{
	struct backoff b;

	(void)state;
	for (uint32_t random = 0; random < 5000; random++) {
		uint32_t delay_ms;

		backoff_init(&b, 1000, 8000);
		delay_ms = backoff_next(&b, random * 2654435761U);
		assert_in_range(delay_ms, 500, 1000);
	}
	backoff_init(&b, 1000, 8000);
	assert_int_equal(backoff_next(&b, 0), 500);
	backoff_init(&b, 1000, 8000);
	assert_int_equal(backoff_next(&b, 500), 1000);
}

static void step_doubles_up_to_the_maximum(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, 1000, 5000);
	assert_int_equal(backoff_next(&b, 0), 500);
	assert_int_equal(backoff_next(&b, 0), 1000);
	assert_int_equal(backoff_next(&b, 0), 2000);
	assert_int_equal(backoff_next(&b, 0), 2500);
	assert_int_equal(backoff_next(&b, 0), 2500);
}

static void reset_begins_at_the_minimum(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, 1000, 5000);
	(void)backoff_next(&b, 0);
	(void)backoff_next(&b, 0);
	backoff_reset(&b);
	assert_int_equal(backoff_next(&b, 0), 500);
}

static void widest_range_does_not_wrap(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, UINT32_MAX, UINT32_MAX);
	for (int i = 0; i < 3; i++)
		assert_in_range(backoff_next(&b, UINT32_MAX), UINT32_MAX / 2,
		                UINT32_MAX);
	backoff_init(&b, 3, UINT32_MAX);
	for (int i = 0; i < 40; i++)
		(void)backoff_next(&b, 0);
	assert_int_equal(backoff_next(&b, 0), UINT32_MAX / 2);
}

static void zero_and_crossed_bounds_still_wait(void **state)
{
	struct backoff b;

	(void)state;
	backoff_init(&b, 0, 0);
	assert_int_equal(backoff_next(&b, 1), 1);
	backoff_init(&b, 0, 100);
	for (int i = 0; i < 10; i++)
		(void)backoff_next(&b, 0);
	assert_int_equal(backoff_next(&b, 0), 50);
	backoff_init(&b, 100, 10);
	assert_int_equal(backoff_next(&b, 50), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delay_lies_between_half_and_all_of_the_step),
		cmocka_unit_test(step_doubles_up_to_the_maximum),
		cmocka_unit_test(reset_begins_at_the_minimum),
		cmocka_unit_test(widest_range_does_not_wrap),
		cmocka_unit_test(zero_and_crossed_bounds_still_wait),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
