/* SPDX-License-Identifier: ISC */
/*
 * clock - the scripted time, which goes on over the restarts of the process:
 * each process has a loop of its own, and the time of day of the one before.
 */
#ifndef REPLAY_CLOCK_H
#define REPLAY_CLOCK_H

#include <stdint.h>

#include "net/loop.h"

/* clock_begin: a process has begun, with |loop|. clock_end: it is over. */
void clock_begin(struct loop *loop);
void clock_end(void);

/* clock_loop is the loop of the process that runs, or NULL. */
struct loop *clock_loop(void);

/* clock_elapsed_ms is how long the script has lasted. */
uint64_t clock_elapsed_ms(void);

/* clock_wall_ms is the time of day, as the process has it or will have it. */
int64_t clock_wall_ms(void);

#endif
