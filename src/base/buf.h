/* SPDX-License-Identifier: ISC */
/*
 * buf - bytes that grow, up to a ceiling that must be named. Anything whose
 * size a peer decides lives in one. Memory is wiped before it is given back,
 * since what passes through may be a password.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf {
	char *data; /* NULL while nothing was ever added or after buf_reset */
	size_t len;
	size_t cap;
	size_t max;
};

/* buf_init makes |b| empty with the ceiling |max| bytes; allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* buf_reset wipes and frees the memory; |b| is empty and usable again. */
void buf_reset(struct buf *b);

/* buf_clear sets the length to 0 and keeps the memory; wipes what was used. */
void buf_clear(struct buf *b);

/*
 * buf_append copies |len| bytes to the end. Results: 0; ERR_LIMIT, the
 * ceiling would be passed and nothing was added. |data| may not lie in |b|.
 */
int buf_append(struct buf *b, const void *data, size_t len)
	__attribute__((warn_unused_result));

/* buf_add and buf_adds do the same for a str and a C string of our own. */
int buf_add(struct buf *b, struct str s) __attribute__((warn_unused_result));
int buf_adds(struct buf *b, const char *text)
	__attribute__((warn_unused_result));

/* buf_printf formats to the end; same results. Never with peer bytes as %s. */
int buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));

/*
 * buf_consume drops |n| <= len bytes from the front; the memory goes back when
 * nothing is left.
 */
void buf_consume(struct buf *b, size_t n);

/* buf_cut drops what lies behind the first |len| <= b->len bytes, and wipes it:
 * the way back of an append in several steps that failed. */
void buf_cut(struct buf *b, size_t len);

/* buf_str is the content; valid until |b| changes. */
struct str buf_str(const struct buf *b);

#endif
