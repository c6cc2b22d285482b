/* SPDX-License-Identifier: ISC */
/* What processes say comes out as it went in, and nothing else comes out. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/files.h"
#include "base/mem.h"
#include "process/message.h"
#include "unit/unit.h"

#define TOKEN "00112233445566778899aabbccddeeff"

static const char digest[MESSAGE_DIGEST_BYTES] = "0123456789abcdef";

static const struct service_mailbox boxes[] = {
	{ { "INBOX", 5 }, true, true, 7, 12, 11, UINT32_MAX },
	{ { "Work", 4 }, false, false, 0, 0, 0, 0 },
};

static const struct str names[] = { { "INBOX", 5 }, { "A&-B", 4 } };

/* A registration of one user, to be changed. */
static struct message registration(void)
{
	struct message m = { .type = MESSAGE_REGISTER, .id = 7 };
	struct message_registration *r = &m.u.registration;

	r->wish = (struct service_registration){
		.login_name = STR("anna"),
		.topic = STR("com.apple.mail.XServer.test"),
		.mailboxes = boxes,
		.mailbox_count = 2,
	};
	r->command = (struct imap_xaps){
		.version = 2,
		.account_id = STR("acc"),
		.device_token = STR(TOKEN),
		.subtopic = STR("com.apple.mobilemail"),
	};
	return m;
}

static struct message lookup(void)
{
	struct message m = { .type = MESSAGE_LOOKUP, .id = UINT32_MAX };

	m.u.lookup.login_name = STR("anna");
	m.u.lookup.names = names;
	m.u.lookup.count = 2;
	return m;
}

static struct buf encoded(const struct message *m)
{
	struct buf b;

	buf_init(&b, MESSAGE_MAX);
	assert_ok(message_encode(m, &b));
	return b;
}

/* There is no other message in a part of it, nor in more than it. */
static void no_less_no_more(const struct buf *whole)
{
	struct message m;
	struct buf b;

	for (size_t len = 0; len < whole->len; len++) {
		/* A block of its size, so that a sanitizer sees who reads on.
		 */
		struct str part = str_dup(str_new(whole->data, len));
		int rc = message_decode(part, &m);

		assert_int_equal(rc, ERR_PARSE);
		str_free(&part);
	}
	buf_init(&b, MESSAGE_MAX);
	assert_ok(buf_add(&b, buf_str(whole)));
	assert_ok(buf_append(&b, "", 1));
	assert_int_equal(message_decode(buf_str(&b), &m), ERR_PARSE);
	b.data[0]++;
	assert_int_equal(message_decode(str_new(b.data, whole->len), &m),
	                 ERR_PARSE);
	buf_reset(&b);
}

/* back decodes what |m| is encoded as, and encodes that: the same octets. */
static void back(const struct message *m, struct message *m_r, struct buf *b_r)
{
	struct buf again;

	*b_r = encoded(m);
	no_less_no_more(b_r);
	assert_ok(message_decode(buf_str(b_r), m_r));
	assert_int_equal(m_r->type, m->type);
	assert_int_equal(m_r->id, m->id);
	again = encoded(m_r);
	assert_true(str_eq(buf_str(&again), buf_str(b_r)));
	buf_reset(&again);
}

static void registration_comes_back(void **state)
{
	struct message m = registration();
	struct message got;
	struct buf b;

	(void)state;
	m.u.registration.login.digest = str_new(digest, sizeof(digest));
	back(&m, &got, &b);
	assert_str(got.u.registration.wish.login_name, "anna");
	assert_str(got.u.registration.wish.command->device_token, TOKEN);
	assert_int_equal(got.u.registration.wish.mailbox_count, 2);
	assert_str(got.u.registration.wish.mailboxes[1].name, "Work");
	assert_int_equal(got.u.registration.wish.mailboxes[0].uidnext, 12);
	assert_int_equal(got.u.registration.wish.mailboxes[0].unseen,
	                 UINT32_MAX);
	assert_true(got.u.registration.wish.mailboxes[0].proved);
	assert_false(got.u.registration.wish.mailboxes[1].has_status);
	assert_int_equal(got.u.registration.login.digest.len, 32);
	assert_null(got.u.registration.login.whole);
	message_done(&got);
	buf_reset(&b);
}

