/* SPDX-License-Identifier: ISC */
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

static void every_row_is_found_by_its_answer(void **state)
{
	const struct apns_reply_row *rows;
	size_t count;

	(void)state;
	rows = apns_reply_table(&count);
	assert_true(count > 30);
	for (size_t i = 0; i < count; i++) {
		struct push_result r;
		char body[128];

		(void)snprintf(body, sizeof(body), "{\"reason\":\"%s\"}",
		               rows[i].reason);
		r = judged(rows[i].status, rows[i].status == 200 ? "" : body,
		           "", &first);
		assert_int_equal(r.status, rows[i].status);
		assert_string_equal(r.reason, rows[i].reason);
		assert_int_equal(r.verdict, rows[i].verdict);
		assert_int_equal(r.delay_ms > 0, r.verdict == PUSH_LATER);
		assert_int_equal(r.gone_ms > 0, r.verdict == PUSH_UNREGISTER);
		for (size_t j = 0; j < i; j++)
			assert_false(rows[i].status == rows[j].status &&
			             strcmp(rows[i].reason, rows[j].reason) ==
			                     0);
	}
}

static void only_200_and_410_settle(void **state)
{
	const struct apns_reply_row *rows;
	size_t count;

	(void)state;
	rows = apns_reply_table(&count);
	for (size_t i = 0; i < count; i++) {
		enum push_verdict want = PUSH_LATER;

		if (rows[i].status == 200)
			want = PUSH_DELIVERED;
		if (rows[i].status == 410)
			want = PUSH_UNREGISTER;
		assert_int_equal(rows[i].verdict, want);
	}
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

/* What is not understood must never cost a registration. */
static void unclear_answer_goes_again(void **state)
{
	static const struct {
		int status;
		const char *body;
		const char *reason;
	} cases[] = {
		{ 410, "", "other" },
		{ 410, "<html>", "other" },
		{ 410, "{\"reason\":\"Gone\",\"timestamp\":1}", "other" },
		{ 410, "{\"reason\":\"BadTopic\"}", "BadTopic" },
		{ 410, "[{\"reason\":\"Unregistered\"}]", "other" },
		{ 410, "{\"reason\":\"Unregistered\",\"reason\":\"x\"}",
		  "other" },
		{ 410, "{\"reason\":\"Unregistered\"} x", "other" },
		{ 410, "{\"reason\":\"unregistered\"}", "other" },
		{ 410, "{\"reason\":\"\"}", "other" },
		{ 410, "{\"reason\":7}", "other" },
		{ 410, "{\"reason\":\"Unregistered\\u0000\"}", "other" },
		{ 500, "", "other" },
		{ 502, "Bad Gateway", "other" },
		{ 404, "{\"reason\":\"Unregistered\"}", "Unregistered" },
		{ 301, "", "other" },
		{ 204, "", "other" },
		{ 599, "{\"reason\":\"New\"}", "other" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct push_result r =
			judged(cases[i].status, cases[i].body, "", &first);

		assert_int_equal(r.verdict, PUSH_LATER);
		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(r.reason, cases[i].reason);
		assert_true(r.delay_ms > 0);
	}
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
		cmocka_unit_test(only_200_and_410_settle),
		cmocka_unit_test(delivered_whatever_the_body),
		cmocka_unit_test(gone_since_its_timestamp),
		cmocka_unit_test(
			gone_without_usable_timestamp_means_since_sent),
		cmocka_unit_test(unclear_answer_goes_again),
		cmocka_unit_test(nested_or_long_body_is_other),
		cmocka_unit_test(goaway_data_may_name_a_reason),
		cmocka_unit_test(delay_doubles_up_to_four_hours),
		cmocka_unit_test(retry_s_at_its_ends),
		cmocka_unit_test(retry_after_goes_before),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
