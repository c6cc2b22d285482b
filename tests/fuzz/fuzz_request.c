/* SPDX-License-Identifier: ISC */
/*
 * The head of an HTTP request. However it comes in parts, there is one verdict,
 * at the first octet that allows one, and it stays; a path is a part of what
 * was read or "/", and has nothing in it that cannot be seen.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/input.h"
#include "status/request.h"

/* parse reads the first |len| octets, in a block of just that size. */
static int parse(struct str in, size_t len)
{
	struct request r = { .path = STR_NULL };
	char *block = malloc(len > 0 ? len : 1);
	int rc;

	assert(block != NULL);
	if (len > 0)
		memcpy(block, in.data, len);
	rc = request_parse(str_new(block, len), &r);
	if (rc == ERR_OK) {
		assert(r.path.len == 0 || str_eq(r.path, STR("/")) ||
		       (r.path.data >= block &&
		        r.path.data + r.path.len <= block + len));
		for (size_t i = 0; i < r.path.len; i++)
			assert(r.path.data[i] > ' ' && r.path.data[i] < 0x7f &&
			       r.path.data[i] != '?');
	}
	free(block);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	int verdict = ERR_MORE;

	/* Octet by octet where that is cheap. */
	for (size_t len = 0; len <= in.len && len <= 512; len++) {
		int rc = parse(in, len);

		assert(verdict == ERR_MORE || rc == verdict);
		verdict = rc;
	}
	if (in.len > 512) {
		int rc = parse(in, in.len);

		assert(verdict == ERR_MORE || rc == verdict);
		assert(rc != ERR_MORE || in.len <= REQUEST_MAX);
	}
	return 0;
}
