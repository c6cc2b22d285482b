/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "unit/unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define IPV4 "\xc0\x00\x02\x01\xc6\x33\x64\x07"
#define IPV6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"
#define PORTS "\x12\x67\x03\xe1"
/* It came by TLS of that version, without a certificate of its own. */
#define TLS "\x20\x00\x0f\x01\x00\x00\x00\x01\x21\x00\x07TLSv1.3"

#define BYTES(text)                      \
	{                                \
		(text), sizeof(text) - 1 \
	}

/* A row is a header and the two ends in it, "" where it has none. */
static const struct row {
	const char *rule;
	struct str in;
	int rc;
	const char *from;
	const char *to;
} rows[] = {
	{ "version 1", BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 993\r\n"),
	  ERR_OK, "192.0.2.1:4711", "198.51.100.7:993" },
	{ "version 1, IPv6",
	  BYTES("PROXY TCP6 2001:db8::1 2001:db8::2 4711 993\r\n"), ERR_OK,
	  "[2001:db8::1]:4711", "[2001:db8::2]:993" },
	{ "IPv4 in the clothes of IPv6 is IPv4",
	  BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 0 65535\r\n"),
	  ERR_OK, "192.0.2.1:0", "192.0.2.2:65535" },
	{ "unknown", BYTES("PROXY UNKNOWN\r\n"), ERR_OK, "", "" },
	{ "unknown, with more behind", BYTES("PROXY UNKNOWN 1 2 3 4\r\n"),
	  ERR_OK, "", "" },
	{ "another protocol",
	  BYTES("PROXY UDP4 192.0.2.1 198.51.100.7 4711 993\r\n"), ERR_PARSE,
	  "", "" },
	{ "a family that is not the address's",
	  BYTES("PROXY TCP4 2001:db8::1 2001:db8::2 4711 993\r\n"), ERR_PARSE,
	  "", "" },
	{ "a port too high",
	  BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 65536 993\r\n"), ERR_PARSE,
	  "", "" },
	{ "a port with a zero in front",
	  BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 0993 993\r\n"), ERR_PARSE,
	  "", "" },
	{ "no port", BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n"),
	  ERR_PARSE, "", "" },
	{ "too much", BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 1 2 3\r\n"),
	  ERR_PARSE, "", "" },
	{ "two spaces", BYTES("PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n"),
	  ERR_PARSE, "", "" },
	{ "no CR", BYTES("PROXY UNKNOWN\n"), ERR_PARSE, "", "" },
	{ "nothing", BYTES("PROXY \r\n"), ERR_PARSE, "", "" },
	{ "lower case", BYTES("proxy UNKNOWN\r\n"), ERR_PARSE, "", "" },
	{ "a command", BYTES("a1 CAPABILITY\r\n"), ERR_PARSE, "", "" },
	{ "version 2", BYTES(SIGNATURE "\x21\x11\x00\x0c" IPV4 PORTS), ERR_OK,
	  "192.0.2.1:4711", "198.51.100.7:993" },
	{ "version 2, IPv6",
	  BYTES(SIGNATURE "\x21\x21\x00\x24" IPV6 IPV6 PORTS), ERR_OK,
	  "[2001:db8::1]:4711", "[2001:db8::1]:993" },
	{ "and IPv4 in its clothes",
	  BYTES(SIGNATURE "\x21\x21\x00\x24" MAPPED MAPPED PORTS), ERR_OK,
	  "192.0.2.1:4711", "192.0.2.1:993" },
	{ "values behind the addresses",
	  BYTES(SIGNATURE "\x21\x11\x00\x16" IPV4 PORTS "\x02\x00\x04mail"
	                  "\x04\x00\x00"),
	  ERR_OK, "192.0.2.1:4711", "198.51.100.7:993" },
	{ "a value that is cut",
	  BYTES(SIGNATURE "\x21\x11\x00\x12" IPV4 PORTS "\x02\x00\x04mai"),
	  ERR_PARSE, "", "" },
	{ "half a value",
	  BYTES(SIGNATURE "\x21\x11\x00\x0e" IPV4 PORTS "\x02\x00"), ERR_PARSE,
	  "", "" },
	{ "addresses that are cut",
	  BYTES(SIGNATURE "\x21\x11\x00\x0b" IPV4 "\x12\x67\x03"), ERR_PARSE,
	  "", "" },
	{ "its own connection", BYTES(SIGNATURE "\x20\x00\x00\x00"), ERR_OK, "",
	  "" },
	{ "whatever comes with that", BYTES(SIGNATURE "\x20\x11\x00\x03xyz"),
	  ERR_OK, "", "" },
	{ "a family that is not said", BYTES(SIGNATURE "\x21\x00\x00\x00"),
	  ERR_OK, "", "" },
	{ "datagrams", BYTES(SIGNATURE "\x21\x12\x00\x0c" IPV4 PORTS),
	  ERR_PARSE, "", "" },
	{ "version 3", BYTES(SIGNATURE "\x31\x11\x00\x0c" IPV4 PORTS),
	  ERR_PARSE, "", "" },
	{ "another command", BYTES(SIGNATURE "\x22\x11\x00\x0c" IPV4 PORTS),
	  ERR_PARSE, "", "" },
	{ "too large", BYTES(SIGNATURE "\x20\x00\x08\x01"), ERR_PARSE, "", "" },
};