static void login_comes_back(void **state)
{
	const struct imap_login login = {
		.method = IMAP_LOGIN_PLAIN,
		.user = STR("anna"),
		.authzid = STR(""),
		.password = secret_new(STR("p\xc3\xa4ss word")),
	};
	struct message m = { .type = MESSAGE_LOGGED_IN, .id = 1 };
	const struct imap_login *whole;
	struct message got;
	struct buf b;

	(void)state;
	m.u.logged_in.login_name = STR("anna");
	m.u.logged_in.login.whole = &login;
	back(&m, &got, &b);
	whole = got.u.logged_in.login.whole;
	assert_non_null(whole);
	assert_str(whole->user, "anna");
	assert_true(secret_eq(whole->password, login.password));
	message_done(&got);
	buf_reset(&b);
	secret_free(&((struct imap_login *)(uintptr_t)&login)->password);
}

static void the_others_come_back(void **state)
{
	struct message offer = { .type = MESSAGE_OFFER };
	struct message looked_up = { .type = MESSAGE_LOOKED_UP, .id = 9 };
	struct message done = { .type = MESSAGE_DONE, .id = 9 };
	struct message ask = lookup();
	struct message got;
	struct buf b;

	(void)state;
	offer.u.offer.topic = STR("com.example");
	offer.u.offer.mailboxes_max = 64;
	offer.u.offer.keeps_logins = true;
	back(&offer, &got, &b);
	assert_str(got.u.offer.topic, "com.example");
	assert_int_equal(got.u.offer.mailboxes_max, 64);
	assert_true(got.u.offer.keeps_logins);
	buf_reset(&b);
	looked_up.u.proved = STR("\1\0\1");
	back(&looked_up, &got, &b);
	assert_true(str_eq(got.u.proved, STR("\1\0\1")));
	buf_reset(&b);
	done.u.kept = true;
	back(&done, &got, &b);
	assert_true(got.u.kept);
	buf_reset(&b);
	back(&ask, &got, &b);
	assert_int_equal(got.u.lookup.count, 2);
	assert_str(got.u.lookup.names[1], "A&-B");
	message_done(&got);
	buf_reset(&b);
}

static void what_a_reload_brings_comes_back(void **state)
{
	struct message option = { .type = MESSAGE_OPTION };
	struct message file = { .type = MESSAGE_FILE };
	struct message got;
	struct buf b;

	(void)state;
	option.u.option = STR("push.allow=(\"a=b\")");
	back(&option, &got, &b);
	assert_str(got.u.option, "push.allow=(\"a=b\")");
	buf_reset(&b);
	file.u.file.path = STR("/etc/key.pem");
	file.u.file.mode = 0100640;
	file.u.file.text = STR("a\0b\n");
	back(&file, &got, &b);
	assert_str(got.u.file.path, "/etc/key.pem");
	assert_int_equal(got.u.file.mode, 0100640);
	assert_true(str_eq(got.u.file.text, STR("a\0b\n")));
	buf_reset(&b);
	file.u.file.text = STR_NULL;
	back(&file, &got, &b);
	assert_int_equal(got.u.file.text.len, 0);
	buf_reset(&b);
}

static void words_without_fields_come_back(void **state)
{
	static const enum message_type types[] = {
		MESSAGE_PEER,  MESSAGE_RELOAD,  MESSAGE_DRAIN,  MESSAGE_STOP,
		MESSAGE_READY, MESSAGE_CULPRIT, MESSAGE_WANTED,
	};
	struct message got;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct message m = { .type = types[i], .id = 3 };

		back(&m, &got, &b);
		buf_reset(&b);
	}
}

static void refuses(const struct message *m)
{
	struct buf b = encoded(m);
	struct message got;

	assert_int_equal(message_decode(buf_str(&b), &got), ERR_PARSE);
	buf_reset(&b);
}

