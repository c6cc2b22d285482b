/* SPDX-License-Identifier: ISC */
/*
 * frames - what a framer made of its input, as one line of text in which the
 * pieces of a long line, or of a literal, are put together again: the same for
 * every way of cutting the input, or the framer is wrong.
 *
 *   [a1 APPEND x {3+}$]{3+} 'abc' ($) [b NOOP$]
 *
 * [] first line of a command or response, () a line behind a literal, with
 * the bracket doubled when it came in parts; '' a literal; !error! a bad line
 * with its text. A letter before the bracket is the class of a server's line: +
 * S D T O. $ is CR LF; other octets that do not print are <xx>.
 */
#ifndef UNIT_FRAMES_H
#define UNIT_FRAMES_H

#include "base/buf.h"
#include "imap/framer.h"

struct frames {
	struct imap_framer framer;
	struct buf text;
	struct buf octets; /* all that was given out, bad lines excluded */
	bool within;       /* a long line or a literal is open, and */
	const char *close; /* the bracket that ends it */
	bool bad;          /* there was a bad frame */
};

void frames_init(struct frames *fs, enum imap_side side, enum imap_lines lines,
                 size_t line_held);
void frames_done(struct frames *fs);

/* frames_feed gives |in| to the framer in pieces of |chunk| octets, and wants
 * of each frame and of the framer what must always be true. */
void frames_feed(struct frames *fs, struct str in, size_t chunk);

#endif
