/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "unit/scratch.h"
#include "unit/unit.h"

static char big[65536 + 2];

static void holds_any_bytes_and_a_copy_of_its_own(void **state)
{
	char bytes[] = "pa\0ss\n\xff";
	struct secret *s = secret_new(str_new(bytes, 7));
	struct secret *copy = secret_copy(s);

	(void)state;
	memset(bytes, 'x', 7);
	assert_true(str_eq(secret_str(s), STR("pa\0ss\n\xff")));
	secret_free(&s);
	assert_null(s);
	assert_true(str_eq(secret_str(copy), STR("pa\0ss\n\xff")));
	secret_free(&copy);
}

static void nothing_is_freed_and_copied_as_nothing(void **state)
{
	struct secret *s = NULL;

	(void)state;
	secret_free(&s);
	assert_null(secret_copy(NULL));
}

static void length_is_limited_to_64_kib(void **state)
{
	struct secret *s;

	(void)state;
	assert_null(secret_new(str_new(big, 65537)));
	s = secret_new(str_new(big, 65536));
	assert_non_null(s);
	assert_int_equal(secret_str(s).len, 65536);
	secret_free(&s);
	s = secret_new(STR_NULL);
	assert_non_null(s);
	assert_int_equal(secret_str(s).len, 0);
	secret_free(&s);
}

static void equal_means_length_and_every_byte(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "", "", true },        { "abc", "abc", true },
		{ "abc", "abd", false }, { "abc", "xbc", false },
		{ "abc", "ab", false },  { "", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret *a = secret_new(str_of(rows[i].a));
		struct secret *b = secret_new(str_of(rows[i].b));

		assert_int_equal(secret_eq(a, b), rows[i].equal);
		secret_free(&a);
		secret_free(&b);
	}
}

static void fork_leaves_the_child_an_empty_secret(void **state)
{
	struct secret *s = secret_new(STR("password"));
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		size_t len = secret_str(s).len;

		secret_free(&s);
		_exit(len == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* Valgrind's kernel interface may not know MADV_WIPEONFORK. */
	if (getenv("VALGRIND") == NULL)
		assert_int_equal(status, 0);
	assert_str(secret_str(s), "password");
	secret_free(&s);
}

/* page_of is the page in which |s| lies. */
static uintptr_t page_of(const struct secret *s)
{
	return (uintptr_t)secret_str(s).data & ~((uintptr_t)getpagesize() - 1);
}

static bool is_mapped(uintptr_t page)
{
	unsigned char is_in[1];

	return mincore((void *)page, 1, is_in) == 0;
}

static void short_ones_share_a_page_and_touch_no_other(void **state)
{
	static char text[100];
	struct secret *all[32];
	uintptr_t page;

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		memset(text, (int)('A' + i), sizeof(text));
		all[i] = secret_new(str_new(text, sizeof(text)));
	}
	page = page_of(all[0]);
	for (size_t i = 0; i < COUNT(all); i++) {
		memset(text, (int)('A' + i), sizeof(text));
		assert_true(str_eq(secret_str(all[i]),
		                   str_new(text, sizeof(text))));
		assert_int_equal(page_of(all[i]), page);
		secret_free(&all[i]);
	}
}

static void what_is_freed_is_wiped_beside_those_that_stay(void **state)
{
	static const char none[8];
	struct secret *stays = secret_new(STR("stays"));
	struct secret *goes = secret_new(STR("password"));
	const char *bytes = secret_str(goes).data;

	(void)state;
	assert_int_equal(page_of(goes), page_of(stays));
	secret_free(&goes);
	assert_memory_equal(bytes, none, sizeof(none));
	goes = secret_new(STR("next"));
	assert_ptr_equal(secret_str(goes).data, bytes);
	assert_str(secret_str(stays), "stays");
	secret_free(&goes);
	secret_free(&stays);
}

