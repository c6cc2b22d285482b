/* SPDX-License-Identifier: ISC */
/* address - the same address in any clothes, and what is none. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/err.h"
#include "net/address.h"
#include "unit/unit.h"

static struct address parsed(const char *text)
{
	struct address a;

	assert_int_equal(address_parse(str_of(text), &a), ERR_OK);
	return a;
}

static void is_printed_as_it_was_written(void **state)
{
	static const struct {
		const char *text;
		const char *host;
		const char *with_port;
		size_t len;
	} rows[] = {
		{ "203.0.113.9", "203.0.113.9", "203.0.113.9:4711", 4 },
		{ "2001:db8::1", "2001:db8::1", "[2001:db8::1]:4711", 16 },
		{ "2001:DB8:0::1", "2001:db8::1", "[2001:db8::1]:4711", 16 },
		/* RFC 4291 section 2.5.5.2 */
		{ "::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7:4711", 4 },
		{ "::", "::", "[::]:4711", 16 },
	};

	char text[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = parsed(rows[i].text);

		assert_int_equal(a.port, 0);
		a.port = 4711;
		address_print(&a, text, sizeof(text));
		assert_string_equal(text, rows[i].with_port);
		address_print_host(&a, text, sizeof(text));
		assert_string_equal(text, rows[i].host);
		assert_int_equal(address_len(&a), rows[i].len);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	const struct str rows[] = {
		STR_NULL,
		STR("localhost"),
		STR("192.0.2"),
		STR("192.0.2.1.1"),
		STR("192.0.2.256"),
		STR("192.0.2.01"),
		STR("192.0.2.1 "),
		STR("192.0.2.1\0"),
		STR("[::1]"),
		STR("fe80::1%lo"),
		STR("1:2:3:4:5:6:7:8:9"),
		STR("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"),
	};
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(address_parse(rows[i], &a), ERR_PARSE);
}

static void the_systems_words_are_read(void **state)
{
	struct sockaddr_in four = { .sin_family = AF_INET,
		                    .sin_port = htons(4711) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons(993) };
	struct sockaddr_un local = { .sun_family = AF_UNIX };
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char text[ADDRESS_TEXT_MAX];
	struct address a;

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &four.sin_addr), 1);
	address_from((const struct sockaddr *)&four, &a);
	address_print(&a, text, sizeof(text));
	assert_string_equal(text, "192.0.2.7:4711");

	/* What a socket of both families says of a client with IPv4. */
	assert_int_equal(
		inet_pton(AF_INET6, "::ffff:192.0.2.7", &six.sin6_addr), 1);
	address_from((const struct sockaddr *)&six, &a);
	address_print(&a, text, sizeof(text));
	assert_string_equal(text, "192.0.2.7:993");

	address_from((const struct sockaddr *)&local, &a);
	address_print(&a, text, sizeof(text));
	assert_string_equal(text, "unix");
	assert_int_equal(address_len(&a), 0);

	address_from(&none, &a);
	address_print(&a, text, sizeof(text));
	assert_string_equal(text, "unknown");
}

static void a_host_has_its_port_behind_it(void **state)
{
	char text[ADDRESS_NAME_MAX];
	char host[400];

	(void)state;
	assert_string_equal(address_name("mail.example.org", 993, text),
	                    "mail.example.org:993");
	assert_string_equal(address_name("192.0.2.7", 143, text),
	                    "192.0.2.7:143");
	assert_string_equal(address_name("2001:db8::1", 65535, text),
	                    "[2001:db8::1]:65535");
	memset(host, 'a', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	assert_int_equal(strlen(address_name(host, 993, text)),
	                 ADDRESS_NAME_MAX - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_printed_as_it_was_written),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(the_systems_words_are_read),
		cmocka_unit_test(a_host_has_its_port_behind_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
