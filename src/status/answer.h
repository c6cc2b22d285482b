/* SPDX-License-Identifier: ISC */
/* answer - what a request is answered: one table of paths. No I/O, no clock. */
#ifndef STATUS_ANSWER_H
#define STATUS_ANSWER_H

#include "base/buf.h"
#include "status/page.h"
#include "status/request.h"

/* Room for an answer. */
#define ANSWER_MAX ((size_t)256 * 1024)

/* answer_write appends the whole answer to |r|, after which the connection is
 * closed. Results: 0; ERR_LIMIT. */
int answer_write(const struct request *r, const struct page_facts *f,
                 struct buf *out) __attribute__((warn_unused_result));

/* answer_refuse does so to what |rc| of request_parse, or ERR_TIMEOUT, says. */
int answer_refuse(int rc, const struct page_facts *f, struct buf *out)
	__attribute__((warn_unused_result));

#endif
