/* SPDX-License-Identifier: ISC */
/* clock - see clock.h. */
#include "replay/clock.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "fake/fake.h"

static struct {
	struct loop *loop;
	uint64_t begin_ms;   /* of the loop's clock */
	uint64_t elapsed_ms; /* in the processes before */
	int64_t wall_ms;     /* at the end of the last one; 0: none yet */
} time_of;

void clock_begin(struct loop *loop)
{
	assert(time_of.loop == NULL);
	time_of.loop = loop;
	time_of.begin_ms = loop_now_ms(loop);
	if (time_of.wall_ms != 0)
		fake_wall_jump(loop, time_of.wall_ms - loop_wall_ms(loop));
}

void clock_end(void)
{
	time_of.wall_ms = clock_wall_ms();
	time_of.elapsed_ms = clock_elapsed_ms();
	time_of.loop = NULL;
}

struct loop *clock_loop(void)
{
	return time_of.loop;
}

uint64_t clock_elapsed_ms(void)
{
	uint64_t ms = time_of.elapsed_ms;

	if (time_of.loop != NULL)
		ms += loop_now_ms(time_of.loop) - time_of.begin_ms;
	return ms;
}

int64_t clock_wall_ms(void)
{
	if (time_of.loop != NULL)
		return loop_wall_ms(time_of.loop);
	if (time_of.wall_ms == 0) { /* any loop begins at the same time */
		struct loop *loop = loop_new();

		time_of.wall_ms = loop_wall_ms(loop);
		loop_free(&loop);
	}
	return time_of.wall_ms;
}
