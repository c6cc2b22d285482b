/* SPDX-License-Identifier: ISC */
#include "net/network.h"
#include "unit/unit.h"

static void parse_reads_addresses_and_networks(void **state)
{
	static const struct {
		const char *text;
		const char *address;
		int family;
		unsigned bits;
	} good[] = {
		{ "192.0.2.1", "192.0.2.1", AF_INET, 32 },
		{ "10.0.0.0/8", "10.0.0.0", AF_INET, 8 },
		{ "10.1.2.3/8", "10.0.0.0", AF_INET, 8 },
		{ "192.0.2.255/25", "192.0.2.128", AF_INET, 25 },
		{ "255.255.255.255/0", "0.0.0.0", AF_INET, 0 },
		{ "::1", "::1", AF_INET6, 128 },
		{ "::/0", "::", AF_INET6, 0 },
		{ "2001:DB8::5/32", "2001:db8::", AF_INET6, 32 },
		{ "2001:db8:ffff::/33", "2001:db8:8000::", AF_INET6, 33 },
		{ "::ffff:192.0.2.1", "192.0.2.1", AF_INET, 32 },
		{ "::ffff:10.1.2.3/104", "10.0.0.0", AF_INET, 8 },
		{ "::ffff:0:0/96", "0.0.0.0", AF_INET, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[ADDRESS_TEXT_MAX];
		struct network n;

		assert_ok(network_parse(str_of(good[i].text), &n));
		assert_int_equal(n.address.family, good[i].family);
		assert_int_equal(n.bits, good[i].bits);
		address_print_host(&n.address, text, sizeof(text));
		assert_string_equal(text, good[i].address);
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
		"::ffff:10.1.2.3/95",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
	};
	struct network n = { .bits = 77 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(network_parse(str_of(bad[i]), &n), ERR_PARSE);
	assert_int_equal(network_parse(str_new("10.0.0.1\0", 9), &n),
	                 ERR_PARSE);
	assert_int_equal(n.bits, 77);
}

static struct address address(const char *text)
{
	struct address a;

	assert_ok(address_parse(str_of(text), &a));
	return a;
}

static void has_what_lies_in_it(void **state)
{
	static const struct {
		const char *network;
		const char *address;
		bool is_in;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "192.0.2.128/25", "192.0.2.200", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "0.0.0.0", false },
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
	};
	const struct address nowhere = { .family = AF_UNIX };
	struct network n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a = address(rows[i].address);

		assert_ok(network_parse(str_of(rows[i].network), &n));
		assert_int_equal(network_has(&n, &a), rows[i].is_in);
		assert_false(network_has(&n, &nowhere));
	}
}

static void network_of_forgets_the_rest(void **state)
{
	struct address a = address("2001:db8::1:2:3:4");
	struct address b = address("2001:db8::ffff:0:0:1");
	struct address c = address("192.0.2.1");
	struct network n, m;

	(void)state;
	a.port = 7;
	n = network_of(&a, 64);
	m = network_of(&b, 64);
	assert_memory_equal(&n, &m, sizeof(n));
	assert_true(network_has(&n, &a));
	n = network_of(&c, 64);
	assert_int_equal(n.bits, 32);
	assert_memory_equal(&n.address, &c, sizeof(c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_reads_addresses_and_networks),
		cmocka_unit_test(parse_refuses_all_else),
		cmocka_unit_test(has_what_lies_in_it),
		cmocka_unit_test(network_of_forgets_the_rest),
	};

	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
