/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "conf/url.h"
#include "unit/unit.h"

static void scheme_host_and_port(void **state)
{
	static const struct {
		const char *text;
		enum conf_scheme scheme;
		const char *host;
		uint16_t port;
	} good[] = {
		{ "imaps://mail.example.org", CONF_IMAPS, "mail.example.org",
		  993 },
		{ "imap://mail.example.org", CONF_IMAP, "mail.example.org",
		  143 },
		{ "imap+starttls://a", CONF_IMAP_STARTTLS, "a", 143 },
		{ "https://api.push.apple.com", CONF_HTTPS,
		  "api.push.apple.com", 443 },
		{ "IMAPS://Mail.Example.ORG:1", CONF_IMAPS, "Mail.Example.ORG",
		  1 },
		{ "imaps://127.0.0.1:0", CONF_IMAPS, "127.0.0.1", 0 },
		{ "imaps://*:993", CONF_IMAPS, "*", 993 },
		{ "imaps://*", CONF_IMAPS, "*", 993 },
		{ "imap://a:65535", CONF_IMAP, "a", 65535 },
		{ "imap://a:00143", CONF_IMAP, "a", 143 },
		{ "imap://a/", CONF_IMAP, "a", 143 },
		{ "imap://a:144/", CONF_IMAP, "a", 144 },
		{ "imaps://[::1]", CONF_IMAPS, "::1", 993 },
		{ "imaps://[2001:db8::25]:10993", CONF_IMAPS, "2001:db8::25",
		  10993 },
		{ "imaps://[::]:0/", CONF_IMAPS, "::", 0 },
		{ "imap://[fe80::1%eth0]:143", CONF_IMAP, "fe80::1%eth0", 143 },
		{ "imap://xn--bcher-kva.example", CONF_IMAP,
		  "xn--bcher-kva.example", 143 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct conf_url u;

		assert_ok(conf_url_parse(str_of(good[i].text), &u, NULL));
		assert_int_equal(u.scheme, good[i].scheme);
		assert_str(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
	}
}

static void rubbish_is_named(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} bad[] = {
		{ "", "must begin with" },
		{ "mail.example.org", "must begin with" },
		{ "mail.example.org:993", "must begin with" },
		{ "imaps:/a", "must begin with" },
		{ "imaps//a", "must begin with" },
		{ "pop3://a", "must begin with" },
		{ "http://a", "must begin with" },
		{ " imaps://a", "must begin with" },
		{ "imaps://", "host name" },
		{ "imaps:///", "host name" },
		{ "imaps://:993", "host name" },
		{ "imaps://[]", "host name" },
		{ "imaps://[]:993", "host name" },
		{ "imaps://a b", "host name" },
		{ "imaps://a\r\nb", "host name" },
		{ "imaps://user@a", "host name" },
		{ "imaps://user:secret@a", "port" },
		{ "imaps://a/INBOX", "host name" },
		{ "imaps://a?b", "host name" },
		{ "imaps://a#b", "host name" },
		{ "imaps://a]", "host name" },
		{ "imaps://a\\b", "host name" },
		{ "imaps://b\xc3\xbc"
		  "cher.example",
		  "host name" },
		{ "imaps://[::1", "without" },
		{ "imaps://[::1]993", "port" },
		{ "imaps://::1", "brackets" },
		{ "imaps://2001:db8::1:993", "brackets" },
		{ "imaps://a:", "port" },
		{ "imaps://a:x", "port" },
		{ "imaps://a:-1", "port" },
		{ "imaps://a:+1", "port" },
		{ "imaps://a: 1", "port" },
		{ "imaps://a:1 ", "port" },
		{ "imaps://a:1/x", "port" },
		{ "imaps://a:65536", "port" },
		{ "imaps://a:99999999999999999999999", "port" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err_detail detail = { "" };
		struct conf_url u = { .port = 77 };

		assert_int_equal(
			conf_url_parse(str_of(bad[i].text), &u, &detail),
			ERR_INVALID);
		assert_non_null(strstr(detail.text, bad[i].why));
		assert_int_equal(u.port, 77); /* untouched */
		assert_null(strchr(detail.text, '\n'));
	}
}

static void host_of_256_octets_is_refused(void **state)
{
	char text[300] = "imap://";
	struct conf_url u;

	(void)state;
	memset(text + 7, 'a', 255);
	assert_ok(conf_url_parse(str_of(text), &u, NULL));
	text[7 + 255] = 'a';
	assert_int_equal(conf_url_parse(str_of(text), &u, NULL), ERR_INVALID);
}

static void place_is_a_host_and_a_port(void **state)
{
	static const char *const bad[] = { "",     "host",    "host:",
		                           ":80",  "[::1]",   "::1:80",
		                           "h:-1", "h:99999", "http://h:80" };
	struct conf_url u;

	(void)state;
	assert_ok(conf_place_parse(STR("[::1]:9090"), &u, NULL));
	assert_str(u.host, "::1");
	assert_int_equal(u.port, 9090);
	assert_ok(conf_place_parse(STR("*:0"), &u, NULL));
	assert_str(u.host, "*");
	assert_int_equal(u.port, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(conf_place_parse(str_of(bad[i]), &u, NULL),
		                 ERR_INVALID);
}

static void nul_is_no_host(void **state)
{
	struct conf_url u;

	(void)state;
	assert_int_equal(conf_url_parse(STR("imap://a\0b"), &u, NULL),
	                 ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scheme_host_and_port),
		cmocka_unit_test(rubbish_is_named),
		cmocka_unit_test(host_of_256_octets_is_refused),
		cmocka_unit_test(place_is_a_host_and_a_port),
		cmocka_unit_test(nul_is_no_host),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
