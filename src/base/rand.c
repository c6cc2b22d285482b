/* SPDX-License-Identifier: ISC */
/* rand - random bytes from the kernel. */
#include "base/rand.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *out, size_t len)
{
	char *at = out;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			/* Guessable keys are worse than none. */
			fputs("imapbell: no randomness\n", stderr);
			abort();
		}
		at += n;
		len -= (size_t)n;
	}
}

uint32_t rand_below(uint32_t bound)
{
	uint32_t skip;
	uint32_t value;

	assert(bound > 0);
	/* 2^32 mod bound: the values that would make small ones likelier. */
	skip = (UINT32_MAX - bound + 1) % bound;
	do {
		rand_bytes(&value, sizeof(value));
	} while (value < skip);
	return value % bound;
}
