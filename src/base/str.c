/* SPDX-License-Identifier: ISC */
/*
 * str - slices and bounded cursors. A slice of length 0 may have data NULL,
 * which the mem functions of C must never see.
 */
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

struct str str_of(const char *text)
{
	return text != NULL ? str_new(text, strlen(text)) : STR_NULL;
}

struct str str_new(const void *data, size_t len)
{
	return (struct str){ data, len };
}

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len &&
	       (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_ieq(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (str_lower(a.data[i]) != str_lower(b.data[i]))
			return false;
	return true;
}

int str_cmp(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.data, b.data, len) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	       str_eq(str_new(s.data, prefix.len), prefix);
}

bool str_istarts(struct str s, struct str prefix)
{
	return s.len >= prefix.len &&
	       str_ieq(str_new(s.data, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       str_eq(str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

size_t str_find(struct str s, char byte)
{
	const char *at = s.len > 0 ? memchr(s.data, byte, s.len) : NULL;

	return at != NULL ? (size_t)(at - s.data) : SIZE_MAX;
}

struct str str_sub(struct str s, size_t from, size_t len)
{
	if (from > s.len)
		from = s.len;
	if (len > s.len - from)
		len = s.len - from;
	/* NULL + 0 is undefined in C. */
	return str_new(from > 0 ? s.data + from : s.data, len);
}

struct str str_take(struct str *in, size_t n)
{
	struct str head = str_sub(*in, 0, n);

	*in = str_sub(*in, head.len, SIZE_MAX);
	return head;
}

bool str_byte(struct str *in, char byte)
{
	if (in->len == 0 || in->data[0] != byte)
		return false;
	(void)str_take(in, 1);
	return true;
}

int str_number(struct str *in, uint64_t max, uint64_t *value_r)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < in->len; i++) {
		char c = in->data[i];
		uint64_t digit;

		if (c < '0' || c > '9')
			break;
		digit = (uint64_t)(c - '0');
		/* Test before the step: value * 10 + digit may wrap. */
		if (digit > max || value > (max - digit) / 10)
			return ERR_LIMIT;
		value = value * 10 + digit;
	}
	if (i == 0)
		return ERR_PARSE;
	(void)str_take(in, i);
	*value_r = value;
	return ERR_OK;
}

struct str str_dup(struct str s)
{
	char *copy = xcalloc(s.len + 1, 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return str_new(copy, s.len);
}

void str_free(struct str *s)
{
	/* Ours since str_dup; the const is for the readers in between. */
	free(mem_unconst(s->data));
	*s = STR_NULL;
}
