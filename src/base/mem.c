/* SPDX-License-Identifier: ISC */
/* mem - allocations that abort, and wiping. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not through log: it may be the one out of memory. */
static void __attribute__((noreturn)) out_of_memory(void)
{
	fputs("imapbell: out of memory\n", stderr);
	abort();
}

void *xcalloc(size_t n, size_t size)
{
	/* At least one byte: calloc(0) may give NULL. */
	void *data = n > 0 && size > 0 ? calloc(n, size) : calloc(1, 1);

	if (data == NULL)
		out_of_memory();
	return data;
}

void *xrealloc(void *old, size_t n, size_t size)
{
	void *data = n > 0 && size > 0 ? reallocarray(old, n, size)
	                               : reallocarray(old, 1, 1);

	if (data == NULL)
		out_of_memory();
	return data;
}

void *xgrow(void *array, size_t *count, size_t size)
{
	if ((*count & (*count - 1)) == 0)
		array = xrealloc(array, *count > 0 ? *count * 2 : 1, size);
	++*count;
	return array;
}

char *xstrdup(const char *text)
{
	char *copy;

	if (text == NULL)
		return NULL;
	copy = strdup(text);
	if (copy == NULL)
		out_of_memory();
	return copy;
}

/* The one place where const is lost: -Wcast-qual refuses a cast. */
void *mem_unconst(const void *data)
{
	const union {
		const void *in;
		void *out;
	} pointer = { .in = data };

	return pointer.out;
}

void mem_wipe(void *data, size_t len)
{
	if (len > 0)
		explicit_bzero(data, len);
}
