/* SPDX-License-Identifier: ISC */
/* When those are rung who cannot be watched. */
#include <stdlib.h>

#include "base/mem.h"
#include "fake/fake.h"
#include "unit/unit.h"
#include "watch/wake.h"

#define MINUTE_MS ((uint64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)

enum { USERS = 60 };

struct fixture {
	struct loop *loop;
	struct wake wake;
	size_t rings;
	size_t firsts;
};

static void on_ring(void *arg, bool first)
{
	struct fixture *f = arg;

	f->rings++;
	f->firsts += first;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->loop = loop_new();
	wake_init(&f->wake, f->loop, on_ring, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	wake_done(&f->wake);
	assert_int_equal(fake_timers(f->loop), 0);
	loop_free(&f->loop);
	free(f);
	return 0;
}

/* rings_after wants the next ring |ms| from now, not earlier. */
static void rings_after(struct fixture *f, uint64_t ms)
{
	size_t before = f->rings;

	fake_clock_advance(f->loop, ms - 1);
	assert_int_equal(f->rings, before);
	fake_clock_advance(f->loop, 1);
	assert_int_equal(f->rings, before + 1);
}

/* first_ring starts and waits for it. */
static void first_ring(struct fixture *f)
{
	wake_start(&f->wake);
	while (f->rings == 0)
		fake_clock_advance(f->loop, fake_clock_next(f->loop));
}

static void nothing_rings_unless_started(void **state)
{
	struct fixture *f = *state;

	fake_clock_advance(f->loop, 48 * HOUR_MS);
	assert_int_equal(f->rings, 0);
}

static void rings_ever_more_seldom_down_to_23_hours(void **state)
{
	struct fixture *f = *state;

	wake_start(&f->wake);
	fake_clock_advance(f->loop, MINUTE_MS - 1);
	assert_int_equal(f->rings, 1);
	wake_reset(&f->wake);
	f->rings = 0;
	first_ring(f);
	rings_after(f, 15 * MINUTE_MS);
	rings_after(f, 1 * HOUR_MS);
	rings_after(f, 6 * HOUR_MS);
	for (int i = 0; i < 40; i++)
		rings_after(f, 23 * HOUR_MS);
	assert_int_equal(f->firsts, 2);
}

static void first_rings_are_spread_over_a_minute(void **state)
{
	struct fixture *f = *state;
	struct wake wakes[USERS];
	size_t early = 0;

	for (size_t i = 0; i < USERS; i++) {
		wake_init(&wakes[i], f->loop, on_ring, f);
		wake_start(&wakes[i]);
	}
	fake_clock_advance(f->loop, MINUTE_MS / 2);
	early = f->rings;
	assert_in_range(early, 1, USERS - 1); /* one in 2^60 */
	fake_clock_advance(f->loop, MINUTE_MS / 2);
	assert_int_equal(f->rings, USERS);
	for (size_t i = 0; i < USERS; i++)
		wake_done(&wakes[i]);
}

static void starting_again_changes_nothing(void **state)
{
	struct fixture *f = *state;

	first_ring(f);
	fake_clock_advance(f->loop, 10 * MINUTE_MS);
	wake_start(&f->wake);
	rings_after(f, 5 * MINUTE_MS);
}

/* Who comes, is refused and is lost again is not rung each time. */
static void pause_does_not_begin_anew(void **state)
{
	struct fixture *f = *state;

	first_ring(f);
	wake_pause(&f->wake);
	fake_clock_advance(f->loop, 10 * MINUTE_MS);
	wake_start(&f->wake);
	rings_after(f, 5 * MINUTE_MS);
	rings_after(f, 1 * HOUR_MS);
	assert_int_equal(f->firsts, 1);
}

static void nothing_rings_while_paused(void **state)
{
	struct fixture *f = *state;

	wake_pause(&f->wake); /* off */
	first_ring(f);
	wake_pause(&f->wake);
	wake_pause(&f->wake);
	fake_clock_advance(f->loop, 24 * HOUR_MS);
	assert_int_equal(f->rings, 1);
	/* It is overdue. */
	wake_start(&f->wake);
	fake_clock_advance(f->loop, 0);
	assert_int_equal(f->rings, 2);
	rings_after(f, 1 * HOUR_MS);
}

static void reset_begins_anew(void **state)
{
	struct fixture *f = *state;

	first_ring(f);
	rings_after(f, 15 * MINUTE_MS);
	wake_reset(&f->wake);
	fake_clock_advance(f->loop, 24 * HOUR_MS);
	assert_int_equal(f->rings, 2);
	wake_start(&f->wake);
	fake_clock_advance(f->loop, MINUTE_MS);
	assert_int_equal(f->rings, 3);
	assert_int_equal(f->firsts, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_rings_unless_started),
		TEST(rings_ever_more_seldom_down_to_23_hours),
		TEST(first_rings_are_spread_over_a_minute),
		TEST(starting_again_changes_nothing),
		TEST(pause_does_not_begin_anew),
		TEST(nothing_rings_while_paused),
		TEST(reset_begins_anew),
	};

	return cmocka_run_group_tests_name("wake", tests, NULL, NULL);
}
