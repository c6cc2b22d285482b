/* SPDX-License-Identifier: ISC */
/* conf_files - a directory of our own with configuration files in it. */
#ifndef UNIT_CONF_FILES_H
#define UNIT_CONF_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/unit.h"

static char files_folder[] = "/tmp/test_conf.XXXXXX";

/* The files one test makes; names are short. */
static char files_made[8][64];
static size_t files_count;

/* files_path is the path of |name|; valid for the next 15 calls. */
static const char *files_path(const char *name)
{
	static char paths[16][64];
	static size_t next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), "%s/%s", files_folder, name);
	return path;
}

/* files_put makes |name| hold |text| and returns its path. */
static const char *files_put(const char *name, const char *text)
{
	const char *path = files_path(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_ok(fclose(f));
	assert_true(files_count < 8);
	memcpy(files_made[files_count++], path, strlen(path) + 1);
	return path;
}

static int files_begin(void **state)
{
	(void)state;
	return mkdtemp(files_folder) == NULL ? -1 : 0;
}

/* files_clear removes what a test made. */
static int files_clear(void **state)
{
	(void)state;
	while (files_count > 0)
		unlink(files_made[--files_count]);
	return 0;
}

static int files_end(void **state)
{
	(void)state;
	return rmdir(files_folder);
}

#endif
