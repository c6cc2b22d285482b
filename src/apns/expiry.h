/* SPDX-License-Identifier: ISC */
/* expiry - how near the end of a credential is. Time is an argument. */
#ifndef APNS_EXPIRY_H
#define APNS_EXPIRY_H

#include <stdint.h>

/* In the order of time. */
enum expiry {
	EXPIRY_FAR,
	EXPIRY_30_DAYS, /* less than that is left */
	EXPIRY_14_DAYS,
	EXPIRY_7_DAYS,
	EXPIRY_1_DAY,
	EXPIRY_OVER,
	EXPIRY_LONG_OVER, /* for a day: it is not merely late */
	EXPIRIES
};

/* expiry_of tells it for what ends at |not_after_ms|; times are those of day.
 */
enum expiry expiry_of(int64_t not_after_ms, int64_t now_ms);

/* expiry_wait_ms is how long until that changes; INT64_MAX: never. */
int64_t expiry_wait_ms(int64_t not_after_ms, int64_t now_ms);

#endif
