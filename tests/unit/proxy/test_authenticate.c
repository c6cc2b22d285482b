/* SPDX-License-Identifier: ISC */
/* The client's side of AUTHENTICATE, step by step. */
#include <string.h>

#include "base/codec.h"
#include "imap/login.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define ALL                                                    \
	"AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER " \
	"AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 "   \
	"AUTH=GSSAPI AUTH=EXTERNAL AUTH=DIGEST-MD5"
#define REFUSED "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
#define CANCELLED "a BAD Authentication cancelled.\r\n"
#define UNSUPPORTED "a NO Unsupported authentication mechanism.\r\n"
#define MALFORMED "a BAD Malformed SASL message.\r\n"

/* "u1", "pw"; NUL "u1" NUL "pw" */
#define USER64 "dTE="
#define PASSWORD64 "cHc="
#define PLAIN64 "AHUxAHB3"
/* "n,,n=u1,r=x" and "c=biws,r=xy,p=z" */
#define FIRST64 "biwsbj11MSxyPXg="
#define FINAL64 "Yz1iaXdzLHI9eHkscD16"
/* "n,a=al,n=u1,r=x" */
#define FOREIGN64 "bixhPWFsLG49dTEscj14"
/* "u1 0123456789abcdef0123456789abcdef" */
#define CRAM64 "dTEgMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
/* "user=u1" ^A "auth=Bearer t" ^A ^A */
#define XOAUTH64 "dXNlcj11MQFhdXRoPUJlYXJlciB0AQE="
/* "n,a=u1," ^A "auth=Bearer t" ^A ^A */
#define BEARER64 "bixhPXUxLAFhdXRoPUJlYXJlciB0AQE="

/* begin: the backend has |mechanisms|, and no password is of use. */
static void begin(struct stage *st, const char *mechanisms)
{
	stage_init(st);
	st->mechanisms = mechanisms;
	fake_service_no_logins(st->service);
	stage_start(st);
	stage_client(st);
}

static void name_and_password_are_asked_for(void **arg)
{
	static const char *const commands[] = {
		"a AUTHENTICATE LOGIN\r\n",
		"a AUTHENTICATE LOGIN " USER64 "\r\n",
	};

	(void)arg;
	for (size_t i = 0; i < 2; i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, commands[i]);
		if (i == 0) {
			stage_sees_c(&st, "+ VXNlcm5hbWU6\r\n");
			stage_c(&st, USER64 "\r\n");
		}
		stage_sees_c(&st, "+ UGFzc3dvcmQ6\r\n");
		stage_c(&st, PASSWORD64 "\r\nb NOOP\r\n");
		stage_dialled(&st);
		stage_sees_b(&st, "a AUTHENTICATE LOGIN\r\n");
		stage_b(&st, "+ VXNlcm5hbWU6\r\n");
		stage_sees_b(&st, USER64 "\r\n");
		stage_b(&st, "+\r\n");
		stage_sees_b(&st, PASSWORD64 "\r\n");
		stage_sees_c(&st, "");
		stage_b(&st, "a OK in\r\n");
		stage_sees_c(&st, "a OK in\r\n");
		stage_sees_b(&st, "b NOOP\r\n");
		assert_str(fake_service_said(st.service), "logged-in u1\n");
		stage_done(&st);
	}
}

static void proofs_are_passed_on(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE scram-sha-256\r\n");
	stage_sees_c(&st, "+ \r\n");
	stage_c(&st, FIRST64 "\r\n");
	stage_dialled(&st);
	stage_sees_b(&st, "a AUTHENTICATE SCRAM-SHA-256 " FIRST64 "\r\n");
	stage_b(&st, "+ cj14eSxzPWQsaT00\r\n");
	stage_sees_c(&st, "+ cj14eSxzPWQsaT00\r\n");
	stage_c(&st, FINAL64 "\r\n");
	stage_sees_b(&st, FINAL64 "\r\n");
	stage_b(&st, "+ dj16\r\n");
	stage_sees_c(&st, "+ dj16\r\n");
	assert_str(fake_service_said(st.service), "");
	stage_c(&st, "\r\n");
	stage_sees_b(&st, "\r\n");
	stage_b(&st, "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	stage_sees_c(&st, "a OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] "
	                  "in\r\n");
	assert_str(fake_service_said(st.service), "logged-in u1\n");
	stage_done(&st);
}

