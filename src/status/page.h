/* SPDX-License-Identifier: ISC */
/* page - one screen of HTML for people, with nothing from elsewhere in it. */
#ifndef STATUS_PAGE_H
#define STATUS_PAGE_H

#include <stdint.h>

#include "base/buf.h"

#define PAGE_TYPE "text/html; charset=utf-8"

/* What it may load and do: be looked at. */
#define PAGE_POLICY                                             \
	"default-src 'none'; style-src 'unsafe-inline'; "       \
	"base-uri 'none'; form-action 'none'; frame-ancestors " \
	"'none'"

struct page_facts {
	int64_t now_ms;     /* the time of day */
	int64_t since_ms;   /* it began then */
	uint64_t loop_ms;   /* the loop's time */
	unsigned processes; /* that should run */
};

/* page_write appends it. Results: 0; ERR_LIMIT. */
int page_write(const struct page_facts *f, struct buf *out)
	__attribute__((warn_unused_result));

#endif
