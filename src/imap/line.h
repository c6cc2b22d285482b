/* SPDX-License-Identifier: ISC */
/*
 * line - what one line says about its place in the stream: where it ends, how
 * a server's line is classed, and whether a literal follows it. Pure questions
 * about bytes; framer keeps what must be remembered between lines.
 */
#ifndef IMAP_LINE_H
#define IMAP_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "imap/framer.h"

/* The longest announcement with what stands around it: SP `~{` 19 digits `+}`
 * CR LF is 26 octets. Of a long line this many are never given out before its
 * end is known. */
#define IMAP_LINE_TAIL ((size_t)32)

/* imap_line_body is |line| without its LF and the one CR before that. */
struct str imap_line_body(struct str line);

/* imap_line_first is the first line of |text| with its end, or all of it. */
struct str imap_line_first(struct str text);

/*
 * imap_line_find_bad returns the index of the first octet that no line may
 * hold, NUL or a CR that is not before LF, or SIZE_MAX. |line| holds at most
 * one LF, at its end. Of a CR at the very end nothing can be said yet: it is
 * not found.
 */
size_t imap_line_find_bad(struct str line);

/*
 * imap_line_class says what kind of response the server's line |head| begins,
 * of which the end may be missing. For a status and a tagged reply |*text_r|
 * is what follows the status word, blanks taken off; otherwise empty.
 */
enum imap_class imap_line_class(struct str head, struct str *text_r);

/* imap_line_is_capability: `* CAPABILITY`, a data line that may be edited. */
bool imap_line_is_capability(struct str head);

/* Where the scan for quotes stands. All zero at the start of a line. */
struct imap_quotes {
	bool open;
	bool escaped; /* a backslash was the last octet inside */
};

/* imap_quotes_scan goes on over |text|. */
void imap_quotes_scan(struct imap_quotes *q, struct str text);

/* What a line's end looks like. */
enum imap_ending {
	IMAP_ENDING_NONE,    /* not like a literal */
	IMAP_ENDING_LITERAL, /* {n} or {n+} */
	IMAP_ENDING_BROKEN,  /* servers disagree what it means: {} {+} {5 +} */
	IMAP_ENDING_HUGE     /* above 2^63-1, or 20 digits and more */
};

struct imap_announcement {
	enum imap_ending ending;
	bool plus;     /* a "+" is in it */
	bool binary;   /* "~" before it */
	uint64_t size; /* of LITERAL */
	size_t at;     /* offset of the brace, of the "~" if there is one */
};

/*
 * imap_line_announcement looks at the end of |line|, whose line end is there.
 * Only the last IMAP_LINE_TAIL octets matter, so the end of a line says the
 * same as the whole. Quotes and what stands before are the caller's to judge.
 */
struct imap_announcement imap_line_announcement(struct str line);

#endif