/* The server's proof may be left out, and the client's first message may have
 * to wait for a server without SASL-IR. */
static void proofs_without_a_last_word(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE SCRAM-SHA-1 " FIRST64 "\r\n");
	stage_dialled(&st);
	stage_sees_b(&st, "a AUTHENTICATE SCRAM-SHA-1 " FIRST64 "\r\n");
	stage_b(&st, "+ cj14eSxzPWQsaT00\r\n");
	stage_c(&st, FINAL64 "\r\n");
	stage_b(&st, "a OK in\r\n");
	stage_sees_c(&st, "+ cj14eSxzPWQsaT00\r\na OK in\r\n");
	stage_done(&st);
}

static void the_name_is_in_the_answer(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	/* What is sent without being asked is the answer all the same. */
	stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n" CRAM64 "\r\nb NOOP\r\n");
	stage_dialled(&st);
	stage_sees_b(&st, "a AUTHENTICATE CRAM-MD5\r\n");
	stage_sees_c(&st, "");
	stage_b(&st, "+ PDFAeD4=\r\n");
	stage_sees_c(&st, "+ PDFAeD4=\r\n");
	stage_sees_b(&st, CRAM64 "\r\n");
	stage_b(&st, "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	stage_sees_c(&st, "a OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] "
	                  "in\r\n");
	stage_sees_b(&st, "b NOOP\r\n");
	assert_str(fake_service_said(st.service), "logged-in u1\n");
	stage_done(&st);
}

static void the_reason_of_a_refusal_is_passed_on(void **arg)
{
	static const char *const commands[] = {
		"a AUTHENTICATE XOAUTH2 " XOAUTH64 "\r\n",
		"a AUTHENTICATE OAUTHBEARER " BEARER64 "\r\n",
	};

	(void)arg;
	for (size_t i = 0; i < 2; i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, commands[i]);
		stage_dialled(&st);
		stage_sees_b(&st, commands[i]);
		stage_b(&st, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
		stage_sees_c(&st, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n");
		stage_c(&st, i == 0 ? "\r\n" : "AQ==\r\n");
		stage_sees_b(&st, i == 0 ? "\r\n" : "AQ==\r\n");
		stage_b(&st, "a NO [ALERT] Token expired\r\n");
		fake_clock_advance(st.loop, 999);
		stage_sees_c(&st, "");
		fake_clock_advance(st.loop, 1);
		stage_sees_c(&st, "a NO [ALERT] Token expired\r\n");
		/* And again, with one that is good. */
		fake_peer_free(&st.backend);
		stage_c(&st, commands[i]);
		stage_dialled(&st);
		stage_b(&st, "a OK in\r\n");
		stage_sees_c(&st, "a OK in\r\n");
		assert_str(fake_service_said(st.service), "logged-in u1\n");
		stage_done(&st);
	}
}

/* Whom the session belongs to is not what it was asked to be: as with PLAIN. */
static void a_foreign_authzid_is_not_offered(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE SCRAM-SHA-1 " FOREIGN64 "\r\n");
	stage_dialled(&st);
	stage_b(&st, "+ cj14eSxzPWQsaT00\r\n");
	stage_c(&st, FINAL64 "\r\n");
	stage_b(&st, "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	stage_sees_c(&st, "+ cj14eSxzPWQsaT00\r\n"
	                  "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	assert_str(fake_service_said(st.service), "");
	stage_done(&st);
}

/* "n,," ^A "auth=Bearer t" ^A ^A */
static void nobody_by_name_is_not_offered(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE OAUTHBEARER biwsAWF1dGg9QmVhcmVyIHQBAQ=="
	             "\r\n");
	stage_dialled(&st);
	stage_b(&st, "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	stage_sees_c(&st, "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	assert_str(fake_service_said(st.service), "");
	stage_c(&st, "b XAPPLEPUSHSERVICE aps-version 2\r\n");
	stage_sees_c(&st, "b BAD Unknown command.\r\n");
	stage_done(&st);
}

/* An OK before anything was proved is somebody's mistake, or worse. */
static void an_early_ok_is_not_believed(void **arg)
{
	static const char *const commands[] = {
		"a AUTHENTICATE CRAM-MD5\r\n",
		"a AUTHENTICATE SCRAM-SHA-1 " FIRST64 "\r\n",
	};

	(void)arg;
	for (size_t i = 0; i < 2; i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, commands[i]);
		stage_dialled(&st);
		stage_b(&st, "a OK in\r\n");
		stage_sees_c(&st, "a NO [UNAVAILABLE] The mail server cannot "
		                  "be reached, try again later.\r\n");
		assert_str(fake_service_said(st.service), "");
		stage_done(&st);
	}
}

static void cancelled_before_there_is_a_backend(void **arg)
{
	static const char *const starts[] = {
		"a AUTHENTICATE PLAIN\r\n",
		"a AUTHENTICATE LOGIN\r\n",
		"a AUTHENTICATE LOGIN " USER64 "\r\n",
		"a AUTHENTICATE XOAUTH2\r\n",
		"a AUTHENTICATE OAUTHBEARER\r\n",
		"a AUTHENTICATE SCRAM-SHA-256\r\n",
	};
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		stage_c(&st, starts[i]);
		fake_written_clear(st.client);
		stage_c(&st, "*\r\nb NOOP\r\n");
		stage_sees_c(&st, CANCELLED "b OK NOOP completed.\r\n");
	}
	assert_int_equal(fake_dials(st.loop), 1); /* the probe's */
	stage_done(&st);
}

