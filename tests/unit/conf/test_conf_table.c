/* SPDX-License-Identifier: ISC */
/* Walks every row: what an operator may write for it, and what not. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_set.h"
#include "conf/conf_table.h"
#include "unit/conf_files.h"
#include "unit/unit.h"

/* The field of |key|, as its bytes stand. */
static const void *field(const struct conf *c, const struct conf_key *key)
{
	return (const char *)c + key->offset;
}

/* put_key writes a file in which the key's line is the second, and returns
 * the file's path. Keys have one dot or none. */
static const char *put_key(const struct conf_key *key, const char *value)
{
	char group[64], text[512];
	const char *dot = strchr(key->path, '.');

	if (dot == NULL) {
		snprintf(text, sizeof(text), "\n%s = %s;\n", key->path, value);
	} else {
		snprintf(group, sizeof(group), "%s", key->path);
		group[dot - key->path] = '\0';
		snprintf(text, sizeof(text), "%s = {\n%s = %s; };\n", group,
		         dot + 1, value);
	}
	return files_put("x.conf", text);
}

/* load_key reads the key from a file. */
static int load_key(struct conf *c, const struct conf_key *key,
                    const char *value, struct err_detail *detail)
{
	int rc = conf_set_file(c, put_key(key, value), detail);

	files_clear(NULL);
	return rc;
}

/* wants the value refused with file, line and key, and the default kept. */
static void refused(const struct conf_key *key, const char *value)
{
	struct err_detail detail = { "" };
	struct conf c = { 0 };
	char where[128];

	conf_set_defaults(&c);
	assert_int_equal(load_key(&c, key, value, &detail), ERR_INVALID);
	snprintf(where, sizeof(where), "%s:2: ", files_path("x.conf"));
	assert_ptr_equal(strstr(detail.text, where), detail.text);
	assert_non_null(strstr(detail.text, key->path));
	assert_string_equal(conf_origin(&c, key->path), "default");
	conf_done(&c);

	conf_set_defaults(&c);
	if (key->type != CONF_STRING && key->type != CONF_CHOICE) {
		assert_int_equal(conf_set_text(&c, key, value, "-o", &detail),
		                 ERR_INVALID);
		assert_ptr_equal(strstr(detail.text, "-o: "), detail.text);
		assert_non_null(strstr(detail.text, key->path));
	}
	conf_done(&c);
}

static void paths_are_unique_and_plain(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		const char *dot = strchr(key->path, '.');

		assert_ptr_equal(conf_key_find(str_of(key->path)), key);
		assert_int_equal(
			strspn(key->path, "abcdefghijklmnopqrstuvwxyz_."),
			strlen(key->path));
		assert_true(dot == NULL || strchr(dot + 1, '.') == NULL);
		assert_false(conf_key_is_group(str_of(key->path)));
	}
	assert_null(conf_key_find(STR("listen.url")));
	assert_null(conf_key_find(STR("tls")));
	assert_null(conf_key_find(STR("")));
	assert_true(conf_key_is_group(STR("tls")));
	assert_false(conf_key_is_group(STR("tl")));
	assert_false(conf_key_is_group(STR("")));
}

static void fields_do_not_overlap(void **state)
{
	static const size_t sizes[] = {
		[CONF_STRING] = sizeof(char *),
		[CONF_CHOICE] = sizeof(char *),
		[CONF_NUMBER] = sizeof(unsigned),
		[CONF_BOOL] = sizeof(bool),
		[CONF_STRINGS] = sizeof(struct conf_strings),
		[CONF_GROUPS] = sizeof(struct conf_listens),
	};

	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		size_t end = conf_keys[i].offset + sizes[conf_keys[i].type];

		assert_true(end <= sizeof(struct conf));
		for (size_t j = 0; j < conf_key_count; j++)
			assert_true(i == j || conf_keys[j].offset >= end ||
			            conf_keys[j].offset +
			                            sizes[conf_keys[j].type] <=
			                    conf_keys[i].offset);
	}
}

/* The text of a default, in a file, gives the value it has without one. */
static void default_may_be_written_out(void **state)
{
	struct conf defaults = { 0 };

	(void)state;
	conf_set_defaults(&defaults);
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		struct conf c = { 0 };
		char value[128];
		bool text =
			key->type == CONF_STRING || key->type == CONF_CHOICE;

		if (key->fallback == NULL)
			continue;
		snprintf(value, sizeof(value), text ? "\"%s\"" : "%s",
		         key->fallback);
		assert_ok(load_key(&c, key, value, NULL));
		if (text)
			assert_string_equal(
				*(char *const *)field(&c, key),
				*(char *const *)field(&defaults, key));
		else if (key->type == CONF_NUMBER)
			assert_memory_equal(field(&c, key),
			                    field(&defaults, key),
			                    sizeof(unsigned));
		else if (key->type == CONF_BOOL)
			assert_memory_equal(field(&c, key),
			                    field(&defaults, key),
			                    sizeof(bool));
		else
			assert_int_equal(c.listen.count, 1);
		conf_done(&c);
	}
	conf_done(&defaults);
}

static void keys_without_default_are_not_set(void **state)
{
	struct conf c = { 0 };

	(void)state;
	conf_set_defaults(&c);
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];

		if (key->fallback != NULL)
			continue;
		if (strcmp(key->path, "process.workers") == 0)
			continue; /* the machine says */
		assert_true(key->type == CONF_STRING ||
		            key->type == CONF_STRINGS ||
		            key->type == CONF_GROUPS);
		assert_null(*(char *const *)field(&c, key));
	}
	conf_done(&c);
}

