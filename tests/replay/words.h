/* SPDX-License-Identifier: ISC */
/* words - the words of a step, and what they stand for. What makes no sense is
 * a failure of the script. */
#ifndef REPLAY_WORDS_H
#define REPLAY_WORDS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define SHOW_MAX ((size_t)1000)

/* SHOW is a str for "%.*s". */
#define SHOW(s)                                              \
	((s).len < SHOW_MAX ? (int)(s).len : (int)SHOW_MAX), \
		(s).data != NULL ? (s).data : ""

/* word_take takes the next word off |in|; empty at the end. */
struct str word_take(struct str *in);

/* word_duration reads "1h30m", "29m", "500ms"; word_offset one with a sign. */
uint64_t word_duration(struct str word);
int64_t word_offset(struct str word);

/* word_number reads a number of digits. */
uint64_t word_number(struct str word);

/* words_said appends what a peer says when a script has it say |text|: a line,
 * without its end if there is a backslash in its place. */
void words_said(struct str text, struct buf *out);

#endif
