/* SPDX-License-Identifier: ISC */
#include "apns/expiry.h"
#include "unit/unit.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define END_MS ((int64_t)1795341600000)

static void each_stage_begins_in_its_time(void **state)
{
	static const struct {
		enum expiry stage;
		int64_t left_ms; /* when it begins */
	} stages[] = {
		{ EXPIRY_30_DAYS, 30 * DAY_MS - 1 },
		{ EXPIRY_14_DAYS, 14 * DAY_MS - 1 },
		{ EXPIRY_7_DAYS, 7 * DAY_MS - 1 },
		{ EXPIRY_1_DAY, DAY_MS - 1 },
		{ EXPIRY_OVER, -1 },
		{ EXPIRY_LONG_OVER, -DAY_MS - 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		int64_t begin_ms = END_MS - stages[i].left_ms;

		assert_int_equal(expiry_of(END_MS, begin_ms), stages[i].stage);
		assert_int_equal(expiry_of(END_MS, begin_ms - 1),
		                 stages[i].stage - 1);
	}
	assert_int_equal(expiry_of(END_MS, 0), EXPIRY_FAR);
	assert_int_equal(expiry_of(END_MS, END_MS + 1000 * DAY_MS),
	                 EXPIRY_LONG_OVER);
}

static void wait_ends_where_the_next_stage_begins(void **state)
{
	int64_t now_ms = END_MS - 400 * DAY_MS;

	(void)state;
	for (int stage = EXPIRY_FAR; stage < EXPIRY_LONG_OVER; stage++) {
		int64_t wait_ms = expiry_wait_ms(END_MS, now_ms);

		assert_int_equal(expiry_of(END_MS, now_ms + wait_ms - 1),
		                 stage);
		now_ms += wait_ms;
		assert_int_equal(expiry_of(END_MS, now_ms), stage + 1);
	}
	assert_true(expiry_wait_ms(END_MS, now_ms) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stage_begins_in_its_time),
		cmocka_unit_test(wait_ends_where_the_next_stage_begins),
	};

	return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}
