/* SPDX-License-Identifier: ISC */
/*
 * buf - bytes that grow up to a ceiling. Never realloc: it may leave a copy
 * of a password behind in the old block, where nobody can wipe it.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum {
	BUF_FIRST_BYTES = 64,   /* most bufs hold a word or a short line */
	BUF_PRINTF_BYTES = 256, /* formatted on the stack up to this */
};

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_reset(struct buf *b)
{
	/* All of cap: earlier content may lie behind len. */
	if (b->data != NULL)
		mem_wipe(b->data, b->cap);
	free(b->data);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	if (b->len > 0)
		mem_wipe(b->data, b->len);
	b->len = 0;
}

/* buf_grow makes room for |len| more bytes. Results: 0; ERR_LIMIT. */
static int buf_grow(struct buf *b, size_t len)
{
	size_t cap = b->cap > 0 ? b->cap : BUF_FIRST_BYTES;
	char *data;

	/* Subtract, never add: b->len + len may wrap. */
	if (b->len > b->max || len > b->max - b->len)
		return ERR_LIMIT;
	if (len <= b->cap - b->len)
		return ERR_OK;
	while (cap - b->len < len)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;

	/* A peer decides the size, so no memory is a limit, not an abort. */
	data = malloc(cap);
	if (data == NULL)
		return ERR_LIMIT;
	if (b->data != NULL) {
		memcpy(data, b->data, b->len);
		mem_wipe(b->data, b->cap);
		free(b->data);
	}
	b->data = data;
	b->cap = cap;
	return ERR_OK;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
	int rc;

	if (len == 0)
		return ERR_OK;
	rc = buf_grow(b, len);
	if (rc != ERR_OK)
		return rc;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return ERR_OK;
}

int buf_add(struct buf *b, struct str s)
{
	return buf_append(b, s.data, s.len);
}

int buf_adds(struct buf *b, const char *text)
{
	return buf_add(b, str_of(text));
}

/*
 * buf_vprintf_long formats |len| bytes, too many for the stack, by way of a
 * block of its own: vsnprintf wants room for a NUL that the ceiling may not
 * leave.
 */
static int __attribute__((format(printf, 3, 0)))
buf_vprintf_long(struct buf *b, size_t len, const char *fmt, va_list ap)
{
	char *text;
	int rc;

	if (b->len > b->max || len > b->max - b->len)
		return ERR_LIMIT;
	text = xcalloc(len + 1, 1);
	(void)vsnprintf(text, len + 1, fmt, ap);
	rc = buf_append(b, text, len);
	mem_wipe(text, len);
	free(text);
	return rc;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[BUF_PRINTF_BYTES];
	va_list ap;
	int len;
	int rc;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0) {
		rc = ERR_LIMIT; /* above INT_MAX */
	} else if ((size_t)len < sizeof(text)) {
		rc = buf_append(b, text, (size_t)len);
	} else {
		va_start(ap, fmt);
		rc = buf_vprintf_long(b, (size_t)len, fmt, ap);
		va_end(ap);
	}
	mem_wipe(text, sizeof(text));
	return rc;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == b->len) {
		buf_reset(b);
		return;
	}
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	mem_wipe(b->data + b->len, n);
}

void buf_cut(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len < b->len)
		mem_wipe(b->data + len, b->len - len);
	b->len = len;
}

struct str buf_str(const struct buf *b)
{
	return str_new(b->data, b->len);
}
