/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "apns/reply.h"
#include "base/buf.h"
#include "unit/unit.h"

#define HOUR_MS ((uint64_t)3600 * 1000)

static const struct apns_reply_case first = {
	.retry_s = 900,
	.attempts = 0,
	.sent_ms = 1795341600000,
	.random = 0,
};

static struct push_result judged(int status, const char *body,
                                 const char *retry_after,
                                 const struct apns_reply_case *c)
{
	struct apns_reply reply;
	struct push_result result;

	apns_reply_parse(status, str_of(body), str_of(retry_after), &reply);
	apns_reply_judge(&reply, c, &result);
	return result;
}

/* What each action comes to; of a device unless it says ALL. */
static const struct {
	enum push_verdict verdict;
	enum push_scope scope;
	uint64_t delay_ms; /* of the first try, without jitter */
} wanted[] = {
	[APNS_DELIVERED] = { PUSH_DELIVERED, PUSH_SCOPE_ROW, 0 },
	[APNS_DROP] = { PUSH_DROP, PUSH_SCOPE_ROW, 0 },
	[APNS_BUG] = { PUSH_DROP, PUSH_SCOPE_ROW, 0 },
	[APNS_TOKEN_GONE] = { PUSH_UNREGISTER, PUSH_SCOPE_ROW, 0 },
	[APNS_TOKEN_BAD] = { PUSH_SUSPECT, PUSH_SCOPE_ROW, 0 },
	[APNS_TOKEN_TOPIC] = { PUSH_STALE, PUSH_SCOPE_ROW, 0 },
	[APNS_TOPIC] = { PUSH_HOLD, PUSH_SCOPE_ALL, 300000 },
	[APNS_CREDENTIAL] = { PUSH_HOLD, PUSH_SCOPE_ALL, 300000 },
	[APNS_TOKEN_UPDATE] = { PUSH_HOLD, PUSH_SCOPE_ALL, 1200000 },
	[APNS_BUSY_DEVICE] = { PUSH_LATER, PUSH_SCOPE_DEVICE, 60000 },
	[APNS_BUSY] = { PUSH_LATER, PUSH_SCOPE_ALL, 720000 },
	[APNS_ERROR] = { PUSH_LATER, PUSH_SCOPE_ROW, 720000 },
	[APNS_RECONNECT] = { PUSH_LATER, PUSH_SCOPE_ROW, 0 },
};

static_assert(sizeof(wanted) / sizeof(wanted[0]) == APNS_ACTIONS,
              "every action is wanted");

static void every_row_is_found_by_its_answer(void **state)
{
	const struct apns_reply_row *rows;
	size_t count;

	(void)state;
	rows = apns_reply_table(&count);
	assert_true(count > 30);
	for (size_t i = 0; i < count; i++) {
		enum apns_action action = rows[i].action;
		struct push_result r;
		char body[128];

		(void)snprintf(body, sizeof(body), "{\"reason\":\"%s\"}",
		               rows[i].reason);
		r = judged(rows[i].status, rows[i].status == 200 ? "" : body,
		           "", &first);
		assert_int_equal(r.status, rows[i].status);
		assert_string_equal(r.reason, rows[i].reason);
		assert_int_equal(r.verdict, wanted[action].verdict);
		assert_int_equal(r.scope, wanted[action].scope);
		assert_int_equal(r.delay_ms, wanted[action].delay_ms);
		assert_int_equal(r.gone_ms > 0, action == APNS_TOKEN_GONE);
		for (size_t j = 0; j < i; j++)
			assert_false(rows[i].status == rows[j].status &&
			             strcmp(rows[i].reason, rows[j].reason) ==
			                     0);
	}
}

