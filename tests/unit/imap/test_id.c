/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "imap/id.h"
#include "unit/unit.h"

static const struct row {
	const char *rule;
	const char *args;
	int rc;
	const char *list;
	bool is_internal;
	bool is_literal;
	unsigned ttl;
} rows[] = {
	{ "nothing", "NIL\r\n", ERR_OK, "", false, false, 5 },
	{ "nothing, in a list", "()\r\n", ERR_OK, "", false, false, 5 },
	{ "strings", "(\"name\" \"x\" \"version\" \"2\")\r\n", ERR_OK,
	  "(\"name\" \"x\" \"version\" \"2\")", false, false, 5 },
	{ "more spaces", "  ( \"a\"  \"b\"  )  \r\n", ERR_OK, "(\"a\" \"b\")",
	  false, false, 5 },
	{ "a value that is not told", "(\"name\" NIL)\r\n", ERR_OK,
	  "(\"name\" NIL)", false, false, 5 },
	{ "escapes", "(\"na\\\"me\" \"x\\\\\")\r\n", ERR_OK,
	  "(\"na\\\"me\" \"x\\\\\")", false, false, 5 },
	{ "literals", "({4}\r\nname {3+}\r\na b)\r\n", ERR_OK,
	  "(\"name\" \"a b\")", false, true, 5 },
	{ "atoms", "(name x)\r\n", ERR_OK, "(\"name\" \"x\")", false, false,
	  5 },
	{ "what only proxies say is left out",
	  "(\"x-originating-ip\" \"6.6.6.6\" \"X-Session-Id\" \"s\" "
	  "\"x-multiplex\" \"0\" \"x-forward-foo\" \"1\" \"name\" \"ok\")\r\n",
	  ERR_OK, "(\"name\" \"ok\")", true, false, 5 },
	{ "also as a literal", "({5}\r\nX-Foo \"1\" \"name\" \"ok\")\r\n",
	  ERR_OK, "(\"name\" \"ok\")", true, true, 5 },
	{ "also with an escape in it", "(\"\\x\\-foo\" \"1\")\r\n", ERR_OK, "",
	  true, false, 5 },
	{ "also as an atom", "(x-originating-ip 6.6.6.6)\r\n", ERR_OK, "", true,
	  false, 5 },
	{ "how many proxies may follow", "(\"X-Proxy-TTL\" \"3\")\r\n", ERR_OK,
	  "", true, false, 3 },
	{ "no more than we would", "(\"x-proxy-ttl\" \"50\")\r\n", ERR_OK, "",
	  true, false, 5 },
	{ "the least of two",
	  "(\"x-proxy-ttl\" \"2\" \"x-proxy-ttl\" \"4\")\r\n", ERR_OK, "", true,
	  false, 2 },
	{ "no number", "(\"x-proxy-ttl\" \"1a\")\r\n", ERR_OK, "", true, false,
	  5 },
	{ "a pair that no quoted string holds",
	  "(\"name\" {2}\r\n\r\n \"os\" \"y\")\r\n", ERR_OK, "(\"os\" \"y\")",
	  false, true, 5 },
	{ "no value", "(\"name\")\r\n", ERR_PARSE, "", false, false, 0 },
	{ "no end", "(\"name\" \"x\"\r\n", ERR_PARSE, "", false, false, 0 },
	{ "no list", "\"name\" \"x\"\r\n", ERR_PARSE, "", false, false, 0 },
	{ "no arguments", "\r\n", ERR_PARSE, "", false, false, 0 },
	{ "a list in it", "(\"name\" (\"x\"))\r\n", ERR_PARSE, "", false, false,
	  0 },
	{ "something behind it", "(\"name\" \"x\") y\r\n", ERR_PARSE, "", false,
	  false, 0 },
	{ "a key of 30", "(\"012345678901234567890123456789\" \"x\")\r\n",
	  ERR_OK, "(\"012345678901234567890123456789\" \"x\")", false, false,
	  5 },
	{ "a key of 31", "(\"0123456789012345678901234567890\" \"x\")\r\n",
	  ERR_LIMIT, "", false, false, 0 },
};

static void lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct imap_id id;
		int rc = imap_id_parse(str_of(row->args), &id);

		if (rc != row->rc)
			fail_msg("%s: %d", row->rule, rc);
		if (rc != ERR_OK)
			continue;
		if (!str_eq(buf_str(&id.list), str_of(row->list)) ||
		    id.is_internal != row->is_internal ||
		    id.is_literal != row->is_literal || id.ttl != row->ttl)
			fail_msg("%s: %.*s ttl %u", row->rule, (int)id.list.len,
			         id.list.data, id.ttl);
		imap_id_done(&id);
	}
}

/* parse_pairs parses a list of |count| pairs with values of |len| octets. */
static int parse_pairs(unsigned count, size_t len, size_t *list_len_r)
{
	struct imap_id id;
	struct buf args;
	int rc;

	buf_init(&args, IMAP_ID_LIST_MAX);
	assert_ok(buf_adds(&args, "("));
	for (unsigned i = 0; i < count; i++) {
		assert_ok(buf_printf(&args, "%s\"key-%02u\" \"",
		                     i > 0 ? " " : "", i));
		for (size_t k = 0; k < len; k++)
			assert_ok(buf_adds(&args, "\\\\"));
		assert_ok(buf_adds(&args, "\""));
	}
	assert_ok(buf_adds(&args, ")\r\n"));
	rc = imap_id_parse(buf_str(&args), &id);
	buf_reset(&args);
	if (rc == ERR_OK) {
		*list_len_r = id.list.len;
		imap_id_done(&id);
	}
	return rc;
}

static void the_limits_of_the_rfc(void **state)
{
	size_t len;

	(void)state;
	assert_int_equal(parse_pairs(30, 1024, &len), ERR_OK);
	assert_true(len > (size_t)30 * 2048);
	assert_int_equal(parse_pairs(31, 1, &len), ERR_LIMIT);
	assert_int_equal(parse_pairs(1, 1025, &len), ERR_LIMIT);
}

static void a_list_of_our_own(void **state)
{
	struct buf list;

	(void)state;
	buf_init(&list, 64);
	assert_ok(imap_id_end(&list));
	assert_int_equal(list.len, 0);
	assert_ok(imap_id_add(&list, STR("name"), STR("imapbell")));
	assert_int_equal(imap_id_add(&list, STR("os"), STR("\r\n")), ERR_PARSE);
	assert_ok(imap_id_add(&list, STR("v\""), STR("")));
	assert_ok(imap_id_end(&list));
	assert_str(buf_str(&list), "(\"name\" \"imapbell\" \"v\\\"\" \"\")");
	buf_reset(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(the_limits_of_the_rfc),
		cmocka_unit_test(a_list_of_our_own),
	};

	return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
