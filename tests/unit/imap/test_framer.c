/* SPDX-License-Identifier: ISC */
/*
 * framer - every vector is cut whole, octet by octet, in two at every place
 * and into pieces of many lengths, and must be the same each time.
 */
#include "base/err.h"
#include "imap/framer.h"
#include "unit/frames.h"
#include "unit/unit.h"

struct vector {
	const char *rule;
	struct str in;
	const char *frames;
};

/* What a client sends, with the sequence of commands it must lead to. Rows
 * that begin with V are those of the servers that were asked. */
static const struct vector commands[] = {
	{ "a command is a line", IN("a NOOP\r\n"), "[a NOOP$]" },
	{ "two in one segment", IN("a NOOP\r\nb NOOP\r\n"),
	  "[a NOOP$] [b NOOP$]" },
	{ "LF alone ends a line", IN("a NOOP\nb NOOP\n"),
	  "[a NOOP<0a>] [b NOOP<0a>]" },
	{ "an empty line is a line", IN("\r\n\n"), "[$] [<0a>]" },
	{ "a literal and its rest", IN("a SELECT {5}\r\nINBOX\r\nb NOOP\r\n"),
	  "[a SELECT {5}$]{5} 'INBOX' ($) [b NOOP$]" },
	{ "octets of a literal are no lines",
	  IN("a APPEND x {11+}\r\nDONE\r\nb X\r\n\r\nc NOOP\r\n"),
	  "[a APPEND x {11+}$]{11+} 'DONE$b X$' ($) [c NOOP$]" },
	{ "a message is not read",
	  IN("a APPEND x {46+}\r\nx XAPPLEPUSHSERVICE \"aps-version\" \"2\" "
	     "\r\nDONE\r\n\r\nb NOOP\r\n"),
	  "[a APPEND x {46+}$]{46+} 'x XAPPLEPUSHSERVICE \"aps-version\" "
	  "\"2\" $DONE$' ($) [b NOOP$]" },
	{ "literal8", IN("a APPEND x ~{4}\r\n\0\1\2\3\r\n"),
	  "[a APPEND x ~{4}$]~{4} '<00><01><02><03>' ($)" },
	{ "literal8 without synchronisation", IN("a A x ~{1+}\r\n\0\r\n"),
	  "[a A x ~{1+}$]~{1+} '<00>' ($)" },
	{ "UTF8 append", IN("a APPEND x UTF8 (~{1}\r\nx)\r\n"),
	  "[a APPEND x UTF8 (~{1}$]~{1} 'x' ()$)" },
	{ "MULTIAPPEND",
	  IN("a APPEND x {1+}\r\na () {2+}\r\nbb {3}\r\nccc\r\n"),
	  "[a APPEND x {1+}$]{1+} 'a' ( () {2+}$){2+} 'bb' ( {3}$){3} 'ccc' "
	  "($)" },
	{ "CATENATE",
	  IN("a APPEND x CATENATE (URL \"/a\" TEXT {2+}\r\nhi)\r\n"),
	  "[a APPEND x CATENATE (URL \"/a\" TEXT {2+}$]{2+} 'hi' ()$)" },
	{ "an announcement right behind a literal",
	  IN("a LOGIN {1}\r\nu{1}\r\np\r\n"),
	  "[a LOGIN {1}$]{1} 'u' ({1}$){1} 'p' ($)" },
	{ "an empty literal is one frame, due at once", IN("a LOGIN {0+}\r\n"),
	  "[a LOGIN {0+}$]{0+} ''" },
	{ "the line goes on behind an empty literal",
	  IN("a LOGIN {0}\r\n {0}\r\n\r\nb NOOP\r\n"),
	  "[a LOGIN {0}$]{0} '' ( {0}$){0} '' ($) [b NOOP$]" },
	{ "leading zeros are digits", IN("a SELECT {005}\r\nINBOX\r\n"),
	  "[a SELECT {005}$]{5} 'INBOX' ($)" },
	{ "the largest size", IN("a SELECT {9223372036854775807}\r\nIN"),
	  "[a SELECT {9223372036854775807}$]{9223372036854775807} 'IN" },
	{ "a quoted string may hold braces and backslashes",
	  IN("a SELECT \"\\\\ \\\" {3}\"\r\nb NOOP\r\n"),
	  "[a SELECT \"\\\\ \\\" {3}\"$] [b NOOP$]" },
	{ "a closed quoted string, then a literal",
	  IN("a LOGIN \"u\\\"\" {1}\r\np\r\n"),
	  "[a LOGIN \"u\\\"\" {1}$]{1} 'p' ($)" },
	{ "8-bit octets are text", IN("a SELECT \"\xc3\xa4\"\r\n"),
	  "[a SELECT \"<c3><a4>\"$]" },
	{ "{word} is text", IN("a SEARCH TEXT {word}\r\nb NOOP\r\n"),
	  "[a SEARCH TEXT {word}$] [b NOOP$]" },
	{ "only the last brace counts", IN("a X {3} {1}\r\nx\r\n"),
	  "[a X {3} {1}$]{1} 'x' ($)" },
	{ "a quote left open without a literal is the server's to refuse",
	  IN("a SELECT \"foo\r\nb NOOP\r\n"), "[a SELECT \"foo$] [b NOOP$]" },

	{ "V01 literal of an unknown command",
	  IN("a1 XFOO x {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n"),
	  "[a1 XFOO x {9+}$]{9+} 'b1 LOGOUT' ($) [z NOOP$]" },
	{ "V02 literal where none belongs",
	  IN("a1 NOOP {9+}\r\nb1 LOGOUT\r\nz NOOP\r\n"),
	  "[a1 NOOP {9+}$]{9+} 'b1 LOGOUT' ($) [z NOOP$]" },
	{ "V03 literal in an open quote closes",
	  IN("a1 SELECT \"foo{9+}\r\nb1 LOGOUT\r\nz NOOP\r\n"),
	  "!quoted!a1 SELECT \"foo{9+}$" },
	{ "V03 the synchronising one too",
	  IN("a1 SELECT \"foo {9}\r\nb1 LOGOUT\r\n"),
	  "!quoted!a1 SELECT \"foo {9}$" },
	{ "V04 braces in a closed quote are text",
	  IN("a1 LIST \"\" \"x{9+}\"\r\nz NOOP\r\n"),
	  "[a1 LIST \"\" \"x{9+}\"$] [z NOOP$]" },
	{ "V05 {n+} glued to an atom closes",
	  IN("a1 SELECT abc{9+}\r\nb1 LOGOUT\r\nz NOOP\r\n"),
	  "!glued!a1 SELECT abc{9+}$" },
	{ "V05 {n} glued to an atom is text",
	  IN("a1 SELECT abc{9}\r\nb1 LOGOUT\r\n"),
	  "[a1 SELECT abc{9}$] [b1 LOGOUT$]" },
	{ "V05 glued to a quoted string",
	  IN("a1 SELECT \"abc\"{9+}\r\nb1 LOGOUT\r\n"),
	  "!glued!a1 SELECT \"abc\"{9+}$" },
	{ "V06 {n+} for a tag closes", IN("{2+}\r\na1 NOOP\r\n"),
	  "!glued!{2+}$" },
	{ "V06 {n} for a tag is text", IN("{2}\r\na1 NOOP\r\n"),
	  "[{2}$] [a1 NOOP$]" },
	{ "V07 a size to be refused passes when it is a number",
	  IN("a1 SELECT {99999999999}\r\n"),
	  "[a1 SELECT {99999999999}$]{99999999999}" },
	{ "V07b a size that wraps closes",
	  IN("a1 SELECT {18446744073709551621}\r\nINBOX\r\n"),
	  "!size!a1 SELECT {18446744073709551621}$" },
	{ "V07b 2^63 closes", IN("a1 SELECT {9223372036854775808+}\r\nINBOX"),
	  "!size!a1 SELECT {9223372036854775808+}$" },
	{ "V07b twenty digits close",
	  IN("a1 SELECT {00000000000000000005}\r\n"),
	  "!size!a1 SELECT {00000000000000000005}$" },
	{ "V07b digits without end close",
	  IN("a1 SELECT {0000000000000000000000000000000000000000005}\r\n"),
	  "!size!a1 SELECT {0000000000000000000000000000000000000000005}$" },
	{ "V08a leading zeros, non-synchronising",
	  IN("a1 SELECT {005+}\r\nINBOX\r\n"),
	  "[a1 SELECT {005+}$]{5+} 'INBOX' ($)" },
	{ "V08e {} closes", IN("a1 SELECT {}\r\n"), "!syntax!a1 SELECT {}$" },
	{ "V08f {+} closes", IN("a1 SELECT {+}\r\n"),
	  "!syntax!a1 SELECT {+}$" },
	{ "V08 {5 +} closes", IN("a1 SELECT {5 +}\r\n"),
	  "!syntax!a1 SELECT {5 +}$" },
	{ "V08 {5-} closes", IN("a1 SELECT {5-}\r\n"),
	  "!syntax!a1 SELECT {5-}$" },
	{ "V08 {+5} closes", IN("a1 SELECT {+5}\r\n"),
	  "!syntax!a1 SELECT {+5}$" },
	{ "V08 {-5} closes", IN("a1 SELECT {-5}\r\n"),
	  "!syntax!a1 SELECT {-5}$" },
	{ "V08 {5++} closes", IN("a1 SELECT {5++}\r\n"),
	  "!syntax!a1 SELECT {5++}$" },
	{ "V08h a space behind is text", IN("a1 SELECT {5+} \r\nINBOX\r\n"),
	  "[a1 SELECT {5+} $] [INBOX$]" },
	{ "V09a LF alone after an announcement",
	  IN("a1 SELECT {5+}\nINBOX\r\n"),
	  "[a1 SELECT {5+}<0a>]{5+} 'INBOX' ($)" },
	{ "V09d a bare CR is refused, the next line runs",
	  IN("a1 NOOP\rb1 LOGOUT\r\nz NOOP\r\n"),
	  "!cr!a1 NOOP<0d>b1 LOGOUT$ [z NOOP$]" },
	{ "V09e CR for a space", IN("a1\rNOOP\r\n"), "!cr!a1<0d>NOOP$" },
	{ "V09 two CR before LF", IN("a1 NOOP\r\r\nz NOOP\r\n"),
	  "!cr!a1 NOOP<0d>$ [z NOOP$]" },
	{ "V10 literal8 where none belongs",
	  IN("a1 SELECT ~{5+}\r\nINBOX\r\nz NOOP\r\n"),
	  "[a1 SELECT ~{5+}$]~{5+} 'INBOX' ($) [z NOOP$]" },
	{ "V13a NUL is refused, the next line runs",
	  IN("a1 NOOP\0\r\nz NOOP\r\n"), "!nul!a1 NOOP<00>$ [z NOOP$]" },
	{ "V13c NUL inside a literal passes",
	  IN("a1 SELECT {6+}\r\nIN\0BOX\r\n"),
	  "[a1 SELECT {6+}$]{6+} 'IN<00>BOX' ($)" },
	{ "V13 NUL and a literal announced closes",
	  IN("a1 NOOP\0 {3+}\r\nabc\r\n"), "!after-error!a1 NOOP<00> {3+}$" },
	{ "V13 CR and a literal announced closes",
	  IN("a1 NOOP\r {3}\r\nabc\r\n"), "!after-error!a1 NOOP<0d> {3}$" },
	{ "NUL behind a literal closes: the command began to go out",
	  IN("a X {1}\r\nx\0\r\nz NOOP\r\n"), "[a X {1}$]{1} 'x' !long!<00>$" },
	{ "V14 spaces and tabs are the server's to refuse",
	  IN(" a NOOP\r\na\tNOOP\r\n"), "[ a NOOP$] [a<09>NOOP$]" },
	{ "V17 odd tags pass", IN("+1 NOOP\r\n* NOOP\r\na]1 NOOP\r\n"),
	  "[+1 NOOP$] [* NOOP$] [a]1 NOOP$]" },
	{ "V18 IDLE and DONE in one segment", IN("a IDLE\r\nDONE\r\n"),
	  "[a IDLE$] [DONE$]" },
	{ "V23b a literal behind an odd quote closes",
	  IN("a1 APPEND INBOX (\\Bad Flag\" {9+}\r\nb1 LOGOUT\r\n"),
	  "!quoted!a1 APPEND INBOX (\\Bad Flag\" {9+}$" },
	{ "XAPPLEPUSHSERVICE with literals",
	  IN("a XAPPLEPUSHSERVICE \"aps-version\" {1+}\r\n2 \"mailboxes\" "
	     "({5+}\r\nINBOX \"N\\\"x\")\r\n"),
	  "[a XAPPLEPUSHSERVICE \"aps-version\" {1+}$]{1+} '2' ( \"mailboxes\" "
	  "({5+}$){5+} 'INBOX' ( \"N\\\"x\")$)" },
	{ "LOGIN with literals, then a command",
	  IN("a LOGIN {2+}\r\nu1 {2+}\r\npw\r\nb NOOP\r\n"),
	  "[a LOGIN {2+}$]{2+} 'u1' ( {2+}$){2+} 'pw' ($) [b NOOP$]" },
	{ "a password that looks like a command",
	  IN("a LOGIN u {12}\r\n\r\nx LOGOUT\r\n\r\nb NOOP\r\n"),
	  "[a LOGIN u {12}$]{12} '$x LOGOUT$' ($) [b NOOP$]" },
};