/* Apple's list, and what is done about it. */
static void every_documented_answer_has_its_action(void **state)
{
	static const struct {
		enum apns_action action;
		int status;
		const char *reasons; /* a space after each */
	} documented[] = {
		{ APNS_BUG, 400,
		  "BadCollapseId BadExpirationDate BadMessageId BadPriority "
		  "DuplicateHeaders MissingDeviceToken MissingTopic "
		  "PayloadEmpty " },
		{ APNS_TOKEN_BAD, 400, "BadDeviceToken " },
		{ APNS_TOPIC, 400, "BadTopic TopicDisallowed " },
		{ APNS_TOKEN_TOPIC, 400, "DeviceTokenNotForTopic " },
		{ APNS_RECONNECT, 400, "IdleTimeout " },
		{ APNS_CREDENTIAL, 400, "InvalidPushType " },
		{ APNS_CREDENTIAL, 403,
		  "BadCertificate BadCertificateEnvironment "
		  "BadEnvironmentKeyIdInToken BadEnvironmentKeyInToken "
		  "ExpiredProviderToken Forbidden InvalidProviderToken "
		  "MissingProviderToken " },
		{ APNS_RECONNECT, 403, "UnrelatedKeyIdInToken " },
		{ APNS_BUG, 404, "BadPath " },
		{ APNS_BUG, 405, "MethodNotAllowed " },
		{ APNS_TOKEN_GONE, 410, "ExpiredToken Unregistered " },
		{ APNS_BUG, 413, "PayloadTooLarge " },
		{ APNS_TOKEN_UPDATE, 429, "TooManyProviderTokenUpdates " },
		{ APNS_BUSY_DEVICE, 429, "TooManyRequests " },
		{ APNS_ERROR, 500, "InternalServerError " },
		{ APNS_BUSY, 503, "ServiceUnavailable " },
		{ APNS_RECONNECT, 503, "Shutdown " },
	};

	size_t found = 0;
	size_t count;

	(void)state;
	for (size_t i = 0; i < sizeof(documented) / sizeof(documented[0]);
	     i++) {
		struct str rest = str_of(documented[i].reasons);

		while (rest.len > 0) {
			struct str reason =
				str_take(&rest, str_find(rest, ' '));
			struct apns_reply reply;
			struct buf body;

			(void)str_byte(&rest, ' ');
			buf_init(&body, 128);
			assert_ok(buf_printf(&body, "{\"reason\":\"%.*s\"}",
			                     (int)reason.len, reason.data));
			apns_reply_parse(documented[i].status, buf_str(&body),
			                 STR_NULL, &reply);
			buf_reset(&body);
			assert_true(reply.is_known);
			assert_int_equal(reply.action, documented[i].action);
			found++;
		}
	}
	(void)apns_reply_table(&count);
	assert_int_equal(found + 1, count); /* and 200 */
}

static void delivered_whatever_the_body(void **state)
{
	static const char *const bodies[] = { "", "{}", "x",
		                              "{\"reason\":\"BadTopic\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct push_result r = judged(200, bodies[i], "", &first);

		assert_int_equal(r.verdict, PUSH_DELIVERED);
		assert_string_equal(r.reason, "");
	}
}

static void gone_since_its_timestamp(void **state)
{
	struct push_result r = judged(
		410,
		"{\"reason\":\"Unregistered\",\"timestamp\":1454948015990}", "",
		&first);

	(void)state;
	assert_int_equal(r.verdict, PUSH_UNREGISTER);
	assert_true(r.gone_ms == 1454948015990);
}

static void gone_without_usable_timestamp_means_since_sent(void **state)
{
	static const char *const bodies[] = {
		"{\"reason\":\"Unregistered\"}",
		"{\"reason\":\"ExpiredToken\",\"timestamp\":\"1\"}",
		"{\"reason\":\"Unregistered\",\"timestamp\":-1}",
		"{\"reason\":\"Unregistered\",\"timestamp\":null}",
		"{\"reason\":\"Unregistered\",\"timestamp\":1e3}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct push_result r = judged(410, bodies[i], "", &first);

		assert_int_equal(r.verdict, PUSH_UNREGISTER);
		assert_true(r.gone_ms == first.sent_ms);
	}
}

/* What is not understood never costs a registration. The status decides
 * whether it costs the push. */
