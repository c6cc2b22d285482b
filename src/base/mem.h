/* SPDX-License-Identifier: ISC */
/*
 * mem - small allocations of a fixed size abort when memory is out: there is
 * nothing sensible left to do. What a peer can size goes through buf.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* xcalloc returns |n| zeroed objects of |size| bytes, never NULL. */
void *xcalloc(size_t n, size_t size)
	__attribute__((malloc, returns_nonnull, alloc_size(1, 2)));

/* xrealloc resizes an array to |n| objects of |size| bytes, never NULL. */
void *xrealloc(void *old, size_t n, size_t size)
	__attribute__((returns_nonnull, alloc_size(2, 3)));

/* xgrow makes room for one more in an array of |*count| objects, which it
 * counts. No capacity is kept: it is the power of two at or above the count, so
 * an array grows by this alone. */
void *xgrow(void *array, size_t *count, size_t size)
	__attribute__((returns_nonnull));

/* xstrdup copies a C string of our own; NULL gives NULL. */
char *xstrdup(const char *text);

/*
 * mem_unconst drops the const of |data|: for free() of what is ours and const
 * only for its readers, and for libraries that read through a plain pointer.
 */
void *mem_unconst(const void *data);

/* mem_wipe overwrites |len| bytes in a way the compiler keeps. */
void mem_wipe(void *data, size_t len);

#endif
