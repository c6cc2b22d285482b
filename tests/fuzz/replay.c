/* SPDX-License-Identifier: ISC */
/*
 * replay - the main program of a fuzz target without libFuzzer: runs the files
 * of the corpus folder that is named, and each of them cut short, through the
 * target once.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static int replay(const char *folder, const char *name)
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
	for (size_t cut = 0; cut < len && cut < 512; cut++)
		once(bytes, cut);
	return 0;
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
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
		if (replay(argv[1], entry->d_name) != 0)
			return 1;
		count++;
	}
	(void)closedir(dir);
	(void)printf("%zu files\n", count);
	return count > 0 ? 0 : 1;
}
