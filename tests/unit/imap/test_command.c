/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/command.h"
#include "unit/unit.h"

#define TAG64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* |verb| NULL: not to be intercepted. */
static const struct {
	struct str line;
	const char *tag;
	const char *verb;
	const char *args;
} vectors[] = {
	{ IN("a1 NOOP\r\n"), "a1", "NOOP", "" },
	{ IN("a1 noop\n"), "a1", "noop", "" },
	{ IN("a1 NOOP"), "a1", "NOOP", "" },
	{ IN("A.1-]#&/=~ LOGIN u {3}\r\nabc\r\n"), "A.1-]#&/=~", "LOGIN",
	  "u {3}" },
	{ IN("a IDLE \r\n"), "a", "IDLE", "" },
	{ IN("a X-Y2 (b)  c \r\n"), "a", "X-Y2", "(b)  c " },
	{ IN(TAG64 " NOOP\r\n"), TAG64, "NOOP", "" },
	{ IN(TAG64 "x NOOP\r\n"), "", NULL, NULL },
	{ IN("a\r\n"), "a", NULL, NULL },
	{ IN("a \r\n"), "a", NULL, NULL },
	{ IN("a  NOOP\r\n"), "a", NULL, NULL },
	{ IN("a NOOP  x\r\n"), "a", NULL, NULL },
	{ IN("a\tNOOP\r\n"), "", NULL, NULL },
	{ IN("a NOOP\tx\r\n"), "a", NULL, NULL },
	{ IN(" a NOOP\r\n"), "", NULL, NULL },
	{ IN("a\rNOOP\r\n"), "", NULL, NULL },
	{ IN("a\0b NOOP\r\n"), "", NULL, NULL },
	{ IN("a NOOP\0\r\n"), "a", NULL, NULL },
	{ IN("+1 NOOP\r\n"), "", NULL, NULL },
	{ IN("* NOOP\r\n"), "", NULL, NULL },
	{ IN("a%b NOOP\r\n"), "", NULL, NULL },
	{ IN("a\"b NOOP\r\n"), "", NULL, NULL },
	{ IN("a\\b NOOP\r\n"), "", NULL, NULL },
	{ IN("{2+}\r\n"), "", NULL, NULL },
	{ IN("\xc3\xa4 NOOP\r\n"), "", NULL, NULL },
	{ IN("a X_Y\r\n"), "a", NULL, NULL },
	{ IN("GET / HTTP/1.1\r\n"), "GET", NULL, NULL },
	{ IN("\r\n"), "", NULL, NULL },
	{ IN(""), "", NULL, NULL },
};

static void only_what_fits_exactly_is_a_command(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct imap_command c;
		int rc = imap_command_parse(vectors[i].line, &c);

		assert_int_equal(rc,
		                 vectors[i].verb != NULL ? ERR_OK : ERR_PARSE);
		assert_str(c.tag, vectors[i].tag);
		assert_str(c.verb, vectors[i].verb);
		assert_str(c.args, vectors[i].args);
	}
}

static void verbs_have_no_case(void **state)
{
	struct imap_command c;

	(void)state;
	assert_ok(imap_command_parse(STR("a xApplePushService\r\n"), &c));
	assert_true(imap_command_is(&c, STR("XAPPLEPUSHSERVICE")));
	assert_false(imap_command_is(&c, STR("XAPPLEPUSHSERVIC")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_fits_exactly_is_a_command),
		cmocka_unit_test(verbs_have_no_case),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