static void unknown_answer_goes_by_its_status(void **state)
{
	static const struct {
		const char *body;
		const char *reason;
		int status;
		enum push_verdict verdict;
	} cases[] = {
		{ "", "other", 410, PUSH_DROP },
		{ "<html>", "other", 410, PUSH_DROP },
		{ "{\"reason\":\"Gone\",\"timestamp\":1}", "other", 410,
		  PUSH_DROP },
		{ "{\"reason\":\"BadTopic\"}", "BadTopic", 410, PUSH_DROP },
		{ "[{\"reason\":\"Unregistered\"}]", "other", 410, PUSH_DROP },
		{ "{\"reason\":\"Unregistered\",\"reason\":\"x\"}", "other",
		  410, PUSH_DROP },
		{ "{\"reason\":\"Unregistered\"} x", "other", 410, PUSH_DROP },
		{ "{\"reason\":\"unregistered\"}", "other", 410, PUSH_DROP },
		{ "{\"reason\":\"\"}", "other", 410, PUSH_DROP },
		{ "{\"reason\":7}", "other", 410, PUSH_DROP },
		{ "{\"reason\":\"Unregistered\\u0000\"}", "other", 410,
		  PUSH_DROP },
		{ "{\"reason\":\"Unregistered\"}", "Unregistered", 404,
		  PUSH_DROP },
		{ "{\"reason\":\"BadPayload\"}", "other", 400, PUSH_DROP },
		{ "", "other", 499, PUSH_DROP },
		{ "", "other", 500, PUSH_LATER },
		{ "Bad Gateway", "other", 502, PUSH_LATER },
		{ "{\"reason\":\"BadCertificate\"}", "BadCertificate", 503,
		  PUSH_LATER },
		{ "", "other", 301, PUSH_LATER },
		{ "", "other", 204, PUSH_LATER },
		{ "{\"reason\":\"New\"}", "other", 599, PUSH_LATER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct push_result r =
			judged(cases[i].status, cases[i].body, "", &first);

		assert_int_equal(r.verdict, cases[i].verdict);
		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(r.reason, cases[i].reason);
		assert_int_equal(r.scope, PUSH_SCOPE_ROW);
		assert_int_equal(r.delay_ms > 0, r.verdict == PUSH_LATER);
	}
}

static void what_the_peer_said_is_fit_for_the_log(void **state)
{
	struct apns_reply reply;

	(void)state;
	apns_reply_parse(400, STR("{\"reason\":\"a\\n\\\"b\"}"), STR_NULL,
	                 &reply);
	assert_string_equal(reply.reason, "other");
	assert_string_equal(reply.said.text, "a\\x0a\\x22b");
	apns_reply_parse(502, STR("<html>"), STR_NULL, &reply);
	assert_string_equal(reply.said.text, "");
}

static void topic_of_another_credential_is_the_registrations_fault(void **state)
{
	static const char *const bodies[] = {
		"{\"reason\":\"TopicDisallowed\"}",
		"{\"reason\":\"BadTopic\"}",
	};
	struct apns_reply_case c = first;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		c.other_topic = false;
		assert_int_equal(judged(400, bodies[i], "", &c).verdict,
		                 PUSH_HOLD);
		c.other_topic = true;
		assert_int_equal(judged(400, bodies[i], "", &c).verdict,
		                 PUSH_STALE);
	}
	assert_int_equal(
		judged(403, "{\"reason\":\"Forbidden\"}", "", &c).verdict,
		PUSH_HOLD);
}

static void nested_or_long_body_is_other(void **state)
{
	struct apns_reply reply;
	struct buf body;

	(void)state;
	buf_init(&body, 5000);
	for (int i = 0; i < 4096; i++)
		assert_ok(buf_adds(&body, "["));
	apns_reply_parse(410, buf_str(&body), STR_NULL, &reply);
	assert_string_equal(reply.reason, "other");
	buf_clear(&body);
	assert_ok(buf_adds(&body, "{\"reason\":\"Unregistered\"}"));
	while (body.len < 4096)
		assert_ok(buf_adds(&body, " "));
	apns_reply_parse(410, buf_str(&body), STR_NULL, &reply);
	assert_string_equal(reply.reason, "Unregistered");
	assert_ok(buf_adds(&body, " "));
	apns_reply_parse(410, buf_str(&body), STR_NULL, &reply);
	assert_string_equal(reply.reason, "other");
	buf_reset(&body);
}

static void goaway_data_may_name_a_reason(void **state)
{
	(void)state;
	assert_string_equal(
		apns_reply_reason(STR("{\"reason\":\"BadCertificate\"}")),
		"BadCertificate");
	assert_null(apns_reply_reason(STR("")));
	assert_null(apns_reply_reason(STR("Maximum active streams")));
	assert_null(apns_reply_reason(STR("{\"reason\":\"x\"}")));
	assert_null(apns_reply_reason(STR("{\"reason\":\"\"}")));
	assert_true(
		apns_reply_blames_us(STR("{\"reason\":\"BadCertificate\"}")));
	assert_false(apns_reply_blames_us(STR("{\"reason\":\"Shutdown\"}")));
	assert_false(apns_reply_blames_us(STR("")));
}