static void expect_end(const struct row *row, const struct address *a,
                       const char *wanted)
{
	char text[ADDRESS_TEXT_MAX];

	address_print(a, text, sizeof(text));
	if (strcmp(text, wanted) != 0)
		fail_msg("%s: %s", row->rule, text);
}

static void headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct proxy_header h;
		size_t used = 0;

		if (proxy_protocol_parse(row->in, &used, &h) != row->rc)
			fail_msg("%s", row->rule);
		if (row->rc != ERR_OK)
			continue;
		assert_int_equal(used, row->in.len);
		if (h.is_local != (row->from[0] == '\0'))
			fail_msg("%s: is_local %d", row->rule, h.is_local);
		if (h.is_local)
			continue;
		expect_end(row, &h.from, row->from);
		expect_end(row, &h.to, row->to);
	}
}

/* Every cut waits for more, and what comes behind is not looked at. */
static void cuts(void **state)
{
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str in = rows[i].in;
		struct proxy_header h;
		size_t used;

		if (rows[i].rc != ERR_OK)
			continue;
		for (size_t len = 0; len < in.len; len++)
			assert_int_equal(
				proxy_protocol_parse(str_sub(in, 0, len), &used,
			                             &h),
				ERR_MORE);
		memset(text, '\r', sizeof(text));
		memcpy(text, in.data, in.len);
		assert_ok(proxy_protocol_parse(str_new(text, sizeof(text)),
		                               &used, &h));
		assert_int_equal(used, in.len);
	}
}

static void a_line_has_an_end(void **state)
{
	const struct str start = STR("PROXY UNKNOWN ");
	char text[PROXY_V1_MAX + 1];
	struct proxy_header h;
	size_t used;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, start.data, start.len);
	assert_int_equal(proxy_protocol_parse(str_new(text, PROXY_V1_MAX - 1),
	                                      &used, &h),
	                 ERR_MORE);
	assert_int_equal(
		proxy_protocol_parse(str_new(text, PROXY_V1_MAX), &used, &h),
		ERR_PARSE);
	text[PROXY_V1_MAX - 2] = '\r';
	text[PROXY_V1_MAX - 1] = '\n';
	assert_ok(proxy_protocol_parse(str_new(text, sizeof(text)), &used, &h));
	assert_int_equal(used, PROXY_V1_MAX);
}

static void expect_emitted(enum proxy_version version, const char *from,
                           const char *to, const char *tls, struct str wanted)
{
	struct address a = { .family = AF_UNSPEC };
	struct address b = { .family = AF_UNSPEC };
	struct buf out;

	if (from != NULL) {
		assert_ok(address_parse(str_of(from), &a));
		assert_ok(address_parse(str_of(to), &b));
		a.port = 4711;
		b.port = 993;
	}
	buf_init(&out, PROXY_V1_MAX);
	assert_ok(proxy_protocol_emit(version, from != NULL ? &a : NULL,
	                              from != NULL ? &b : NULL, str_of(tls),
	                              &out));
	if (!str_eq(buf_str(&out), wanted))
		fail_msg("%.*s", (int)out.len, out.data);
	buf_reset(&out);
}

static void what_is_written(void **state)
{
	static const char full[] = "2001:db8:1111:2222:3333:4444:5555:6666";

	(void)state;
	expect_emitted(PROXY_V1, "192.0.2.1", "198.51.100.7", NULL, rows[0].in);
	expect_emitted(PROXY_V1, full, full, NULL,
	               STR("PROXY TCP6 2001:db8:1111:2222:3333:4444:5555:6666 "
	                   "2001:db8:1111:2222:3333:4444:5555:6666 4711 "
	                   "993\r\n"));
	expect_emitted(PROXY_V1, "192.0.2.1", "2001:db8::1", NULL,
	               STR("PROXY UNKNOWN\r\n"));
	expect_emitted(PROXY_V1, NULL, NULL, NULL, STR("PROXY UNKNOWN\r\n"));
	expect_emitted(PROXY_V2, "192.0.2.1", "198.51.100.7", NULL,
	               STR(SIGNATURE "\x21\x11\x00\x0c" IPV4 PORTS));
	expect_emitted(PROXY_V2, "2001:db8::1", "2001:db8::1", NULL,
	               STR(SIGNATURE "\x21\x21\x00\x24" IPV6 IPV6 PORTS));
	expect_emitted(PROXY_V2, "192.0.2.1", "2001:db8::1", NULL,
	               STR(SIGNATURE "\x20\x00\x00\x00"));
	expect_emitted(PROXY_V2, "192.0.2.1", "198.51.100.7", "TLSv1.3",
	               STR(SIGNATURE "\x21\x11\x00\x1e" IPV4 PORTS TLS));
	expect_emitted(PROXY_V2, "2001:db8::1", "2001:db8::1", "TLSv1.3",
	               STR(SIGNATURE "\x21\x21\x00\x36" IPV6 IPV6 PORTS TLS));
	expect_emitted(PROXY_V2, NULL, NULL, "TLSv1.3",
	               STR(SIGNATURE "\x20\x00\x00\x00"));
	expect_emitted(PROXY_V1, "192.0.2.1", "198.51.100.7", "TLSv1.3",
	               rows[0].in);
	expect_emitted(PROXY_V2, NULL, NULL, NULL,
	               STR(SIGNATURE "\x20\x00\x00\x00"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(cuts),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(what_is_written),
	};

	return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}
