/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "unit/scratch.h"
#include "unit/unit.h"

/* expect reads |scratch_path| and compares. */
static void expect(const struct files *f, const char *text)
{
	size_t len = 0;
	struct buf out;
	char head[3];

	buf_init(&out, 100);
	assert_ok(buf_adds(&out, "+"));
	assert_ok(files_read(f, scratch_path, &out, NULL));
	assert_int_equal(out.len, 1 + strlen(text));
	assert_memory_equal(out.data + 1, text, strlen(text));
	buf_reset(&out);
	assert_ok(files_read_head(f, scratch_path, head, sizeof(head), &len,
	                          NULL));
	assert_int_equal(len, strlen(text) < 3 ? strlen(text) : 3);
	assert_memory_equal(head, text, len);
}

static void kept_file_outlives_the_disk(void **state)
{
	struct files f = { 0 };
	uint32_t mode = 0;

	(void)state;
	scratch_put(STR("first"));
	assert_int_equal(chmod(scratch_path, 0600), 0);
	files_keep(&f, scratch_path);
	scratch_put(STR("second, which nobody asked for"));
	assert_int_equal(chmod(scratch_path, 0644), 0);
	expect(&f, "first");
	assert_ok(files_mode(&f, scratch_path, &mode, NULL));
	assert_int_equal(mode, S_IFREG | 0600);
	assert_false(files_is_exposed(&f, scratch_path));
	files_done(&f);
	assert_int_equal(f.count, 0);
}

static void file_that_is_not_kept_is_read_from_the_disk(void **state)
{
	struct files f = { 0 };

	(void)state;
	scratch_put(STR("on disk"));
	assert_int_equal(chmod(scratch_path, 0604), 0);
	assert_ok(files_put(&f, STR("/another"), 0600, STR("kept")));
	expect(&f, "on disk");
	expect(NULL, "on disk");
	assert_true(files_is_exposed(&f, scratch_path));
	assert_true(files_is_exposed(NULL, scratch_path));
	files_done(&f);
}

static void later_content_takes_the_place(void **state)
{
	struct files f = { 0 };

	(void)state;
	scratch_put(STR("on disk"));
	assert_ok(files_put(&f, str_of(scratch_path), S_IFREG | 0600,
	                    STR("one")));
	assert_ok(files_put(&f, str_of(scratch_path), S_IFREG | 0604,
	                    STR("two")));
	assert_int_equal(f.count, 1);
	expect(&f, "two");
	assert_true(files_is_exposed(&f, scratch_path));
	files_done(&f);
}

static void what_cannot_be_kept_is_said_by_who_needs_it(void **state)
{
	struct err_detail detail = { "" };
	struct files f = { 0 };
	struct buf out;

	(void)state;
	files_keep(&f, NULL);
	files_keep(&f, "/nonexistent");
	files_keep(&f, "/");         /* a folder */
	files_keep(&f, "/dev/null"); /* no file, reading may use it up */
	assert_int_equal(f.count, 0);
	buf_init(&out, 10);
	assert_int_equal(files_read(&f, "/nonexistent", &out, &detail),
	                 ERR_NOT_FOUND);
	assert_non_null(strstr(detail.text, "/nonexistent"));
	assert_false(files_is_exposed(&f, "/nonexistent"));
	buf_reset(&out);
}

static void larger_than_the_ceiling_adds_nothing(void **state)
{
	char *big = calloc(1, FILES_MAX + 1);
	struct err_detail detail = { "" };
	struct files f = { 0 };
	struct buf out;

	(void)state;
	assert_non_null(big);
	assert_int_equal(files_put(&f, str_of(scratch_path), 0600,
	                           str_new(big, FILES_MAX + 1)),
	                 ERR_LIMIT);
	assert_int_equal(f.count, 0);
	assert_ok(files_put(&f, str_of(scratch_path), 0600, STR("12345")));
	buf_init(&out, 4);
	assert_int_equal(files_read(&f, scratch_path, &out, &detail),
	                 ERR_LIMIT);
	assert_string_equal(detail.text + strlen(scratch_path),
	                    ": larger than 4 bytes");
	assert_int_equal(out.len, 0);
	files_done(&f);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_file_outlives_the_disk),
		cmocka_unit_test(file_that_is_not_kept_is_read_from_the_disk),
		cmocka_unit_test(later_content_takes_the_place),
		cmocka_unit_test(what_cannot_be_kept_is_said_by_who_needs_it),
		cmocka_unit_test(larger_than_the_ceiling_adds_nothing),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_drop);
}
