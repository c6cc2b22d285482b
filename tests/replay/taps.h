/* SPDX-License-Identifier: ISC */
/*
 * taps - what the linker puts between the process and the machine (--wrap in
 * meson.build): the log goes to the transcript, randomness is repeatable, the
 * store is the script's, and the loop is turned by the script.
 */
#ifndef REPLAY_TAPS_H
#define REPLAY_TAPS_H

#include <stdbool.h>

#include "net/loop.h"
#include "push/scriptstore.h"

/* taps_set says who is asked; |run| is called instead of loop_run. */
void taps_set(struct scriptstore *store, void (*run)(struct loop *loop));

/* taps_begin: the next loop that is made is that of a new process. */
void taps_begin(void);

/* taps_kill: what is still logged comes from nobody, until taps_begin. */
void taps_kill(void);

/* taps_highest: what is random is as high as it can be, else as low. Bytes for
 * tags and keys are different each time all the same. */
void taps_highest(bool highest);

#endif
