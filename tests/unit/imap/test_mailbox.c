/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/mailbox.h"
#include "unit/unit.h"

/* Names on the wire, in UTF-8, and the MD5 of the latter. */
static const struct {
	const char *wire;
	const char *utf8;
	const char *hash; /* NULL: not known from elsewhere */
} names[] = {
	{ "INBOX", "INBOX", "7e33429f656f1e6e9d79b29c3f82c57e" },
	{ "Notes", "Notes", "f4c6f851b00d5518bf888815de279aba" },
	{ "Sent Messages", "Sent Messages",
	  "579db7eb2f78b2cb1f7f367cff50c7a7" },
	{ "Entw&APw-rfe", "Entw\xc3\xbcrfe",
	  "6935862f74f620598b6b2549c202aafa" },
	/* RFC 3501 section 5.1.3 */
	{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	  "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac"
	  "\xe8\xaa\x9e",
	  NULL },
	/* Longer in UTF-8 than on the wire. */
	{ "&MOEw,DDrMNwwwzCvMLlUDVJN-",
	  "\xe3\x83\xa1\xe3\x83\xbc\xe3\x83\xab\xe3\x83\x9c\xe3\x83\x83"
	  "\xe3\x82\xaf\xe3\x82\xb9\xe5\x90\x8d\xe5\x89\x8d",
	  "28e75ef609891f495500f8b5519fc6b9" },
	{ "&Jjo-!", "\xe2\x98\xba!", NULL },
	{ "", "", NULL },
	{ "&-", "&", NULL },
	{ "A&-B&-", "A&B&", NULL },
	{ "&-&APw-&-", "&\xc3\xbc&", NULL },
	{ "&APw-&-&APw-", "\xc3\xbc&\xc3\xbc", NULL },
	{ "&APwA,AD8-", "\xc3\xbc\xc3\xbc\xc3\xbc", NULL },
	{ "&2D3eAA-", "\xf0\x9f\x98\x80", NULL }, /* U+1F600 */
	{ "&2D3eANg93gE-", "\xf0\x9f\x98\x80\xf0\x9f\x98\x81", NULL },
	{ "&2,,f,w-", "\xf4\x8f\xbf\xbf", NULL }, /* U+10FFFF */
	{ "&AAE-", "\x01", NULL },                /* controls are encoded */
	{ "&AH8-", "\x7f", NULL },
	{ "&,,0-", "\xef\xbf\xbd", NULL }, /* U+FFFD */
	{ "-a-b-", "-a-b-", NULL },
};

/* What is no modified UTF-7, and what it would have to be. */
static const struct {
	const char *rule;
	const char *wire;
} invalid[] = {
	{ "an end is missing", "&" },
	{ "an end is missing behind digits", "A&APw" },
	{ "not a digit", "&AP!-" },
	{ "the digit of ordinary base64", "&U/BTFw-" },
	{ "padding", "&APw=-" },
	{ "half a unit", "&AP-" },
	{ "one digit only", "&A-" },
	{ "fill bits are not zero", "&APx-" },
	{ "a digit too many", "&APwA-" },
	{ "what prints stands for itself", "&AGE-" },
	{ "the ampersand, too", "&ACY-" },
	{ "printable among others", "&APwAYQ-" },
	{ "a null shift", "&APw-&APw-" },
	{ "a high surrogate alone", "&2D0-" },
	{ "a high surrogate before another", "&2D3YPQ-" },
	{ "a low surrogate alone", "&3gA-" },
	{ "NUL", "&AAA-" },
	{ "8-bit octets", "Entw\xc3\xbcrfe" },
	{ "a control character", "a\tb" },
	{ "DEL", "a\x7f" },
};

static const struct {
	const char *rule;
	const char *utf8;
} invalid_utf8[] = {
	{ "a lone continuation", "\x80" },
	{ "cut short", "a\xc3" },
	{ "cut short by another", "\xe2\x82(" },
	{ "overlong", "\xc0\xaf" },
	{ "overlong of three", "\xe0\x80\xaf" },
	{ "overlong of four", "\xf0\x80\x80\xaf" },
	{ "a surrogate", "\xed\xa0\x80" },
	{ "above U+10FFFF", "\xf4\x90\x80\x80" },
	{ "no lead", "\xff" },
	{ "five octets", "\xf8\x88\x80\x80\x80" },
};

static void names_decode_and_encode(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct buf out;

		buf_init(&out, 100);
		assert_ok(imap_mailbox_utf8(str_of(names[i].wire), &out));
		assert_str(buf_str(&out), names[i].utf8);
		buf_clear(&out);
		assert_ok(imap_mailbox_utf7(str_of(names[i].utf8), &out));
		assert_str(buf_str(&out), names[i].wire);
		buf_reset(&out);
	}
}

static void hashes_are_those_of_the_decoded_name(void **state)
{
	char hash[IMAP_MAILBOX_HASH_LEN + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		if (names[i].hash == NULL)
			continue;
		imap_mailbox_hash(str_of(names[i].wire), hash);
		assert_string_equal(hash, names[i].hash);
	}
}