/* A client in SASL or IDLE: quotes and braces mean nothing. */
static const struct vector plain[] = {
	{ "no literal", IN("AGE {3}\r\n\"{3+}\r\n*\r\n"),
	  "[AGE {3}$] [\"{3+}$] [*$]" },
	{ "no malformed literal either", IN("x {}\r\nab{1+}\r\n"),
	  "[x {}$] [ab{1+}$]" },
	{ "NUL and CR are refused", IN("A\0=\r\nA\rB {1}\r\n"),
	  "!nul!A<00>=$ !cr!A<0d>B {1}$" },
	{ "DONE with a space", IN("DONE \r\n"), "[DONE $]" },
};

/* What a server sends. */
static const struct vector responses[] = {
	{ "classes",
	  IN("* OK hi\r\n* PREAUTH x\r\n* BYE\r\n* NO x\r\n* BAD x\r\n"
	     "* 1 EXISTS\r\na1 OK x\r\na1 NO\r\na1 BAD x\r\n+ go\r\n"
	     "a1 PREAUTH x\r\nhello\r\n"),
	  "S[* OK hi$] S[* PREAUTH x$] S[* BYE$] S[* NO x$] S[* BAD x$] "
	  "D[* 1 EXISTS$] T[a1 OK x$] T[a1 NO$] T[a1 BAD x$] +[+ go$] "
	  "O[a1 PREAUTH x$] O[hello$]" },
	{ "classes in lower case", IN("* ok hi\r\na no x\r\n"),
	  "S[* ok hi$] T[a no x$]" },
	{ "a word must end to be a status",
	  IN("* OKAY\r\na OKAY\r\n* NOOP\r\n"),
	  "D[* OKAY$] O[a OKAY$] D[* NOOP$]" },
	{ "continuations of all kinds", IN("+\r\n+ \r\n+ OK\r\n+idling\r\n+\n"),
	  "+[+$] +[+ $] +[+ OK$] +[+idling$] +[+<0a>]" },
	{ "a star alone is nothing known", IN("*\r\n*OK\r\n\r\n"),
	  "O[*$] O[*OK$] O[$]" },
	{ "tags that servers return", IN("a]1 OK x\r\n#&/ OK x\r\n"),
	  "T[a]1 OK x$] T[#&/ OK x$]" },
	{ "empty status text, as Gmail sends it", IN("a OK \r\na OK\r\n"),
	  "T[a OK $] T[a OK$]" },
	{ "a message that speaks IMAP",
	  IN("* 1 FETCH (BODY[] {46}\r\n* CAPABILITY IMAP4rev1\r\n"
	     "a1 OK [CAPABILITY X]\r\n)\r\na1 OK done\r\n"),
	  "D[* 1 FETCH (BODY[] {46}$]{46} '* CAPABILITY IMAP4rev1$a1 OK "
	  "[CAPABILITY X]$' ()$) T[a1 OK done$]" },
	{ "the same with a length off by one",
	  IN("* 1 FETCH (BODY[] {47}\r\n* CAPABILITY IMAP4rev1\r\n"
	     "a1 OK [CAPABILITY X]\r\n)\r\na1 OK done\r\n"),
	  "D[* 1 FETCH (BODY[] {47}$]{47} '* CAPABILITY IMAP4rev1$a1 OK "
	  "[CAPABILITY X]$)' ($) T[a1 OK done$]" },
	{ "the same in a quoted string",
	  IN("* 1 FETCH (ENVELOPE (\"d\" \"* CAPABILITY X {3}\" NIL))\r\n"),
	  "D[* 1 FETCH (ENVELOPE (\"d\" \"* CAPABILITY X {3}\" NIL))$]" },
	{ "an empty literal at the end",
	  IN("* 1 FETCH (UID 9 BODY[1]<393216> {0}\r\n)\r\nA1 OK x\r\n"),
	  "D[* 1 FETCH (UID 9 BODY[1]<393216> {0}$]{0} '' ()$) T[A1 OK x$]" },
	{ "several literals",
	  IN("* 1 FETCH (BODY[1] {1}\r\na BODY[2] {2}\r\nbb)\r\n* 2 EXISTS\r\n"),
	  "D[* 1 FETCH (BODY[1] {1}$]{1} 'a' ( BODY[2] {2}$){2} 'bb' ()$) "
	  "D[* 2 EXISTS$]" },
	{ "literal8 with NUL", IN("* 1 FETCH (BINARY[1] ~{4}\r\n\0\1\r\n)\r\n"),
	  "D[* 1 FETCH (BINARY[1] ~{4}$]~{4} '<00><01>$' ()$)" },
	{ "a mailbox name with a line in it",
	  IN("* LIST () \"/\" {5}\r\nIN\r\nB\r\n"),
	  "D[* LIST () \"/\" {5}$]{5} 'IN$B' ($)" },
	{ "no literal in status text",
	  IN("* OK see {5}\r\na OK {10}\r\n+ {3}\r\n* OK Hello \" foo\r\n"),
	  "S[* OK see {5}$] T[a OK {10}$] +[+ {3}$] S[* OK Hello \" foo$]" },
	{ "no literal in what is not IMAP", IN("hello {5}\r\nx\r\n"),
	  "O[hello {5}$] O[x$]" },
	{ "no literal in a closed code", IN("* NO [BADCHARSET (X)] {5}\r\n"),
	  "S[* NO [BADCHARSET (X)] {5}$]" },
	{ "a literal in an open code",
	  IN("* NO [BADCHARSET ({5}\r\nUTF-8 {2}\r\nX])] text {3}\r\n"
	     "a OK x\r\n"),
	  "S[* NO [BADCHARSET ({5}$]{5} 'UTF-8' ( {2}$){2} 'X]' ()] text "
	  "{3}$) T[a OK x$]" },
	{ "a literal in the open code of a tagged reply",
	  IN("a]1 NO [BADCHARSET ({1}\r\nX)] no\r\n"),
	  "T[a]1 NO [BADCHARSET ({1}$]{1} 'X' ()] no$)" },
	{ "a bracket later in the text opens no code",
	  IN("* NO see [this {5}\r\nx\r\n"), "S[* NO see [this {5}$] O[x$]" },
	{ "{n+} is text, no server sends it", IN("* X {5+}\r\n* 1 EXISTS\r\n"),
	  "D[* X {5+}$] D[* 1 EXISTS$]" },
	{ "malformed announcements are text", IN("* X {}\r\n* X {5 }\r\n"),
	  "D[* X {}$] D[* X {5 }$]" },
	{ "an announcement may be glued to a section",
	  IN("* 1 FETCH (BODY[]{1}\r\nx)\r\n"),
	  "D[* 1 FETCH (BODY[]{1}$]{1} 'x' ()$)" },
	{ "a quote left open announces nothing",
	  IN("* X \"open {5}\r\n* 1 EXISTS\r\n"),
	  "D[* X \"open {5}$] D[* 1 EXISTS$]" },
	{ "a size that wraps closes", IN("* X {18446744073709551621}\r\nx\r\n"),
	  "!size!* X {18446744073709551621}$" },
	{ "octets pass as they are: NUL, CR, 8-bit, bare LF, spaces at the end",
	  IN("* X \0\r\x80\xff \n* 1 FETCH (RFC822.SIZE -1) \r\n"),
	  "D[* X <00><0d><80><ff> <0a>] D[* 1 FETCH (RFC822.SIZE -1) $]" },
	{ "one space too few", IN("*1 EXISTS\r\n"), "O[*1 EXISTS$]" },
};

