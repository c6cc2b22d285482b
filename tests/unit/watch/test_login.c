/* SPDX-License-Identifier: ISC */
/* Which login is used, and which refusal is final. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "unit/unit.h"
#include "watch/login.h"
#include "watch/testwatch.h"

static int set_up(void **state)
{
	struct testwatch *t = xcalloc(1, sizeof(*t));

	testwatch_init(t);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct testwatch *t = *state;

	testwatch_done(t);
	free(t);
	return 0;
}

/* keep seals a login for |user|. */
static void keep(struct testwatch *t, const char *user)
{
	struct imap_login login = { .method = IMAP_LOGIN_PLAIN,
		                    .user = STR("Anna"),
		                    .authzid = STR(""),
		                    .password = secret_new(STR("pw")) };
	struct buf blob;

	buf_init(&blob, 10000);
	assert_ok(seal_close(t->seal, str_of(user), &login, &blob));
	registry_login_put(t->p.registry, STR("anna"), buf_str(&blob));
	buf_reset(&blob);
	secret_free(&login.password);
}

/* keep_name keeps |name| for anna. */
static void keep_name(struct testwatch *t, const char *name)
{
	struct buf blob;

	buf_init(&blob, 10000);
	assert_ok(seal_name(str_of(name), &blob));
	registry_login_put(t->p.registry, STR("anna"), buf_str(&blob));
	buf_reset(&blob);
}

/* be_master sets the mode; a session of anna has shown her INBOX. */
static void be_master(struct testwatch *t, enum watch_login_mode mode)
{
	testwatch_master(t, mode);
	(void)testpush_phone(&t->p, "anna", "t1", "INBOX*");
	testpush_event(&t->p, NOTIFIER_STATE, "anna", "INBOX", 12);
}

/* open_login opens anna's. */
static int open_login(struct testwatch *t, struct imap_login *l_r)
{
	struct store_login row;
	struct err_detail why = { "" };
	struct str stored;
	int rc;

	*l_r = (struct imap_login){ 0 };
	rc = watch_login_open(&t->opts.login, t->p.registry, STR("anna"), l_r,
	                      &stored, &why);
	assert_int_equal(l_r->password != NULL, rc == ERR_OK);
	assert_int_equal(why.text[0] != '\0', rc != ERR_OK);
	if (rc != ERR_OK)
		return rc;
	assert_ok(registry_login(t->p.registry, STR("anna"), &row));
	assert_true(str_eq(stored, row.blob));
	return rc;
}

/* fails opens it and gives the result. */
static int fails(struct testwatch *t)
{
	struct imap_login login;
	int rc = open_login(t, &login);

	imap_login_done(&login);
	return rc;
}

static void stored_login_is_opened(void **state)
{
	struct testwatch *t = *state;
	struct imap_login login;

	keep(t, "anna");
	assert_ok(open_login(t, &login));
	assert_str(login.user, "Anna");
	assert_str(secret_str(login.password), "pw");
	imap_login_done(&login);
}

static void what_cannot_be_used_is_told_apart(void **state)
{
	struct testwatch *t = *state;

	assert_int_equal(fails(t), ERR_NOT_FOUND);
	keep(t, "anna");
	t->opts.login.seal = NULL;
	assert_int_equal(fails(t), ERR_AUTH);
	t->opts.login.seal = t->seal;
	registry_login_rejected(t->p.registry, STR("anna"));
	assert_int_equal(fails(t), ERR_NOT_FOUND);
	keep(t, "anna");
	assert_ok(fails(t));
	keep(t, "bert"); /* a row that was copied */
	assert_int_equal(fails(t), ERR_AUTH);
	registry_login_put(t->p.registry, STR("anna"), STR("damaged"));
	assert_int_equal(fails(t), ERR_AUTH);
	keep_name(t, "Anna");
	assert_int_equal(fails(t), ERR_AUTH);
}

/* The master's. */

static void master_logs_in_under_the_accepted_name(void **state)
{
	struct testwatch *t = *state;
	struct imap_login login;

	be_master(t, WATCH_LOGIN_AUTHZID);
	keep_name(t, "Anna");
	assert_ok(open_login(t, &login));
	assert_int_equal(login.method, IMAP_LOGIN_PLAIN);
	assert_str(login.user, "master");
	assert_str(login.authzid, "Anna");
	assert_str(secret_str(login.password), "secret");
	imap_login_done(&login);

	be_master(t, WATCH_LOGIN_SEPARATOR);
	assert_ok(open_login(t, &login));
	assert_int_equal(login.method, IMAP_LOGIN_COMMAND);
	assert_str(login.user, "Anna*master");
	assert_str(login.authzid, "");
	assert_str(secret_str(login.password), "secret");
	imap_login_done(&login);
}

