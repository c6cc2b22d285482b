/* SPDX-License-Identifier: ISC */
/*
 * An answer of APNs: two bytes of status, Retry-After up to a NUL, the body.
 * Whatever it holds, only a clear 200 delivers, only a clear 410 unregisters.
 */
#include <assert.h>
#include <string.h>

#include "apns/reply.h"
#include "fuzz/input.h"

#define MAX_MS ((uint64_t)5 * 3600 * 1000)

static void check(const struct push_result *result)
{
	bool refused = result->status >= 400 && result->status < 500;

	assert(result->reason != NULL);
	switch (result->verdict) {
	case PUSH_DELIVERED:
		assert(result->status == 200);
		break;
	case PUSH_UNREGISTER:
		assert(result->status == 410);
		assert(result->gone_ms >= 0);
		assert(strcmp(result->reason, "Unregistered") == 0 ||
		       strcmp(result->reason, "ExpiredToken") == 0);
		break;
	case PUSH_LATER:
		assert(result->delay_ms <= MAX_MS);
		break;
	case PUSH_AGAIN: /* only without an answer */
		assert(0);
		break;
	case PUSH_SUSPECT:
		assert(strcmp(result->reason, "BadDeviceToken") == 0);
		break;
	case PUSH_HOLD:
		assert(refused && result->delay_ms > 0);
		break;
	case PUSH_STALE:
	case PUSH_DROP:
		assert(refused);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct apns_reply_case c = { .retry_s = 900, .sent_ms = 1 };
	struct str head = str_take(&in, 2);
	struct str retry_after;
	struct apns_reply reply;
	struct push_result result;
	size_t end;
	int status;

	if (head.len < 2)
		return 0;
	status = (unsigned char)head.data[0] << 8 | (unsigned char)head.data[1];
	end = str_find(in, '\0');
	retry_after = str_take(&in, end == SIZE_MAX ? in.len : end);
	(void)str_take(&in, 1);
	apns_reply_parse(status, in, retry_after, &reply);
	c.attempts = (uint32_t)in.len;
	c.random = (uint32_t)in.len * 2654435761U;
	apns_reply_judge(&reply, &c, &result);
	check(&result);
	(void)apns_reply_reason(in);
	return 0;
}
