/* SPDX-License-Identifier: ISC */
/*
 * pool - many small objects that are freed together: the rows of a batch on
 * its way to the disk, those of a snapshot on its way back.
 */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include <stddef.h>
#include <sys/queue.h>

#include "base/str.h"

struct pool_chunk;

struct pool {
	SLIST_HEAD(, pool_chunk) chunks; /* the first has room left */
	size_t used;                     /* of the first */
};

void pool_init(struct pool *p);

/* pool_done frees everything that was taken from |p|. */
void pool_done(struct pool *p);

/* pool_take returns |n| zeroed objects of |size| bytes, never NULL. */
void *pool_take(struct pool *p, size_t n, size_t size)
	__attribute__((returns_nonnull));

/* pool_str returns a copy of |s|. */
struct str pool_str(struct pool *p, struct str s);

#endif