static void cut(const struct vector *v, enum imap_side side,
                enum imap_lines lines, size_t held, size_t split, size_t chunk)
{
	struct frames fs;

	frames_init(&fs, side, lines, held);
	frames_feed(&fs, str_sub(v->in, 0, split), chunk);
	frames_feed(&fs, str_sub(v->in, split, SIZE_MAX), chunk);
	if (!str_eq(buf_str(&fs.text), str_of(v->frames)))
		fail_msg("%s (split %zu, chunk %zu)\nwant %s\ngot  %.*s",
		         v->rule, split, chunk, v->frames, (int)fs.text.len,
		         fs.text.data);
	/* With nothing edited and nothing refused, all goes through. */
	if (!fs.bad)
		assert_true(str_eq(buf_str(&fs.octets), v->in));
	frames_done(&fs);
}

/* check_vector cuts the input in all the ways. */
static void check_vector(const struct vector *v, enum imap_side side,
                         enum imap_lines lines, size_t held)
{
	for (size_t split = 0; split <= v->in.len; split++)
		cut(v, side, lines, held, split, SIZE_MAX);
	for (size_t chunk = 1; chunk < 70 && chunk < v->in.len; chunk++)
		cut(v, side, lines, held, 0, chunk);
}

static void commands_are_cut_the_same_for_any_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++)
		check_vector(&commands[i], IMAP_CLIENT, IMAP_LINES_COMMAND,
		             IMAP_LINE_HELD);
}

