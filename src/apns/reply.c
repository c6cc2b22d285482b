/* SPDX-License-Identifier: ISC */
/*
 * reply - Apple's "Handling notification responses from APNs" as a table. Of
 * all answers only 200 and 410 settle a push so far; everything else keeps the
 * row and goes again after a delay, which loses nothing.
 */
#include "apns/reply.h"

#include <jansson.h>

#include "base/err.h"

enum {
	RETRY_MAX_MS = 4 * 3600 * 1000,
	RETRY_AFTER_MAX_S = 3600,
};

static const struct apns_reply_row rows[] = {
	{ "", 200, PUSH_DELIVERED },
	{ "BadCollapseId", 400, PUSH_LATER },
	{ "BadDeviceToken", 400, PUSH_LATER },
	{ "BadExpirationDate", 400, PUSH_LATER },
	{ "BadMessageId", 400, PUSH_LATER },
	{ "BadPriority", 400, PUSH_LATER },
	{ "BadTopic", 400, PUSH_LATER },
	{ "DeviceTokenNotForTopic", 400, PUSH_LATER },
	{ "DuplicateHeaders", 400, PUSH_LATER },
	{ "IdleTimeout", 400, PUSH_LATER },
	{ "InvalidPushType", 400, PUSH_LATER },
	{ "MissingDeviceToken", 400, PUSH_LATER },
	{ "MissingTopic", 400, PUSH_LATER },
	{ "PayloadEmpty", 400, PUSH_LATER },
	{ "TopicDisallowed", 400, PUSH_LATER },
	{ "BadCertificate", 403, PUSH_LATER },
	{ "BadCertificateEnvironment", 403, PUSH_LATER },
	/* Documented as ...KeyIdIn..., sent as ...KeyIn... too. */
	{ "BadEnvironmentKeyIdInToken", 403, PUSH_LATER },
	{ "BadEnvironmentKeyInToken", 403, PUSH_LATER },
	{ "ExpiredProviderToken", 403, PUSH_LATER },
	{ "Forbidden", 403, PUSH_LATER },
	{ "InvalidProviderToken", 403, PUSH_LATER },
	{ "MissingProviderToken", 403, PUSH_LATER },
	{ "UnrelatedKeyIdInToken", 403, PUSH_LATER },
	{ "BadPath", 404, PUSH_LATER },
	{ "MethodNotAllowed", 405, PUSH_LATER },
	{ "ExpiredToken", 410, PUSH_UNREGISTER },
	{ "Unregistered", 410, PUSH_UNREGISTER },
	{ "PayloadTooLarge", 413, PUSH_LATER },
	{ "TooManyProviderTokenUpdates", 429, PUSH_LATER },
	{ "TooManyRequests", 429, PUSH_LATER },
	{ "InternalServerError", 500, PUSH_LATER },
	{ "ServiceUnavailable", 503, PUSH_LATER },
	{ "Shutdown", 503, PUSH_LATER },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* body_load parses a JSON object of at most APNS_REPLY_BODY_MAX bytes, which
 * also bounds how deep it nests (jansson stops at 2048). NULL if it is none. */
static json_t *body_load(struct str body)
{
	json_t *root;

	if (body.len == 0 || body.len > APNS_REPLY_BODY_MAX)
		return NULL;
	root = json_loadb(body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		return NULL;
	}
	return root;
}

/* reason_of finds the row's reason that |root| (may be NULL) names, or NULL. */
static const char *reason_of(const json_t *root)
{
	const json_t *value = json_object_get(root, "reason");
	struct str reason =
		str_new(json_string_value(value), json_string_length(value));

	if (reason.len == 0)
		return NULL;
	for (size_t i = 0; i < ROWS; i++)
		if (str_eq(reason, str_of(rows[i].reason)))
			return rows[i].reason;
	return NULL;
}

static const struct apns_reply_row *row_find(int status, const char *reason)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].status == status &&
		    str_eq(str_of(rows[i].reason), str_of(reason)))
			return &rows[i];
	return NULL;
}

/* RFC 9110 section 10.2.3: delay-seconds. The other form, a date, is not
 * documented for APNs and left out. */
static uint64_t retry_after_ms(struct str value)
{
	uint64_t seconds;
	int rc;

	rc = str_number(&value, RETRY_AFTER_MAX_S, &seconds);
	if (rc == ERR_LIMIT)
		return (uint64_t)RETRY_AFTER_MAX_S * 1000;
	if (rc != 0 || value.len > 0)
		return 0;
	return seconds * 1000;
}

const char *apns_reply_reason(struct str body)
{
	json_t *root = body_load(body);
	const char *reason = reason_of(root);

	json_decref(root);
	return reason;
}

void apns_reply_parse(int status, struct str body, struct str retry_after,
                      struct apns_reply *reply_r)
{
	struct apns_reply reply = { .status = status };
	json_t *root = body_load(body);
	const json_t *timestamp = json_object_get(root, "timestamp");

	/* 200 has no body; every other status has a reason. */
	reply.reason = status == 200 ? "" : reason_of(root);
	if (reply.reason == NULL)
		reply.reason = "other";
	reply.row = row_find(status, reply.reason);
	if (json_is_integer(timestamp) && json_integer_value(timestamp) >= 0) {
		reply.has_timestamp = true;
		reply.timestamp_ms = json_integer_value(timestamp);
	}
	reply.retry_after_ms = retry_after_ms(retry_after);
	json_decref(root);
	*reply_r = reply;
}

/* delay_ms: |retry_s| doubled by each attempt up to the cap, +-20 %. */
static uint64_t delay_ms(const struct apns_reply_case *c)
{
	uint64_t delay = (uint64_t)c->retry_s * 1000;
	uint64_t max = delay > RETRY_MAX_MS ? delay : RETRY_MAX_MS;
	uint64_t jitter;

	for (uint32_t i = 0; i < c->attempts && delay < max; i++)
		delay *= 2;
	if (delay > max)
		delay = max;
	jitter = delay * 2 / 5;
	return delay - jitter / 2 + c->random % (jitter + 1);
}

void apns_reply_judge(const struct apns_reply *reply,
                      const struct apns_reply_case *c,
                      struct push_result *result_r)
{
	struct push_result result = {
		.verdict = PUSH_LATER,
		.status = reply->status,
		.reason = reply->reason,
	};

	if (reply->row != NULL)
		result.verdict = reply->row->verdict;
	if (result.verdict == PUSH_UNREGISTER)
		result.gone_ms =
			reply->has_timestamp ? reply->timestamp_ms : c->sent_ms;
	if (result.verdict == PUSH_LATER)
		result.delay_ms = reply->retry_after_ms > 0
		                          ? reply->retry_after_ms
		                          : delay_ms(c);
	*result_r = result;
}

const struct apns_reply_row *apns_reply_table(size_t *count_r)
{
	*count_r = ROWS;
	return rows;
}
