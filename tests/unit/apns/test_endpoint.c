/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "apns/endpoint.h"
#include "unit/unit.h"

static void urls_are_read(void **state)
{
	static const struct {
		const char *url;
		const char *host;
		uint16_t port;
		const char *authority;
	} cases[] = {
		{ "https://api.push.apple.com", "api.push.apple.com", 443,
		  "api.push.apple.com" },
		{ "https://api.push.apple.com/", "api.push.apple.com", 443,
		  "api.push.apple.com" },
		{ "HTTPS://api.push.apple.com:2197", "api.push.apple.com", 2197,
		  "api.push.apple.com:2197" },
		{ "https://localhost:443", "localhost", 443, "localhost" },
		{ "https://127.0.0.1:65535", "127.0.0.1", 65535,
		  "127.0.0.1:65535" },
		{ "https://[::1]:8443/", "::1", 8443, "[::1]:8443" },
		{ "https://[2001:db8::1]", "2001:db8::1", 443,
		  "[2001:db8::1]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct apns_endpoint e;

		assert_ok(apns_endpoint_parse(str_of(cases[i].url), &e, NULL));
		assert_false(e.dry_run);
		assert_string_equal(e.host, cases[i].host);
		assert_int_equal(e.port, cases[i].port);
		assert_string_equal(e.authority, cases[i].authority);
	}
}

static void dry_run_goes_nowhere(void **state)
{
	struct apns_endpoint e;

	(void)state;
	assert_ok(apns_endpoint_parse(STR("dry-run"), &e, NULL));
	assert_true(e.dry_run);
}

static void anything_else_is_refused(void **state)
{
	static const char *const urls[] = {
		"",
		"dry-run ",
		"dry_run",
		"api.push.apple.com",
		"http://api.push.apple.com",
		"https://",
		"https:///",
		"https://host:",
		"https://host:0",
		"https://host:65536",
		"https://host:99999999999999999999",
		"https://host:443:443",
		"https://host/3/device",
		"https://host?x",
		"https://user:password@host",
		"https://ho st",
		"https://::1",
		"https://[::1",
		"https://::1]",
		"https://[]",
		"https://[::1]x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct apns_endpoint e = { .port = 4711 };
		struct err_detail detail = { "" };

		assert_int_equal(
			apns_endpoint_parse(str_of(urls[i]), &e, &detail),
			ERR_INVALID);
		assert_non_null(strstr(detail.text, "https://"));
		assert_int_equal(e.port, 4711);
	}
}

static void host_that_is_too_long_is_refused(void **state)
{
	int longest = APNS_HOST_MAX;
	struct apns_endpoint e;
	char url[300];

	(void)state;
	(void)snprintf(url, sizeof(url), "https://%0*d", longest, 0);
	assert_ok(apns_endpoint_parse(str_of(url), &e, NULL));
	assert_int_equal(strlen(e.host), longest);
	(void)snprintf(url, sizeof(url), "https://%0*d", longest + 1, 0);
	assert_int_equal(apns_endpoint_parse(str_of(url), &e, NULL),
	                 ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_read),
		cmocka_unit_test(dry_run_goes_nowhere),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(host_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