static void plain_lines_are_cut_the_same_for_any_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(plain); i++)
		check_vector(&plain[i], IMAP_CLIENT, IMAP_LINES_PLAIN,
		             IMAP_LINE_HELD);
}

static void responses_are_cut_the_same_for_any_reads(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(responses); i++)
		check_vector(&responses[i], IMAP_SERVER, IMAP_LINES_COMMAND,
		             IMAP_LINE_HELD);
}

/* next wants a frame and returns its text. */
static struct str next(struct imap_framer *f, struct str *in,
                       struct imap_frame *frame)
{
	assert_ok(imap_framer_next(f, in, frame));
	return frame->text;
}

static void whole_line_in_the_input_is_not_copied(void **state)
{
	const struct str lines = STR("a NOOP\r\nb NOOP\r\n");
	struct str in = lines;
	struct imap_framer f;
	struct imap_frame frame;

	(void)state;
	imap_framer_init(&f, IMAP_CLIENT);
	assert_ptr_equal(next(&f, &in, &frame).data, lines.data);
	assert_ptr_equal(in.data, lines.data + 8);
	assert_ptr_equal(next(&f, &in, &frame).data, lines.data + 8);
	assert_null(f.held.data);
	assert_int_equal(imap_framer_next(&f, &in, &frame), ERR_MORE);
	imap_framer_done(&f);
}

