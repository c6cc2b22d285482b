/* SPDX-License-Identifier: ISC */
/* Two backends: what is shown before it is known which, and who gets where. */
#include "base/metric.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define SOUTH "@" STAGE_SOUTH
#define REFUSED "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n"
#define UNAVAILABLE                                                        \
	"a NO [UNAVAILABLE] The mail server cannot be reached, try again " \
	"later.\r\n"

/* begin starts in front of both; the probes go on, |main| and |south| are the
 * mechanisms that they find. NULL: no answer yet. */
static void begin(struct stage *st, const char *main, const char *south)
{
	struct err_detail why;

	stage_init(st);
	fake_service_no_logins(st->service); /* so that SCRAM may be used */
	st->routes.target_count = 2;
	st->routes.count = 1;
	assert_ok(proxy_new(st->loop, st->resolver, st->service, &st->opts,
	                    &st->proxy, &why));
	fake_dial_only(st->loop, 143);
	st->mechanisms = main;
	if (main != NULL)
		stage_probe(st);
	fake_dial_only(st->loop, STAGE_SOUTH_PORT);
	st->mechanisms = south;
	if (south != NULL)
		stage_probe(st);
	fake_dial_only(st->loop, 0);
}

/* lists wants a stranger to be shown |words| in both places. */
static void lists(struct stage *st, const char *greeting,
                  const char *capability)
{
	fake_peer_free(&st->client);
	st->client = fake_accept(st->loop, 143);
	fake_run(st->loop);
	stage_sees_c(st, greeting);
	stage_c(st, "c CAPABILITY\r\n");
	stage_sees_c(st, capability);
}

/* logs_in wants a login of |user| to go to |port|; it succeeds. */
static void logs_in(struct stage *st, const char *user, uint16_t port)
{
	struct err_detail line;

	fake_peer_free(&st->client);
	fake_peer_free(&st->backend);
	stage_client(st);
	(void)err_set(&line, 0, "a LOGIN %s pw\r\n", user);
	stage_c(st, line.text);
	assert_int_equal(fake_dial_target(st->loop)->port, port);
	stage_dialled(st);
	(void)err_set(&line, 0, "a LOGIN \"%s\" \"pw\"\r\n", user);
	stage_sees_b(st, line.text);
	stage_b(st, "a OK in\r\n");
	stage_sees_c(st, "a OK in\r\n");
}

static void what_both_list_is_shown(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 X-MAIN",
	      "X-SOUTH AUTH=LOGIN AUTH=plain AUTH=OAUTHBEARER");
	lists(&st,
	      "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=LOGIN "
	      "AUTH=plain XAPPLEPUSHSERVICE] imapbell ready.\r\n",
	      "* CAPABILITY IMAP4rev1 IDLE AUTH=LOGIN AUTH=plain ID SASL-IR "
	      "LITERAL+ XAPPLEPUSHSERVICE\r\nc OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

/* What is not known yet takes nothing away. */
static void one_that_is_known_speaks_for_both(void **arg)
{
	static const char greeting[] =
		"* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN "
		"AUTH=LOGIN XAPPLEPUSHSERVICE] imapbell ready.\r\n";
	static const char capability[] =
		"* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=LOGIN ID SASL-IR "
		"LITERAL+ XAPPLEPUSHSERVICE\r\nc OK CAPABILITY completed.\r\n";
	struct stage st;

	(void)arg;
	begin(&st, "AUTH=PLAIN AUTH=LOGIN", NULL);
	lists(&st, greeting, capability);
	stage_done(&st);
	begin(&st, NULL, "AUTH=PLAIN AUTH=LOGIN");
	lists(&st, greeting, capability);
	stage_done(&st);
	begin(&st, NULL, NULL);
	lists(&st,
	      "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN "
	      "XAPPLEPUSHSERVICE] imapbell ready.\r\n",
	      "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN "
	      "XAPPLEPUSHSERVICE\r\nc OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

/* CRAM-MD5 tells the name to a server that is chosen by then. */
static void names_must_be_known_before_the_server(void **arg)
{
	static const char refusal[] =
		"a NO Unsupported authentication mechanism.\r\n";
	const char *both = "AUTH=PLAIN AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1";
	struct stage st;
	size_t dials;

	(void)arg;
	begin(&st, both, both);
	lists(&st,
	      "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN "
	      "AUTH=SCRAM-SHA-1 XAPPLEPUSHSERVICE] imapbell ready.\r\n",
	      "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=SCRAM-SHA-1 ID "
	      "SASL-IR LITERAL+ XAPPLEPUSHSERVICE\r\n"
	      "c OK CAPABILITY completed.\r\n");
	dials = fake_dials(st.loop);
	stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n");
	stage_sees_c(&st, refusal);
	stage_done(&st);
	/* Nor before anything is known. */
	begin(&st, NULL, NULL);
	stage_client(&st);
	stage_c(&st, "a AUTHENTICATE CRAM-MD5\r\n");
	stage_sees_c(&st, refusal);
	assert_int_equal(fake_dials(st.loop), dials);
	/* In SCRAM the client speaks first. n,,n=anna@south.example,r=xyz */
	stage_c(&st, "b AUTHENTICATE SCRAM-SHA-1 "
	             "biwsbj1hbm5hQHNvdXRoLmV4YW1wbGUscj14eXo=\r\n");
	assert_int_equal(fake_dials(st.loop), dials + 1);
	assert_int_equal(fake_dial_target(st.loop)->port, STAGE_SOUTH_PORT);
	stage_done(&st);
}

/* No SCRAM for anybody: a client does not know whose server would mind. */
static void one_that_binds_binds_for_both(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "AUTH=PLAIN AUTH=SCRAM-SHA-1",
	      "AUTH=PLAIN AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-1-PLUS");
	lists(&st,
	      "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN "
	      "XAPPLEPUSHSERVICE] imapbell ready.\r\n",
	      "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN ID SASL-IR LITERAL+ "
	      "XAPPLEPUSHSERVICE\r\nc OK CAPABILITY completed.\r\n");
	stage_done(&st);
}

static void users_get_to_their_own(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "AUTH=PLAIN", "AUTH=PLAIN");
	logs_in(&st, "anna", 143);
	logs_in(&st, "anna" SOUTH, STAGE_SOUTH_PORT);
	logs_in(&st, "anna@SOUTH.example", STAGE_SOUTH_PORT);
	logs_in(&st, "anna@elsewhere", 143);
	stage_done(&st);
}

/* The second attempt of a session is another one's. */
static void each_attempt_is_routed(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "AUTH=PLAIN", "AUTH=PLAIN");
	stage_client(&st);
	st.backend = fake_dial_connect(st.loop, 0);
	stage_c(&st, "a LOGIN anna pw\r\n");
	stage_b(&st, STAGE_GREETING);
	stage_b(&st, "a NO no\r\n");
	fake_clock_advance(st.loop, 1000);
	stage_sees_c(&st, REFUSED);
	assert_int_equal(fake_dial_target(st.loop)->port, 143);
	stage_c(&st, "a LOGIN anna" SOUTH " pw\r\n");
	assert_int_equal(fake_dial_target(st.loop)->port, STAGE_SOUTH_PORT);
	stage_done(&st);
}