static void delay_doubles_up_to_four_hours(void **state)
{
	static const uint64_t want_s[] = { 900,   1800,  3600,  7200,
		                           14400, 14400, 14400, 14400 };
	struct apns_reply_case c = first;

	(void)state;
	for (size_t i = 0; i < sizeof(want_s) / sizeof(want_s[0]); i++) {
		uint64_t base = want_s[i] * 1000;

		c.attempts = (uint32_t)i;
		c.random = 0;
		assert_int_equal(judged(500, "", "", &c).delay_ms,
		                 base - base / 5);
		c.random = (uint32_t)(base / 5);
		assert_int_equal(judged(500, "", "", &c).delay_ms, base);
		c.random = (uint32_t)(base / 5 * 2);
		assert_int_equal(judged(500, "", "", &c).delay_ms,
		                 base + base / 5);
	}
	c.attempts = UINT32_MAX;
	c.random = UINT32_MAX;
	assert_true(judged(500, "", "", &c).delay_ms <= 5 * HOUR_MS);
}

static void device_waits_from_a_minute_to_fifteen(void **state)
{
	static const uint64_t want_s[] = { 60, 120, 240, 480, 900, 900 };
	struct apns_reply_case c = first;

	(void)state;
	for (size_t i = 0; i < sizeof(want_s) / sizeof(want_s[0]); i++) {
		c.attempts = (uint32_t)i;
		assert_int_equal(
			judged(429, "{\"reason\":\"TooManyRequests\"}", "", &c)
				.delay_ms,
			want_s[i] * 1000);
	}
	c.attempts = UINT32_MAX;
	assert_int_equal(judged(429, "{\"reason\":\"TooManyRequests\"}", "", &c)
	                         .delay_ms,
	                 900000);
}

static void over_connection_is_tried_again_at_once_but_once(void **state)
{
	struct apns_reply_case c = first;

	(void)state;
	assert_int_equal(
		judged(503, "{\"reason\":\"Shutdown\"}", "60", &c).delay_ms, 0);
	c.attempts = 1;
	assert_int_equal(
		judged(503, "{\"reason\":\"Shutdown\"}", "", &c).delay_ms,
		720000);
	c.attempts = 2;
	assert_int_equal(
		judged(400, "{\"reason\":\"IdleTimeout\"}", "", &c).delay_ms,
		1440000);
}

static void retry_s_at_its_ends(void **state)
{
	struct apns_reply_case c = first;

	(void)state;
	c.retry_s = 1;
	assert_int_equal(judged(500, "", "", &c).delay_ms, 800);
	c.attempts = 3;
	assert_int_equal(judged(500, "", "", &c).delay_ms, 6400);
	/* Longer than the cap: the operator's word. */
	c.retry_s = 86400;
	assert_int_equal(judged(500, "", "", &c).delay_ms,
	                 24 * HOUR_MS / 5 * 4);
	c.retry_s = UINT32_MAX;
	c.attempts = UINT32_MAX;
	assert_true(judged(500, "", "", &c).delay_ms > 0);
}

static void retry_after_goes_before(void **state)
{
	static const struct {
		const char *value;
		uint64_t delay_ms;
	} cases[] = {
		{ "5", 5000 },
		{ "3600", HOUR_MS },
		{ "3601", HOUR_MS },
		{ "99999999999999999999999", HOUR_MS },
		{ "0", 720000 },
		{ "", 720000 },
		{ "-5", 720000 },
		{ "5 ", 720000 },
		{ "5.5", 720000 },
		{ "Wed, 21 Oct 2026 07:28:00 GMT", 720000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(judged(503,
		                        "{\"reason\":\"ServiceUnavailable\"}",
		                        cases[i].value, &first)
		                         .delay_ms,
		                 cases[i].delay_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_answer),
		cmocka_unit_test(every_documented_answer_has_its_action),
		cmocka_unit_test(delivered_whatever_the_body),
		cmocka_unit_test(gone_since_its_timestamp),
		cmocka_unit_test(
			gone_without_usable_timestamp_means_since_sent),
		cmocka_unit_test(unknown_answer_goes_by_its_status),
		cmocka_unit_test(what_the_peer_said_is_fit_for_the_log),
		cmocka_unit_test(
			topic_of_another_credential_is_the_registrations_fault),
		cmocka_unit_test(nested_or_long_body_is_other),
		cmocka_unit_test(goaway_data_may_name_a_reason),
		cmocka_unit_test(delay_doubles_up_to_four_hours),
		cmocka_unit_test(device_waits_from_a_minute_to_fifteen),
		cmocka_unit_test(
			over_connection_is_tried_again_at_once_but_once),
		cmocka_unit_test(retry_s_at_its_ends),
		cmocka_unit_test(retry_after_goes_before),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
