/* SPDX-License-Identifier: ISC */
/*
 * transcript - what was said and logged, in order and with the scripted time:
 * for the steps that ask for log lines, and for whoever has to find out why a
 * script fails.
 */
#ifndef REPLAY_TRANSCRIPT_H
#define REPLAY_TRANSCRIPT_H

#include <stdbool.h>

#include "base/log.h"
#include "base/str.h"

/* transcript_open has the lines written to the file |path| too, as they come:
 * they are there whatever becomes of this process. */
void transcript_open(const char *path);

/* transcript_said notes that |from| said |text| to |to|. */
void transcript_said(const char *from, const char *to, struct str text);

/* transcript_step notes that the script came to the step |text|. */
void transcript_step(struct str text);

/* transcript_logged notes a log line. */
void transcript_logged(const struct log_ctx *ctx, enum log_level level,
                       struct str text);

/*
 * transcript_take finds the first log line that |pattern| matches behind the
 * one that was found last; false: there is none.
 */
bool transcript_take(struct str pattern);

/* transcript_has: some log line was such. */
bool transcript_has(struct str pattern);

/* transcript_error is an error line that nobody took, or NULL: what an operator
 * must see, a script must say. */
const char *transcript_error(void);

/* transcript_failed notes why the script has failed. */
void transcript_failed(const char *text);

void transcript_free(void);

#endif
