/* SPDX-License-Identifier: ISC */
/*
 * A stream as a framer cuts it. The first octet chooses who wrote it ("s"
 * server, "p" client, plain lines, else client), the second "l" makes lines
 * long that are not. Any chunking gives the same frames; all goes through that
 * was not refused; what is held has a limit; a line that is long means what it
 * means when it is not; its end says what the grammar says.
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

/* collapse makes one bracket of several in a row, which is all that differs
 * where a line came in parts. */
static void collapse(struct str text, struct buf *out)
{
	char last = '\0';

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c != last || str_find(STR("[]()"), c) == SIZE_MAX)
			must(buf_append(out, &c, 1));
		last = c;
	}
}

/* has_long_tag: a line is long before it shows what it is. */
static bool has_long_tag(struct str in)
{
	while (in.len > 0) {
		struct str line = str_take(&in, imap_line_first(in).len);

		if (line.len > 100 && str_find(line, ' ') > 100)
			return true;
	}
	return false;
}

/* check_hold: parts of a line mean what the whole means. */
static void check_hold(const struct frames *whole, const struct setup *setup,
                       struct str in)
{
	struct setup other = *setup;
	struct frames parts;
	struct buf a;
	struct buf b;

	/* Of a line without end nothing is said, until it is long. */
	if (!str_ends(in, STR("\n")) || has_long_tag(in))
		return;
	other.held = setup->held == 0 ? IMAP_LINE_HELD : 0;
	feed(&parts, &other, in, CUTS_NONE);
	assert(whole->bad == parts.bad);
	buf_init(&a, SIZE_MAX);
	buf_init(&b, SIZE_MAX);
	collapse(buf_str(&whole->text), &a);
	collapse(buf_str(&parts.text), &b);
	assert(whole->bad || str_eq(buf_str(&a), buf_str(&b)));
	buf_reset(&a);
	buf_reset(&b);
	frames_done(&parts);
}

/*
 * is_literal reads the end of a line from behind.
 *   literal = ["~"] "{" number64 ["+"] "}" CRLF
 */
static bool is_literal(struct str line, uint64_t *size_r, bool *plus_r)
{
	struct str body = imap_line_body(line);
	size_t digits = 0;
	struct str number;

	if (!str_ends(body, STR("}")))
		return false;
	body.len--;
	*plus_r = str_ends(body, STR("+"));
	body.len -= *plus_r;
	while (digits < body.len && body.data[body.len - 1 - digits] >= '0' &&
	       body.data[body.len - 1 - digits] <= '9')
		digits++;
	number = str_sub(body, body.len - digits, digits);
	body.len -= digits;
	return digits >= 1 && digits <= 19 && str_ends(body, STR("{")) &&
	       str_number(&number, INT64_MAX, size_r) == ERR_OK;
}

/* check_line: of an announcement only the tail of the line matters. */
static void check_line(struct str line)
{
	size_t cut = line.len > IMAP_LINE_TAIL ? line.len - IMAP_LINE_TAIL : 0;
	struct imap_announcement whole = imap_line_announcement(line);
	struct imap_announcement tail =
		imap_line_announcement(str_sub(line, cut, SIZE_MAX));
	uint64_t size;
	bool plus;

	assert(whole.ending == tail.ending);
	assert((whole.ending == IMAP_ENDING_LITERAL) ==
	       is_literal(line, &size, &plus));
	if (whole.ending != IMAP_ENDING_LITERAL)
		return;
	assert(whole.at == tail.at + cut && whole.size == tail.size);
	assert(whole.plus == tail.plus && whole.binary == tail.binary);
	assert(whole.size == size && whole.plus == plus);
	assert(line.data[whole.at] == (whole.binary ? '~' : '{'));
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
	check_hold(&whole, &setup, in);
	frames_done(&whole);
	check_lines(in);
	return 0;
}
