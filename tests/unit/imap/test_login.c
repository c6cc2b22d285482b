/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "imap/login.h"
#include "imap/sasl.h"
#include "unit/unit.h"

/* |user| NULL: does not parse. */
static const struct {
	const char *rule;
	struct str command;
	const char *user;
	struct str password;
} commands[] = {
	{ "atoms", IN("a LOGIN bob secret\r\n"), "bob", IN("secret") },
	{ "lower case, LF", IN("a login bob secret\n"), "bob", IN("secret") },
	{ "quoted", IN("a LOGIN \"u\\\"1\" \"p\\\\w\"\r\n"), "u\"1",
	  IN("p\\w") },
	{ "an empty password", IN("a LOGIN u \"\"\r\n"), "u", IN("") },
	{ "literals", IN("a LOGIN {2}\r\nu1 {2+}\r\npw\r\n"), "u1", IN("pw") },
	{ "a password that looks like a command",
	  IN("a LOGIN u {12}\r\n\r\nx LOGOUT\r\n\r\n"), "u",
	  IN("\r\nx LOGOUT\r\n") },
	{ "8-bit octets", IN("a LOGIN \"\xc3\xa4\" p\xc3\xa4\r\n"), "\xc3\xa4",
	  IN("p\xc3\xa4") },
	{ "a wide atom", IN("a LOGIN bob@example.org p*%]}{\\\r\n"),
	  "bob@example.org", IN("p*%]}{\\") },
	{ "an empty name", IN("a LOGIN \"\" p\r\n"), NULL, IN("") },
	{ "no password", IN("a LOGIN u\r\n"), NULL, IN("") },
	{ "nothing", IN("a LOGIN\r\n"), NULL, IN("") },
	{ "too much", IN("a LOGIN u p q\r\n"), NULL, IN("") },
	{ "a list", IN("a LOGIN (u) p\r\n"), NULL, IN("") },
	{ "two spaces", IN("a LOGIN u  p\r\n"), NULL, IN("") },
	{ "text behind a string", IN("a LOGIN \"u\"x p\r\n"), NULL, IN("") },
	{ "NUL in the password", IN("a LOGIN u {3}\r\np\0w\r\n"), NULL,
	  IN("") },
	{ "NUL in the name", IN("a LOGIN {3}\r\nu\0w p\r\n"), NULL, IN("") },
	/* Courier would read another name. */
	{ "a line end in the name", IN("a LOGIN {4}\r\nu\npw p\r\n"), NULL,
	  IN("") },
	{ "CR in the name", IN("a LOGIN {3}\r\nu\rw p\r\n"), NULL, IN("") },
	{ "DEL in the name", IN("a LOGIN {3}\r\nu\x7fw p\r\n"), NULL, IN("") },
	{ "a literal cut short", IN("a LOGIN u {9}\r\npw\r\n"), NULL, IN("") },
	{ "another command", IN("a LOGIND u p\r\n"), NULL, IN("") },
};

static void login_commands_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct imap_login l = { .password = NULL };
		int rc = imap_login_parse(commands[i].command, &l);

		if (rc != (commands[i].user != NULL ? ERR_OK : ERR_PARSE))
			fail_msg("%s: %d", commands[i].rule, rc);
		if (rc == ERR_OK) {
			assert_int_equal(l.method, IMAP_LOGIN_COMMAND);
			assert_str(l.user, commands[i].user);
			assert_int_equal(l.authzid.len, 0);
			assert_true(str_eq(secret_str(l.password),
			                   commands[i].password));
		}
		imap_login_done(&l);
		assert_null(l.password);
	}
}

/* parse_plain takes the base64 of a SASL PLAIN message. */
static int parse_plain(struct str base64, struct imap_login *l)
{
	*l = (struct imap_login){ .method = IMAP_LOGIN_PLAIN };
	return imap_sasl_take(l, base64);
}

