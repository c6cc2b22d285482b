/* SPDX-License-Identifier: ISC */
/* output - a buf whose front is sent. */
#include "net/output.h"

#include <assert.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/stream.h"

/* A fast peer must not keep the others waiting. */
enum { RECORDS_PER_TURN = 16 };

void output_init(struct output *o)
{
	/* Beside what waits there may be as much that went and is not yet
	 * cut off. */
	buf_init(&o->buf, 2 * STREAM_OUTPUT_MAX);
	o->sent = 0;
}

void output_done(struct output *o)
{
	buf_reset(&o->buf);
	o->sent = 0;
}

size_t output_pending(const struct output *o)
{
	return o->buf.len - o->sent;
}

int output_add(struct output *o, struct str bytes)
{
	if (bytes.len > STREAM_OUTPUT_MAX - output_pending(o))
		return ERR_LIMIT;
	/* Moving the rest to the front is worth it when it is the smaller
	 * part. */
	if (o->sent > o->buf.len / 2) {
		buf_consume(&o->buf, o->sent);
		o->sent = 0;
	}
	return buf_add(&o->buf, bytes);
}

void output_cut(struct output *o, size_t len)
{
	size_t rest = output_pending(o) - len;

	assert(len <= output_pending(o));
	if (len == 0)
		output_done(o);
	else if (rest > 0)
		mem_wipe(o->buf.data + o->sent + len, rest);
	if (len > 0)
		o->buf.len -= rest;
}

/* note_sent wipes what went; the memory goes back when all did. */
static void note_sent(struct output *o, size_t len)
{
	mem_wipe(o->buf.data + o->sent, len);
	o->sent += len;
	if (o->sent == o->buf.len)
		output_done(o);
}

enum wire_result output_send(struct output *o, struct wire *w, size_t *len)
{
	enum wire_result result = WIRE_DONE;
	size_t n;

	assert(*len <= output_pending(o));
	for (int i = 0; i<RECORDS_PER_TURN && * len> 0; i++) {
		n = *len < OUTPUT_RECORD ? *len : OUTPUT_RECORD;
		result = wire_write(w, o->buf.data + o->sent, n, &n);
		if (result != WIRE_DONE)
			break;
		note_sent(o, n);
		*len -= n;
	}
	return result;
}
