/* SPDX-License-Identifier: ISC */
/* Whatever is written of a value makes the same value again. */
#include <string.h>

#include "conf/conf_set.h"
#include "conf/conf_text.h"
#include "unit/unit.h"

/* text_of writes the value of |key| in |c| as a C string; valid until called
 * for the other |slot|. */
static const char *text_of(const struct conf *c, const struct conf_key *key,
                           size_t slot)
{
	static char texts[2][1024];
	struct buf b;

	buf_init(&b, sizeof(texts[0]));
	assert_ok(conf_text(c, key, &b));
	assert_ok(buf_append(&b, "", 1));
	memcpy(texts[slot], b.data, b.len);
	buf_reset(&b);
	return texts[slot];
}

/* again: what is written of |key| in |c| is written of what is made of it. */
static void again(const struct conf *c, const struct conf_key *key)
{
	struct err_detail detail = { "" };
	const char *text = text_of(c, key, 0);
	struct conf other = { 0 };

	conf_set_defaults(&other);
	if (conf_set_text(&other, key, text, "-o", &detail) != ERR_OK)
		fail_msg("%s", detail.text);
	assert_string_equal(text_of(&other, key, 1), text);
	conf_done(&other);
}

/* written: |value|, set after -o, is written as |text|. */
static void written(const char *path, const char *value, const char *text)
{
	const struct conf_key *key = conf_key_find(str_of(path));
	struct err_detail detail = { "" };
	struct conf c = { 0 };

	conf_set_defaults(&c);
	if (conf_set_text(&c, key, value, "-o", &detail) != ERR_OK)
		fail_msg("%s", detail.text);
	assert_string_equal(text_of(&c, key, 0), text);
	again(&c, key);
	conf_done(&c);
}

static void every_default_comes_back(void **state)
{
	struct conf c = { 0 };

	(void)state;
	conf_set_defaults(&c);
	for (size_t i = 0; i < conf_key_count; i++)
		again(&c, &conf_keys[i]);
	conf_done(&c);
}

static void every_type_comes_back(void **state)
{
	(void)state;
	written("push.merge_ms", "0x10", "16");
	written("push.wake", "FALSE", "false");
	written("log.level", "debug", "\"debug\"");
	written("push.allow", "()", "()");
	written("push.allow", "[ \"anna\", \"@b.example\" ]",
	        "(\"anna\", \"@b.example\")");
	written("tls.certificates",
	        "( { certificate = \"/a\"; }, { key = \"/k\"; certificate = "
	        "\"/b\"; } )",
	        "({ certificate = \"/a\"; }, { certificate = \"/b\"; key = "
	        "\"/k\"; })");
	written("listen",
	        "( \"imap://a:1\", { url = \"imap://b:2\"; proxy_protocol = "
	        "true; proxy_trusted = ( \"::1\" ); } )",
	        "({ url = \"imap://a:1\"; proxy_protocol = false; "
	        "proxy_trusted = (); }, { url = \"imap://b:2\"; "
	        "proxy_protocol = true; proxy_trusted = (\"::1\"); })");
}

static void strings_come_back_as_they_stand(void **state)
{
	(void)state;
	written("apns.topic", "", "\"\""); /* not set */
	written("apns.topic", "\"\"", "\"\"");
	written("apns.topic", "a b", "\"a b\"");
	written("apns.topic", "\"\"q\"\"", "\"\"q\"\"");
	written("apns.topic", "\"", "\"\"\"");
	written("apns.topic", "a\\n\"b\n\x01", "\"a\\n\"b\n\x01\"");
}

static void strings_in_lists_are_escaped(void **state)
{
	(void)state;
	written("push.allow", "(\"a\\\"b\\\\c\", \"\\n\\x01\\x7f \xc3\xa9\")",
	        "(\"a\\\"b\\\\c\", \"\\x0a\\x01\\x7f \xc3\xa9\")");
	written("push.deny", "(\"#no\", \"@include \\\"x\\\"\", \"/* no */\")",
	        "(\"#no\", \"@include \\\"x\\\"\", \"/* no */\")");
}

static void ceiling_holds(void **state)
{
	const struct conf_key *key = conf_key_find(STR("push.allow"));
	struct conf c = { 0 };
	struct buf b;

	(void)state;
	conf_set_defaults(&c);
	assert_ok(conf_set_text(&c, key, "(\"anna\", \"\\x01\")", "-o", NULL));
	for (size_t max = 0; max < strlen("(\"anna\", \"\\x01\")"); max++) {
		buf_init(&b, max);
		assert_int_equal(conf_text(&c, key, &b), ERR_LIMIT);
		buf_reset(&b);
	}
	conf_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_comes_back),
		cmocka_unit_test(every_type_comes_back),
		cmocka_unit_test(strings_come_back_as_they_stand),
		cmocka_unit_test(strings_in_lists_are_escaped),
		cmocka_unit_test(ceiling_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