static void nothing_behind_the_frame_was_looked_at(void **state)
{
	struct str in = STR("a AUTHENTICATE X\r\nAA {3}\r\nb NOOP\r\n");
	struct imap_framer f;
	struct imap_frame frame;

	(void)state;
	imap_framer_init(&f, IMAP_CLIENT);
	assert_str(next(&f, &in, &frame), "a AUTHENTICATE X\r\n");
	f.lines = IMAP_LINES_PLAIN;
	assert_str(next(&f, &in, &frame), "AA {3}\r\n");
	assert_int_equal(frame.literal.form, IMAP_LITERAL_NONE);
	f.lines = IMAP_LINES_COMMAND;
	assert_str(next(&f, &in, &frame), "b NOOP\r\n");
	imap_framer_done(&f);
}

static void refused_literal_is_followed_by_a_command(void **state)
{
	struct str in = STR("a SELECT {5}\r\nb NOOP {2}\r\nxx\r\n");
	struct imap_framer f;
	struct imap_frame frame;

	(void)state;
	imap_framer_init(&f, IMAP_CLIENT);
	assert_str(next(&f, &in, &frame), "a SELECT {5}\r\n");
	assert_false(imap_framer_at_start(&f));
	imap_framer_skip_literal(&f);
	assert_true(imap_framer_at_start(&f));
	assert_str(next(&f, &in, &frame), "b NOOP {2}\r\n");
	assert_true(frame.first);
	assert_int_equal(frame.literal.size, 2);
	assert_str(next(&f, &in, &frame), "xx");
	imap_framer_done(&f);
}

