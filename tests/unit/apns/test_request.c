/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "apns/request.h"
#include "base/err.h"
#include "unit/unit.h"

#define NOW_MS ((int64_t)1795341600123)

static const struct apns_request_opts background = {
	.authority = "api.push.apple.com",
	.push_type = "background",
	.priority = 5,
	.expiration_s = 86400,
};

static struct push_job job_of(const char *token, const char *topic)
{
	return (struct push_job){
		.registration_id = 7,
		.device_token = str_of(token),
		.topic = str_of(topic),
	};
}

static struct h2_header header(const struct apns_request *r, const char *name)
{
	for (size_t i = 0; i < r->h2.header_count; i++)
		if (str_eq(r->h2.headers[i].name, str_of(name)))
			return r->h2.headers[i];
	return (struct h2_header){ STR_NULL, STR_NULL, false };
}

static void request_is_what_apple_documents(void **state)
{
	struct push_job job = job_of("00Ff00112233445566778899aabbccDD",
	                             "com.apple.mobilemail.push.org.example");
	struct apns_request r;

	(void)state;
	assert_ok(apns_request_fill(&r, &background, &job, STR("{}"), NOW_MS));
	assert_str(r.h2.method, "POST");
	assert_str(r.h2.scheme, "https");
	assert_str(r.h2.authority, "api.push.apple.com");
	assert_str(r.h2.path, "/3/device/00ff00112233445566778899aabbccdd");
	assert_str(r.h2.body, "{}");
	assert_int_equal(r.h2.header_count, 5);
	assert_str(header(&r, "apns-topic").value,
	           "com.apple.mobilemail.push.org.example");
	assert_str(header(&r, "apns-push-type").value, "background");
	assert_str(header(&r, "apns-priority").value, "5");
	assert_str(header(&r, "apns-expiration").value, "1795428000");
}

static void only_what_changes_stays_out_of_the_table(void **state)
{
	struct push_job job = job_of("00112233445566778899aabbccddeeff", "a.b");
	struct apns_request r;

	(void)state;
	assert_ok(apns_request_fill(&r, &background, &job, STR("{}"), NOW_MS));
	assert_false(header(&r, "apns-topic").no_index);
	assert_false(header(&r, "apns-push-type").no_index);
	assert_false(header(&r, "apns-priority").no_index);
	assert_true(header(&r, "apns-expiration").no_index);
	assert_true(header(&r, "apns-id").no_index);
}

static void priority_0_and_expiration_0(void **state)
{
	struct push_job job = job_of("00112233445566778899aabbccddeeff", "a.b");
	struct apns_request_opts opts = background;
	struct apns_request r;

	(void)state;
	opts.priority = 0;
	opts.expiration_s = 0;
	assert_ok(apns_request_fill(&r, &opts, &job, STR("{}"), NOW_MS));
	assert_int_equal(r.h2.header_count, 4);
	assert_null(header(&r, "apns-priority").name.data);
	assert_str(header(&r, "apns-expiration").value, "0");
}

static void id_is_a_random_uuid_in_lower_case(void **state)
{
	struct push_job job = job_of("00112233445566778899aabbccddeeff", "a.b");
	struct apns_request a;
	struct apns_request b;

	(void)state;
	assert_ok(apns_request_fill(&a, &background, &job, STR("{}"), NOW_MS));
	assert_ok(apns_request_fill(&b, &background, &job, STR("{}"), NOW_MS));
	assert_string_not_equal(a.id, b.id);
	assert_str(header(&a, "apns-id").value, a.id);
	assert_int_equal(strlen(a.id), APNS_ID_LEN);
	for (size_t i = 0; i < APNS_ID_LEN; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(a.id[i], '-');
		else
			assert_non_null(strchr("0123456789abcdef", a.id[i]));
	}
	assert_int_equal(a.id[14], '4');
	assert_non_null(strchr("89ab", a.id[19]));
}

static void bad_token_or_topic_is_never_sent(void **state)
{
	static const char hex32[] = "00112233445566778899aabbccddeeff";
	char token[203];
	struct apns_request r;
	struct push_job job = job_of(hex32, "a.b");

	(void)state;
	memset(token, 'a', sizeof(token));
	for (size_t len = 0; len <= sizeof(token); len++) {
		bool good = len >= 32 && len <= 200 && len % 2 == 0;

		job.device_token = str_new(token, len);
		assert_int_equal(apns_request_fill(&r, &background, &job,
		                                   STR("{}"), NOW_MS),
		                 good ? 0 : ERR_INVALID);
	}
	job = job_of("0011223344556677/8899aabbccddeef", "a.b");
	assert_int_equal(
		apns_request_fill(&r, &background, &job, STR("{}"), NOW_MS),
		ERR_INVALID);
	job = job_of(hex32, "");
	assert_int_equal(
		apns_request_fill(&r, &background, &job, STR("{}"), NOW_MS),
		ERR_INVALID);
	job = job_of(hex32, "a\r\nb: c");
	assert_int_equal(
		apns_request_fill(&r, &background, &job, STR("{}"), NOW_MS),
		ERR_INVALID);
}

static void topic_is_at_most_255_bytes(void **state)
{
	char topic[256];

	(void)state;
	memset(topic, 'a', sizeof(topic));
	assert_true(apns_topic_is_valid(str_new(topic, 255)));
	assert_false(apns_topic_is_valid(str_new(topic, 256)));
	assert_false(apns_topic_is_valid(STR_NULL));
	assert_false(apns_topic_is_valid(str_new("a\0b", 3)));
	assert_true(apns_topic_is_valid(STR("com.apple-x.Mail_1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_what_apple_documents),
		cmocka_unit_test(only_what_changes_stays_out_of_the_table),
		cmocka_unit_test(priority_0_and_expiration_0),
		cmocka_unit_test(id_is_a_random_uuid_in_lower_case),
		cmocka_unit_test(bad_token_or_topic_is_never_sent),
		cmocka_unit_test(topic_is_at_most_255_bytes),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
