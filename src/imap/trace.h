/* SPDX-License-Identifier: ISC */
/*
 * trace - a framed line as `--trace` shows it: secrets blanked, literals by
 * size only, unprintable octets escaped.
 */
#ifndef IMAP_TRACE_H
#define IMAP_TRACE_H

#include <stdbool.h>

#include "base/buf.h"
#include "imap/framer.h"

/*
 * imap_trace_frame appends one line of text for |frame| to |out|: arguments of
 * LOGIN, the initial response of AUTHENTICATE and, when |sasl|, the whole line
 * become "<secret>"; device tokens show 8 digits. Lines that go on after a
 * literal, and lines that are no command, show their length only, since they
 * may belong to a login. No line end; cut to |out|'s ceiling.
 */
void imap_trace_frame(const struct imap_frame *frame, bool sasl,
                      struct buf *out);

#endif
