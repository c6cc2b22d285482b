/* SPDX-License-Identifier: ISC */
/* How a backend is reached and told who is there: STARTTLS, ID, and for whom
 * it is dialled. */
#include <stdio.h>
#include <string.h>

#include "net/address.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define UNAVAILABLE                                                        \
	"a NO [UNAVAILABLE] The mail server cannot be reached, try again " \
	"later.\r\n"

/* The fakes only ask whether there is one. */
static char context;

static void begin(struct stage *st, enum dial_forward forward)
{
	stage_init(st);
	st->targets[0].forward = forward;
	stage_start(st);
	stage_client(st);
}

/* dialled answers the dial of a login. */
static void dialled(struct stage *st)
{
	st->backend = fake_dial_connect(st->loop, 0);
	fake_run(st->loop);
}

static void address_is(const struct address *a, const char *text)
{
	char printed[ADDRESS_TEXT_MAX];

	address_print_host(a, printed, sizeof(printed));
	assert_string_equal(printed, text);
}

/* The dial writes the header, if there is to be one: see net/dial. */
static void logins_are_for_the_client_and_probes_for_us(void **arg)
{
	const struct dial_from *from;
	struct stage st;

	(void)arg;
	begin(&st, DIAL_FORWARD_PROXY_V2);
	assert_null(fake_dial_from(st.loop));
	stage_c(&st, "a LOGIN u1 pw\r\n");
	from = fake_dial_from(st.loop);
	assert_non_null(from);
	address_is(from->client, "192.0.2.7");
	assert_int_equal(from->tls.len, 0);
	dialled(&st);
	stage_b(&st, STAGE_GREETING);
	stage_sees_b(&st, "a LOGIN \"u1\" \"pw\"\r\n");
	stage_done(&st);
}

static void id_goes_first_and_in_one_piece(void **arg)
{
	char wanted[512];
	struct stage st;

	(void)arg;
	begin(&st, DIAL_FORWARD_ID);
	stage_c(&st, "i ID (\"name\" \"Mail\" \"X-Originating-IP\" "
	             "\"6.6.6.6\")\r\n");
	stage_sees_c(&st, "* ID NIL\r\ni OK ID completed.\r\n");
	stage_c(&st, "a LOGIN u1 pw\r\n");
	dialled(&st);
	stage_b(&st, STAGE_GREETING);
	(void)snprintf(wanted, sizeof(wanted),
	               "I0 ID (\"name\" \"imapbell\" \"version\" \"%s\" "
	               "\"x-originating-ip\" \"192.0.2.7\" "
	               "\"x-originating-port\" \"40001\" "
	               "\"x-connected-ip\" \"192.0.2.1\" "
	               "\"x-connected-port\" \"993\" "
	               "\"x-session-id\" \"imapbell-1\" "
	               "\"x-proxy-ttl\" \"4\")\r\n"
	               "I1 ID (\"name\" \"Mail\")\r\n"
	               "a LOGIN \"u1\" \"pw\"\r\n",
	               IMAPBELL_VERSION);
	stage_sees_b(&st, wanted);
	stage_b(&st, "* ID (\"name\" \"Dovecot\")\r\nI0 OK x\r\n"
	             "* ID NIL\r\nI1 OK x\r\na OK in\r\n");
	stage_sees_c(&st, "a OK in\r\n");
	stage_done(&st);
}

static void id_of_the_client_goes_without_ours(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, DIAL_FORWARD_NONE);
	stage_c(&st, "i ID (\"name\" {4+}\r\nMail \"x-forward-a\" \"1\")\r\n"
	             "j ID (\"name\" \"Other\")\r\n");
	stage_c(&st, "a LOGIN u1 pw\r\n");
	dialled(&st);
	stage_b(&st, STAGE_GREETING);
	stage_sees_b(&st, "I1 ID (\"name\" \"Other\")\r\n"
	                  "a LOGIN \"u1\" \"pw\"\r\n");
	stage_done(&st);
}

/* It is said again with the next attempt, and forgotten behind the login. */
static void id_is_kept_until_the_login(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, DIAL_FORWARD_NONE);
	stage_c(&st, "i ID (\"name\" \"Mail\")\r\na LOGIN u1 no\r\n");
	dialled(&st);
	stage_b(&st, STAGE_GREETING);
	stage_b(&st, "I1 OK x\r\na NO no\r\n");
	fake_clock_advance(st.loop, 2000);
	fake_peer_free(&st.backend);
	stage_c(&st, "b LOGIN u1 pw\r\n");
	dialled(&st);
	stage_b(&st, STAGE_GREETING);
	stage_sees_b(&st, "I1 ID (\"name\" \"Mail\")\r\n"
	                  "b LOGIN \"u1\" \"pw\"\r\n");
	stage_done(&st);
}

/* relayed wants |sent| to be told to the backend for |said|. */
static void relayed(struct stage *st, const char *said, const char *sent)
{
	stage_c(st, said);
	stage_sees_b(st, sent);
	stage_b(st, "* ID NIL\r\nc OK done\r\n");
	stage_sees_c(st, "* ID NIL\r\nc OK done\r\n");
}