/* What a worker never says reaches neither the database nor Apple. */
static void texts_of_another_kind_are_refused(void **state)
{
	static const struct str bad_tokens[] = {
		{ "", 0 },
		{ "0", 1 },
		{ "0G", 2 },
		{ "AB", 2 },
	};
	static const struct str bad_words[] = {
		{ "", 0 },
		{ "a\r\nb", 4 },
		{ "a\0b", 3 },
		{ "\xff", 1 },
	};
	struct service_mailbox box = boxes[0];
	struct message m;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		m = registration();
		m.u.registration.command.device_token = bad_tokens[i];
		refuses(&m);
		m = registration();
		m.u.registration.wish.topic = bad_words[i];
		refuses(&m);
		m = registration();
		m.u.registration.command.account_id = bad_words[i];
		refuses(&m);
		m = registration();
		m.u.registration.command.subtopic = bad_words[i];
		refuses(&m);
		m = registration();
		box.name = bad_words[i];
		m.u.registration.wish.mailboxes = &box;
		m.u.registration.wish.mailbox_count = 1;
		refuses(&m);
	}
	m = registration();
	m.u.registration.command.account_id = STR("a\"b");
	refuses(&m);
	m = registration();
	m.u.registration.wish.login_name = STR("an\0na");
	refuses(&m);
	m = registration();
	m.u.registration.wish.login_name = STR_NULL;
	refuses(&m);
}

static void what_no_reload_brings_is_refused(void **state)
{
	struct message option = { .type = MESSAGE_OPTION };
	struct message file = { .type = MESSAGE_FILE };
	char *big = xcalloc(1, FILES_MAX + 1);

	(void)state;
	refuses(&option);
	option.u.option = STR("a\0=b");
	refuses(&option);
	file.u.file.text = STR("text");
	refuses(&file);
	file.u.file.path = STR("a\0b");
	refuses(&file);
	memset(big, 'a', 4097);
	file.u.file.path = str_new(big, 4097);
	refuses(&file);
	file.u.file.path.len = 4096;
	file.u.file.text = str_new(big, FILES_MAX + 1);
	refuses(&file);
	free(big);
}

/* Only a password can be kept. */
static void login_of_another_kind_is_refused(void **state)
{
	struct imap_login login = {
		.method = IMAP_LOGIN_XOAUTH2,
		.user = STR("anna"),
		.password = secret_new(STR("token")),
	};
	struct message m = { .type = MESSAGE_LOGGED_IN };

	(void)state;
	m.u.logged_in.login_name = STR("anna");
	m.u.logged_in.login.whole = &login;
	refuses(&m);
	secret_free(&login.password);
}

static void too_many_mailboxes_are_refused(void **state)
{
	struct str *many = xcalloc(IMAP_XAPS_MAILBOXES_MAX + 1, sizeof(*many));
	struct message m = lookup();
	struct message got;
	struct buf b;

	(void)state;
	for (size_t i = 0; i <= IMAP_XAPS_MAILBOXES_MAX; i++)
		many[i] = STR("INBOX");
	m.u.lookup.names = many;
	m.u.lookup.count = IMAP_XAPS_MAILBOXES_MAX + 1;
	refuses(&m);
	m.u.lookup.count = IMAP_XAPS_MAILBOXES_MAX;
	b = encoded(&m);
	assert_ok(message_decode(buf_str(&b), &got));
	message_done(&got);
	buf_reset(&b);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registration_comes_back),
		cmocka_unit_test(login_comes_back),
		cmocka_unit_test(the_others_come_back),
		cmocka_unit_test(what_a_reload_brings_comes_back),
		cmocka_unit_test(words_without_fields_come_back),
		cmocka_unit_test(texts_of_another_kind_are_refused),
		cmocka_unit_test(what_no_reload_brings_is_refused),
		cmocka_unit_test(login_of_another_kind_is_refused),
		cmocka_unit_test(too_many_mailboxes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