static void start_is_between_commands_only(void **state)
{
	struct str in = STR("a X {0}\r\n {1}\r\ny\r\n");
	struct imap_framer f;
	struct imap_frame frame;

	(void)state;
	imap_framer_init(&f, IMAP_CLIENT);
	assert_true(imap_framer_at_start(&f));
	for (int i = 0; i < 4; i++) {
		(void)next(&f, &in, &frame);
		assert_false(imap_framer_at_start(&f));
		assert_false(imap_framer_gave_nothing(&f));
	}
	assert_str(next(&f, &in, &frame), "\r\n");
	assert_true(imap_framer_at_start(&f));
	assert_true(imap_framer_gave_nothing(&f));
	in = STR("b NO");
	assert_int_equal(imap_framer_next(&f, &in, &frame), ERR_MORE);
	assert_false(imap_framer_at_start(&f));
	assert_true(imap_framer_gave_nothing(&f));
	imap_framer_done(&f);
}

static void nothing_comes_after_an_error_that_closes(void **state)
{
	struct str in = STR("a X {}\r\nb NOOP\r\n");
	struct imap_framer f;
	struct imap_frame frame;

	(void)state;
	imap_framer_init(&f, IMAP_CLIENT);
	assert_str(next(&f, &in, &frame), "a X {}\r\n");
	assert_int_equal(frame.kind, IMAP_FRAME_BAD);
	assert_true(imap_frame_error_closes(frame.error));
	assert_int_equal(imap_framer_next(&f, &in, &frame), ERR_MORE);
	assert_int_equal(in.len, 0);
	assert_false(imap_framer_at_start(&f));
	imap_framer_done(&f);
}

