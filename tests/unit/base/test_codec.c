/* SPDX-License-Identifier: ISC */
#include "base/codec.h"
#include "base/err.h"
#include "base/rand.h"
#include "unit/unit.h"

/* RFC 4648 section 10, and the two digits that are no letters. */
static const struct {
	const char *plain;
	const char *base64;
} vectors[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/" },
};

enum { VECTORS = sizeof(vectors) / sizeof(vectors[0]) };

static void base64_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct buf out;

		buf_init(&out, 100);
		assert_ok(codec_base64(str_of(vectors[i].plain), &out));
		assert_str(buf_str(&out), vectors[i].base64);
		buf_reset(&out);
	}
}

static void unbase64_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		struct buf out;

		buf_init(&out, 100);
		assert_ok(codec_unbase64(str_of(vectors[i].base64), &out));
		assert_str(buf_str(&out), vectors[i].plain);
		buf_reset(&out);
	}
}

static void base64_round_trip_of_any_bytes(void **state)
{
	(void)state;
	for (size_t len = 0; len < 300; len++) {
		char bytes[300];
		struct buf text;
		struct buf back;

		rand_bytes(bytes, len);
		buf_init(&text, 400);
		buf_init(&back, 300);
		assert_ok(codec_base64(str_new(bytes, len), &text));
		assert_ok(codec_unbase64(buf_str(&text), &back));
		assert_true(str_eq(buf_str(&back), str_new(bytes, len)));
		buf_reset(&text);
		buf_reset(&back);
	}
}

static void refused(struct str in)
{
	struct buf out;

	buf_init(&out, 100);
	assert_ok(buf_adds(&out, "kept"));
	assert_int_equal(codec_unbase64(in, &out), ERR_PARSE);
	assert_str(buf_str(&out), "kept");
	buf_reset(&out);
}

static void unbase64_refuses_nonzero_unused_bits(void **state)
{
	(void)state;
	refused(STR("Zh=="));
	refused(STR("Zv=="));
	refused(STR("Zm9="));
	refused(STR("Zm9vZm9="));
}

static void unbase64_refuses_missing_or_wrong_padding(void **state)
{
	(void)state;
	refused(STR("Zg"));
	refused(STR("Zg="));
	refused(STR("Zm8"));
	refused(STR("="));
	refused(STR("=="));
	refused(STR("===="));
	refused(STR("A==="));
	refused(STR("Zg==Zg=="));
	refused(STR("Zm9v="));
	refused(STR("Zm9v===="));
	refused(STR("Z=g="));
}

static void unbase64_refuses_other_characters(void **state)
{
	(void)state;
	refused(STR("Zm9v\r\n"));
	refused(STR("Zm 9v"));
	refused(STR(" Zm9"));
	refused(STR("Zm9vZm9*"));
	refused(STR("-_-_"));
	refused(STR("Zm\0v"));
	refused(STR("Zm\xff\xff"));
}

static void base64_limit_leaves_the_output_alone(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 7);
	assert_ok(buf_adds(&out, "kept"));
	assert_int_equal(codec_base64(STR("f"), &out), ERR_LIMIT);
	assert_int_equal(codec_unbase64(STR("Zm9vYg=="), &out), ERR_LIMIT);
	assert_int_equal(codec_hex(STR("ab"), &out), ERR_LIMIT);
	assert_str(buf_str(&out), "kept");
	assert_ok(codec_unbase64(STR("Zm9v"), &out)); /* exactly full */
	assert_str(buf_str(&out), "keptfoo");
	buf_reset(&out);
}

static void hex_is_lower_case(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_ok(codec_hex(STR("\0\x7f\xab\xff"), &out));
	assert_str(buf_str(&out), "007fabff");
	buf_reset(&out);
}

static void is_hex_wants_digits_only_and_one_at_least(void **state)
{
	(void)state;
	assert_true(codec_is_hex(STR("0123456789abcdefABCDEF")));
	assert_true(codec_is_hex(STR("a")));
	assert_false(codec_is_hex(STR("")));
	assert_false(codec_is_hex(STR_NULL));
	assert_false(codec_is_hex(STR("g")));
	assert_false(codec_is_hex(STR("0x12")));
	assert_false(codec_is_hex(STR("12 ")));
	assert_false(codec_is_hex(STR("12\0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(unbase64_vectors),
		cmocka_unit_test(base64_round_trip_of_any_bytes),
		cmocka_unit_test(unbase64_refuses_nonzero_unused_bits),
		cmocka_unit_test(unbase64_refuses_missing_or_wrong_padding),
		cmocka_unit_test(unbase64_refuses_other_characters),
		cmocka_unit_test(base64_limit_leaves_the_output_alone),
		cmocka_unit_test(hex_is_lower_case),
		cmocka_unit_test(is_hex_wants_digits_only_and_one_at_least),
	};

	return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