/* login_of writes LOGIN with a name and a password of these lengths. */
static int login_of(size_t user, size_t password, struct imap_login *l)
{
	struct buf command;
	int rc;

	buf_init(&command, 100000);
	assert_ok(buf_printf(&command, "a LOGIN %0*d %0*d\r\n", (int)user, 1,
	                     (int)password, 1));
	rc = imap_login_parse(buf_str(&command), l);
	buf_reset(&command);
	return rc;
}

static int plain_of(size_t authzid, size_t user, size_t password,
                    struct imap_login *l)
{
	struct buf message;
	struct buf base64;
	int rc;

	buf_init(&message, 100000);
	buf_init(&base64, 100000);
	assert_ok(buf_printf(&message, "%0*d%c%0*d%c%0*d", (int)authzid, 1, 0,
	                     (int)user, 1, 0, (int)password, 1));
	assert_ok(codec_base64(buf_str(&message), &base64));
	rc = parse_plain(buf_str(&base64), l);
	buf_reset(&message);
	buf_reset(&base64);
	return rc;
}

static void lengths_have_limits(void **state)
{
	struct imap_login l;

	(void)state;
	assert_ok(login_of(IMAP_USER_MAX, IMAP_PASSWORD_MAX, &l));
	imap_login_done(&l);
	assert_int_equal(login_of(IMAP_USER_MAX + 1, 1, &l), ERR_LIMIT);
	assert_int_equal(login_of(1, IMAP_PASSWORD_MAX + 1, &l), ERR_LIMIT);
	assert_ok(
		plain_of(IMAP_USER_MAX, IMAP_USER_MAX, IMAP_PASSWORD_MAX, &l));
	imap_login_done(&l);
	assert_int_equal(plain_of(IMAP_USER_MAX + 1, 1, 1, &l), ERR_LIMIT);
	assert_int_equal(plain_of(1, IMAP_USER_MAX + 1, 1, &l), ERR_LIMIT);
	assert_int_equal(plain_of(1, 1, IMAP_PASSWORD_MAX + 1, &l), ERR_LIMIT);
	assert_int_equal(plain_of(1, 1, 60000, &l), ERR_LIMIT);
}

/* emitted gives what is sent, with "|" where the server is waited for. */
static struct str emitted(const struct imap_login *l, bool sasl_ir,
                          struct buf *out)
{
	struct imap_emit e;

	imap_emit_init(&e, 1000);
	assert_ok(imap_login_emit(l, STR("t"), sasl_ir, &e));
	buf_clear(out);
	for (;;) {
		assert_ok(buf_add(out, imap_emit_next(&e)));
		if (imap_emit_finished(&e))
			break;
		assert_ok(buf_adds(out, "|"));
	}
	imap_emit_done(&e);
	return buf_str(out);
}

static void commands_are_encoded_afresh(void **state)
{
	struct imap_login l;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_ok(imap_login_parse(STR("a LOGIN bob p\\w\r\n"), &l));
	assert_str(emitted(&l, true, &out), "t LOGIN \"bob\" \"p\\\\w\"\r\n");
	imap_login_done(&l);

	assert_ok(
		imap_login_parse(STR("a LOGIN \xc3\xa4 {3}\r\n\r\nx\r\n"), &l));
	assert_str(emitted(&l, true, &out),
	           "t LOGIN {2}\r\n|\xc3\xa4 {3}\r\n|\r\nx\r\n");
	imap_login_done(&l);

	assert_ok(parse_plain(STR("YWwAYm9iAHB3"), &l));
	assert_str(emitted(&l, true, &out),
	           "t AUTHENTICATE PLAIN YWwAYm9iAHB3\r\n");
	assert_str(emitted(&l, false, &out),
	           "t AUTHENTICATE PLAIN\r\n|YWwAYm9iAHB3\r\n");
	imap_login_done(&l);
	buf_reset(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_commands_are_taken_apart),
		cmocka_unit_test(lengths_have_limits),
		cmocka_unit_test(commands_are_encoded_afresh),
	};

	return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
