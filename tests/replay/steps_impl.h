/* SPDX-License-Identifier: ISC */
/* steps_impl - what the files of steps share: tables of steps by subject. */
#ifndef REPLAY_STEPS_IMPL_H
#define REPLAY_STEPS_IMPL_H

#include <stdbool.h>

#include "base/str.h"
#include "replay/mode.h"

typedef void step_fn(const struct str *args);

/* In |form| "_" is one word, "_:" one with a colon behind it, "*" the rest of
 * the line; |fn| gets them in order. A row without form ends a table. */
struct step_row {
	const char *form;
	step_fn *fn;
	bool needs_process; /* that runs */
};

extern const struct step_row steps_apns_rows[];
extern const struct step_row steps_conn_rows[];
extern const struct step_row steps_house_rows[];

/* steps_mode reads how a server is to be. */
enum mode steps_mode(struct str word);

/* steps_untold finds something that happened and that no step has told, or
 * NULL. */
const char *steps_untold(void);

/* steps_want_told fails if there is such a thing. */
void steps_want_told(const char *when);

#endif