static void hash_of_inbox_has_no_case(void **state)
{
	char hash[IMAP_MAILBOX_HASH_LEN + 1];

	(void)state;
	imap_mailbox_hash(STR("inbox"), hash);
	assert_string_equal(hash, names[0].hash);
}

static void hash_of_an_invalid_name_is_that_of_its_octets(void **state)
{
	char hash[IMAP_MAILBOX_HASH_LEN + 1];

	(void)state;
	/* A server with UTF8=ACCEPT says it without an encoding. */
	imap_mailbox_hash(STR("Entw\xc3\xbcrfe"), hash);
	assert_string_equal(hash, "6935862f74f620598b6b2549c202aafa");
	imap_mailbox_hash(STR("Entw&APxrfe"), hash);
	assert_string_not_equal(hash, "6935862f74f620598b6b2549c202aafa");
}

static void invalid_names_are_refused_and_leave_nothing(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_ok(buf_adds(&out, "kept"));
	for (size_t i = 0; i < COUNT(invalid); i++) {
		if (imap_mailbox_utf8(str_of(invalid[i].wire), &out) !=
		    ERR_PARSE)
			fail_msg("%s", invalid[i].rule);
		assert_str(buf_str(&out), "kept");
	}
	for (size_t i = 0; i < COUNT(invalid_utf8); i++) {
		if (imap_mailbox_utf7(str_of(invalid_utf8[i].utf8), &out) !=
		    ERR_PARSE)
			fail_msg("%s", invalid_utf8[i].rule);
		assert_str(buf_str(&out), "kept");
	}
	assert_int_equal(imap_mailbox_utf8(STR("a\0b"), &out), ERR_PARSE);
	assert_int_equal(imap_mailbox_utf7(STR("a\0b"), &out), ERR_PARSE);
	buf_reset(&out);
}

static void ceiling_leaves_the_buffer_as_it_was(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	assert_ok(buf_adds(&out, "kept"));
	assert_int_equal(imap_mailbox_utf8(STR("a&APwA,AD8-"), &out),
	                 ERR_LIMIT);
	assert_str(buf_str(&out), "kept");
	assert_int_equal(imap_mailbox_utf7(STR("a\xc3\xbc"), &out), ERR_LIMIT);
	assert_str(buf_str(&out), "kept");
	buf_reset(&out);
}

/* add_char appends the UTF-8 of |code|. */
static void add_char(struct buf *out, uint32_t code)
{
	unsigned char c[4];
	size_t len = code < 0x80      ? 1
	             : code < 0x800   ? 2
	             : code < 0x10000 ? 3
	                              : 4;
	static const unsigned char marks[] = { 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len; i-- > 1; code >>= 6)
		c[i] = (unsigned char)(0x80 | (code & 63));
	c[0] = (unsigned char)(marks[len - 1] | code);
	assert_ok(buf_append(out, c, len));
}

/* Every character there is, after zero, one and two others, so that each of
 * the places in a group of digits is met. */
static void every_character_comes_back(void **state)
{
	struct buf utf8;
	struct buf wire;
	struct buf back;

	(void)state;
	buf_init(&utf8, 100);
	buf_init(&wire, 100);
	buf_init(&back, 100);
	for (uint32_t code = 1; code <= 0x10ffff; code++) {
		if (code == 0xd800)
			code = 0xe000;
		for (uint32_t i = 0; i < code % 3; i++)
			add_char(&utf8, 0xe4);
		add_char(&utf8, code);
		assert_ok(imap_mailbox_utf7(buf_str(&utf8), &wire));
		assert_ok(imap_mailbox_utf8(buf_str(&wire), &back));
		assert_true(str_eq(buf_str(&utf8), buf_str(&back)));
		buf_clear(&utf8);
		buf_clear(&wire);
		buf_clear(&back);
		/* A tenth of the planes where nobody lives. */
		if (code >= 0x20000)
			code += 9;
	}
	buf_reset(&utf8);
	buf_reset(&wire);
	buf_reset(&back);
}

static void inbox_has_no_case_and_other_names_do(void **state)
{
	(void)state;
	assert_true(imap_mailbox_is_inbox(STR("inBOX")));
	assert_false(imap_mailbox_is_inbox(STR("INBOX/Sub")));
	assert_false(imap_mailbox_is_inbox(STR("")));
	assert_true(imap_mailbox_eq(STR("inbox"), STR("INBOX")));
	assert_true(imap_mailbox_eq(STR("Work"), STR("Work")));
	assert_false(imap_mailbox_eq(STR("Work"), STR("work")));
	assert_false(imap_mailbox_eq(STR("inbox/a"), STR("INBOX/a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_decode_and_encode),
		cmocka_unit_test(hashes_are_those_of_the_decoded_name),
		cmocka_unit_test(hash_of_inbox_has_no_case),
		cmocka_unit_test(hash_of_an_invalid_name_is_that_of_its_octets),
		cmocka_unit_test(invalid_names_are_refused_and_leave_nothing),
		cmocka_unit_test(ceiling_leaves_the_buffer_as_it_was),
		cmocka_unit_test(every_character_comes_back),
		cmocka_unit_test(inbox_has_no_case_and_other_names_do),
	};

	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
