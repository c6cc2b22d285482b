/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/buf.h"
#include "status/request.h"
#include "unit/unit.h"

#define END "\r\nHost: x\r\n\r\n"

static const struct {
	const char *text;
	int rc;
	enum request_method method;
	const char *path;
} cases[] = {
	{ "GET / HTTP/1.1" END, ERR_OK, REQUEST_GET, "/" },
	{ "HEAD /metrics HTTP/1.0\r\n\r\n", ERR_OK, REQUEST_HEAD, "/metrics" },
	{ "GET /metrics HTTP/1.1\nHost: x\n\n", ERR_OK, REQUEST_GET,
	  "/metrics" },
	{ "GET /readyz?verbose=1 HTTP/1.1" END, ERR_OK, REQUEST_GET,
	  "/readyz" },
	{ "GET http://h:9/healthz?x HTTP/1.1" END, ERR_OK, REQUEST_GET,
	  "/healthz" },
	{ "GET http://h HTTP/1.1" END, ERR_OK, REQUEST_GET, "/" },
	{ "GET http://h?x=/metrics HTTP/1.1" END, ERR_OK, REQUEST_GET, "/" },
	{ "GET HTTP://h/?x HTTP/1.1" END, ERR_OK, REQUEST_GET, "/" },
	{ "GET ?x HTTP/1.1" END, ERR_OK, REQUEST_GET, "" },
	{ "\r\n\r\nGET / HTTP/1.1" END, ERR_OK, REQUEST_GET, "/" },
	{ "POST / HTTP/1.1\r\nContent-Length: 3" END "abc", ERR_OK,
	  REQUEST_OTHER, "/" },
	{ "get / HTTP/1.1" END, ERR_OK, REQUEST_OTHER, "/" },
	{ "OPTIONS * HTTP/1.1" END, ERR_OK, REQUEST_OTHER, "*" },
	{ "", ERR_MORE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\n", ERR_MORE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\nHost: x\r\n", ERR_MORE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\nHost: x\r\n\r", ERR_MORE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.0\r\nHost: x\r\n\r\n", ERR_OK, REQUEST_GET, "/" },
	{ "GET / HTTP/1.1\r\nhOST:\r\nX:\r\n\r\n", ERR_OK, REQUEST_GET, "/" },
	{ "GET / HTTP/1.1\r\n\r\n", ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\nHost: y" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.0\r\nHost: y" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\nX: 1\r\n 2" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\nX : 1" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\nX" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1\r\n: 1" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/2.0" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.x" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET / HTTP/1.1 " END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET /" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET  / HTTP/1.1" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ " GET / HTTP/1.1" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "GET /\t HTTP/1.1" END, ERR_PARSE, REQUEST_OTHER, "" },
	{ "\x16\x03\x01\x02\n\n", ERR_PARSE, REQUEST_OTHER, "" },
};

static void table_of_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct request r = { .path = STR_NULL };

		assert_int_equal(request_parse(str_of(cases[i].text), &r),
		                 cases[i].rc);
		if (cases[i].rc != ERR_OK)
			continue;
		assert_int_equal(r.method, cases[i].method);
		assert_str(r.path, cases[i].path);
	}
}

/* Whatever the chunks, the head is whole with its last octet, not before. */
static void more_until_the_last_octet(void **state)
{
	struct str all = STR("GET / HTTP/1.1" END);
	struct request r;

	(void)state;
	for (size_t len = 0; len < all.len; len++)
		assert_int_equal(request_parse(str_sub(all, 0, len), &r),
		                 ERR_MORE);
	assert_ok(request_parse(all, &r));
}

static void head_has_a_limit(void **state)
{
	struct request r;
	struct buf b;

	(void)state;
	buf_init(&b, 2 * REQUEST_MAX);
	assert_ok(buf_adds(&b, "GET / HTTP/1.1\r\nHost: x\r\nX: "));
	while (b.len < REQUEST_MAX - 4)
		assert_ok(buf_adds(&b, "x"));
	assert_ok(buf_adds(&b, "\r\n\r\n"));
	assert_int_equal(b.len, REQUEST_MAX);
	assert_ok(request_parse(buf_str(&b), &r));
	b.data[30] = 'y';
	buf_cut(&b, REQUEST_MAX - 4);
	assert_ok(buf_adds(&b, "x\r\n\r"));
	assert_int_equal(request_parse(buf_str(&b), &r), ERR_MORE);
	assert_ok(buf_adds(&b, "\n"));
	assert_int_equal(request_parse(buf_str(&b), &r), ERR_LIMIT);
	buf_reset(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_requests),
		cmocka_unit_test(more_until_the_last_octet),
		cmocka_unit_test(head_has_a_limit),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
