/* SPDX-License-Identifier: ISC */
/*
 * ratelimit - a token bucket: so many a second, and a burst of so many after
 * a rest. No clock: time is an argument.
 */
#ifndef BASE_RATELIMIT_H
#define BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct ratelimit {
	uint32_t per_second;
	uint32_t burst;
	uint64_t milli; /* tokens there are, in thousandths */
	uint64_t last_ms;
};

/* ratelimit_init fills the bucket; both numbers are at least 1. */
void ratelimit_init(struct ratelimit *r, uint32_t per_second, uint32_t burst,
                    uint64_t now_ms);

/* ratelimit_take takes one token; false when there is none. */
bool ratelimit_take(struct ratelimit *r, uint64_t now_ms);

/* ratelimit_wait_ms tells how long until there is a token; 0: there is one. */
uint64_t ratelimit_wait_ms(struct ratelimit *r, uint64_t now_ms);

#endif