static void ends_of_a_range_are_in_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		struct conf c = { 0 };
		char value[32];

		if (key->type != CONF_NUMBER)
			continue;
		assert_true(key->min < key->max);
		snprintf(value, sizeof(value), "%u", key->min);
		assert_ok(load_key(&c, key, value, NULL));
		assert_int_equal(*(const unsigned *)field(&c, key), key->min);
		snprintf(value, sizeof(value), "%u", key->max);
		assert_ok(load_key(&c, key, value, NULL));
		assert_int_equal(*(const unsigned *)field(&c, key), key->max);
		conf_done(&c);
	}
}

static void out_of_range_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		char value[32];

		if (key->type != CONF_NUMBER)
			continue;
		snprintf(value, sizeof(value), "%d", (int)key->min - 1);
		refused(key, value);
		snprintf(value, sizeof(value), "%u", key->max + 1);
		refused(key, value);
		/* As 64 bits, and one that is in the range modulo 2^32. */
		refused(key, "9223372036854775807L");
		snprintf(value, sizeof(value), "%lluL",
		         4294967296ULL + key->min);
		refused(key, value);
	}
}

static void times_are_one_or_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		struct str path = str_of(conf_keys[i].path);

		if (str_ends(path, STR("_s")) || str_ends(path, STR("_ms")))
			assert_int_equal(conf_keys[i].min, 1);
	}
}

static void wrong_type_is_refused(void **state)
{
	static const char *const values[] = {
		"\"words\"", "1",          "1.5",       "true", "(1)",
		"[ true ]",  "{ a = 1; }", "((\"a\"))", "()",
	};

	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];

		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]);
		     j++) {
			const char *v = values[j];

			if (strcmp(v, "\"words\"") == 0 &&
			    key->type == CONF_STRING)
				continue;
			if (strcmp(v, "1") == 0 && key->type == CONF_NUMBER)
				continue;
			if (strcmp(v, "true") == 0 && key->type == CONF_BOOL)
				continue;
			if (strcmp(v, "()") == 0 &&
			    (key->type == CONF_STRINGS ||
			     key->type == CONF_GROUPS))
				continue;
			refused(key, v);
		}
	}
}

static void each_word_of_a_choice_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		struct str rest;

		if (key->type != CONF_CHOICE)
			continue;
		rest = str_of(key->choices);
		while (rest.len > 0) {
			size_t end = str_find(rest, ' ');
			struct str word = str_take(
				&rest, end == SIZE_MAX ? rest.len : end);
			struct conf c = { 0 };
			char value[64] = "\"";

			str_byte(&rest, ' ');
			assert_true(word.len < sizeof(value) - 2);
			memcpy(value + 1, word.data, word.len);
			value[1 + word.len] = '"';
			assert_ok(load_key(&c, key, value, NULL));
			assert_str(word, *(char *const *)field(&c, key));
			conf_done(&c);
		}
		refused(key, "\"\"");
		refused(key, "\"x\"");
		refused(key, "\" \"");
	}
}

/* uncomment takes away each "#" that stands directly before a setting or the
 * lines of an entry; prose has a space after it. */
static void uncomment(char *text)
{
	char *to = text;

	for (char *from = text; *from != '\0'; from++) {
		bool starts =
			from == text || from[-1] == '\n' || from[-1] == '\t';

		if (!(starts && *from == '#' && from[1] != ' '))
			*to++ = *from;
	}
	*to = '\0';
}

static void sample_sets_every_key_to_its_default(void **state)
{
	static char text[65536];
	char path[512];
	const char *root = getenv("SOURCE_ROOT");
	struct conf c = { 0 }, defaults = { 0 };
	size_t len;
	FILE *f;

	(void)state;
	if (root == NULL)
		skip(); /* not run by meson */
	snprintf(path, sizeof(path), "%s/etc/imapbell.conf", root);
	conf_set_defaults(&defaults);
	conf_set_defaults(&c);
	assert_ok(conf_set_file(&c, path, NULL));
	for (size_t i = 0; i < conf_key_count; i++)
		assert_string_equal(conf_origin(&c, conf_keys[i].path),
		                    "default");

	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	assert_ok(fclose(f));
	assert_in_range(len, 1, sizeof(text) - 2);
	uncomment(text);
	assert_ok(conf_set_file(&c, files_put("sample", text), NULL));
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *key = &conf_keys[i];

		assert_string_not_equal(conf_origin(&c, key->path), "default");
		if (key->fallback == NULL)
			continue;
		if (key->type == CONF_STRING || key->type == CONF_CHOICE)
			assert_string_equal(
				*(char *const *)field(&c, key),
				*(char *const *)field(&defaults, key));
		else if (key->type == CONF_NUMBER)
			assert_int_equal(
				*(const unsigned *)field(&c, key),
				*(const unsigned *)field(&defaults, key));
		else if (key->type == CONF_BOOL)
			assert_int_equal(*(const bool *)field(&c, key),
			                 *(const bool *)field(&defaults, key));
	}
	conf_done(&c);
	conf_done(&defaults);
	files_clear(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_unique_and_plain),
		cmocka_unit_test(fields_do_not_overlap),
		cmocka_unit_test(default_may_be_written_out),
		cmocka_unit_test(keys_without_default_are_not_set),
		cmocka_unit_test(ends_of_a_range_are_in_it),
		cmocka_unit_test(out_of_range_is_refused),
		cmocka_unit_test(times_are_one_or_more),
		cmocka_unit_test(wrong_type_is_refused),
		cmocka_unit_test(each_word_of_a_choice_is_taken),
		cmocka_unit_test(sample_sets_every_key_to_its_default),
	};

	return cmocka_run_group_tests_name("conf_table", tests, files_begin,
	                                   files_end);
}
