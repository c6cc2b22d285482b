/* SPDX-License-Identifier: ISC */
/*
 * A client's line. What is acted on is exactly `tag SP verb [SP args]`; what is
 * behind the first line does not matter; the line that a person sees for it is
 * printable and holds nothing of a login.
 */
#include <assert.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/command.h"
#include "imap/line.h"
#include "imap/trace.h"

enum { TRACE_MAX = 256 };

static void check_tag(struct str tag)
{
	assert(tag.len >= 1 && tag.len <= IMAP_TAG_MAX);
	for (size_t i = 0; i < tag.len; i++) {
		assert(tag.data[i] > ' ' && tag.data[i] < 0x7f);
		assert(str_find(STR("(){%*\"\\+"), tag.data[i]) == SIZE_MAX);
	}
}

/* check_parts: they are the line, with one space between. */
static void check_parts(struct str line, const struct imap_command *c)
{
	struct str rest = imap_line_body(imap_line_first(line));

	assert(c->verb.len > 0);
	assert(str_eq(str_take(&rest, c->tag.len), c->tag));
	assert(str_byte(&rest, ' '));
	assert(str_eq(str_take(&rest, c->verb.len), c->verb));
	assert(rest.len == 0 || str_byte(&rest, ' '));
	assert(str_eq(rest, c->args));
	assert(!str_starts(c->args, STR(" ")));
	assert(imap_command_is(c, c->verb));
}

/* check_first: only the first line counts. */
static void check_first(struct str line, const struct imap_command *c, int rc)
{
	struct imap_command first;

	assert(imap_command_parse(imap_line_first(line), &first) == rc);
	assert(str_eq(first.tag, c->tag) && str_eq(first.verb, c->verb));
	assert(str_eq(first.args, c->args));
}

static bool is_login(const struct imap_command *c)
{
	return imap_command_is(c, STR("LOGIN")) ||
	       imap_command_is(c, STR("AUTHENTICATE"));
}

/* check_trace looks at what --trace makes of it. */
static void check_trace(struct str line, const struct imap_command *c, int rc)
{
	struct imap_frame frame = {
		.kind = IMAP_FRAME_LINE,
		.first = true,
		.last = true,
		.text = line,
	};
	struct str text;
	struct buf out;

	buf_init(&out, TRACE_MAX);
	imap_trace_frame(&frame, IMAP_TRACE_OPEN, &out);
	text = buf_str(&out);
	for (size_t i = 0; i < text.len; i++)
		assert(text.data[i] >= 0x20 && text.data[i] <= 0x7e);
	if (rc == ERR_OK && is_login(c)) {
		/* Tag, verb, the name of a mechanism, "<secret>". */
		assert(text.len <= c->tag.len + c->verb.len + 2 + 30);
		assert(c->args.len == 0 || str_ends(text, STR("<secret>")) ||
		       imap_command_is(c, STR("AUTHENTICATE")));
	}
	buf_reset(&out);
	imap_trace_frame(&frame, IMAP_TRACE_SECRET, &out);
	assert(str_eq(buf_str(&out), STR("<secret>")));
	buf_reset(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct str line = imap_line_first(in);
	struct imap_command c;
	int rc = imap_command_parse(in, &c);

	if (c.tag.len > 0) {
		check_tag(c.tag);
		assert(str_starts(in, c.tag));
	}
	if (rc == ERR_OK) {
		check_parts(in, &c);
	} else {
		assert(rc == ERR_PARSE);
		assert(c.verb.len == 0 && c.args.len == 0);
	}
	check_first(in, &c, rc);
	check_trace(line, &c, rc);
	return 0;
}
