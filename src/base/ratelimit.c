/* SPDX-License-Identifier: ISC */
/*
 * ratelimit - tokens in thousandths, so that a rate per second and time in
 * milliseconds give whole numbers. Does not know what it limits.
 */
#include "base/ratelimit.h"

enum { MILLI = 1000 };

/* A clock that goes back, which ours never does, adds nothing. */
static void ratelimit_fill(struct ratelimit *r, uint64_t now_ms)
{
	uint64_t full = (uint64_t)r->burst * MILLI;
	uint64_t elapsed_ms = now_ms > r->last_ms ? now_ms - r->last_ms : 0;

	/* Divide before multiplying: the product may wrap. */
	if (elapsed_ms > (full - r->milli) / r->per_second)
		r->milli = full;
	else
		r->milli += elapsed_ms * r->per_second;
	r->last_ms = now_ms;
}

void ratelimit_init(struct ratelimit *r, uint32_t per_second, uint32_t burst,
                    uint64_t now_ms)
{
	r->per_second = per_second > 0 ? per_second : 1;
	r->burst = burst > 0 ? burst : 1;
	r->milli = (uint64_t)r->burst * MILLI;
	r->last_ms = now_ms;
}

bool ratelimit_take(struct ratelimit *r, uint64_t now_ms)
{
	ratelimit_fill(r, now_ms);
	if (r->milli < MILLI)
		return false;
	r->milli -= MILLI;
	return true;
}

uint64_t ratelimit_wait_ms(struct ratelimit *r, uint64_t now_ms)
{
	ratelimit_fill(r, now_ms);
	if (r->milli >= MILLI)
		return 0;
	return (MILLI - r->milli + r->per_second - 1) / r->per_second;
}
