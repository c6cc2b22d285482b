/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "unit/scratch.h"
#include "unit/unit.h"

static char big[10000];

static void whole_file_is_appended(void **state)
{
	struct buf out;

	(void)state;
	memset(big, 'x', sizeof(big));
	scratch_put(str_new(big, sizeof(big)));
	buf_init(&out, sizeof(big) + 2);
	assert_ok(buf_adds(&out, "a\n"));
	assert_ok(file_read(scratch_path, &out, NULL));
	assert_int_equal(out.len, sizeof(big) + 2);
	assert_memory_equal(out.data, "a\nxx", 4);
	buf_reset(&out);
}

static void empty_file_adds_nothing(void **state)
{
	struct buf out;

	(void)state;
	scratch_put(STR(""));
	buf_init(&out, 10);
	assert_ok(file_read(scratch_path, &out, NULL));
	assert_int_equal(out.len, 0);
}

static void larger_than_the_ceiling_adds_nothing(void **state)
{
	struct err_detail detail = { "" };
	struct buf out;

	(void)state;
	memset(big, 'x', sizeof(big));
	scratch_put(str_new(big, sizeof(big)));
	buf_init(&out, sizeof(big));
	assert_ok(buf_adds(&out, "a"));
	assert_int_equal(file_read(scratch_path, &out, &detail), ERR_LIMIT);
	assert_str(buf_str(&out), "a");
	assert_non_null(strstr(detail.text, scratch_path));
	buf_reset(&out);
}

static void missing_file_is_not_found(void **state)
{
	struct err_detail detail = { "" };
	struct buf out;

	(void)state;
	buf_init(&out, 10);
	assert_int_equal(file_read("/nonexistent/a", &out, &detail),
	                 ERR_NOT_FOUND);
	assert_string_equal(detail.text,
	                    "/nonexistent/a: No such file or directory");
	assert_int_equal(file_read("/dev/null/a", &out, NULL), ERR_NOT_FOUND);
}

static void directory_is_an_io_error(void **state)
{
	struct err_detail detail = { "" };
	struct buf out;

	(void)state;
	buf_init(&out, 10);
	assert_int_equal(file_read("/", &out, &detail), ERR_IO);
	assert_string_equal(detail.text, "/: Is a directory");
}

static void unreadable_file_is_a_permission_error(void **state)
{
	struct buf out;

	(void)state;
	if (geteuid() == 0)
		skip(); /* root reads everything */
	buf_init(&out, 10);
	assert_ok(chmod(scratch_path, 0));
	assert_int_equal(file_read(scratch_path, &out, NULL), ERR_PERMISSION);
	assert_ok(chmod(scratch_path, 0600));
}

static void head_stops_at_its_maximum(void **state)
{
	char out[4] = "____";
	size_t len = 99;

	(void)state;
	scratch_put(STR("abcdef"));
	assert_ok(file_read_head(scratch_path, out, 3, &len, NULL));
	assert_int_equal(len, 3);
	assert_memory_equal(out, "abc_", 4);
	scratch_put(STR("z"));
	assert_ok(file_read_head(scratch_path, out, 3, &len, NULL));
	assert_int_equal(len, 1);
	assert_memory_equal(out, "zbc_", 4);
}

static void failed_head_leaves_the_length_alone(void **state)
{
	char out[4];
	size_t len = 99;

	(void)state;
	assert_int_equal(file_read_head("/nonexistent", out, 3, &len, NULL),
	                 ERR_NOT_FOUND);
	assert_int_equal(file_read_head("/", out, 3, &len, NULL), ERR_IO);
	assert_int_equal(len, 99);
}

static void mode_is_that_of_the_file(void **state)
{
	struct err_detail detail = { "" };
	uint32_t mode = 0;

	(void)state;
	assert_int_equal(chmod(scratch_path, 0640), 0);
	assert_ok(file_mode(scratch_path, &mode, NULL));
	assert_int_equal(mode, S_IFREG | 0640);
	assert_int_equal(file_mode("/nonexistent", &mode, &detail),
	                 ERR_NOT_FOUND);
	assert_int_equal(mode, S_IFREG | 0640);
	assert_non_null(strstr(detail.text, "/nonexistent"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_file_is_appended),
		cmocka_unit_test(empty_file_adds_nothing),
		cmocka_unit_test(larger_than_the_ceiling_adds_nothing),
		cmocka_unit_test(missing_file_is_not_found),
		cmocka_unit_test(directory_is_an_io_error),
		cmocka_unit_test(unreadable_file_is_a_permission_error),
		cmocka_unit_test(head_stops_at_its_maximum),
		cmocka_unit_test(failed_head_leaves_the_length_alone),
		cmocka_unit_test(mode_is_that_of_the_file),
	};

	return cmocka_run_group_tests_name("file", tests, scratch_make,
	                                   scratch_drop);
}
