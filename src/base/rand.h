/* SPDX-License-Identifier: ISC */
/* rand - random bytes from the kernel, for tags, keys, ids and jitter. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* rand_bytes fills |out|; aborts if the kernel has no randomness to give. */
void rand_bytes(void *out, size_t len);

/* rand_below returns a uniform number in [0, bound), |bound| > 0. */
uint32_t rand_below(uint32_t bound);

#endif