static void of_empty_pages_one_is_kept(void **state)
{
	struct secret *all[100];
	uintptr_t pages[100];
	size_t left = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		all[i] = secret_new(STR("password"));
		pages[i] = page_of(all[i]);
	}
	assert_true(pages[99] != pages[0]);
	for (size_t i = 0; i < COUNT(all); i++)
		secret_free(&all[i]);
	for (size_t i = 0; i < COUNT(all); i++)
		left += is_mapped(pages[i]);
	assert_in_range(left, 1, 32);
}

/* They are not locked in a child. */
static void pages_of_before_a_fork_are_not_used_in_the_child(void **state)
{
	struct secret *s = secret_new(STR("password"));
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct secret *own = secret_new(STR("own"));
		struct secret *next = secret_new(STR("next"));
		bool ok = page_of(own) != page_of(s) &&
		          page_of(own) == page_of(next);

		secret_free(&s);
		secret_free(&next);
		secret_free(&own);
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	secret_free(&s);
}

static int read_line(struct str content, struct secret **s_r,
                     struct err_detail *detail)
{
	scratch_put(content);
	return secret_read_line(NULL, scratch_path, s_r, detail);
}

static void read_line_drops_the_line_end_and_what_follows(void **state)
{
	static const struct {
		struct str content;
		const char *line;
	} rows[] = {
		{ { "pass", 4 }, "pass" },
		{ { "pass\n", 5 }, "pass" },
		{ { "pass\r\n", 6 }, "pass" },
		{ { " p s \nnext\n", 11 }, " p s " },
		{ { "pass\r", 5 }, "pass\r" },
		{ { "\n", 1 }, "" },
		{ { "\r\n", 2 }, "" },
		{ { "", 0 }, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct secret *s = NULL;

		assert_ok(read_line(rows[i].content, &s, NULL));
		assert_str(secret_str(s), rows[i].line);
		secret_free(&s);
	}
}

static void read_line_takes_the_longest_line_whatever_follows(void **state)
{
	struct secret *s = NULL;

	(void)state;
	memset(big, 'x', 65536);
	memcpy(big + 65536, "\r\n", 2);
	assert_ok(read_line(str_new(big, sizeof(big)), &s, NULL));
	assert_int_equal(secret_str(s).len, 65536);
	secret_free(&s);
	memcpy(big, "a\n", 2);
	assert_ok(read_line(str_new(big, sizeof(big)), &s, NULL));
	assert_str(secret_str(s), "a");
	secret_free(&s);
}

static void read_line_names_the_file_and_never_its_content(void **state)
{
	struct err_detail detail = { "" };
	struct secret *s = NULL;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_int_equal(read_line(str_new(big, 65537), &s, &detail),
	                 ERR_LIMIT);
	assert_non_null(strstr(detail.text, scratch_path));
	assert_null(strstr(detail.text, "xxxxxxx"));
	assert_int_equal(secret_read_line(NULL, "/nonexistent", &s, &detail),
	                 ERR_NOT_FOUND);
	assert_non_null(strstr(detail.text, "/nonexistent"));
	assert_int_equal(secret_read_line(NULL, "/", &s, NULL), ERR_IO);
	assert_null(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_any_bytes_and_a_copy_of_its_own),
		cmocka_unit_test(nothing_is_freed_and_copied_as_nothing),
		cmocka_unit_test(length_is_limited_to_64_kib),
		cmocka_unit_test(equal_means_length_and_every_byte),
		cmocka_unit_test(fork_leaves_the_child_an_empty_secret),
		cmocka_unit_test(short_ones_share_a_page_and_touch_no_other),
		cmocka_unit_test(what_is_freed_is_wiped_beside_those_that_stay),
		cmocka_unit_test(of_empty_pages_one_is_kept),
		cmocka_unit_test(
			pages_of_before_a_fork_are_not_used_in_the_child),
		cmocka_unit_test(read_line_drops_the_line_end_and_what_follows),
		cmocka_unit_test(
			read_line_takes_the_longest_line_whatever_follows),
		cmocka_unit_test(
			read_line_names_the_file_and_never_its_content),
	};

	return cmocka_run_group_tests_name("secret", tests, scratch_make,
	                                   scratch_drop);
}