static void master_invents_no_name(void **state)
{
	struct testwatch *t = *state;

	be_master(t, WATCH_LOGIN_AUTHZID);
	assert_int_equal(fails(t), ERR_NOT_FOUND);
	keep(t, "anna"); /* sealed, before the mode was changed */
	assert_int_equal(fails(t), ERR_NOT_FOUND);
	keep_name(t, "Anna");
	assert_ok(fails(t));
	registry_login_rejected(t->p.registry, STR("anna"));
	assert_int_equal(fails(t), ERR_NOT_FOUND);
}

static void master_waits_for_what_proves_the_inbox(void **state)
{
	struct testwatch *t = *state;

	be_master(t, WATCH_LOGIN_AUTHZID);
	keep_name(t, "Anna");
	registry_doubt(t->p.registry, STR("anna"), STR("INBOX"));
	assert_int_equal(fails(t), ERR_NOT_FOUND);
}

static void master_without_a_password_logs_nobody_in(void **state)
{
	struct testwatch *t = *state;
	struct imap_login login;

	be_master(t, WATCH_LOGIN_AUTHZID);
	keep_name(t, "Anna");
	t->opts.login.master_password = NULL;
	assert_int_equal(fails(t), ERR_AUTH);
	assert_int_equal(watch_login_alone(&t->opts.login, &login, NULL),
	                 ERR_AUTH);
}

/* The server would split it elsewhere, and log somebody else in. */
static void name_with_a_separator_is_not_used(void **state)
{
	struct testwatch *t = *state;

	be_master(t, WATCH_LOGIN_SEPARATOR);
	keep_name(t, "bert*anna");
	assert_int_equal(fails(t), ERR_AUTH);
	t->opts.login.master_separator = "%%";
	assert_ok(fails(t));
}

static void master_alone_asks_for_nobody(void **state)
{
	struct testwatch *t = *state;
	struct imap_login login;

	be_master(t, WATCH_LOGIN_AUTHZID);
	assert_ok(watch_login_alone(&t->opts.login, &login, NULL));
	assert_int_equal(login.method, IMAP_LOGIN_PLAIN);
	assert_str(login.user, "master");
	assert_str(login.authzid, "");
	assert_str(secret_str(login.password), "secret");
	imap_login_done(&login);
}

/* Refusals. */

/* A rejected login is not repeated: accounts get locked. A server in trouble
 * must not look like one. */
static void refusals_are_final_or_for_a_while(void **state)
{
	static const struct {
		const char *reply;
		bool rejected;
	} rows[] = {
		/* As measured. */
		{ "W0 NO [AUTHENTICATIONFAILED] Authentication failed.", true },
		{ "W0 NO Login failed.", true },
		{ "W0 NO Login failed: authentication failure", true },
		{ "W0 NO [LIMIT] Maximum number of connections from user+IP "
		  "exceeded (mail_max_userip_connections=10)",
		  false },
		{ "W0 NO [UNAVAILABLE] Temporary authentication failure.",
		  false },
		/* RFC 5530. */
		{ "W0 NO [AUTHORIZATIONFAILED] not you", true },
		{ "W0 NO [EXPIRED] your password has", true },
		{ "W0 NO [PRIVACYREQUIRED] no TLS", true },
		{ "W0 NO [CONTACTADMIN] locked", true },
		{ "W0 NO [unavailable] later", false },
		{ "W0 NO [INUSE] mailbox is locked", false },
		{ "W0 NO [SERVERBUG] sorry", false },
		/* No code, or one that says nothing. */
		{ "W0 NO [ALERT] Your password is wrong", true },
		{ "W0 NO [ALERT] Please log in via your web browser", true },
		{ "W0 NO [ALERT] Too many simultaneous connections", false },
		{ "W0 NO Temporary failure, try again", false },
		{ "W0 NO Service temporarily unavailable", false },
		{ "W0 NO busy: TRY AGAIN LATER", false },
		{ "W0 NO too many logins", false },
		{ "W0 NO [AUTHENTICATIONFAILED] try again later", true },
		{ "W0 NO", true },
		/* Nothing of the login was looked at. */
		{ "W0 BAD Command unknown", false },
		{ "W0 OK Logged in", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct imap_response r;
		char line[200];

		(void)snprintf(line, sizeof(line), "%s\r\n", rows[i].reply);
		assert_ok(imap_response_parse(str_of(line), &r));
		if (watch_login_rejected(&r) != rows[i].rejected)
			fail_msg("%s", rows[i].reply);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stored_login_is_opened),
		TEST(what_cannot_be_used_is_told_apart),
		TEST(master_logs_in_under_the_accepted_name),
		TEST(master_invents_no_name),
		TEST(master_waits_for_what_proves_the_inbox),
		TEST(master_without_a_password_logs_nobody_in),
		TEST(name_with_a_separator_is_not_used),
		TEST(master_alone_asks_for_nobody),
		TEST(refusals_are_final_or_for_a_while),
	};

	return cmocka_run_group_tests_name("watch_login", tests, NULL, NULL);
}