static void names_without_a_domain_follow_the_default(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "AUTH=PLAIN", "AUTH=PLAIN");
	st.routes.default_domain = STAGE_SOUTH;
	logs_in(&st, "anna", STAGE_SOUTH_PORT);
	stage_done(&st);
}

/* As the wrong password of somebody else's server. */
static void without_a_route_a_login_fails(void **arg)
{
	static const char *const logins[] = {
		"a LOGIN anna pw\r\n",
		"a AUTHENTICATE PLAIN AGFubmFAZWxzZXdoZXJlAHB3\r\n",
		"a LOGIN anna@x." STAGE_SOUTH " pw\r\n",
	};
	struct stage st;
	size_t dials;

	(void)arg;
	begin(&st, "AUTH=PLAIN", "AUTH=PLAIN");
	st.routes.fallback = ROUTES_NONE;
	dials = fake_dials(st.loop);
	stage_client(&st);
	for (size_t i = 0; i < 3; i++) {
		stage_c(&st, logins[i]);
		fake_clock_advance(st.loop, (1000U << i) - 1);
		stage_sees_c(&st, "");
		fake_clock_advance(st.loop, 1);
		if (i < 2)
			stage_sees_c(&st, REFUSED);
	}
	stage_sees_c(&st, REFUSED "* BYE Too many failed logins.\r\n");
	assert_int_equal(fake_dials(st.loop), dials);
	logs_in(&st, "anna" SOUTH, STAGE_SOUTH_PORT);
	stage_done(&st);
}

static void one_that_is_down_is_nobody_elses_trouble(void **arg)
{
	struct stage st;
	size_t dials;

	(void)arg;
	begin(&st, "AUTH=PLAIN", "AUTH=PLAIN");
	assert_int_equal(metric_get(METRIC_BACKEND_UP), 1);
	fake_dial_only(st.loop, STAGE_SOUTH_PORT);
	fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	stage_client(&st);
	stage_c(&st, "a LOGIN anna" SOUTH " pw\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	assert_int_equal(metric_get(METRIC_BACKEND_UP), 0);
	dials = fake_dials(st.loop);
	stage_c(&st, "a LOGIN bert" SOUTH " pw\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	assert_int_equal(fake_dials(st.loop), dials);
	stage_probe(&st);
	assert_int_equal(metric_get(METRIC_BACKEND_UP), 1);
	fake_dial_only(st.loop, STAGE_SOUTH_PORT);
	fake_dial_fail(st.loop, 0, ERR_CLOSED, "refused");
	stage_c(&st, "a LOGIN bert" SOUTH " pw\r\n");
	stage_sees_c(&st, UNAVAILABLE);
	fake_dial_only(st.loop, 143);
	logs_in(&st, "anna", 143);
	assert_int_equal(metric_get(METRIC_BACKEND_UP), 0);
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_both_list_is_shown),
		cmocka_unit_test(one_that_is_known_speaks_for_both),
		cmocka_unit_test(names_must_be_known_before_the_server),
		cmocka_unit_test(one_that_binds_binds_for_both),
		cmocka_unit_test(users_get_to_their_own),
		cmocka_unit_test(each_attempt_is_routed),
		cmocka_unit_test(names_without_a_domain_follow_the_default),
		cmocka_unit_test(without_a_route_a_login_fails),
		cmocka_unit_test(one_that_is_down_is_nobody_elses_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
