/* SPDX-License-Identifier: ISC */
/*
 * emit - commands that we send ourselves. A string goes quoted when all its
 * octets are 0x20-0x7E, else as a synchronising literal, before whose octets
 * the sender waits for "+": such a place is a stop.
 */
#ifndef IMAP_EMIT_H
#define IMAP_EMIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

#define IMAP_EMIT_STOPS 8

struct imap_emit {
	struct buf text;
	size_t stops[IMAP_EMIT_STOPS]; /* offsets in |text|, ascending */
	unsigned stop_count;
	unsigned stop_next;
	size_t sent;
};

void imap_emit_init(struct imap_emit *e, size_t max);
void imap_emit_done(struct imap_emit *e); /* wipes */

/* imap_emit_text adds octets as they are. Results: 0; ERR_LIMIT. */
int imap_emit_text(struct imap_emit *e, struct str text)
	__attribute__((warn_unused_result));

/* imap_emit_string adds a string, quoted or as a literal. Results: 0;
 * ERR_LIMIT, also when there are too many literals. */
int imap_emit_string(struct imap_emit *e, struct str value)
	__attribute__((warn_unused_result));

/* imap_emit_stop: what follows waits for "+" (a SASL response). */
int imap_emit_stop(struct imap_emit *e) __attribute__((warn_unused_result));

/* imap_emit_next returns what may be sent now: at first up to the first stop,
 * and after each "+" up to the next. Empty when all was given. */
struct str imap_emit_next(struct imap_emit *e);

/* imap_emit_finished: everything was given out. */
bool imap_emit_finished(const struct imap_emit *e);

/* imap_quotable: every octet is 0x20-0x7E. */
bool imap_quotable(struct str value);

/* imap_quote appends |value| as a quoted string. Results: 0; ERR_LIMIT;
 * ERR_PARSE, not quotable. */
int imap_quote(struct str value, struct buf *out)
	__attribute__((warn_unused_result));

#endif
