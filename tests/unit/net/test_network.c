/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <string.h>

#include "net/network.h"
#include "unit/unit.h"

static void parse_reads_addresses_and_networks(void **state)
{
	static const struct {
		const char *text;
		int family;
		const char *address;
		unsigned bits;
	} good[] = {
		{ "192.0.2.1", AF_INET, "192.0.2.1", 32 },
		{ "10.0.0.0/8", AF_INET, "10.0.0.0", 8 },
		{ "10.1.2.3/8", AF_INET, "10.0.0.0", 8 },
		{ "192.0.2.255/25", AF_INET, "192.0.2.128", 25 },
		{ "255.255.255.255/0", AF_INET, "0.0.0.0", 0 },
		{ "::1", AF_INET6, "::1", 128 },
		{ "::/0", AF_INET6, "::", 0 },
		{ "2001:DB8::5/32", AF_INET6, "2001:db8::", 32 },
		{ "2001:db8:ffff::/33", AF_INET6, "2001:db8:8000::", 33 },
		{ "::ffff:192.0.2.1", AF_INET, "192.0.2.1", 32 },
		{ "::ffff:10.1.2.3/104", AF_INET, "10.0.0.0", 8 },
		{ "::ffff:10.1.2.3/95", AF_INET6, "::fffe:0:0", 95 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		unsigned char bytes[16] = { 0 };
		struct network n;

		assert_ok(network_parse(str_of(good[i].text), &n));
		assert_int_equal(n.family, good[i].family);
		assert_int_equal(n.bits, good[i].bits);
		assert_int_equal(
			inet_pton(good[i].family, good[i].address, bytes), 1);
		assert_memory_equal(n.bytes, bytes, sizeof(bytes));
	}
}

static void parse_refuses_all_else(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"/8",
		"10/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/8 ",
		" 10.0.0.0",
		"10.0.0.0/8/8",
		"::/129",
		"[::1]",
		"fe80::1%lo",
		"localhost",
		"256.0.0.1",
		"10.0.0.0/0x8",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
	};
	struct network n = { .bits = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(network_parse(str_of(bad[i]), &n),
		                 ERR_INVALID);
	assert_int_equal(network_parse(str_new("10.0.0.1\0", 9), &n),
	                 ERR_INVALID);
	assert_int_equal(n.bits, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_reads_addresses_and_networks),
		cmocka_unit_test(parse_refuses_all_else),
	};

	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
