/* SPDX-License-Identifier: ISC */
/*
 * reader - frames put together again. A response that is one line, as most
 * are, is not copied.
 */
#include "imap/reader.h"

#include "base/err.h"

void imap_reader_init(struct imap_reader *r, size_t max)
{
	imap_framer_init(&r->framer, IMAP_SERVER);
	buf_init(&r->whole, max);
	r->failed = ERR_OK;
}

void imap_reader_done(struct imap_reader *r)
{
	imap_framer_done(&r->framer);
	buf_reset(&r->whole);
}

/* fail gives the memory back and remembers why. */
static int fail(struct imap_reader *r, int rc)
{
	imap_reader_done(r);
	r->failed = rc;
	return rc;
}

/* is_end: |frame| is the last of its response. */
static bool is_end(const struct imap_frame *frame)
{
	return frame->kind != IMAP_FRAME_LITERAL && frame->last &&
	       frame->literal.form == IMAP_LITERAL_NONE;
}

/* is_whole: |frame| is a whole response. */
static bool is_whole(const struct imap_frame *frame)
{
	return frame->first && is_end(frame);
}

int imap_reader_next(struct imap_reader *r, struct str *in,
                     struct str *response_r)
{
	struct imap_frame frame;

	if (r->failed != ERR_OK)
		return r->failed;
	/* The last response was given out by the last call. */
	if (imap_framer_at_start(&r->framer))
		buf_reset(&r->whole);
	while (imap_framer_next(&r->framer, in, &frame) == ERR_OK) {
		if (frame.kind == IMAP_FRAME_BAD)
			return fail(r, frame.error == IMAP_FRAME_NO_MEMORY
			                       ? ERR_LIMIT
			                       : ERR_PARSE);
		if (frame.text.len > r->whole.max - r->whole.len)
			return fail(r, ERR_LIMIT);
		if (is_whole(&frame)) {
			*response_r = frame.text;
			return ERR_OK;
		}
		/* An announced size that cannot fit is not waited for. */
		if (frame.literal.size > r->whole.max)
			return fail(r, ERR_LIMIT);
		if (buf_add(&r->whole, frame.text) != ERR_OK)
			return fail(r, ERR_LIMIT);
		if (is_end(&frame)) {
			*response_r = buf_str(&r->whole);
			return ERR_OK;
		}
	}
	return ERR_MORE;
}
