/* SPDX-License-Identifier: ISC */
/* reply - Apple's "Handling notification responses from APNs" as a table. The
 * reasons of broadcast channels, which are never asked for, are not in it. */
#include "apns/reply.h"

#include <assert.h>
#include <jansson.h>

#include "base/err.h"

enum {
	RETRY_MAX_MS = 4 * 3600 * 1000,
	RETRY_AFTER_MAX_S = 3600,
	DEVICE_MIN_MS = 60 * 1000,
	DEVICE_MAX_MS = 15 * 60 * 1000,
	HOLD_MS = 5 * 60 * 1000,
	UPDATE_MS = 20 * 60 * 1000, /* Apple's least time between two */
};

static const struct apns_reply_row rows[] = {
	{ "", 200, APNS_DELIVERED },
	{ "BadCollapseId", 400, APNS_BUG },
	{ "BadDeviceToken", 400, APNS_TOKEN_BAD },
	{ "BadExpirationDate", 400, APNS_BUG },
	{ "BadMessageId", 400, APNS_BUG },
	{ "BadPriority", 400, APNS_BUG },
	{ "BadTopic", 400, APNS_TOPIC },
	{ "DeviceTokenNotForTopic", 400, APNS_TOKEN_TOPIC },
	{ "DuplicateHeaders", 400, APNS_BUG },
	{ "IdleTimeout", 400, APNS_RECONNECT },
	{ "InvalidPushType", 400, APNS_CREDENTIAL },
	{ "MissingDeviceToken", 400, APNS_BUG },
	{ "MissingTopic", 400, APNS_BUG },
	{ "PayloadEmpty", 400, APNS_BUG },
	{ "TopicDisallowed", 400, APNS_TOPIC },
	{ "BadCertificate", 403, APNS_CREDENTIAL },
	{ "BadCertificateEnvironment", 403, APNS_CREDENTIAL },
	/* Documented as ...KeyIdIn..., sent as ...KeyIn... too. */
	{ "BadEnvironmentKeyIdInToken", 403, APNS_CREDENTIAL },
	{ "BadEnvironmentKeyInToken", 403, APNS_CREDENTIAL },
	{ "ExpiredProviderToken", 403, APNS_CREDENTIAL },
	{ "Forbidden", 403, APNS_CREDENTIAL },
	{ "InvalidProviderToken", 403, APNS_CREDENTIAL },
	{ "MissingProviderToken", 403, APNS_CREDENTIAL },
	{ "UnrelatedKeyIdInToken", 403, APNS_RECONNECT },
	{ "BadPath", 404, APNS_BUG },
	{ "MethodNotAllowed", 405, APNS_BUG },
	{ "ExpiredToken", 410, APNS_TOKEN_GONE },
	{ "Unregistered", 410, APNS_TOKEN_GONE },
	{ "PayloadTooLarge", 413, APNS_BUG },
	{ "TooManyProviderTokenUpdates", 429, APNS_TOKEN_UPDATE },
	{ "TooManyRequests", 429, APNS_BUSY_DEVICE },
	{ "InternalServerError", 500, APNS_ERROR },
	{ "ServiceUnavailable", 503, APNS_BUSY },
	{ "Shutdown", 503, APNS_RECONNECT },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct {
	enum push_verdict verdict;
	enum push_scope scope;
} actions[] = {
	[APNS_DELIVERED] = { PUSH_DELIVERED, PUSH_SCOPE_ROW },
	[APNS_DROP] = { PUSH_DROP, PUSH_SCOPE_ROW },
	[APNS_BUG] = { PUSH_DROP, PUSH_SCOPE_ROW },
	[APNS_TOKEN_GONE] = { PUSH_UNREGISTER, PUSH_SCOPE_ROW },
	[APNS_TOKEN_BAD] = { PUSH_SUSPECT, PUSH_SCOPE_ROW },
	[APNS_TOKEN_TOPIC] = { PUSH_STALE, PUSH_SCOPE_ROW },
	[APNS_TOPIC] = { PUSH_HOLD, PUSH_SCOPE_ALL },
	[APNS_CREDENTIAL] = { PUSH_HOLD, PUSH_SCOPE_ALL },
	[APNS_TOKEN_UPDATE] = { PUSH_HOLD, PUSH_SCOPE_ALL },
	[APNS_BUSY_DEVICE] = { PUSH_LATER, PUSH_SCOPE_DEVICE },
	[APNS_BUSY] = { PUSH_LATER, PUSH_SCOPE_ALL },
	[APNS_ERROR] = { PUSH_LATER, PUSH_SCOPE_ROW },
	[APNS_RECONNECT] = { PUSH_LATER, PUSH_SCOPE_ROW },
};

static_assert(sizeof(actions) / sizeof(actions[0]) == APNS_ACTIONS,
              "every action has its verdict");

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

/* reason_of is what |root| (may be NULL) gives as its reason, or empty. */
static struct str reason_of(const json_t *root)
{
	const json_t *value = json_object_get(root, "reason");

	return str_new(json_string_value(value), json_string_length(value));
}

/* by_reason finds a row of |reason|, or NULL. */
static const struct apns_reply_row *by_reason(struct str reason)
{
	for (size_t i = 0; reason.len > 0 && i < ROWS; i++)
		if (str_eq(reason, str_of(rows[i].reason)))
			return &rows[i];
	return NULL;
}

/* by_body finds the row that a body names, or NULL. */
static const struct apns_reply_row *by_body(struct str body)
{
	json_t *root = body_load(body);
	const struct apns_reply_row *row = by_reason(reason_of(root));

	json_decref(root);
	return row;
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
	const struct apns_reply_row *row = by_body(body);

	return row != NULL ? row->reason : NULL;
}

bool apns_reply_blames_us(struct str body)
{
	const struct apns_reply_row *row = by_body(body);

	return row != NULL && row->action == APNS_CREDENTIAL;
}

/* look_up judges by the table, or by the status alone where that knows no
 * such reason with this status. 200 has no body. */
static void look_up(struct apns_reply *reply, struct str reason)
{
	bool is_ok = reply->status == 200;
	const struct apns_reply_row *row = is_ok ? &rows[0] : by_reason(reason);

	(void)log_safe(reason, &reply->said);
	reply->reason = row != NULL ? row->reason : "other";
	reply->is_known = row != NULL && row->status == reply->status;
	if (reply->is_known)
		reply->action = row->action;
	else if (reply->status >= 400 && reply->status < 500)
		reply->action = APNS_DROP;
	else
		reply->action = APNS_ERROR;
}

void apns_reply_parse(int status, struct str body, struct str retry_after,
                      struct apns_reply *reply_r)
{
	struct apns_reply reply = { .status = status };
	json_t *root = body_load(body);
	const json_t *timestamp = json_object_get(root, "timestamp");

	look_up(&reply, reason_of(root));
	if (json_is_integer(timestamp) && json_integer_value(timestamp) >= 0) {
		reply.has_timestamp = true;
		reply.timestamp_ms = json_integer_value(timestamp);
	}
	reply.retry_after_ms = retry_after_ms(retry_after);
	json_decref(root);
	*reply_r = reply;
}

/* doubled returns |ms| doubled |times| times, up to |max|. */
static uint64_t doubled(uint64_t ms, uint32_t times, uint64_t max)
{
	for (uint32_t i = 0; i < times && ms < max; i++)
		ms *= 2;
	return ms < max ? ms : max;
}

/* retry_ms: |retry_s|, doubled by each try up to the cap, +-20 %. */
static uint64_t retry_ms(const struct apns_reply_case *c, uint32_t tries)
{
	uint64_t first = (uint64_t)c->retry_s * 1000;
	uint64_t max = first > RETRY_MAX_MS ? first : RETRY_MAX_MS;
	uint64_t delay = doubled(first, tries, max);
	uint64_t jitter = delay * 2 / 5;

	return delay - jitter / 2 + c->random % (jitter + 1);
}

/* delay_ms is when what |reply| refused goes again. */
static uint64_t delay_ms(const struct apns_reply *reply,
                         const struct apns_reply_case *c)
{
	if (reply->action == APNS_RECONNECT && c->attempts == 0)
		return 0;
	if (reply->retry_after_ms > 0)
		return reply->retry_after_ms;
	if (reply->action == APNS_RECONNECT)
		return retry_ms(c, c->attempts - 1);
	if (reply->action == APNS_BUSY_DEVICE)
		return doubled(DEVICE_MIN_MS, c->attempts, DEVICE_MAX_MS);
	return retry_ms(c, c->attempts);
}

void apns_reply_judge(const struct apns_reply *reply,
                      const struct apns_reply_case *c,
                      struct push_result *result_r)
{
	struct push_result result = {
		.verdict = actions[reply->action].verdict,
		.scope = actions[reply->action].scope,
		.status = reply->status,
		.reason = reply->reason,
	};

	if (reply->action == APNS_TOPIC && c->other_topic)
		result.verdict = PUSH_STALE;
	if (result.verdict == PUSH_UNREGISTER)
		result.gone_ms =
			reply->has_timestamp ? reply->timestamp_ms : c->sent_ms;
	if (result.verdict == PUSH_LATER)
		result.delay_ms = delay_ms(reply, c);
	if (result.verdict == PUSH_HOLD)
		result.delay_ms = reply->action == APNS_TOKEN_UPDATE ? UPDATE_MS
		                                                     : HOLD_MS;
	*result_r = result;
}

const struct apns_reply_row *apns_reply_table(size_t *count_r)
{
	*count_r = ROWS;
	return rows;
}
