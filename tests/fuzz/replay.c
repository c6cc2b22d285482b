/* SPDX-License-Identifier: ISC */
/*
 * replay - the main program of a fuzz target without libFuzzer: runs the files
 * of the corpus folder that is named, and each of them cut short in up to as
 * many places as are named behind it, through the target once.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fuzz/input.h"

/* once runs the target on a copy of exactly |len| bytes, so that a sanitizer
 * sees the first byte behind. */
static void once(const unsigned char *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, bytes, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static int replay(const char *folder, const char *name, size_t cuts)
{
	static unsigned char bytes[1 << 20];
	char path[4096];
	size_t len;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	len = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	once(bytes, len);
	for (size_t cut = 0; cut < len; cut += len / cuts + 1)
		once(bytes, cut);
	return 0;
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	size_t count = 0;
	uint64_t cuts = 0;
	struct str number;
	DIR *dir;

	number = str_of(argc == 3 ? argv[2] : NULL);
	if (str_number(&number, 4096, &cuts) != 0 || cuts == 0) {
		(void)fprintf(stderr, "usage: %s CORPUS-FOLDER CUTS\n",
		              argv[0]);
		return 64;
	}
	dir = opendir(argv[1]);
	if (dir == NULL) {
		perror(argv[1]);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (replay(argv[1], entry->d_name, cuts) != 0)
			return 1;
		count++;
	}
	(void)closedir(dir);
	(void)printf("%zu files\n", count);
	return count > 0 ? 0 : 1;
}
