/* SPDX-License-Identifier: ISC */
/*
 * script - the text of a script, step by step: comments left out, parts played
 * in their place, names of devices filled in. README.md has
 * the whole format.
 */
#ifndef REPLAY_SCRIPT_H
#define REPLAY_SCRIPT_H

#include <stdbool.h>

#include "base/str.h"

/* must: what cannot fail in a test. */
void must(int rc);

/* script_open begins the script at |path|, which must begin with the rule that
 * it holds as a comment. */
void script_open(const char *path);
void script_close(void);

/* script_next finds the next step; |*step_r| is valid until the next call.
 * False at the end. */
bool script_next(struct str *step_r);

/* script_place is "file:line" of the step, with where its part was played. */
const char *script_place(void);

/* script_fail says what is wrong with the step and ends the program. */
void script_fail(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#endif
