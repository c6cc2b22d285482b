/* SPDX-License-Identifier: ISC */
/*
 * house - the process that a script is about: the whole of imapbell by
 * process/single, on the net floor in memory, with a store that scripts steer.
 * What it committed outlives it.
 */
#ifndef REPLAY_HOUSE_H
#define REPLAY_HOUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "push/scriptstore.h"

/* house_init makes the files that it needs in the folder |path|, which is
 * borrowed. */
void house_init(const char *path);
void house_done(void);

/* house_set sets |key| of the configuration, for the next process. */
void house_set(struct str key, struct str value);

/* house_credential makes the certificate for APNs anew: it lasts for |lasts_ms|
 * from now and has |topic|, or the usual one. house_break_credential puts
 * something else in its place. */
void house_credential(uint64_t lasts_ms, struct str topic);
void house_break_credential(void);

/* house_run starts a process and calls |fn| when it has; the process is torn
 * down when |fn| returns. */
void house_run(void (*fn)(void));

/* house_lives: a process runs, neither killed nor at its end. */
bool house_lives(void);

/* house_has_ended: it came to its end by itself. */
bool house_has_ended(void);

/* house_restart ends the process as SIGKILL does, once |fn| of house_run
 * returns: what it has not committed yet is lost. Another one is wanted then,
 * which house_wants_start tells once. */
void house_restart(void);
bool house_wants_start(void);

/* house_settle lets all happen that happens without time. */
void house_settle(void);

/* house_advance lets time pass to the next timer, at most |ms|, with all that
 * happens then; returns how long it was. */
uint64_t house_advance(uint64_t ms);

/* house_store is what it commits to. */
struct scriptstore *house_store(void);

#endif
