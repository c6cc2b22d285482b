/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/token.h"
#include "unit/unit.h"

/* Tokens of an input: A atom, Q quoted, L literal with the value in <>, and
 * the parentheses; "!" where it does not parse. */
static const struct {
	const char *rule;
	struct str in;
	const char *tokens;
} vectors[] = {
	{ "nothing", IN(""), "" },
	{ "a line end is the end", IN("\r\nmore"), "" },
	{ "atoms", IN("a bc\r\n"), "A<a>A<bc>" },
	{ "atoms are wide", IN("a]b }c \\Seen * % ~x &-\n"),
	  "A<a]b>A<}c>A<\\Seen>A<*>A<%>A<~x>A<&->" },
	{ "lists", IN("(a (b) ())\r\n"), "(A<a>(A<b>)())" },
	{ "lists without spaces", IN("FLAGS(\\Seen)(a)b\r\n"),
	  "A<FLAGS>(A<\\Seen>)(A<a>)A<b>" },
	{ "single spaces anywhere", IN("( a ) \r\n"), "(A<a>)" },
	{ "quoted", IN("\"\" \"a b\"\r\n"), "Q<>Q<a b>" },
	{ "escapes", IN("\"\\\"\\\\\\x\"\r\n"), "Q<\"\\x>" },
	{ "8-bit", IN("\"\xc3\xa4\" \xff\r\n"), "Q<\xc3\xa4>A<\xff>" },
	{ "literals", IN("{3}\r\na\r\n {0+}\r\n ~{1}\nx)\r\n"),
	  "L<a\r\n>L<>L<x>)" },
	{ "a literal last", IN("{1}\r\nx"), "L<x>" },
	{ "a section", IN("BODY[HEADER.FIELDS (A)] \"x\"\r\n"),
	  "A<BODY[HEADER.FIELDS>(A<A>)A<]>Q<x>" },
	{ "braces within an atom are text", IN("a{3}\r\nabc"), "A<a{3}>" },
	{ "an announcement not at the line end", IN("{3} abc\r\n"),
	  "A<{3}>A<abc>" },
	{ "a malformed announcement is an atom", IN("{} {+} {x}\r\n"),
	  "A<{}>A<{+}>A<{x}>" },
	{ "two spaces", IN("a  b\r\n"), "A<a>!" },
	{ "a quote in an atom", IN("a\"b\"\r\n"), "!" },
	{ "a quoted string that does not end", IN("\"ab\r\n"), "!" },
	{ "an escape at the end", IN("\"ab\\"), "!" },
	{ "an escaped line end", IN("\"ab\\\r\n\""), "!" },
	{ "NUL in an atom", IN("a\0b\r\n"), "A<a>!" },
	{ "NUL in a quoted string", IN("\"a\0b\"\r\n"), "!" },
	{ "NUL in a literal", IN("{1}\r\n\0\r\n"), "L<\0" },
	{ "a bare CR", IN("a\rb\r\n"), "A<a>!" },
	{ "text behind a quoted string", IN("\"a\"b\r\n"), "!" },
	{ "text behind a literal", IN("{1}\r\nab\r\n"), "!" },
	{ "a literal that is not all there", IN("{3}\r\nab"), "!" },
	{ "a literal too large for memory", IN("{9223372036854775807}\r\nab"),
	  "!" },
};

/* write_token appends what |t| is. */
static void write_token(const struct imap_token *t, struct buf *out)
{
	static const char *const kinds[] = { "A<", "Q<", "L<" };

	switch (t->type) {
	case IMAP_TOKEN_OPEN:
		assert_ok(buf_adds(out, "("));
		assert_int_equal(imap_token_value(t, out), ERR_PARSE);
		return;
	case IMAP_TOKEN_CLOSE:
		assert_ok(buf_adds(out, ")"));
		return;
	case IMAP_TOKEN_ATOM:
	case IMAP_TOKEN_QUOTED:
	case IMAP_TOKEN_LITERAL:
	case IMAP_TOKEN_END:
		break;
	}
	assert_ok(buf_adds(out, kinds[t->type]));
	assert_ok(imap_token_value(t, out));
	assert_ok(buf_adds(out, ">"));
}

static void tokens_are_taken_one_by_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct str in = vectors[i].in;
		struct imap_token t = { .type = IMAP_TOKEN_OPEN };
		struct buf out;

		buf_init(&out, 200);
		while (t.type != IMAP_TOKEN_END) {
			struct str before = in;

			if (imap_token_next(&in, &t) != ERR_OK) {
				assert_ptr_equal(in.data, before.data);
				assert_ok(buf_adds(&out, "!"));
				break;
			}
			if (t.type != IMAP_TOKEN_END)
				write_token(&t, &out);
		}
		if (!str_starts(buf_str(&out), str_of(vectors[i].tokens)))
			fail_msg("%s: %.*s", vectors[i].rule, (int)out.len,
			         out.data);
		assert_int_equal(out.len > 0, vectors[i].tokens[0] != '\0');
		buf_reset(&out);
	}
}

static void end_stays_the_end(void **state)
{
	struct str in = STR("a\r\nb");
	struct imap_token t;

	(void)state;
	assert_ok(imap_token_next(&in, &t));
	assert_true(imap_token_is(&t, STR("A")));
	for (int i = 0; i < 3; i++) {
		assert_ok(imap_token_next(&in, &t));
		assert_int_equal(t.type, IMAP_TOKEN_END);
		assert_str(in, "\r\nb");
	}
}

static void only_an_atom_is_a_word(void **state)
{
	struct str in = STR("\"NIL\" NIL");
	struct imap_token t;

	(void)state;
	assert_ok(imap_token_next(&in, &t));
	assert_false(imap_token_is(&t, STR("NIL")));
	assert_ok(imap_token_next(&in, &t));
	assert_true(imap_token_is(&t, STR("nil")));
}

static void value_above_the_ceiling_leaves_nothing(void **state)
{
	struct str in = STR("\"a\\\"bcdef\"");
	struct imap_token t;
	struct buf out;

	(void)state;
	buf_init(&out, 6);
	assert_ok(buf_adds(&out, "kept"));
	assert_ok(imap_token_next(&in, &t));
	assert_int_equal(imap_token_value(&t, &out), ERR_LIMIT);
	assert_str(buf_str(&out), "kept");
	buf_reset(&out);
}

static void values_are_skipped_whole(void **state)
{
	static const struct {
		const char *in;
		unsigned depth;
		int rc;
		const char *rest;
	} skips[] = {
		{ "a b", 0, ERR_OK, " b" },
		{ " \"a b\" c", 0, ERR_OK, " c" },
		{ "{3}\r\n(((", 0, ERR_OK, "" },
		{ "(a (b ()) c) d", 3, ERR_OK, " d" },
		{ "(a (b ()) c) d", 2, ERR_LIMIT, NULL },
		{ "(a", 9, ERR_PARSE, NULL },
		{ ")", 9, ERR_PARSE, NULL },
		{ "\r\n", 9, ERR_PARSE, NULL },
		{ "(a \"b)", 9, ERR_PARSE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(skips); i++) {
		struct str in = str_of(skips[i].in);

		assert_int_equal(imap_token_skip_value(&in, skips[i].depth),
		                 skips[i].rc);
		assert_str(in,
		           skips[i].rc == ERR_OK ? skips[i].rest : skips[i].in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_are_taken_one_by_one),
		cmocka_unit_test(end_stays_the_end),
		cmocka_unit_test(only_an_atom_is_a_word),
		cmocka_unit_test(value_above_the_ceiling_leaves_nothing),
		cmocka_unit_test(values_are_skipped_whole),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
