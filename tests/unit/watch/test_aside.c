/* SPDX-License-Identifier: ISC */
/* Mailboxes that are left alone for a while. */
#include <stdio.h>

#include "unit/unit.h"
#include "watch/aside.h"

enum { MINUTE_MS = 60 * 1000 };

static void each_time_is_longer_until_it_was_answered(void **state)
{
	struct aside a;
	uint64_t now = 1000;
	uint32_t last = 0;

	(void)state;
	aside_init(&a);
	assert_true(aside_is_empty(&a));
	assert_int_equal(aside_until(&a, now), ASIDE_NEVER);
	for (int i = 0; i < 20; i++) {
		uint32_t ms = aside_put(&a, STR("B"), now);

		assert_true(ms >= MINUTE_MS && ms <= 6 * 60 * MINUTE_MS);
		/* The eighth doubling meets the maximum. */
		assert_true(i >= 8 || ms >= last);
		assert_true(aside_has(&a, STR("B"), now + ms - 1));
		assert_int_equal(aside_until(&a, now), now + ms);
		now += ms;
		assert_false(aside_has(&a, STR("B"), now));
		assert_int_equal(aside_until(&a, now), ASIDE_NEVER);
		assert_false(aside_is_empty(&a)); /* nobody has asked yet */
		last = ms;
	}
	assert_true(last >= 3 * 60 * MINUTE_MS);
	aside_take(&a, STR("A"));
	aside_take(&a, STR("B"));
	assert_true(aside_is_empty(&a));
	assert_true(aside_put(&a, STR("B"), now) <= 2 * MINUTE_MS);
	aside_done(&a);
}

static void one_does_not_speak_for_another(void **state)
{
	struct aside a;

	(void)state;
	aside_init(&a);
	(void)aside_put(&a, STR("A"), 0);
	(void)aside_put(&a, STR("B"), 7 * MINUTE_MS);
	assert_false(aside_has(&a, STR("A"), 7 * MINUTE_MS));
	assert_true(aside_has(&a, STR("B"), 7 * MINUTE_MS));
	assert_false(aside_has(&a, STR("b"), 7 * MINUTE_MS));
	assert_true(aside_until(&a, 0) <= 2 * MINUTE_MS);
	assert_true(aside_until(&a, 7 * MINUTE_MS) >= 8 * MINUTE_MS);
	aside_done(&a);
}

static void too_many_are_not_kept(void **state)
{
	struct aside a;
	char name[20];

	(void)state;
	aside_init(&a);
	for (int i = 0; i < 100; i++) {
		(void)snprintf(name, sizeof(name), "box%d", i);
		(void)aside_put(&a, str_of(name), 0);
	}
	assert_false(aside_has(&a, STR("box35"), 0));
	assert_true(aside_has(&a, STR("box36"), 0));
	assert_true(aside_has(&a, STR("box99"), 0));
	aside_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_time_is_longer_until_it_was_answered),
		cmocka_unit_test(one_does_not_speak_for_another),
		cmocka_unit_test(too_many_are_not_kept),
	};

	return cmocka_run_group_tests_name("aside", tests, NULL, NULL);
}
