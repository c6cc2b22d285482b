/* SPDX-License-Identifier: ISC */
/*
 * framer - bytes into lines and literals, streaming, one framer for each
 * direction of a connection. It never looks past the frame it returns, so its
 * owner can stop between any two frames and leave the rest unread. Any chunking
 * of the input gives the same frames: what is held, and for how long, depends
 * on lengths only.
 */
#ifndef IMAP_FRAMER_H
#define IMAP_FRAMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Who wrote the bytes. */
enum imap_side { IMAP_CLIENT, IMAP_SERVER };

/* What kind of lines come next from a client. */
enum imap_lines {
	IMAP_LINES_COMMAND, /* quotes and literals mean something */
	IMAP_LINES_PLAIN    /* SASL responses, DONE: a line is a line */
};

enum imap_frame_kind {
	IMAP_FRAME_LINE,    /* a whole line with its line end */
	IMAP_FRAME_PART,    /* a piece of a line too long to hold */
	IMAP_FRAME_LITERAL, /* octets of a literal */
	IMAP_FRAME_BAD      /* a line that must not be forwarded (see error) */
};

/* How a server's line begins (RFC 9051 section 7). */
enum imap_class {
	IMAP_CLASS_NONE,         /* not the first line of a response */
	IMAP_CLASS_CONTINUATION, /* "+" */
	IMAP_CLASS_STATUS,       /* "* " OK NO BAD BYE PREAUTH */
	IMAP_CLASS_DATA,         /* "* " anything else */
	IMAP_CLASS_TAGGED,       /* tag SP OK/NO/BAD */
	IMAP_CLASS_OTHER         /* none of these: passes as it is */
};

enum imap_literal_form {
	IMAP_LITERAL_NONE,
	IMAP_LITERAL_SYNC,   /* {n} */
	IMAP_LITERAL_NONSYNC /* {n+}, RFC 7888; never from a server */
};

/* Why a frame is bad, and what the owner must do about it. */
enum imap_frame_error {
	IMAP_FRAME_OK,
	/* Answer BAD, the stream is still in step: */
	IMAP_FRAME_NUL,     /* NUL outside a literal */
	IMAP_FRAME_BARE_CR, /* CR not before LF outside a literal */
	/* Say BYE and close, backends disagree about what follows: */
	IMAP_FRAME_LITERAL_SYNTAX, /* {} {+} {5 +} {5-} ... */
	IMAP_FRAME_LITERAL_SIZE,   /* above 2^63-1, or 20 digits and more */
	IMAP_FRAME_LITERAL_GLUED,  /* abc{9+}: no SP or "(" before it */
	IMAP_FRAME_LITERAL_QUOTED, /* {9+} inside a quote left open */
	IMAP_FRAME_LITERAL_AFTER_ERROR, /* NUL or CR, and a literal announced */
	/* NUL or CR in a command of which a part may have been forwarded: in a
	 * long line, or in a line after a literal. */
	IMAP_FRAME_LONG_ERROR,
	IMAP_FRAME_NO_MEMORY
};

struct imap_frame {
	enum imap_frame_kind kind;
	/* The octets, as received. Valid until the next call; lies in the
	 * input or in the framer. */
	struct str text;
	/* First frame of a command or response (not after a literal). */
	bool first;
	/* Last frame of this line or of this literal. */
	bool last;
	/* Set on the first frame of a server's response. */
	enum imap_class cls;

	/*
	 * Set on the last frame of a line. |at| is the offset in |text| where
	 * the announcement begins ("~" included), always whole inside |text|.
	 */
	struct {
		enum imap_literal_form form;
		bool binary; /* literal8, RFC 3516 */
		uint64_t size;
		size_t at;
	} literal;
	enum imap_frame_error error; /* set when kind is IMAP_FRAME_BAD */
};

/* A client's line up to this length is one IMAP_FRAME_LINE and is checked
 * before any of it is forwarded. An ID of 30 pairs of 1,024 octets is legal
 * (RFC 2971) and comes before login, where it is answered here: the owner sets
 * a larger hold for that. */
#define IMAP_LINE_HELD ((size_t)8192)
/* A server's status, tagged, continuation or CAPABILITY line, likewise. */
#define IMAP_EDIT_HELD ((size_t)65536)

struct imap_framer {
	enum imap_side side;
	enum imap_lines lines; /* decides at the end of a line that is held */
	size_t line_held; /* as IMAP_LINE_HELD; may be changed between lines */
	/* private: */
	struct buf held;
	uint64_t literal_left;
	size_t given; /* of |held|, octets of the last frame */
	uint8_t state;
	uint8_t cls;
	uint8_t flags;
};

/* imap_framer_init makes |f| ready for the first byte; allocates nothing. */
void imap_framer_init(struct imap_framer *f, enum imap_side side);

/* imap_framer_done frees what is held. */
void imap_framer_done(struct imap_framer *f);

/*
 * imap_framer_next takes bytes from |in| and returns one frame. Results: 0;
 * ERR_MORE, |in| is empty now and the frame is not complete. A frame that was
 * bad is consumed whole when its error asks for BAD; after one that closes the
 * rest of the stream is swallowed. A literal of size 0 is one empty frame, due
 * at once. Nothing is allocated while |f| stands at the start of a line; what
 * the last frame lay in goes back with the next call.
 */
int imap_framer_next(struct imap_framer *f, struct str *in,
                     struct imap_frame *frame_r)
	__attribute__((warn_unused_result));

/* imap_framer_skip_literal: the literal announced by the last frame will not
 * come (the server refused it): the next octets start a new command. */
void imap_framer_skip_literal(struct imap_framer *f);

/* imap_framer_at_start: between two commands or responses, nothing held of the
 * next; the only place where another line may be put into the stream, or the
 * stream handed to someone else. */
bool imap_framer_at_start(const struct imap_framer *f);

/* imap_framer_gave_nothing: of the command or response at hand no frame was
 * given out yet, though octets of it may be held. */
bool imap_framer_gave_nothing(const struct imap_framer *f);

/* imap_frame_error_text says what was wrong, for a BAD or BYE line. */
const char *imap_frame_error_text(enum imap_frame_error error);

/* imap_frame_error_closes: the connection cannot go on. */
bool imap_frame_error_closes(enum imap_frame_error error);

#endif
