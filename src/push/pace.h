/* SPDX-License-Identifier: ISC */
/*
 * pace - devices that are to be left alone for a while, whichever account a
 * push is for. Time is an argument.
 */
#ifndef PUSH_PACE_H
#define PUSH_PACE_H

#include <stdint.h>

#include "base/str.h"

struct pace_device;

struct pace {
	struct pace_device *devices; /* hash; few, if any */
};

void pace_done(struct pace *p);

/* pace_slow: nothing is to go to |token| before |until_ms|. */
void pace_slow(struct pace *p, struct str token, uint64_t until_ms);

/* pace_until is when something may go to |token|; 0: now, and what was known of
 * it is forgotten. */
uint64_t pace_until(struct pace *p, struct str token, uint64_t now_ms);

#endif
