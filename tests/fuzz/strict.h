/* SPDX-License-Identifier: ISC */
/*
 * strict - a server as strict as a server may be, for what a proxy sends it.
 * It aborts when a literal's octets, or anything else, come before its "+" or
 * its refusal; when a line goes out behind IDLE before that was granted, or
 * behind the line that ended IDLE before the tagged reply; when one goes out
 * behind AUTHENTICATE, or a SASL response, before a challenge; when "{n+}" is
 * announced; when a tag is used again before its reply; or when our own command
 * comes while another has none. It answers nothing itself: what it is to say it
 * is told.
 */
#ifndef FUZZ_STRICT_H
#define FUZZ_STRICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* How the tags of our own commands begin, which no client's does. */
#define STRICT_OUR_TAG "bfeed"

enum strict_state {
	STRICT_COMMAND,   /* at the first line of a command */
	STRICT_MORE,      /* the line goes on behind a literal */
	STRICT_OCTETS,    /* of a literal that it granted */
	STRICT_WAIT,      /* a literal was announced */
	STRICT_IDLE_WAIT, /* IDLE was sent */
	STRICT_IDLE,      /* and granted; a line ends it */
	STRICT_IDLE_DONE, /* the line came; the tagged reply is to come */
	STRICT_SASL_WAIT, /* AUTHENTICATE, or a response, was sent */
	STRICT_SASL       /* a challenge came; a line is the response */
};

struct strict {
	enum strict_state state;
	struct buf line; /* of which the end did not come */
	struct str tag;  /* of the command at hand; empty if it has none or
	                    was answered; owned */
	uint64_t literal_left;
	struct buf owed; /* tags of commands without reply, a line each */
	size_t pluses;   /* that granted a literal */
	bool ran_evil;   /* a command with the tag "evil" */
	bool is_excused; /* an announcement stood in a line that ended IDLE,
	                    where it is none: what followed are commands */
};

void strict_init(struct strict *s);
void strict_done(struct strict *s);

/* strict_takes reads what came. */
void strict_takes(struct strict *s, struct str bytes);

/* strict_says: it is about to say |response|, a whole one. */
void strict_says(struct strict *s, struct str response);

/* strict_owes appends an OK to the oldest command without a reply to |out|;
 * false when there is none. */
bool strict_owes(const struct strict *s, struct buf *out);

#endif
