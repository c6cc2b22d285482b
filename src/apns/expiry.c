/* SPDX-License-Identifier: ISC */
/* expiry - see expiry.h. */
#include "apns/expiry.h"

#include <assert.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* Less than this is left. */
static const int64_t left_ms[] = {
	[EXPIRY_FAR] = INT64_MAX,       [EXPIRY_30_DAYS] = 30 * DAY_MS,
	[EXPIRY_14_DAYS] = 14 * DAY_MS, [EXPIRY_7_DAYS] = 7 * DAY_MS,
	[EXPIRY_1_DAY] = DAY_MS,        [EXPIRY_OVER] = 0,
	[EXPIRY_LONG_OVER] = -DAY_MS,
};

static_assert(sizeof(left_ms) / sizeof(left_ms[0]) == EXPIRIES,
              "every stage has its time");

enum expiry expiry_of(int64_t not_after_ms, int64_t now_ms)
{
	unsigned int stage = EXPIRY_LONG_OVER;

	while (stage > EXPIRY_FAR && not_after_ms - now_ms >= left_ms[stage])
		stage--;
	return (enum expiry)stage;
}

int64_t expiry_wait_ms(int64_t not_after_ms, int64_t now_ms)
{
	unsigned int next = expiry_of(not_after_ms, now_ms) + 1;

	if (next == EXPIRIES)
		return INT64_MAX;
	return not_after_ms - now_ms - left_ms[next] + 1;
}
