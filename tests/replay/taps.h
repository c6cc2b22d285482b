/* SPDX-License-Identifier: ISC */
/*
 * taps - what the linker puts between the process and the machine (--wrap in
 * meson.build): the log goes to the transcript, randomness is repeatable, the
 * store is the script's, and the loop is turned by the script.
 */
#ifndef REPLAY_TAPS_H
#define REPLAY_TAPS_H

#include <stdint.h>

#include "net/loop.h"
#include "push/scriptstore.h"

/* taps_set says who is asked; |turn| is called instead of loop_run. */
void taps_set(struct scriptstore *scripted, void (*turn)(struct loop *loop));

/* taps_begin: the next loop that is made is that of a new process. */
void taps_begin(void);

/* taps_kill: what is still logged comes from nobody, until taps_begin. */
void taps_kill(void);

/* taps_dice: what is random for a jitter is |number| from now on, 0 at first.
 * Octets for tags and keys are others each time all the same. */
void taps_dice(uint32_t number);

#endif
