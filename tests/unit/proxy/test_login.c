/* SPDX-License-Identifier: ISC */
/* From LOGIN and AUTHENTICATE to the verdict, and what backends can do. */
#include "stage/stage.h"
#include "unit/unit.h"

#define UNAVAILABLE                                                        \
	"a NO [UNAVAILABLE] The mail server cannot be reached, try again " \
	"later.\r\n"
#define REFUSED "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"

static void begin(struct stage *st)
{
	stage_init(st);
	stage_start(st);
	stage_client(st);
}

static void again(struct stage *st)
{
	fake_peer_free(&st->backend);
}

static void every_form_becomes_one(void **arg)
{
	static const struct {
		const char *client;
		const char *backend;
	} forms[] = {
		{ "a LOGIN u1 pw\r\n", "a LOGIN \"u1\" \"pw\"\r\n" },
		{ "a login \"u1\" \"pw\"\r\n", "a LOGIN \"u1\" \"pw\"\r\n" },
		{ "a LOGIN \"u\\\"1\" \"p\\\\w\"\r\n",
		  "a LOGIN \"u\\\"1\" \"p\\\\w\"\r\n" },
		{ "a LOGIN {2+}\r\nu1 {2+}\r\npw\r\n",
		  "a LOGIN \"u1\" \"pw\"\r\n" },
		{ "a LOGIN u1 \"\"\r\n", "a LOGIN \"u1\" \"\"\r\n" },
		{ "a LOGIN u1 {12+}\r\npw\r\nx LOGOUT\r\n",
		  "a LOGIN \"u1\" {12}\r\n" },
		{ "a AUTHENTICATE PLAIN AHUxAHB3\r\n",
		  "a AUTHENTICATE PLAIN AHUxAHB3\r\n" },
		{ "a AUTHENTICATE plain\r\nAHUxAHB3\r\n",
		  "a AUTHENTICATE PLAIN AHUxAHB3\r\n" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct stage st;

		begin(&st);
		stage_c(&st, forms[i].client);
		stage_dialled(&st);
		stage_sees_b(&st, forms[i].backend);
		stage_done(&st);
	}
}

static void synchronising_literals_are_asked_for(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN {2}\r\n");
	stage_sees_c(&st, "+ OK\r\n");
	stage_c(&st, "u1 {2}\r\n");
	stage_sees_c(&st, "+ OK\r\n");
	stage_c(&st, "pw\r\n");
	stage_sees_c(&st, "");
	stage_dialled(&st);
	stage_sees_b(&st, "a LOGIN \"u1\" \"pw\"\r\n");
	stage_done(&st);
}

static void pipelined_commands_reach_the_backend(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN {2+}\r\nu1 {2+}\r\npw\r\nb NOOP\r\nc SEL");
	stage_dialled(&st);
	stage_sees_b(&st, "a LOGIN \"u1\" \"pw\"\r\n");
	stage_b(&st, "a OK in\r\n");
	stage_sees_b(&st, "b NOOP\r\n");
	stage_c(&st, "ECT x\r\n");
	stage_sees_b(&st, "c SELECT x\r\n");
	stage_sees_c(&st, "a OK in\r\n");
	stage_done(&st);
}

static void bytes_behind_the_verdict_are_relayed(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	stage_b(&st, "* OK [ALERT] maintenance tonight\r\n"
	             "a OK in\r\n* 1 FETCH (BODY[] {4}\r\nab");
	stage_sees_c(&st, "* OK [ALERT] maintenance tonight\r\na OK in\r\n"
	                  "* 1 FETCH (BODY[] {4}\r\nab");
	stage_b(&st, "cd)\r\n");
	stage_sees_c(&st, "cd)\r\n");
	stage_done(&st);
}

static void lists_are_edited_in_both_places(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	stage_b(&st, "* CAPABILITY IMAP4rev1 ID COMPRESS=DEFLATE\r\n"
	             "a OK [CAPABILITY IMAP4rev1 ID COMPRESS=DEFLATE] in\r\n");
	stage_sees_c(&st, "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n"
	                  "a OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] in"
	                  "\r\n");
	assert_str(fake_service_said(st.service), "logged-in u1\n");
	stage_done(&st);
}

static void sasl_is_cancelled(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a AUTHENTICATE PLAIN\r\n*\r\nz NOOP\r\n");
	stage_sees_c(&st, "+ \r\na BAD Authentication cancelled.\r\n"
	                  "z OK NOOP completed.\r\n");
	stage_c(&st, "b AUTHENTICATE PLAIN !\r\n");
	stage_sees_c(&st, "b BAD Malformed SASL message.\r\n");
	stage_c(&st, "c AUTHENTICATE CRAM-MD5\r\n");
	stage_sees_c(&st, "c NO Unsupported authentication mechanism.\r\n");
	assert_int_equal(fake_dials(st.loop), 1);
	stage_done(&st);
}

/* The name that counts is the authcid; such a session is relayed only. */
static void foreign_authzid_is_not_offered(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	/* other NUL u1 NUL pw */
	stage_c(&st, "a AUTHENTICATE PLAIN b3RoZXIAdTEAcHc=\r\n");
	stage_dialled(&st);
	stage_sees_b(&st, "a AUTHENTICATE PLAIN b3RoZXIAdTEAcHc=\r\n");
	stage_b(&st, "a OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] in\r\n");
	stage_sees_c(&st, "a OK [CAPABILITY IMAP4rev1 ID] in\r\n");
	assert_str(fake_service_said(st.service), "");
	stage_c(&st, "b XAPPLEPUSHSERVICE aps-version 2\r\n");
	stage_sees_c(&st, "b BAD Unknown command.\r\n");
	stage_done(&st);
}

static void refusal_takes_longer_each_time(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	for (uint64_t delay_ms = 1000; delay_ms <= 4000; delay_ms *= 2) {
		stage_c(&st, "a LOGIN u1 wrong\r\nb NOOP\r\n");
		stage_dialled(&st);
		stage_b(&st, "* CAPABILITY IMAP4rev1\r\n"
		             "a NO User u1 is on holiday\r\n");
		assert_true(fake_is_closed(st.backend));
		fake_clock_advance(st.loop, delay_ms - 1);
		stage_sees_c(&st, "");
		fake_clock_advance(st.loop, 1);
		if (delay_ms < 4000)
			stage_sees_c(&st, REFUSED "b OK NOOP completed.\r\n");
		else
			stage_sees_c(&st, REFUSED
			             "* BYE Too many failed logins.\r\n");
		again(&st);
	}
	assert_true(fake_is_closed(st.client));
	assert_str(fake_service_said(st.service), "");
	stage_done(&st);
}

static void codes_that_clients_act_on_pass(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	stage_b(&st, "a NO [LIMIT] Maximum number of connections\r\n");
	fake_clock_advance(st.loop, 1000);
	stage_sees_c(&st, "a NO [LIMIT] Maximum number of connections\r\n");
	again(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	stage_b(&st, "a NO [REFERRAL imap://elsewhere/] go\r\n");
	fake_clock_advance(st.loop, 2000);
	stage_sees_c(&st, REFUSED);
	stage_done(&st);
}

/* Each is told NO [UNAVAILABLE] at once, and may try again. */
static void backend_greets_badly(void **arg)
{
	static const char *const greetings[] = { "* BYE too busy\r\n",
		                                 "* PREAUTH welcome\r\n",
		                                 "HTTP/1.1 400 Bad Request\r\n",
		                                 "220 smtp ready\r\n",
		                                 "* OK x\r\n* BYE bye\r\n" };

	(void)arg;
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		struct stage st;

		begin(&st);
		stage_c(&st, "a LOGIN u1 pw\r\n");
		st.backend = fake_dial_connect(st.loop, 0);
		fake_run(st.loop);
		stage_b(&st, greetings[i]);
		stage_sees_c(&st, UNAVAILABLE);
		assert_true(fake_is_closed(st.backend));
		stage_probe(&st);
		again(&st);
		stage_c(&st, "a LOGIN u1 pw\r\n");
		stage_dialled(&st);
		stage_b(&st, "a OK in\r\n");
		stage_sees_c(&st, "a OK in\r\n");
		stage_done(&st);
	}
}

static void backend_stalls_or_dies(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	fake_clock_advance(st.loop, 59 * 1000);
	stage_sees_c(&st, "");
	fake_clock_advance(st.loop, 1000);
	stage_sees_c(&st, UNAVAILABLE);
	stage_probe(&st);
	again(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	fake_push_eof(st.backend);
	fake_run(st.loop);
	stage_sees_c(&st, UNAVAILABLE);
	stage_probe(&st);
	again(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_dialled(&st);
	fake_break(st.backend, ERR_CLOSED, "reset");
	fake_run(st.loop);
	stage_sees_c(&st, UNAVAILABLE);
	stage_done(&st);
}

static void client_leaves_meanwhile(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a LOGIN u1 pw\r\n");
	fake_break(st.client, ERR_CLOSED, "reset");
	fake_run(st.loop);
	assert_int_equal(fake_dials_open(st.loop), 0);
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_becomes_one),
		cmocka_unit_test(synchronising_literals_are_asked_for),
		cmocka_unit_test(pipelined_commands_reach_the_backend),
		cmocka_unit_test(bytes_behind_the_verdict_are_relayed),
		cmocka_unit_test(lists_are_edited_in_both_places),
		cmocka_unit_test(sasl_is_cancelled),
		cmocka_unit_test(foreign_authzid_is_not_offered),
		cmocka_unit_test(refusal_takes_longer_each_time),
		cmocka_unit_test(codes_that_clients_act_on_pass),
		cmocka_unit_test(backend_greets_badly),
		cmocka_unit_test(backend_stalls_or_dies),
		cmocka_unit_test(client_leaves_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
