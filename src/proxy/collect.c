/* SPDX-License-Identifier: ISC */
/*
 * collect - the limits of CVE-2024-34055 in one place: the whole command is
 * bounded, not each literal alone, and an announced literal that would not fit
 * is refused before it is waited for.
 */
#include "proxy/collect.h"

#include "base/err.h"

void collect_init(struct collect *c, size_t max)
{
	*c = (struct collect){ .left = max };
	buf_init(&c->text, max);
}

void collect_done(struct collect *c)
{
	buf_reset(&c->text);
}

/* collect_announced judges the literal that |frame| announces. */
static enum collect_result collect_announced(struct collect *c,
                                             const struct imap_frame *frame)
{
	c->literals++;
	if (c->literals > COLLECT_LITERALS_MAX || frame->literal.size > c->left)
		return COLLECT_REFUSED;
	return frame->literal.form == IMAP_LITERAL_SYNC ? COLLECT_GO_AHEAD
	                                                : COLLECT_MORE;
}

enum collect_result collect_add(struct collect *c,
                                const struct imap_frame *frame)
{
	bool is_kept = !c->front_only || c->text.len == 0;

	if (frame->text.len > c->left ||
	    (is_kept && buf_add(&c->text, frame->text) != ERR_OK))
		return COLLECT_REFUSED;
	c->left -= frame->text.len;
	if (frame->kind == IMAP_FRAME_LITERAL || !frame->last)
		return COLLECT_MORE;
	if (frame->literal.form != IMAP_LITERAL_NONE)
		return collect_announced(c, frame);
	return COLLECT_WHOLE;
}