static void larger_hold_makes_a_longer_line_whole(void **state)
{
	static char id[33000];
	struct str in = { id, sizeof(id) };
	struct imap_framer f;
	struct imap_frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(id); i++)
		id[i] = i < 5 ? "a ID "[i] : 'x';
	id[sizeof(id) - 1] = '\n';
	imap_framer_init(&f, IMAP_CLIENT);
	f.line_held = 40000;
	assert_int_equal(next(&f, &in, &frame).len, sizeof(id));
	assert_int_equal(frame.kind, IMAP_FRAME_LINE);
	imap_framer_done(&f);
}

static void errors_have_a_sentence_and_most_close(void **state)
{
	(void)state;
	for (int e = IMAP_FRAME_NUL; e <= IMAP_FRAME_NO_MEMORY; e++) {
		enum imap_frame_error error = (enum imap_frame_error)e;

		assert_string_not_equal(imap_frame_error_text(error),
		                        imap_frame_error_text(IMAP_FRAME_OK));
		assert_int_equal(imap_frame_error_closes(error),
		                 error != IMAP_FRAME_NUL &&
		                         error != IMAP_FRAME_BARE_CR);
	}
	assert_false(imap_frame_error_closes(IMAP_FRAME_OK));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_cut_the_same_for_any_reads),
		cmocka_unit_test(plain_lines_are_cut_the_same_for_any_reads),
		cmocka_unit_test(responses_are_cut_the_same_for_any_reads),
		cmocka_unit_test(whole_line_in_the_input_is_not_copied),
		cmocka_unit_test(nothing_behind_the_frame_was_looked_at),
		cmocka_unit_test(refused_literal_is_followed_by_a_command),
		cmocka_unit_test(start_is_between_commands_only),
		cmocka_unit_test(nothing_comes_after_an_error_that_closes),
		cmocka_unit_test(larger_hold_makes_a_longer_line_whole),
		cmocka_unit_test(errors_have_a_sentence_and_most_close),
	};

	return cmocka_run_group_tests_name("framer", tests, NULL, NULL);
}
