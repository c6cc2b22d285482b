/* SPDX-License-Identifier: ISC */
/*
 * trace - a framed line as `--trace` shows it: secrets blanked, literals by
 * size only, unprintable octets escaped.
 */
#ifndef IMAP_TRACE_H
#define IMAP_TRACE_H

#include "base/buf.h"
#include "imap/framer.h"

/* How far a frame is to be trusted. */
enum imap_trace {
	IMAP_TRACE_OPEN,
	IMAP_TRACE_STRANGER, /* before login: it may be LOGIN misspelt */
	IMAP_TRACE_SECRET    /* a password, or a part of one */
};

/*
 * imap_trace_frame appends one line of text for |frame| to |out|: arguments of
 * LOGIN, before login also of unknown verbs, the initial response of
 * AUTHENTICATE and all of a secret line become "<secret>"; device tokens show 8
 * digits. Lines that go on after a literal, and lines that are no command, show
 * their length only, since they may belong to a login. No line end; cut to
 * |out|'s ceiling.
 */
void imap_trace_frame(const struct imap_frame *frame, enum imap_trace trace,
                      struct buf *out);

#endif