/* cancel_at gives up at the |challenges|-th challenge of |command|. */
static void cancel_at(struct stage *st, const char *command,
                      unsigned challenges)
{
	stage_c(st, command);
	stage_dialled(st);
	for (unsigned i = 1; i <= challenges; i++) {
		stage_b(st, "+ cj14eSxzPWQsaT00\r\n");
		stage_sees_c(st, "+ cj14eSxzPWQsaT00\r\n");
		if (i < challenges)
			stage_c(st, FINAL64 "\r\n");
	}
	stage_c(st, "*\r\nb NOOP\r\n");
	assert_true(fake_is_closed(st->backend));
	fake_peer_free(&st->backend);
}

static void cancelled_in_the_middle(void **arg)
{
	static const struct {
		const char *command;
		unsigned challenges;
	} steps[] = {
		{ "a AUTHENTICATE CRAM-MD5\r\n", 1 },
		{ "a AUTHENTICATE SCRAM-SHA-1 " FIRST64 "\r\n", 1 },
		{ "a AUTHENTICATE SCRAM-SHA-1 " FIRST64 "\r\n", 2 },
	};
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		cancel_at(&st, steps[i].command, steps[i].challenges);
		stage_sees_c(&st, CANCELLED "b OK NOOP completed.\r\n");
	}
	assert_str(fake_service_said(st.service), "");
	stage_done(&st);
}

/* Who hears why a token is refused, and does not wait for the NO, has tried. */
static void a_cancelled_token_is_a_failure(void **arg)
{
	static const char *const command =
		"a AUTHENTICATE XOAUTH2 " XOAUTH64 "\r\n";
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	for (uint64_t delay_ms = 1000; delay_ms <= 4000; delay_ms *= 2) {
		cancel_at(&st, command, 1);
		fake_clock_advance(st.loop, delay_ms - 1);
		stage_sees_c(&st, "");
		fake_clock_advance(st.loop, 1);
		stage_sees_c(&st, delay_ms < 4000 ? CANCELLED
		                          "b OK NOOP completed.\r\n"
		                                  : CANCELLED
		                          "* BYE Too many failed logins.\r\n");
	}
	stage_done(&st);
}

static void many_cancels_leave_nothing(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	for (unsigned i = 0; i < 10000; i++) {
		cancel_at(&st,
		          i % 2 == 0 ? "a AUTHENTICATE CRAM-MD5\r\n"
		                     : "a AUTHENTICATE SCRAM-SHA-1 " FIRST64
		                       "\r\n",
		          1);
		stage_sees_c(&st, i % 20 == 19 ? CANCELLED
		                          "* BYE Too many failed logins.\r\n"
		                               : CANCELLED
		                          "b OK NOOP completed.\r\n");
		if (i % 20 < 19)
			continue;
		assert_true(fake_is_closed(st.client));
		fake_peer_free(&st.client);
		stage_client(&st);
	}
	assert_int_equal(fake_dials_open(st.loop), 0);
	stage_done(&st);
}

