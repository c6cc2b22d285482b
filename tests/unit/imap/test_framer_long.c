/* SPDX-License-Identifier: ISC */
/* framer - lines longer than what is held, and what that costs. */
#include <string.h>

#include "base/err.h"
#include "imap/framer.h"
#include "imap/line.h"
#include "unit/frames.h"
#include "unit/unit.h"

/* The least that may be set; with it every cut of a long line can be tried. */
#define HELD ((size_t)128)

/*
 * In |in| and |frames| "@" stands for |a| times "x", "#" for |b| times "y" and
 * "%" for NUL.
 */
struct vector {
	const char *rule;
	const char *in;
	size_t a;
	size_t b;
	const char *frames;
};

static const struct vector commands[] = {
	{ "as long as may be held: whole", "a X @\r\nb NOOP\r\n", 122, 0,
	  "[a X @$] [b NOOP$]" },
	{ "one octet more: in parts", "a X @\r\nb NOOP\r\n", 123, 0,
	  "[[a X @$]] [b NOOP$]" },
	{ "LF alone", "a X @\nb NOOP\n", 124, 0, "[[a X @<0a>]] [b NOOP<0a>]" },
	{ "a literal behind it", "a X @ {3}\r\nabc\r\n", 200, 0,
	  "[[a X @ {3}$]]{3} 'abc' ($)" },
	{ "the longest announcement",
	  "a X @ ~{0000000000000000003+}\r\nabc\r\n", 200, 0,
	  "[[a X @ ~{0000000000000000003+}$]]~{3+} 'abc' ($)" },
	{ "an announcement within a quoted string", "a X \"@ {3}\"\r\n", 200, 0,
	  "[[a X \"@ {3}\"$]]" },
	{ "one behind a quoted string with escapes",
	  "a X \"@\\\"#\\\\\" {1}\r\nz\r\n", 120, 90,
	  "[[a X \"@\\\"#\\\\\" {1}$]]{1} 'z' ($)" },
	{ "an escape that is cut", "a X \"@\\\"#\" {1}\r\nz\r\n", 200, 50,
	  "[[a X \"@\\\"#\" {1}$]]{1} 'z' ($)" },
	{ "one within an open quote closes before its last octets go out",
	  "a X \"@# {3}\r\nabc", 174, 26, "[[a X \"@...!quoted!# {3}$" },
	{ "{n+} glued closes", "a X @#{3+}\r\nabc", 174, 26,
	  "[[a X @...!glued!#{3+}$" },
	{ "{n} glued is text", "a X @{3}\r\nb X\r\n", 200, 0,
	  "[[a X @{3}$]] [b X$]" },
	{ "malformed closes", "a X @# {}\r\nabc", 174, 27,
	  "[[a X @...!syntax!# {}$" },
	{ "digits without end close",
	  "a X @ {0000000000000000000000000000000000000000"
	  "5}\r\n",
	  200, 0,
	  "[[a X @ {000000000000...!size!"
	  "00000000000000000000000000005}$" },
	{ "NUL before anything went out", "a X %@#\r\nb NOOP\r\n", 123, 99,
	  "!long!a X <00>@" },
	{ "NUL after a part went out", "a X @%#\r\nb NOOP\r\n", 200, 50,
	  "[[a X @...!long!" },
	{ "CR before anything went out", "a X \r@#\r\n", 123, 99,
	  "!long!a X <0d>@" },
	{ "CR after a part went out", "a X @\r#\r\n", 200, 50,
	  "[[a X @...!long!" },
	{ "CR as the last octet held", "a X @\r#\r\n", 123, 50,
	  "[[a X @...!long!" },
	{ "CR and LF at the edge", "a X @\r\nb X\r\n", 123, 0,
	  "[[a X @$]] [b X$]" },
	{ "two CR at the end", "a X @\r\r\nb X\r\n", 200, 0,
	  "[[a X @...!long!" },
	{ "a long line behind a literal", "a X {1}\r\nz@ {2}\r\nzz#\r\nb X\r\n",
	  200, 150, "[a X {1}$]{1} 'z' ((@ {2}$)){2} 'zz' ((#$)) [b X$]" },
	{ "NUL in it", "a X {1}\r\nz%@#\r\n", 127, 99,
	  "[a X {1}$]{1} 'z' !long!<00>@" },
	{ "brackets and classes mean nothing to a client", "* OK [@\r\n", 200,
	  0, "[[* OK [@$]]" },
};

