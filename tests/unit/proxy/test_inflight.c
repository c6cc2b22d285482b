/* SPDX-License-Identifier: ISC */
/* A queue, not a map; answers wait for all that came before them. */
#include "proxy/inflight.h"
#include "unit/unit.h"

static void settle(struct inflight *q, const char *tag)
{
	struct inflight_entry *e = inflight_find(q, str_of(tag));

	assert_non_null(e);
	inflight_settle(q, &e);
	assert_null(e);
}

static void take(struct inflight *q, const char *lines)
{
	struct str got;

	assert_true(inflight_take_answer(q, &got));
	assert_str(got, lines);
	str_free(&got);
}

static void answers_wait_for_earlier_tags(void **arg)
{
	struct inflight q;
	struct str none;

	(void)arg;
	inflight_init(&q);
	assert_true(inflight_is_empty(&q));
	(void)inflight_sent(&q, STR("a"));
	(void)inflight_sent(&q, STR("b"));
	inflight_answer(&q, STR("x OK\r\n"));
	(void)inflight_sent(&q, STR("c"));
	inflight_answer(&q, STR("y OK\r\n"));
	assert_false(inflight_take_answer(&q, &none));
	settle(&q, "b");
	assert_false(inflight_take_answer(&q, &none));
	settle(&q, "a");
	take(&q, "x OK\r\n");
	assert_false(inflight_take_answer(&q, &none));
	settle(&q, "c");
	take(&q, "y OK\r\n");
	assert_true(inflight_is_empty(&q));
	inflight_done(&q);
}

static void the_first_of_equal_tags_is_found(void **arg)
{
	struct inflight_entry *first;
	struct inflight q;

	(void)arg;
	inflight_init(&q);
	first = inflight_sent(&q, STR("a"));
	assert_ptr_not_equal(inflight_sent(&q, STR("a")), first);
	assert_ptr_equal(inflight_find(&q, STR("a")), first);
	assert_null(inflight_find(&q, STR("A")));
	/* An answer's text is no tag. */
	inflight_answer(&q, STR("z"));
	assert_null(inflight_find(&q, STR("z")));
	inflight_done(&q);
	assert_true(inflight_is_empty(&q));
}

static void full_at_its_limit(void **arg)
{
	struct inflight q;

	(void)arg;
	inflight_init(&q);
	for (int i = 0; i < INFLIGHT_MAX; i++) {
		assert_false(inflight_is_full(&q));
		(void)inflight_sent(&q, STR("a"));
	}
	assert_true(inflight_is_full(&q));
	inflight_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_wait_for_earlier_tags),
		cmocka_unit_test(the_first_of_equal_tags_is_found),
		cmocka_unit_test(full_at_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
