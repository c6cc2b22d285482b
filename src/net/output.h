/* SPDX-License-Identifier: ISC */
/*
 * output - bytes that wait until the peer takes them. Memory exists only while
 * something waits, and what went out is wiped at once. For stream and farewell.
 */
#ifndef NET_OUTPUT_H
#define NET_OUTPUT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/wire.h"

/* One TLS record: there is nothing to gain in waiting for more. */
#define OUTPUT_RECORD ((size_t)16 * 1024)

struct output {
	struct buf buf;
	size_t sent; /* bytes of |buf| that are gone */
};

void output_init(struct output *o);
void output_done(struct output *o);

/* output_add appends |bytes|. Results: 0; ERR_LIMIT, STREAM_OUTPUT_MAX would
 * be passed. */
int output_add(struct output *o, struct str bytes)
	__attribute__((warn_unused_result));

/* output_pending is how many bytes wait. */
size_t output_pending(const struct output *o);

/* output_cut drops all but the first |len| that wait. */
void output_cut(struct output *o, size_t len);

/*
 * output_send writes at most |*len| of what waits to |w|, a record at a time
 * and a bounded number of them, and takes what went from |*len|. Results:
 * WIRE_DONE, all of it or the bound; else as wire_write.
 */
enum wire_result output_send(struct output *o, struct wire *w, size_t *len);

#endif
