/* SPDX-License-Identifier: ISC */
/* Which login is used, and which refusal is final. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "push/testpush.h"
#include "store/teststore.h"
#include "unit/unit.h"
#include "watch/login.h"

struct fixture {
	struct testdir dir;
	struct testpush p;
	struct seal *seal;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char path[100];

	testdir_init(&f->dir);
	(void)snprintf(path, sizeof(path), "%s/seal.key", f->dir.path);
	assert_ok(seal_load(path, true, &f->seal, NULL));
	testpush_init(&f->p);
	testpush_start(&f->p);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	testpush_done(&f->p);
	seal_free(&f->seal);
	testdir_done(&f->dir);
	free(f);
	return 0;
}

/* keep seals a login for |user|. */
static void keep(struct fixture *f, const char *user)
{
	struct imap_login login = { .method = IMAP_LOGIN_PLAIN,
		                    .user = STR("Anna"),
		                    .authzid = STR(""),
		                    .password = secret_new(STR("pw")) };
	struct buf blob;

	buf_init(&blob, 10000);
	assert_ok(seal_close(f->seal, str_of(user), &login, &blob));
	registry_login_put(f->p.registry, STR("anna"), buf_str(&blob));
	buf_reset(&blob);
	secret_free(&login.password);
}

static int open_login(struct fixture *f, const struct seal *seal)
{
	struct imap_login login = { 0 };
	int rc = watch_login_open(f->p.registry, seal, STR("anna"), &login,
	                          NULL);

	assert_int_equal(login.password != NULL, rc == ERR_OK);
	imap_login_done(&login);
	return rc;
}

static void stored_login_is_opened(void **state)
{
	struct fixture *f = *state;
	struct imap_login login;
	struct store_login row;
	struct str sealed;

	keep(f, "anna");
	assert_ok(watch_login_open(f->p.registry, f->seal, STR("anna"), &login,
	                           &sealed));
	assert_str(login.user, "Anna");
	assert_str(secret_str(login.password), "pw");
	assert_ok(registry_login(f->p.registry, STR("anna"), &row));
	assert_true(str_eq(sealed, row.blob));
	imap_login_done(&login);
}

static void what_cannot_be_used_is_told_apart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_login(f, f->seal), ERR_NOT_FOUND);
	keep(f, "anna");
	assert_int_equal(open_login(f, NULL), ERR_AUTH);
	registry_login_rejected(f->p.registry, STR("anna"));
	assert_int_equal(open_login(f, f->seal), ERR_NOT_FOUND);
	keep(f, "anna");
	assert_ok(open_login(f, f->seal));
	keep(f, "bert"); /* a row that was copied */
	assert_int_equal(open_login(f, f->seal), ERR_AUTH);
	registry_login_put(f->p.registry, STR("anna"), STR("damaged"));
	assert_int_equal(open_login(f, f->seal), ERR_AUTH);
}

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
		TEST(refusals_are_final_or_for_a_while),
	};

	return cmocka_run_group_tests_name("watch_login", tests, NULL, NULL);
}
