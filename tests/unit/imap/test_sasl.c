/* SPDX-License-Identifier: ISC */
/* Messages of SASL: whom they name, and that what is sent says the same. */
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "imap/sasl.h"
#include "unit/unit.h"

#define DIGEST "b913a602c7eda7a495b4e6e7334d3890"
#define A "\x01"

/* A message that says all. |user| NULL: it does not parse. */
static const struct {
	enum imap_login_method method;
	const char *rule;
	struct str message;
	const char *user;
	const char *authzid;
	const char *password;
	struct str sent;
	bool other;
} messages[] = {
	{ IMAP_LOGIN_PLAIN, "no authzid", IN("\0bob\0pw"), "bob", "", "pw",
	  IN("\0bob\0pw"), false },
	{ IMAP_LOGIN_PLAIN, "the same authzid", IN("bob\0bob\0pw"), "bob",
	  "bob", "pw", IN("bob\0bob\0pw"), false },
	{ IMAP_LOGIN_PLAIN, "another authzid", IN("al\0bob\0pw"), "bob", "al",
	  "pw", IN("al\0bob\0pw"), true },
	{ IMAP_LOGIN_PLAIN, "no password", IN("\0bob\0"), "bob", "", "",
	  IN("\0bob\0"), false },
	{ IMAP_LOGIN_PLAIN, "no name", IN("\0\0pw"), .user = NULL },
	{ IMAP_LOGIN_PLAIN, "one part", IN("bob"), .user = NULL },
	{ IMAP_LOGIN_PLAIN, "two parts", IN("bob\0pw"), .user = NULL },
	{ IMAP_LOGIN_PLAIN, "four parts", IN("\0bob\0p\0w"), .user = NULL },
	{ IMAP_LOGIN_PLAIN, "a line end in the name", IN("\0bob\npw\0x"),
	  .user = NULL },
	{ IMAP_LOGIN_PLAIN, "a line end in the authzid", IN("b\n\0bob\0pw"),
	  .user = NULL },
	{ IMAP_LOGIN_PLAIN, "nothing", IN(""), .user = NULL },

	{ IMAP_LOGIN_XOAUTH2, "a token",
	  IN("user=bob@x" A "auth=Bearer ya29.a==" A A), "bob@x", "",
	  "ya29.a==", IN("user=bob@x" A "auth=Bearer ya29.a==" A A), false },
	{ IMAP_LOGIN_XOAUTH2, "the scheme in other letters",
	  IN("user=bob" A "auth=bearer t" A A), "bob", "", "t",
	  IN("user=bob" A "auth=Bearer t" A A), false },
	{ IMAP_LOGIN_XOAUTH2, "another scheme",
	  IN("user=bob" A "auth=Basic t" A A), .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "no name", IN("user=" A "auth=Bearer t" A A),
	  .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "two names",
	  IN("user=bob" A "user=al" A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "a name behind the token",
	  IN("user=bob" A "auth=Bearer t" A "user=al" A A), .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "cut short", IN("user=bob" A "auth=Bearer t" A),
	  .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "a token with a line end",
	  IN("user=bob" A "auth=Bearer t\r\nx" A A), .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "a line end in the name",
	  IN("user=b\nb" A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_XOAUTH2, "NUL in the name",
	  IN("user=b\0b" A "auth=Bearer t" A A), .user = NULL },

	{ IMAP_LOGIN_OAUTHBEARER, "RFC 7628 section 4.1",
	  IN("n,a=user@example.com," A "host=server.example.com" A "port=993" A
	     "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEu" A A),
	  "user@example.com", "", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEu",
	  IN("n,a=user@example.com," A
	     "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEu" A A),
	  false },
	{ IMAP_LOGIN_OAUTHBEARER, "a name with escapes",
	  IN("n,a=a=2Cb=3Dc," A "auth=Bearer t" A A), "a,b=c", "", "t",
	  IN("n,a=a=2Cb=3Dc," A "auth=Bearer t" A A), false },
	{ IMAP_LOGIN_OAUTHBEARER, "the token alone is not believed",
	  IN("n,," A "auth=Bearer t" A A), "", "", "t",
	  IN("n,," A "auth=Bearer t" A A), true },
	{ IMAP_LOGIN_OAUTHBEARER, "RFC 7628 section 4.3: where are tokens?",
	  IN("n,a=bob," A "host=x" A "auth=" A A), "bob", "", "",
	  IN("n,a=bob," A "auth=" A A), false },
	{ IMAP_LOGIN_OAUTHBEARER, "two tokens",
	  IN("n,a=bob," A "auth=Bearer t" A "auth=Bearer u" A A),
	  .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "no token", IN("n,a=bob," A "host=x" A A),
	  .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "channel binding",
	  IN("p=tls-exporter,a=bob," A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "another escape",
	  IN("n,a=a=2cb," A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "an escape cut short",
	  IN("n,a=a=2," A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "an empty name",
	  IN("n,a=," A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "a line end in the name",
	  IN("n,a=b\nb," A "auth=Bearer t" A A), .user = NULL },
	{ IMAP_LOGIN_OAUTHBEARER, "a lone separator", IN(A), .user = NULL },

	{ IMAP_LOGIN_SCRAM_SHA_1, "RFC 5802 section 5",
	  IN("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), "user", "",
	  "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
	  IN("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"), false },
	{ IMAP_LOGIN_SCRAM_SHA_256, "escapes, and an authzid of their own",
	  IN("y,a=a=2Cb,n=a=2Cb,r=x"), "a,b", "a,b", "y,a=a=2Cb,n=a=2Cb,r=x",
	  IN("y,a=a=2Cb,n=a=2Cb,r=x"), false },
	{ IMAP_LOGIN_SCRAM_SHA_256, "another authzid",
	  IN("n,a=al,n=bob=3D,r=x"), "bob=", "al", "n,a=al,n=bob=3D,r=x",
	  IN("n,a=al,n=bob=3D,r=x"), true },
	{ IMAP_LOGIN_SCRAM_SHA_1, "channel binding",
	  IN("p=tls-unique,,n=bob,r=x"), .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "a mandatory extension",
	  IN("n,,m=x,n=bob,r=x"), .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "two names", IN("n,,n=bob,n=al,r=x"),
	  .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "a name behind the nonce",
	  IN("n,,n=bob,r=x,n=al"), .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "no name", IN("n,,n=,r=x"), .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "no nonce", IN("n,,n=bob,r="), .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "NUL in the name", IN("n,,n=b\0b,r=x"),
	  .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "a line end in the name", IN("n,,n=b\nb,r=x"),
	  .user = NULL },
	{ IMAP_LOGIN_SCRAM_SHA_1, "nothing", IN(""), .user = NULL },

	{ IMAP_LOGIN_CRAM_MD5, "RFC 2195 section 2", IN("tim " DIGEST), "tim",
	  "", "", IN(""), false },
	{ IMAP_LOGIN_CRAM_MD5, "a name with spaces", IN("tim b  " DIGEST),
	  "tim b ", "", "", IN(""), false },
	{ IMAP_LOGIN_CRAM_MD5, "no name", IN(" " DIGEST), .user = NULL },
	{ IMAP_LOGIN_CRAM_MD5, "no digest", IN("tim "), .user = NULL },
	{ IMAP_LOGIN_CRAM_MD5, "a digest too long", IN("tim " DIGEST "0"),
	  .user = NULL },
	{ IMAP_LOGIN_CRAM_MD5, "a digest that is none",
	  IN("tim b913a602c7eda7a495b4e6e7334d389x"), .user = NULL },
	{ IMAP_LOGIN_CRAM_MD5, "a line end in the name", IN("b\nb " DIGEST),
	  .user = NULL },
	{ IMAP_LOGIN_CRAM_MD5, "nothing", IN(""), .user = NULL },
};

/* take gives |message| to a new |l|. */
static int take(enum imap_login_method method, struct str message,
                struct imap_login *l)
{
	struct buf base64;
	int rc;

	*l = (struct imap_login){ .method = method };
	buf_init(&base64, 200000);
	assert_ok(codec_base64(message, &base64));
	rc = imap_sasl_take(l, buf_str(&base64));
	buf_reset(&base64);
	return rc;
}

static void messages_name_somebody(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct imap_login l;
		int rc = take(messages[i].method, messages[i].message, &l);

		if (rc != (messages[i].user != NULL ? ERR_OK : ERR_PARSE))
			fail_msg("%s: %d", messages[i].rule, rc);
		if (rc == ERR_OK) {
			assert_str(l.user, messages[i].user);
			assert_str(l.authzid, messages[i].authzid);
			assert_str(secret_str(l.password),
			           messages[i].password);
			assert_int_equal(imap_login_is_other(&l),
			                 messages[i].other);
			assert_int_equal(imap_login_has_password(&l),
			                 l.method == IMAP_LOGIN_PLAIN);
		} else {
			assert_null(l.password);
			assert_null(l.user.data);
		}
		imap_login_done(&l);
	}
}

/* sent_is compares with `t AUTHENTICATE NAME`, "|" where "+" is waited for, and
 * the base64 of |message|. */
static void sent_is(const struct imap_login *l, bool sasl_ir,
                    struct str message)
{
	struct imap_emit e;
	struct buf want;
	struct buf got;

	buf_init(&want, 1000);
	buf_init(&got, 1000);
	assert_ok(buf_printf(&want, "t AUTHENTICATE %s%s",
	                     imap_sasl_of(l->method)->name,
	                     sasl_ir ? " " : "\r\n|"));
	assert_ok(codec_base64(message, &want));
	assert_ok(buf_adds(&want, "\r\n"));
	imap_emit_init(&e, 1000);
	assert_ok(imap_login_emit(l, STR("t"), sasl_ir, &e));
	for (;;) {
		assert_ok(buf_add(&got, imap_emit_next(&e)));
		if (imap_emit_finished(&e))
			break;
		assert_ok(buf_adds(&got, "|"));
	}
	assert_true(str_eq(buf_str(&got), buf_str(&want)));
	imap_emit_done(&e);
	buf_reset(&want);
	buf_reset(&got);
}

static void messages_are_encoded_afresh(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(messages); i++) {
		struct imap_login l;

		if (messages[i].user == NULL ||
		    messages[i].method == IMAP_LOGIN_CRAM_MD5)
			continue;
		assert_ok(take(messages[i].method, messages[i].message, &l));
		sent_is(&l, false, messages[i].sent);
		sent_is(&l, true, messages[i].sent);
		imap_login_done(&l);
	}
}

static void name_and_password_are_asked_for(void **state)
{
	struct imap_login l = { .method = IMAP_LOGIN_LOGIN };
	struct imap_emit e;

	(void)state;
	assert_string_equal(imap_sasl_prompt(&l), "VXNlcm5hbWU6");
	assert_int_equal(imap_sasl_take(&l, STR("")), ERR_PARSE);
	assert_int_equal(imap_sasl_take(&l, STR("Ym9i")), ERR_MORE);
	assert_string_equal(imap_sasl_prompt(&l), "UGFzc3dvcmQ6");
	assert_ok(imap_sasl_take(&l, STR("cHc=")));
	assert_str(l.user, "bob");
	assert_str(secret_str(l.password), "pw");
	assert_true(imap_login_has_password(&l));
	/* An initial response is not for this mechanism. */
	imap_emit_init(&e, 1000);
	assert_ok(imap_login_emit(&l, STR("t"), true, &e));
	assert_str(imap_emit_next(&e), "t AUTHENTICATE LOGIN\r\n");
	assert_str(imap_emit_next(&e), "Ym9i\r\n");
	assert_str(imap_emit_next(&e), "cHc=\r\n");
	assert_true(imap_emit_finished(&e));
	imap_emit_done(&e);
	imap_login_done(&l);
}

static void nothing_but_base64_is_a_message(void **state)
{
	static const char *const texts[] = { "*",
		                             "=",
		                             "AGJvYgBwdw=",
		                             "AGJvYgBwdw",
		                             " AGJvYgBwdw==",
		                             "AGJvYgBwdx==",
		                             "AGJv\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct imap_login l = { .method = IMAP_LOGIN_PLAIN };
		struct imap_login cram = { .method = IMAP_LOGIN_CRAM_MD5 };
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(imap_sasl_take(&l, str_of(texts[i])),
		                 ERR_PARSE);
		assert_int_equal(
			imap_sasl_answer(&cram, str_of(texts[i]), &out),
			ERR_PARSE);
		assert_int_equal(out.len, 0);
	}
}

static void answers_are_passed_on(void **state)
{
	struct imap_login l = { .method = IMAP_LOGIN_CRAM_MD5 };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	/* "tim b913..." */
	assert_ok(imap_sasl_answer(
		&l, STR("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw"),
		&out));
	assert_str(l.user, "tim");
	assert_str(buf_str(&out), "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzN"
	                          "GQzODkw\r\n");
	imap_login_done(&l);
	buf_clear(&out);

	/* The name was said before, and stays. */
	assert_ok(take(IMAP_LOGIN_SCRAM_SHA_1, STR("n,,n=user,r=x"), &l));
	assert_ok(imap_sasl_answer(&l, STR("Yz1iaXdz"), &out));
	assert_ok(imap_sasl_answer(&l, STR(""), &out));
	assert_str(buf_str(&out), "Yz1iaXdz\r\n\r\n");
	assert_str(l.user, "user");
	imap_login_done(&l);
	buf_reset(&out);
}

/* token_of takes a token of |len| octets. */
static int token_of(enum imap_login_method method, size_t len,
                    struct imap_login *l)
{
	struct buf message;
	int rc;

	buf_init(&message, 200000);
	assert_ok(buf_adds(&message, method == IMAP_LOGIN_XOAUTH2
	                                     ? "user=bob" A
	                                     : "n,a=bob," A));
	assert_ok(buf_printf(&message, "auth=Bearer %0*d" A A, (int)len, 1));
	rc = take(method, buf_str(&message), l);
	buf_reset(&message);
	return rc;
}

static void tokens_may_be_long(void **state)
{
	static const enum imap_login_method methods[] = {
		IMAP_LOGIN_XOAUTH2, IMAP_LOGIN_OAUTHBEARER
	};
	struct imap_emit e;
	struct imap_login l;

	(void)state;
	for (size_t i = 0; i < COUNT(methods); i++) {
		assert_ok(token_of(methods[i], IMAP_TOKEN_MAX, &l));
		assert_int_equal(secret_str(l.password).len, IMAP_TOKEN_MAX);
		/* No server takes a command line like that. */
		imap_emit_init(&e, 200000);
		assert_ok(imap_login_emit(&l, STR("t"), true, &e));
		assert_true(str_ends(imap_emit_next(&e), STR("\r\n")));
		assert_false(imap_emit_finished(&e));
		assert_true(imap_emit_next(&e).len > IMAP_TOKEN_MAX);
		assert_true(imap_emit_finished(&e));
		imap_emit_done(&e);
		imap_login_done(&l);
		assert_int_equal(token_of(methods[i], IMAP_TOKEN_MAX + 1, &l),
		                 ERR_LIMIT);
		assert_int_equal(token_of(methods[i], 100000, &l), ERR_LIMIT);
	}
}

static void lengths_have_limits(void **state)
{
	static char big[8000];
	struct imap_login l;
	struct buf m;

	(void)state;
	memset(big, 'x', sizeof(big));
	buf_init(&m, 20000);
	assert_ok(buf_printf(&m, "n,,n=%.*s,r=x", IMAP_USER_MAX + 1, big));
	assert_int_equal(take(IMAP_LOGIN_SCRAM_SHA_1, buf_str(&m), &l),
	                 ERR_LIMIT);
	buf_clear(&m);
	assert_ok(buf_printf(&m, "%.*s " DIGEST, IMAP_USER_MAX + 1, big));
	assert_int_equal(take(IMAP_LOGIN_CRAM_MD5, buf_str(&m), &l), ERR_LIMIT);
	assert_int_equal(
		take(IMAP_LOGIN_LOGIN, str_new(big, IMAP_USER_MAX + 1), &l),
		ERR_LIMIT);
	assert_int_equal(take(IMAP_LOGIN_LOGIN, STR("bob"), &l), ERR_MORE);
	imap_login_done(&l);
	buf_reset(&m);
}

static void what_cannot_work_is_not_known(void **state)
{
	static const char *const names[] = { "EXTERNAL",   "GSSAPI",
		                             "DIGEST-MD5", "KERBEROS_V4",
		                             "GS2-KRB5",   "SCRAM-SHA-1-PLUS",
		                             "ANONYMOUS",  "SCRAM-SHA-256-PLUS",
		                             "NTLM",       "SCRAM-SHA-25",
		                             "",           "PLAI" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_null(imap_sasl_find(str_of(names[i])));
	assert_non_null(imap_sasl_find(STR("plain")));
	assert_non_null(imap_sasl_find(STR("scram-sha-256")));
	assert_null(imap_sasl_of(IMAP_LOGIN_COMMAND));
	for (int i = IMAP_LOGIN_PLAIN; i <= IMAP_LOGIN_SCRAM_SHA_512; i++) {
		const struct imap_sasl *m =
			imap_sasl_of((enum imap_login_method)i);

		assert_non_null(m);
		assert_ptr_equal(imap_sasl_find(str_of(m->name)), m);
	}
}

static void channel_binding_is_noticed(void **state)
{
	(void)state;
	assert_true(imap_sasl_binds(
		STR("IMAP4rev1 AUTH=SCRAM-SHA-1 auth=scram-sha-1-plus ID")));
	assert_true(imap_sasl_binds(STR("AUTH=SCRAM-SHA-256-PLUS")));
	assert_false(imap_sasl_binds(STR("AUTH=SCRAM-SHA-1 X-PLUS LITERAL+")));
	assert_false(imap_sasl_binds(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_name_somebody),
		cmocka_unit_test(messages_are_encoded_afresh),
		cmocka_unit_test(name_and_password_are_asked_for),
		cmocka_unit_test(nothing_but_base64_is_a_message),
		cmocka_unit_test(answers_are_passed_on),
		cmocka_unit_test(tokens_may_be_long),
		cmocka_unit_test(lengths_have_limits),
		cmocka_unit_test(what_cannot_work_is_not_known),
		cmocka_unit_test(channel_binding_is_noticed),
	};

	return cmocka_run_group_tests_name("sasl", tests, NULL, NULL);
}
