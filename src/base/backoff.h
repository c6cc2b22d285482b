/* SPDX-License-Identifier: ISC */
/*
 * backoff - how long to wait before the next try: doubling from |min_ms| to
 * |max_ms|, with jitter, so that a thousand who lost one peer do not return
 * together. No clock: the caller waits.
 */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint32_t min_ms;
	uint32_t max_ms;
	uint32_t next_ms;
};

/* backoff_init: a minimum of 0 counts as 1, a maximum below it as the
 * minimum. */
void backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms);

/* backoff_next returns the delay of this try, between half and all of the
 * current step by |random| (any value), and doubles the step. */
uint32_t backoff_next(struct backoff *b, uint32_t random);

/* backoff_reset: the try succeeded, begin at |min_ms| again. */
void backoff_reset(struct backoff *b);

#endif