static const struct vector responses[] = {
	{ "data goes out in parts", "* X @\r\n* 1 EXISTS\r\n", 123, 0,
	  "D[[* X @$]] D[* 1 EXISTS$]" },
	{ "a literal behind it", "* X @ {3}\r\nabc\r\n", 200, 0,
	  "D[[* X @ {3}$]]{3} 'abc' ($)" },
	{ "none in an open quote", "* X \"@ {3}\r\n* 1 EXISTS\r\n", 200, 0,
	  "D[[* X \"@ {3}$]] D[* 1 EXISTS$]" },
	{ "NUL and CR pass", "* X @%\r#\r\n", 200, 100,
	  "D[[* X @<00><0d>#$]]" },
	{ "a size that wraps closes", "* X @# {99999999999999999999}\r\n", 300,
	  7, "D[[* X @...!size!# {99999999999999999999}$" },
	{ "a tagged reply is held longer", "a OK @\r\n", 500, 0, "T[a OK @$]" },
	{ "a status, too", "* OK [X] @\r\n", 500, 0, "S[* OK [X] @$]" },
	{ "a continuation, too", "+ @\r\n", 500, 0, "+[+ @$]" },
	{ "a capability list, too", "* CAPABILITY @ #\r\n", 200, 200,
	  "D[* CAPABILITY @ #$]" },
	{ "a word that only begins so is data", "* CAPABILITYX @\r\n", 500, 0,
	  "D[[* CAPABILITYX @$]]" },
	{ "no tag is as long as that", "@ OK done\r\n", 200, 0,
	  "O[[@ OK done$]]" },
	{ "a code that is closed only then", "* OK [X @] {3}\r\n* 1 EXISTS\r\n",
	  200, 0, "S[* OK [X @] {3}$] D[* 1 EXISTS$]" },
	{ "a literal in an open code",
	  "* NO [BADCHARSET (@ {1}\r\nX#)] no {3}\r\n* 1 EXISTS\r\n", 200, 200,
	  "S[* NO [BADCHARSET (@ {1}$]{1} 'X' ((#)] no {3}$)) "
	  "D[* 1 EXISTS$]" },
};

/* Lines above IMAP_EDIT_HELD, not cut at every place. */
static const struct vector huge[] = {
	{ "a status that is too long to edit", "* OK [CAPABILITY @] #\r\n",
	  40000, 30000, "S[[* OK [CAPABILITY @] #$]]" },
	{ "a code that is closed before it is too long",
	  "* OK [X @] # {3}\r\n* 1 EXISTS\r\n", 20000, 50000,
	  "S[[* OK [X @] # {3}$]] D[* 1 EXISTS$]" },
	{ "a literal in its open code", "* NO [BADCHARSET (@ {1}\r\nX)] no\r\n",
	  70000, 0, "S[[* NO [BADCHARSET (@ {1}$]]{1} 'X' ()] no$)" },
	{ "none when its code was closed",
	  "* NO [BADCHARSET (@] # {1}\r\n* 1 EXISTS\r\n", 66000, 100,
	  "S[[* NO [BADCHARSET (@] # {1}$]] D[* 1 EXISTS$]" },
	{ "a capability list", "* CAPABILITY @ #\r\n", 70000, 9,
	  "D[[* CAPABILITY @ #$]]" },
	{ "a tagged reply of the greatest length held", "a OK @\r\n", 65529, 0,
	  "T[a OK @$]" },
	{ "one octet more", "a OK @\r\n", 65530, 0, "T[[a OK @$]]" },
};

/* expand writes |text| with its stand-ins replaced. */
static struct buf expand(const struct vector *v, const char *text)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	for (; *text != '\0'; text++) {
		size_t n = *text == '@' ? v->a : *text == '#' ? v->b : 1;
		char c = *text == '@'   ? 'x'
		         : *text == '#' ? 'y'
		         : *text == '%' ? '\0'
		                        : *text;

		while (n-- > 0)
			assert_ok(buf_append(&out, &c, 1));
	}
	return out;
}

static void cut(const struct vector *v, enum imap_side side, size_t held,
                size_t split, size_t chunk)
{
	struct buf in = expand(v, v->in);
	struct buf want = expand(v, v->frames);
	struct frames fs;

	frames_init(&fs, side, IMAP_LINES_COMMAND, held);
	frames_feed(&fs, str_sub(buf_str(&in), 0, split), chunk);
	frames_feed(&fs, str_sub(buf_str(&in), split, SIZE_MAX), chunk);
	if (!str_eq(buf_str(&fs.text), buf_str(&want)))
		fail_msg("%s (split %zu, chunk %zu)\nwant %.*s\ngot  %.*s",
		         v->rule, split, chunk, (int)want.len, want.data,
		         (int)fs.text.len, fs.text.data);
	if (!fs.bad)
		assert_true(str_eq(buf_str(&fs.octets), buf_str(&in)));
	frames_done(&fs);
	buf_reset(&in);
	buf_reset(&want);
}

static void check_all(const struct vector *vectors, size_t count,
                      enum imap_side side)
{
	for (size_t i = 0; i < count; i++) {
		const struct vector *v = &vectors[i];
		size_t len = strlen(v->in) + v->a + v->b;

		for (size_t split = 0; split <= len; split++)
			cut(v, side, HELD, split, SIZE_MAX);
		for (size_t chunk = 1; chunk < len; chunk++)
			cut(v, side, HELD, 0, chunk);
	}
}