static void id_after_the_login(void **arg)
{
	static const char *const as_they_are[] = {
		"c ID NIL\r\n",
		"c id (\"name\"  \"Mail\" )\r\n",
		"c ID (\"name\" \"caf\xc3\xa9\")\r\n",
	};
	struct stage st;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_login(&st);
	for (size_t i = 0; i < sizeof(as_they_are) / sizeof(*as_they_are); i++)
		relayed(&st, as_they_are[i], as_they_are[i]);
	relayed(&st, "c ID (\"a\" \"1\" \"X-b\" \"2\" \"c\" NIL)\r\n",
	        "c ID (\"a\" \"1\" \"c\" NIL)\r\n");
	relayed(&st, "c ID ({3+}\r\nX-b \"2\")\r\n", "c ID NIL\r\n");
	stage_c(&st, "c ID ({4}\r\n");
	stage_sees_c(&st, "+ OK\r\n");
	relayed(&st, "name \"Mail\")\r\n", "c ID (\"name\" \"Mail\")\r\n");
	stage_c(&st, "c ID (\"name\")\r\nd NOOP\r\n");
	stage_sees_c(&st, "c BAD Malformed ID.\r\n");
	stage_sees_b(&st, "d NOOP\r\n");
	stage_done(&st);
}

static void proxies_are_counted_down(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, DIAL_FORWARD_ID);
	stage_c(&st, "i ID (\"x-proxy-ttl\" \"2\")\r\na LOGIN u1 pw\r\n");
	dialled(&st);
	stage_b(&st, STAGE_GREETING);
	assert_non_null(memmem(fake_written(st.backend).data,
	                       fake_written(st.backend).len,
	                       "\"x-proxy-ttl\" \"1\")", 18));
	stage_done(&st);

	begin(&st, DIAL_FORWARD_ID);
	stage_c(&st, "i ID (\"X-Proxy-TTL\" \"1\")\r\n");
	stage_sees_c(&st, "* ID NIL\r\ni OK ID completed.\r\n");
	stage_c(&st, "a LOGIN u1 pw\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	assert_int_equal(fake_dials(st.loop), 1);
	stage_done(&st);
}

/* --- STARTTLS --------------------------------------------------------------
 */

/* begin_tls ends with a login that is dialled. */
static void begin_tls(struct stage *st)
{
	void *tls = &context;

	stage_init(st);
	st->targets[0].starttls = true;
	st->targets[0].tls = tls;
	stage_start(st);
	/* What the stage said to STARTTLS was its OK. */
	assert_int_equal(fake_tls_starts(st->probe), 1);
	assert_string_equal(fake_tls_name(st->probe), "backend");
	fake_push(st->probe,
	          STR("* CAPABILITY IMAP4rev1 SASL-IR ID AUTH=PLAIN\r\n"
	              "a1 OK done\r\n"));
	fake_run(st->loop);
	stage_client(st);
	stage_c(st, "a AUTHENTICATE PLAIN AHUxAHB3\r\n");
	dialled(st);
	stage_b(st, "* OK hello\r\n");
	stage_sees_b(st, "S0 STARTTLS\r\n");
}

/* SASL-IR is known from the probe, which saw it under TLS. */
static void the_login_waits_for_tls(void **arg)
{
	struct stage st;

	(void)arg;
	begin_tls(&st);
	stage_b(&st, "S0 OK go\r\n");
	assert_int_equal(fake_tls_starts(st.backend), 1);
	stage_sees_b(&st, "a AUTHENTICATE PLAIN AHUxAHB3\r\n");
	stage_b(&st, "a OK in\r\n");
	stage_sees_c(&st, "a OK in\r\n");
	stage_c(&st, "b NOOP\r\n");
	stage_sees_b(&st, "b NOOP\r\n");
	stage_done(&st);
}

static void octets_behind_the_ok_end_the_login(void **arg)
{
	static const char *const injected[] = {
		"S0 OK go\r\n* CAPABILITY EVIL\r\n",
		"S0 OK go\r\na OK in\r\n",
		"S0 OK go\r\n\x16",
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(injected) / sizeof(*injected); i++) {
		struct stage st;

		begin_tls(&st);
		stage_b(&st, injected[i]);
		assert_int_equal(fake_tls_starts(st.backend), 0);
		assert_true(fake_is_closed(st.backend));
		stage_sees_b(&st, "");
		stage_sees_c(&st, UNAVAILABLE);
		stage_done(&st);
	}
}

static void no_login_without_tls(void **arg)
{
	static const char *const replies[] = {
		"S0 NO no\r\n",
		"S0 BAD what\r\n",
		"a OK in\r\n",
		"+ go\r\n",
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		struct stage st;

		begin_tls(&st);
		stage_b(&st, replies[i]);
		assert_true(fake_is_closed(st.backend));
		stage_sees_b(&st, "");
		stage_sees_c(&st, UNAVAILABLE);
		stage_done(&st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_are_for_the_client_and_probes_for_us),
		cmocka_unit_test(id_goes_first_and_in_one_piece),
		cmocka_unit_test(id_of_the_client_goes_without_ours),
		cmocka_unit_test(id_is_kept_until_the_login),
		cmocka_unit_test(id_after_the_login),
		cmocka_unit_test(proxies_are_counted_down),
		cmocka_unit_test(the_login_waits_for_tls),
		cmocka_unit_test(octets_behind_the_ok_end_the_login),
		cmocka_unit_test(no_login_without_tls),
	};

	return cmocka_run_group_tests_name("identify", tests, NULL, NULL);
}