static void malformed_messages_are_refused(void **arg)
{
	static const struct {
		const char *start;
		const char *message;
	} messages[] = {
		{ "a AUTHENTICATE PLAIN ", "=" },
		{ "a AUTHENTICATE PLAIN ", "!" },
		{ "a AUTHENTICATE PLAIN ", "" },
		{ "a AUTHENTICATE PLAIN ", PLAIN64 " x" },
		{ "a AUTHENTICATE LOGIN ", "=" },
		{ "a AUTHENTICATE XOAUTH2 ", PLAIN64 },
		{ "a AUTHENTICATE OAUTHBEARER ", XOAUTH64 },
		{ "a AUTHENTICATE SCRAM-SHA-1 ", "=" },
		{ "a AUTHENTICATE SCRAM-SHA-1\r\n", "" },
		{ "a AUTHENTICATE SCRAM-SHA-1\r\n", PLAIN64 },
		{ "a AUTHENTICATE PLAIN\r\n", "=" },
		{ "a AUTHENTICATE PLAIN\r\n", "b LOGIN u p" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, messages[i].start);
		fake_written_clear(st.client);
		stage_c(&st, messages[i].message);
		stage_c(&st, "\r\nb NOOP\r\n");
		stage_sees_c(&st, MALFORMED "b OK NOOP completed.\r\n");
		assert_int_equal(fake_dials(st.loop), 1);
		stage_done(&st);
	}
}

static void malformed_answers_are_refused(void **arg)
{
	static const struct {
		const char *line;
		const char *reply;
	} answers[] = {
		{ "b NOOP\r\n", MALFORMED },
		{ "!\r\n", MALFORMED },
		{ "=\r\n", MALFORMED },
		{ "\r\n", MALFORMED },
		{ PLAIN64 "\r\n", MALFORMED },
		{ "x\ry\r\n", "a BAD Malformed line.\r\n" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n");
		stage_dialled(&st);
		stage_sees_b(&st, "a AUTHENTICATE CRAM-MD5\r\n");
		stage_b(&st, "+ PDFAeD4=\r\n");
		fake_written_clear(st.client);
		stage_c(&st, answers[i].line);
		stage_sees_c(&st, answers[i].reply);
		stage_sees_b(&st, "");
		assert_true(fake_is_closed(st.backend));
		stage_c(&st, "b NOOP\r\n");
		stage_sees_c(&st, "b OK NOOP completed.\r\n");
		stage_done(&st);
	}
}

/* What cannot work is not dialled; what was meant as its response is no
 * command, and is not repeated. */
static void what_is_not_listed_is_not_taken(void **arg)
{
	static const struct {
		const char *backend;
		const char *mechanism;
	} cases[] = {
		{ ALL, "GSSAPI" },
		{ ALL, "EXTERNAL" },
		{ ALL, "DIGEST-MD5" },
		{ ALL, "XUNKNOWN" },
		{ ALL, "SCRAM-SHA-512" },
		{ "AUTH=LOGIN", "PLAIN" },
		{ "AUTH=PLAIN", "XOAUTH2" },
		{ "AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS", "SCRAM-SHA-1" },
		{ "AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS",
		  "SCRAM-SHA-1-PLUS" },
		{ "IDLE", "PLAIN" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage st;

		begin(&st, cases[i].backend);
		stage_c(&st, "a AUTHENTICATE ");
		stage_c(&st, cases[i].mechanism);
		stage_c(&st, "\r\n" PLAIN64 "\r\nb NOOP\r\n");
		stage_sees_c(&st, UNSUPPORTED "* BAD Malformed command.\r\n"
		                              "b OK NOOP completed.\r\n");
		assert_int_equal(fake_dials(st.loop), 1);
		stage_done(&st);
	}
}

static void where_passwords_are_kept_they_are_said(void **arg)
{
	static const char *const names[] = { "CRAM-MD5", "SCRAM-SHA-1",
		                             "SCRAM-SHA-256" };

	(void)arg;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct stage st;

		stage_init(&st);
		st.mechanisms = ALL;
		stage_start(&st);
		stage_client(&st);
		stage_c(&st, "a AUTHENTICATE ");
		stage_c(&st, names[i]);
		stage_c(&st, "\r\n");
		stage_sees_c(&st, UNSUPPORTED);
		stage_c(&st, "b CAPABILITY\r\n");
		stage_sees_c(&st, "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN "
		                  "AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID "
		                  "SASL-IR LITERAL+ XAPPLEPUSHSERVICE\r\n"
		                  "b OK CAPABILITY completed.\r\n");
		stage_done(&st);
	}
}

static void the_server_speaks_first_in_cram_md5(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE CRAM-MD5 " CRAM64 "\r\nb NOOP\r\n");
	stage_sees_c(&st, "a BAD The server speaks first.\r\n"
	                  "b OK NOOP completed.\r\n");
	assert_int_equal(fake_dials(st.loop), 1);
	stage_done(&st);
}

/* The backend loses patience while the client is in the middle of its line. */
static void a_verdict_in_the_middle_of_an_answer(void **arg)
{
	static char half[20 * 1024];
	static const size_t lengths[] = { 7, 9000, 12000 };

	(void)arg;
	memset(half, 'A', sizeof(half));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n");
		stage_dialled(&st);
		stage_b(&st, "+ PDFAeD4=\r\n");
		fake_written_clear(st.client);
		fake_push(st.client, str_new(half, lengths[i]));
		fake_run(st.loop);
		stage_b(&st, "a NO too slow\r\n");
		fake_clock_advance(st.loop, 1000);
		stage_sees_c(&st, REFUSED);
		stage_c(&st, "AAAA\r\nb NOOP\r\n");
		stage_sees_c(&st, "b OK NOOP completed.\r\n");
		stage_done(&st);
	}
}

