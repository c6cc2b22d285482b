/* SPDX-License-Identifier: ISC */
/*
 * A stream as a framer cuts it. The first octet chooses who wrote it ("s"
 * server, "p" client, plain lines, else client), the second "l" makes lines
 * long that are not. Any chunking gives the same frames; all goes through that
 * was not refused; what is held has a limit; the end of a line says what the
 * whole line says.
 */
#include <assert.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/line.h"
#include "unit/frames.h"

struct setup {
	enum imap_side side;
	enum imap_lines lines;
	size_t held;
};

/* check_held: the framer keeps at most one line of its limit, and what it
 * gave out and keeps is all it got. */
static void check_held(const struct frames *fs, const struct setup *setup,
                       size_t fed)
{
	size_t limit =
		setup->side == IMAP_SERVER ? IMAP_EDIT_HELD : IMAP_LINE_HELD;
	size_t held = fs->framer.held.len - fs->framer.given;

	assert(fs->framer.held.len <= limit + 2 * IMAP_LINE_TAIL);
	if (!fs->bad)
		assert(fs->octets.len + held == fed);
}

static void feed(struct frames *fs, const struct setup *setup, struct str in,
                 enum cuts cuts)
{
	struct cutter cutter;
	struct str piece;
	size_t fed = 0;

	frames_init(fs, setup->side, setup->lines, setup->held);
	cutter_init(&cutter, in, cuts);
	while (cutter_next(&cutter, &piece)) {
		frames_feed(fs, piece, SIZE_MAX);
		fed += piece.len;
		check_held(fs, setup, fed);
	}
	if (!fs->bad)
		assert(str_eq(buf_str(&fs->octets),
		              str_sub(in, 0, fs->octets.len)));
}

static void check_same(const struct frames *a, const struct frames *b)
{
	assert(a->bad == b->bad);
	assert(str_eq(buf_str(&a->text), buf_str(&b->text)));
	assert(str_eq(buf_str(&a->octets), buf_str(&b->octets)));
	assert(imap_framer_at_start(&a->framer) ==
	       imap_framer_at_start(&b->framer));
}

/* check_line: of an announcement only the tail of the line matters. */
static void check_line(struct str line)
{
	size_t cut = line.len > IMAP_LINE_TAIL ? line.len - IMAP_LINE_TAIL : 0;
	struct imap_announcement whole = imap_line_announcement(line);
	struct imap_announcement tail =
		imap_line_announcement(str_sub(line, cut, SIZE_MAX));

	assert(whole.ending == tail.ending);
	if (whole.ending != IMAP_ENDING_LITERAL)
		return;
	assert(whole.at == tail.at + cut && whole.size == tail.size);
	assert(whole.plus == tail.plus && whole.binary == tail.binary);
	assert(whole.size <= INT64_MAX);
}

static void check_lines(struct str in)
{
	while (in.len > 0) {
		struct str line = str_take(&in, imap_line_first(in).len);

		if (str_ends(line, STR("\n")))
			check_line(line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	char who = take_char(&in);
	struct setup setup = {
		.side = who == 's' ? IMAP_SERVER : IMAP_CLIENT,
		.lines = who == 'p' ? IMAP_LINES_PLAIN : IMAP_LINES_COMMAND,
		.held = take_char(&in) == 'l' ? 0 : IMAP_LINE_HELD,
	};
	struct frames whole;
	struct frames other;

	feed(&whole, &setup, in, CUTS_NONE);
	feed(&other, &setup, in, CUTS_BYTES);
	check_same(&whole, &other);
	frames_done(&other);
	feed(&other, &setup, in, CUTS_RANDOM);
	check_same(&whole, &other);
	frames_done(&other);
	frames_done(&whole);
	check_lines(in);
	return 0;
}
