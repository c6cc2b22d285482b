/* SPDX-License-Identifier: ISC */
/* frames - a framer's work, written down and checked. */
#include "unit/frames.h"

#include <assert.h>
#include <inttypes.h>

#include "base/err.h"
#include "imap/line.h"

static const char *const errors[] = {
	[IMAP_FRAME_NUL] = "nul",
	[IMAP_FRAME_BARE_CR] = "cr",
	[IMAP_FRAME_LITERAL_SYNTAX] = "syntax",
	[IMAP_FRAME_LITERAL_SIZE] = "size",
	[IMAP_FRAME_LITERAL_GLUED] = "glued",
	[IMAP_FRAME_LITERAL_QUOTED] = "quoted",
	[IMAP_FRAME_LITERAL_AFTER_ERROR] = "after-error",
	[IMAP_FRAME_LONG_ERROR] = "long",
	[IMAP_FRAME_NO_MEMORY] = "memory",
};

static const char *const classes[] = {
	[IMAP_CLASS_NONE] = "",    [IMAP_CLASS_CONTINUATION] = "+",
	[IMAP_CLASS_STATUS] = "S", [IMAP_CLASS_DATA] = "D",
	[IMAP_CLASS_TAGGED] = "T", [IMAP_CLASS_OTHER] = "O",
};

void frames_init(struct frames *fs, enum imap_side side, enum imap_lines lines,
                 size_t line_held)
{
	*fs = (struct frames){ .within = false };
	imap_framer_init(&fs->framer, side);
	fs->framer.lines = lines;
	fs->framer.line_held = line_held;
	buf_init(&fs->text, SIZE_MAX);
	buf_init(&fs->octets, SIZE_MAX);
}

void frames_done(struct frames *fs)
{
	imap_framer_done(&fs->framer);
	buf_reset(&fs->text);
	buf_reset(&fs->octets);
}

static void add(struct frames *fs, const char *text)
{
	int rc = buf_adds(&fs->text, text);

	assert(rc == 0);
}

/* add_octets writes octets; a CR LF is never cut in two by merging, since "$"
 * is made of what is written already. */
static void add_octets(struct frames *fs, struct str octets)
{
	static const char cr[] = "<0d>";
	size_t cr_len = sizeof(cr) - 1;
	int rc = 0;

	for (size_t i = 0; i < octets.len && rc == 0; i++) {
		unsigned char c = (unsigned char)octets.data[i];

		if (c == '\n' && str_ends(buf_str(&fs->text), STR(cr))) {
			buf_cut(&fs->text, fs->text.len - cr_len);
			rc = buf_adds(&fs->text, "$");
		} else if (c < 0x20 || c > 0x7e) {
			rc = buf_printf(&fs->text, "<%02x>", c);
		} else {
			rc = buf_append(&fs->text, &c, 1);
		}
	}
	assert(rc == 0);
}

/* The brackets of one kind of frame. */
struct brackets {
	const char *open;
	const char *close;
};

static struct brackets brackets_of(const struct imap_frame *frame)
{
	if (frame->kind == IMAP_FRAME_LITERAL)
		return (struct brackets){ "'", "'" };
	if (frame->kind == IMAP_FRAME_PART)
		return frame->first ? (struct brackets){ "[[", "]]" }
		                    : (struct brackets){ "((", "))" };
	return frame->first ? (struct brackets){ "[", "]" }
	                    : (struct brackets){ "(", ")" };
}

/* add_announcement writes what the end of a line announces. */
static void add_announcement(struct frames *fs, const struct imap_frame *frame)
{
	int rc;

	if (frame->literal.form == IMAP_LITERAL_NONE)
		return;
	rc = buf_printf(&fs->text, "%s{%" PRIu64 "%s}",
	                frame->literal.binary ? "~" : "", frame->literal.size,
	                frame->literal.form == IMAP_LITERAL_NONSYNC ? "+" : "");
	assert(rc == 0);
}

/* check_announcement: |at| and the form say what stands in the text. */
static void check_announcement(const struct imap_frame *frame)
{
	struct str end = imap_line_body(frame->text);
	struct str form = str_sub(end, frame->literal.at, SIZE_MAX);
	uint64_t size;

	assert(frame->last && str_ends(frame->text, STR("\n")));
	assert(str_byte(&form, '~') == frame->literal.binary);
	assert(str_byte(&form, '{'));
	assert(str_number(&form, INT64_MAX, &size) == 0);
	assert(size == frame->literal.size);
	assert(str_byte(&form, '+') ==
	       (frame->literal.form == IMAP_LITERAL_NONSYNC));
	assert(str_eq(form, STR("}")));
}

static void check_frame(const struct frames *fs, const struct imap_frame *frame)
{
	bool is_line = frame->kind == IMAP_FRAME_LINE ||
	               frame->kind == IMAP_FRAME_PART;

	assert((frame->kind == IMAP_FRAME_BAD) ==
	       (frame->error != IMAP_FRAME_OK));
	assert(frame->kind != IMAP_FRAME_LINE || frame->last);
	assert(frame->text.len > 0 || frame->last);
	assert(!is_line || frame->text.len > 0);
	assert(!is_line || frame->last == str_ends(frame->text, STR("\n")));
	if (frame->literal.form != IMAP_LITERAL_NONE) {
		assert(is_line);
		check_announcement(frame);
	}
	assert(frame->cls == IMAP_CLASS_NONE ||
	       (frame->first && fs->framer.side == IMAP_SERVER));
	assert(fs->within ? !frame->first : true);
}

/* write_bad writes a bad frame; what was open before it stays cut off. */
static void write_bad(struct frames *fs, const struct imap_frame *frame)
{
	assert(frame->last);
	if (fs->within)
		add(fs, "...");
	fs->within = false;
	fs->bad = true;
	add(fs, "!");
	add(fs, errors[frame->error]);
	add(fs, "!");
	add_octets(fs, frame->text);
}

static void write_frame(struct frames *fs, const struct imap_frame *frame)
{
	int rc = buf_add(&fs->octets, frame->text);

	assert(rc == 0);
	if (!fs->within) {
		struct brackets b = brackets_of(frame);

		if (fs->text.len > 0)
			add(fs, " ");
		add(fs, classes[frame->cls]);
		add(fs, b.open);
		fs->close = b.close;
	}
	add_octets(fs, frame->text);
	fs->within = !frame->last;
	if (frame->last) {
		add(fs, fs->close);
		add_announcement(fs, frame);
	}
}

/* feed_one gives one read to the framer. */
static void feed_one(struct frames *fs, struct str in)
{
	struct imap_framer *f = &fs->framer;
	struct imap_frame frame;
	int rc;

	while ((rc = imap_framer_next(f, &in, &frame)) == 0) {
		check_frame(fs, &frame);
		if (frame.kind == IMAP_FRAME_BAD) {
			if (fs->text.len > 0 && !fs->within)
				add(fs, " ");
			write_bad(fs, &frame);
		} else {
			write_frame(fs, &frame);
		}
	}
	assert(rc == ERR_MORE && in.len == 0);
	/* Between lines a session costs nothing. */
	assert(!imap_framer_at_start(f) || f->held.data == NULL);
}

void frames_feed(struct frames *fs, struct str in, size_t chunk)
{
	while (in.len > 0)
		feed_one(fs, str_take(&in, chunk));
}