/* Servers that wait say so, or tell their capabilities; nobody is asked twice.
 */
static void what_else_the_backend_says_is_no_challenge(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE SCRAM-SHA-1 " FIRST64 "\r\n");
	stage_dialled(&st);
	stage_b(&st, "+ cj14eSxzPWQsaT00\r\n");
	stage_sees_c(&st, "+ cj14eSxzPWQsaT00\r\n");
	stage_b(&st, "* OK still here\r\n");
	stage_b(&st, "* CAPABILITY IMAP4rev1\r\n");
	stage_sees_c(&st, "");
	stage_c(&st, FINAL64 "\r\n");
	stage_b(&st, "a OK in\r\n");
	stage_sees_c(&st, "* OK still here\r\n"
	                  "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n"
	                  "a OK in\r\n");
	stage_done(&st);
}

static void the_client_loses_patience(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n");
	stage_dialled(&st);
	stage_b(&st, "+ PDFAeD4=\r\n");
	fake_written_clear(st.client);
	fake_clock_advance(st.loop, 60 * 1000);
	stage_sees_c(&st, "* BYE Login took too long.\r\n");
	assert_true(fake_is_closed(st.backend));
	stage_done(&st);
}

static void more_challenges_than_there_are(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, ALL);
	stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n");
	stage_dialled(&st);
	stage_b(&st, "+ PDFAeD4=\r\n");
	stage_c(&st, CRAM64 "\r\n");
	fake_written_clear(st.client);
	stage_b(&st, "+ PDFAeD4=\r\n");
	stage_sees_c(&st, "a NO [UNAVAILABLE] The mail server cannot be "
	                  "reached, try again later.\r\n");
	stage_done(&st);
}

/* token64 makes the base64 of an XOAUTH2 message with a token of |len|. */
static void token64(size_t len, struct buf *out)
{
	struct buf message;

	buf_init(&message, 200000);
	buf_init(out, 300000);
	assert_ok(buf_printf(&message,
	                     "user=u1\x01"
	                     "auth=Bearer %0*d\x01\x01",
	                     (int)len, 1));
	assert_ok(codec_base64(buf_str(&message), out));
	buf_reset(&message);
}

static void push(struct stage *st, struct str text)
{
	fake_push(st->client, text);
	fake_run(st->loop);
}

static void tokens_may_be_long(void **arg)
{
	struct buf token;

	(void)arg;
	token64(IMAP_TOKEN_MAX, &token);
	for (int in_line = 0; in_line < 2; in_line++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, in_line ? "a AUTHENTICATE XOAUTH2 "
		                     : "a AUTHENTICATE XOAUTH2\r\n");
		push(&st, buf_str(&token));
		stage_c(&st, "\r\n");
		stage_dialled(&st);
		/* No command line is that long. */
		stage_sees_b(&st, "a AUTHENTICATE XOAUTH2\r\n");
		stage_b(&st, "+ \r\n");
		assert_true(
			str_starts(fake_written(st.backend), buf_str(&token)));
		stage_b(&st, "a OK in\r\n");
		stage_done(&st);
	}
	buf_reset(&token);
}

