/* SPDX-License-Identifier: ISC */
/* pattern - what a line must be like, and words of it that are kept. */
#ifndef REPLAY_PATTERN_H
#define REPLAY_PATTERN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/*
 * pattern_matches: |pattern| is all of |text|; "..." in it is any run of bytes,
 * "<name>" one of letters, digits, and what else base64 has, which is kept.
 */
bool pattern_matches(struct str pattern, struct str text);

/* pattern_matches_part: it is some part of |text|. */
bool pattern_matches_part(struct str pattern, struct str text);

/* pattern_fill appends |text| with each "<name>" that was kept replaced. */
void pattern_fill(struct str text, struct buf *out);

/* patterns_free forgets what was kept. */
void patterns_free(void);

/* is_alnum: a letter or digit of ASCII. */
bool is_alnum(char c);

#endif
