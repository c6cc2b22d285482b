/* SPDX-License-Identifier: ISC */
/* scratch - a file of our own, for the tests of one program. */
#ifndef UNIT_SCRATCH_H
#define UNIT_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "unit/unit.h"

static char scratch_path[] = "/tmp/test_scratch.XXXXXX";

/* scratch_put makes the file hold |content| and nothing else. */
static void scratch_put(struct str content)
{
	FILE *f = fopen(scratch_path, "w");

	assert_non_null(f);
	if (content.len > 0)
		assert_int_equal(fwrite(content.data, 1, content.len, f),
		                 content.len);
	assert_ok(fclose(f));
}

/* For the set-up and the tear-down of the group. */
static int scratch_make(void **state)
{
	int fd = mkstemp(scratch_path);

	(void)state;
	if (fd < 0)
		return -1;
	return close(fd);
}

static int scratch_drop(void **state)
{
	(void)state;
	return unlink(scratch_path);
}

#endif
