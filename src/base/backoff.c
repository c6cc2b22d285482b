/* SPDX-License-Identifier: ISC */
/*
 * backoff - doubling delays with jitter. Knows no clock and draws no random
 * number: both are the caller's.
 */
#include "base/backoff.h"

void backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms)
{
	/* A step of 0 would double to 0: a loop that never rests. */
	b->min_ms = min_ms > 0 ? min_ms : 1;
	b->max_ms = max_ms > b->min_ms ? max_ms : b->min_ms;
	b->next_ms = b->min_ms;
}

uint32_t backoff_next(struct backoff *b, uint32_t random)
{
	uint32_t step = b->next_ms;
	uint32_t half = step / 2;

	/* Test before doubling: step * 2 may wrap. */
	b->next_ms = step > b->max_ms / 2 ? b->max_ms : step * 2;
	return half + random % (step - half + 1);
}

void backoff_reset(struct backoff *b)
{
	b->next_ms = b->min_ms;
}
