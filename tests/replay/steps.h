/* SPDX-License-Identifier: ISC */
/* steps - what each step of a script does: one table. */
#ifndef REPLAY_STEPS_H
#define REPLAY_STEPS_H

#include <stdbool.h>

#include "base/str.h"

/* steps_needs_process: |step| is about a process that runs. */
bool steps_needs_process(struct str step);

/* steps_run does |step|, with all that happens without time. */
void steps_run(struct str step);

/* steps_end checks that the script has told everything. */
void steps_end(void);

#endif