static void long_commands_are_cut_the_same_for_any_reads(void **state)
{
	(void)state;
	check_all(commands, COUNT(commands), IMAP_CLIENT);
}

static void long_responses_are_cut_the_same_for_any_reads(void **state)
{
	(void)state;
	check_all(responses, COUNT(responses), IMAP_SERVER);
}

static void huge_responses_are_cut_the_same_for_any_reads(void **state)
{
	static const size_t chunks[] = { 1,    7,     31,    32,    33,
		                         4096, 65535, 65536, 65537, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(huge); i++)
		for (size_t k = 0; k < COUNT(chunks); k++)
			cut(&huge[i], IMAP_SERVER, IMAP_LINE_HELD, 0,
			    chunks[k]);
}

#define GIB (UINT64_C(1) << 30)

/* feed gives |size| octets "x" to |f| and returns how many came out of it; at
 * no time more than |most| octets are held. */
static uint64_t feed(struct imap_framer *f, uint64_t size, size_t most)
{
	static char octets[65536];
	uint64_t given = 0;

	memset(octets, 'x', sizeof(octets));
	for (uint64_t i = 0; i < size / sizeof(octets); i++) {
		struct str in = str_new(octets, sizeof(octets));
		struct imap_frame frame;

		while (imap_framer_next(f, &in, &frame) == ERR_OK) {
			assert_int_not_equal(frame.kind, IMAP_FRAME_BAD);
			given += frame.text.len;
			assert_true(f->held.cap <= most);
		}
		assert_int_equal(in.len, 0);
		assert_true(f->held.cap <= most);
	}
	return given;
}

/* begin gives |text| to |f|. */
static void begin(struct imap_framer *f, struct str text)
{
	struct imap_frame frame;

	while (imap_framer_next(f, &text, &frame) == ERR_OK)
		;
}

static void gigabyte_of_a_literal_holds_nothing(void **state)
{
	static const enum imap_side sides[] = { IMAP_CLIENT, IMAP_SERVER };

	(void)state;
	for (size_t i = 0; i < COUNT(sides); i++) {
		struct imap_framer f;

		imap_framer_init(&f, sides[i]);
		begin(&f, STR("* X {1099511627776}\r\n"));
		assert_int_equal(feed(&f, GIB, 0), GIB);
		imap_framer_done(&f);
	}
}

static void gigabyte_without_line_end_holds_little(void **state)
{
	static const struct {
		enum imap_side side;
		struct str front;
		uint64_t size; /* a part of it says as much of the others */
		size_t most;
	} kinds[] = {
		{ IMAP_CLIENT, { "", 0 }, GIB, IMAP_LINE_HELD },
		{ IMAP_CLIENT, { "a X \"", 5 }, GIB / 16, IMAP_LINE_HELD },
		{ IMAP_SERVER, { "* X \"", 5 }, GIB / 16, IMAP_LINE_HELD },
		{ IMAP_SERVER, { "* OK [", 6 }, GIB / 16, IMAP_EDIT_HELD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct imap_framer f;
		uint64_t given;

		imap_framer_init(&f, kinds[i].side);
		begin(&f, kinds[i].front);
		given = feed(&f, kinds[i].size,
		             kinds[i].most + 2 * IMAP_LINE_TAIL);
		assert_int_equal(given, kinds[i].size + kinds[i].front.len -
		                                IMAP_LINE_TAIL);
		imap_framer_done(&f);
	}
}

static void line_end_gives_the_memory_back(void **state)
{
	struct imap_framer f;
	struct imap_frame frame;
	struct str in = STR("x\r\n");

	(void)state;
	imap_framer_init(&f, IMAP_CLIENT);
	begin(&f, STR("a NOO"));
	assert_true(f.held.cap > 0);
	assert_false(imap_framer_at_start(&f));
	assert_ok(imap_framer_next(&f, &in, &frame));
	assert_str(frame.text, "a NOOx\r\n");
	assert_true(imap_framer_at_start(&f));
	assert_int_equal(imap_framer_next(&f, &in, &frame), ERR_MORE);
	assert_null(f.held.data);
	imap_framer_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_commands_are_cut_the_same_for_any_reads),
		cmocka_unit_test(long_responses_are_cut_the_same_for_any_reads),
		cmocka_unit_test(huge_responses_are_cut_the_same_for_any_reads),
		cmocka_unit_test(gigabyte_of_a_literal_holds_nothing),
		cmocka_unit_test(gigabyte_without_line_end_holds_little),
		cmocka_unit_test(line_end_gives_the_memory_back),
	};

	return cmocka_run_group_tests_name("framer_long", tests, NULL, NULL);
}
