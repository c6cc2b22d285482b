/* SPDX-License-Identifier: ISC */
/* STARTTLS: nothing is believed before it, nothing from before it counts. */
#include <stdio.h>
#include <string.h>

#include "proxy/prelogin.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define NEEDS_TLS "NO [PRIVACYREQUIRED] Log in after STARTTLS.\r\n"
#define BACKEND_LIST "IMAP4rev1 IDLE AUTH=PLAIN ID SASL-IR LITERAL+"

static const struct proxy_listen starttls = { .host = "127.0.0.1",
	                                      .port = 143,
	                                      .security = PROXY_STARTTLS };
static const struct proxy_listen implicit = { .host = "127.0.0.1",
	                                      .port = 143,
	                                      .security = PROXY_TLS };

/* The fakes only ask whether there is one. */
static char context;

static void begin_at(struct stage *st, const struct proxy_listen *where)
{
	void *tls = &context;

	stage_init(st);
	st->opts.listen = where;
	st->opts.tls = tls;
	st->opts.push_enabled = false;
	stage_start(st);
	stage_client(st);
}

static void begin(struct stage *st)
{
	begin_at(st, &starttls);
}

/* secure lets the client begin TLS. */
static void secure(struct stage *st)
{
	stage_c(st, "s starttls\r\n");
	stage_sees_c(st, "s OK Begin TLS negotiation now.\r\n");
	assert_int_equal(fake_tls_starts(st->client), 1);
}

static void lists_before_and_after(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a CAPABILITY\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 IDLE ID STARTTLS "
	                  "LOGINDISABLED SASL-IR LITERAL+\r\n"
	                  "a OK CAPABILITY completed.\r\n");
	secure(&st);
	/* No greeting (RFC 9051 section 6.2.1). */
	stage_sees_c(&st, "");
	stage_c(&st, "b CAPABILITY\r\n");
	stage_sees_c(&st, "* CAPABILITY " BACKEND_LIST "\r\n"
	                  "b OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

static void greeting_lists_no_login(void **arg)
{
	void *tls = &context;
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.listen = &starttls;
	st.opts.tls = tls;
	st.opts.push_enabled = false;
	stage_start(&st);
	st.client = fake_accept(st.loop, 143);
	fake_run(st.loop);
	stage_sees_c(&st, "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID "
	                  "STARTTLS LOGINDISABLED] imapbell ready.\r\n");
	stage_done(&st);
}

/* Each with what is answered; the NOOP behind it shows where it ended. */
static void logins_are_refused_and_their_octets_dropped(void **arg)
{
	static const char *const rows[] = {
		"a LOGIN user secret\r\n",
		"a login \"user\" \"secret\"\r\n",
		"a LOGIN {4+}\r\nuser {6+}\r\nsecret\r\n",
		"a LOGIN user {14+}\r\nx LOGIN y z \r\n\r\n",
		/* Nobody asked for the octets of these: none come. */
		"a LOGIN user {6}\r\n",
		"a LOGIN {4}\r\n",
		"a AUTHENTICATE PLAIN\r\n",
		"a AUTHENTICATE PLAIN AHVzZXIAc2VjcmV0\r\n",
		"a AUTHENTICATE XOAUTH2 eA==\r\n",
	};
	struct stage st;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t each = 1; each < 64; each += 9) {
			begin(&st);
			fake_push_split(st.client, str_of(rows[i]), each);
			fake_push(st.client, STR("b NOOP\r\n"));
			fake_run(st.loop);
			stage_sees_c(&st,
			             "a " NEEDS_TLS "b OK NOOP completed.\r\n");
			assert_int_equal(fake_dials(st.loop), 1); /* a probe */
			stage_done(&st);
		}
	}
}

static void login_after_it(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	secure(&st);
	stage_c(&st, "a LOGIN user secret\r\n");
	/* What a PROXY header may say to the server. */
	assert_true(str_eq(fake_dial_from(st.loop)->tls, STR("TLSv1.3")));
	assert_int_equal(fake_dials(st.loop), 2);
	stage_done(&st);
}

/* CVE-2011-0411: words from before TLS are not the client's. */
static void what_comes_behind_it_is_never_executed(void **arg)
{
	static const char *const rows[] = {
		"a STARTTLS\r\nb LOGIN evil x\r\n",
		"a STARTTLS\r\nb NOOP\r\n",
		"a STARTTLS\r\nb LOG",
		"a STARTTLS\r\n\r\n",
		"a STARTTLS\r\n ",
		"x NOOP\r\na STARTTLS\r\nb LOGOUT\r\n",
	};
	struct stage st;
	struct str got;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&st);
		stage_c(&st, rows[i]);
		assert_int_equal(fake_tls_starts(st.client), 0);
		assert_true(fake_is_closed(st.client));
		got = fake_written(st.client);
		assert_null(memmem(got.data, got.len, "\nb ", 3));
		assert_int_equal(fake_dials(st.loop), 1);
		stage_done(&st);
	}
}

static void is_offered_once(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a STARTTLS now\r\n");
	stage_sees_c(&st, "a BAD STARTTLS takes no arguments.\r\n");
	secure(&st);
	stage_c(&st, "b STARTTLS\r\n");
	stage_sees_c(&st, "b BAD STARTTLS is not offered here.\r\n");
	assert_int_equal(fake_tls_starts(st.client), 1);
	stage_done(&st);
}

static void is_not_offered_elsewhere(void **arg)
{
	static const struct proxy_listen plain = { .host = "127.0.0.1",
		                                   .port = 143,
		                                   .security = PROXY_PLAIN };
	const struct proxy_listen *const rows[] = { &plain, &implicit };
	struct stage st;

	(void)arg;
	for (size_t i = 0; i < 2; i++) {
		begin_at(&st, rows[i]);
		stage_c(&st, "a CAPABILITY\r\nb STARTTLS\r\n");
		stage_sees_c(&st, "* CAPABILITY " BACKEND_LIST "\r\n"
		                  "a OK CAPABILITY completed.\r\n"
		                  "b BAD STARTTLS is not offered here.\r\n");
		stage_c(&st, "c LOGIN user secret\r\n");
		assert_int_equal(fake_dials(st.loop), 2);
		stage_done(&st);
	}
}

/* Somebody else's bad commands are not held against the client. */
static void counts_begin_anew(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	for (int i = 1; i < PRELOGIN_BAD_MAX; i++)
		stage_c(&st, "a X\r\n");
	stage_sees_c(&st, "a BAD Unknown command, or not before login.\r\n"
	                  "a BAD Unknown command, or not before login.\r\n");
	secure(&st);
	for (int i = 1; i < PRELOGIN_BAD_MAX; i++)
		stage_c(&st, "a X\r\n");
	assert_false(fake_is_closed(st.client));
	stage_c(&st, "a X\r\n");
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

/* The deadline of a login is one, with TLS or without. */
static void time_goes_on(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_clock_advance(st.loop, 59 * 1000);
	secure(&st);
	fake_clock_advance(st.loop, 2 * 1000);
	assert_true(fake_is_closed(st.client));
	stage_done(&st);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_before_and_after),
		cmocka_unit_test(greeting_lists_no_login),
		cmocka_unit_test(logins_are_refused_and_their_octets_dropped),
		cmocka_unit_test(login_after_it),
		cmocka_unit_test(what_comes_behind_it_is_never_executed),
		cmocka_unit_test(is_offered_once),
		cmocka_unit_test(is_not_offered_elsewhere),
		cmocka_unit_test(counts_begin_anew),
		cmocka_unit_test(time_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
