/* SPDX-License-Identifier: ISC */
/* pool - chunks in a list; what does not fit in one gets one of its own. */
#include "store/pool.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { POOL_CHUNK_BYTES = 4000 };

struct pool_chunk {
	SLIST_ENTRY(pool_chunk) entry;
	size_t size;
	alignas(max_align_t) char data[];
};

void pool_init(struct pool *p)
{
	SLIST_INIT(&p->chunks);
	p->used = 0;
}

void pool_done(struct pool *p)
{
	struct pool_chunk *chunk;

	while ((chunk = SLIST_FIRST(&p->chunks)) != NULL) {
		SLIST_REMOVE_HEAD(&p->chunks, entry);
		free(chunk);
	}
	p->used = 0;
}

/* add_chunk returns a new chunk, which is not in the list yet. */
static struct pool_chunk *add_chunk(size_t size)
{
	struct pool_chunk *chunk = xcalloc(1, sizeof(struct pool_chunk) + size);

	chunk->size = size;
	return chunk;
}

void *pool_take(struct pool *p, size_t n, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct pool_chunk *chunk = SLIST_FIRST(&p->chunks);
	size_t len;

	assert(size == 0 || n <= (SIZE_MAX / 2) / size);
	len = (n * size + align - 1) / align * align;
	if (chunk == NULL || len > chunk->size - p->used) {
		/* A large one goes behind, so that the room in the first is
		 * not forgotten. */
		if (chunk != NULL && len > POOL_CHUNK_BYTES / 4) {
			struct pool_chunk *large = add_chunk(len);

			SLIST_INSERT_AFTER(chunk, large, entry);
			return large->data;
		}
		chunk = add_chunk(len > POOL_CHUNK_BYTES ? len
		                                         : POOL_CHUNK_BYTES);
		SLIST_INSERT_HEAD(&p->chunks, chunk, entry);
		p->used = 0;
	}
	p->used += len;
	return chunk->data + p->used - len;
}

struct str pool_str(struct pool *p, struct str s)
{
	char *data;

	if (s.len == 0)
		return str_new("", 0);
	data = pool_take(p, s.len, 1);
	memcpy(data, s.data, s.len);
	return str_new(data, s.len);
}
