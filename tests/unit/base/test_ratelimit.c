/* SPDX-License-Identifier: ISC */
#include "base/ratelimit.h"
#include "unit/unit.h"

static void burst_goes_at_once_then_the_rate(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 20, 5, 1000);
	for (int i = 0; i < 5; i++)
		assert_true(ratelimit_take(&r, 1000));
	assert_false(ratelimit_take(&r, 1000));
	assert_int_equal(ratelimit_wait_ms(&r, 1000), 50);
	assert_false(ratelimit_take(&r, 1049));
	assert_true(ratelimit_take(&r, 1050));
	assert_false(ratelimit_take(&r, 1050));
}

static void wait_is_exact_to_the_millisecond(void **state)
{
	(void)state;
	for (uint32_t rate = 1; rate < 3000; rate++) {
		struct ratelimit r;
		uint64_t wait_ms;

		ratelimit_init(&r, rate, 1, 0);
		assert_true(ratelimit_take(&r, 0));
		wait_ms = ratelimit_wait_ms(&r, 0);
		assert_in_range(wait_ms, 1, 1000);
		assert_int_equal(ratelimit_wait_ms(&r, wait_ms), 0);
		assert_true(ratelimit_take(&r, wait_ms));
	}
}

static void no_more_than_rate_and_burst_in_any_time(void **state)
{
	struct ratelimit r;
	unsigned taken = 0;

	(void)state;
	ratelimit_init(&r, 7, 3, 0);
	for (uint64_t now_ms = 0; now_ms <= 10000; now_ms += 3)
		taken += ratelimit_take(&r, now_ms);
	assert_in_range(taken, 72, 73);
}

static void long_rest_fills_no_more_than_the_burst(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, UINT32_MAX, 2, 0);
	assert_true(ratelimit_take(&r, UINT64_MAX));
	assert_true(ratelimit_take(&r, UINT64_MAX));
	assert_false(ratelimit_take(&r, UINT64_MAX));
}

static void zero_and_time_going_back_still_work(void **state)
{
	struct ratelimit r;

	(void)state;
	ratelimit_init(&r, 0, 0, 5000);
	assert_true(ratelimit_take(&r, 5000));
	assert_false(ratelimit_take(&r, 1000));
	assert_false(ratelimit_take(&r, 1999));
	assert_true(ratelimit_take(&r, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_goes_at_once_then_the_rate),
		cmocka_unit_test(wait_is_exact_to_the_millisecond),
		cmocka_unit_test(no_more_than_rate_and_burst_in_any_time),
		cmocka_unit_test(long_rest_fills_no_more_than_the_burst),
		cmocka_unit_test(zero_and_time_going_back_still_work),
	};

	return cmocka_run_group_tests_name("ratelimit", tests, NULL, NULL);
}