/* Nobody else may have us hold so much. */
static void only_tokens_may_be_long(void **arg)
{
	static const char *const starts[] = {
		"a AUTHENTICATE PLAIN ",    "a AUTHENTICATE LOGIN ",
		"a AUTHENTICATE XUNKNOWN ", "a AUTHENTICATE SCRAM-SHA-1 ",
		"a AUTHENTICATE CRAM-MD5 ",
	};
	struct buf token;

	(void)arg;
	token64(32 * 1024, &token);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct stage st;

		begin(&st, ALL);
		stage_c(&st, starts[i]);
		push(&st, buf_str(&token));
		stage_c(&st, "\r\nb NOOP\r\n");
		stage_sees_c(&st, "a BAD Command too large.\r\n"
		                  "b OK NOOP completed.\r\n");
		stage_done(&st);
	}
	buf_reset(&token);
}

static void not_even_tokens_may_be_longer(void **arg)
{
	struct stage st;
	struct buf token;

	(void)arg;
	begin(&st, ALL);
	token64(IMAP_TOKEN_MAX + 4096, &token);
	stage_c(&st, "a AUTHENTICATE XOAUTH2\r\n");
	fake_written_clear(st.client);
	push(&st, buf_str(&token));
	stage_c(&st, "\r\n");
	stage_sees_c(&st, "* BYE Line too long.\r\n");
	buf_reset(&token);
	stage_done(&st);
}

static void all_attempts_together_have_a_limit(void **arg)
{
	struct stage st;
	struct buf token;
	unsigned n = 0;

	(void)arg;
	stage_init(&st);
	st.mechanisms = ALL;
	st.opts.login_failures = 10;
	stage_start(&st);
	stage_client(&st);
	token64(60 * 1024, &token);
	while (!fake_is_closed(st.client)) {
		assert_true(n++ < 4);
		stage_c(&st, "a AUTHENTICATE XOAUTH2\r\n");
		push(&st, buf_str(&token));
		stage_c(&st, "\r\n");
		if (fake_is_closed(st.client))
			break;
		stage_dialled(&st);
		stage_b(&st, "+ \r\n");
		stage_b(&st, "a NO no\r\n");
		fake_clock_advance(st.loop, 16 * 1000);
		fake_peer_free(&st.backend);
	}
	assert_true(str_ends(fake_written(st.client),
	                     STR("* BYE Too much data before login.\r\n")));
	buf_reset(&token);
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_and_password_are_asked_for),
		cmocka_unit_test(proofs_are_passed_on),
		cmocka_unit_test(proofs_without_a_last_word),
		cmocka_unit_test(the_name_is_in_the_answer),
		cmocka_unit_test(the_reason_of_a_refusal_is_passed_on),
		cmocka_unit_test(a_foreign_authzid_is_not_offered),
		cmocka_unit_test(nobody_by_name_is_not_offered),
		cmocka_unit_test(an_early_ok_is_not_believed),
		cmocka_unit_test(cancelled_before_there_is_a_backend),
		cmocka_unit_test(cancelled_in_the_middle),
		cmocka_unit_test(a_cancelled_token_is_a_failure),
		cmocka_unit_test(many_cancels_leave_nothing),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(malformed_answers_are_refused),
		cmocka_unit_test(what_is_not_listed_is_not_taken),
		cmocka_unit_test(where_passwords_are_kept_they_are_said),
		cmocka_unit_test(the_server_speaks_first_in_cram_md5),
		cmocka_unit_test(a_verdict_in_the_middle_of_an_answer),
		cmocka_unit_test(what_else_the_backend_says_is_no_challenge),
		cmocka_unit_test(the_client_loses_patience),
		cmocka_unit_test(more_challenges_than_there_are),
		cmocka_unit_test(tokens_may_be_long),
		cmocka_unit_test(only_tokens_may_be_long),
		cmocka_unit_test(not_even_tokens_may_be_longer),
		cmocka_unit_test(all_attempts_together_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
