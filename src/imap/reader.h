/* SPDX-License-Identifier: ISC */
/*
 * reader - whole responses of a server, literals included, for a connection
 * on which we are the client ourselves.
 */
#ifndef IMAP_READER_H
#define IMAP_READER_H

#include "imap/framer.h"

struct imap_reader {
	struct imap_framer framer;
	struct buf whole;
	int failed; /* 0, or the result that ended it */
};

/* imap_reader_init sets the ceiling |max| of one response. */
void imap_reader_init(struct imap_reader *r, size_t max);
void imap_reader_done(struct imap_reader *r);

/*
 * imap_reader_next takes bytes from |in| until one response is complete and
 * returns it as received: lines and literals in a row, the last line end
 * included. Valid until the next call. Results: 0; ERR_MORE; ERR_LIMIT, the
 * response is larger than the ceiling; ERR_PARSE, a literal of a size that
 * cannot be. The last two are final: the place in the stream is lost.
 */
int imap_reader_next(struct imap_reader *r, struct str *in,
                     struct str *response_r)
	__attribute__((warn_unused_result));

#endif
