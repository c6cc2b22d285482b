/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "imap/opening.h"
#include "imap/sasl.h"
#include "unit/unit.h"

/* parse_plain takes the base64 of a SASL PLAIN message. */
static int parse_plain(struct str base64, struct imap_login *l)
{
	*l = (struct imap_login){ .method = IMAP_LOGIN_PLAIN };
	return imap_sasl_take(l, base64);
}

/*
 * A dialogue, one word for each response: what it is answered with, "~" if the
 * client may see it. The last word is the state.
 */
struct dialogue {
	const char *rule;
	const char *login; /* the client's command; NULL: a probe */
	bool sasl_ir;
	const char *responses[6];
	const char *sent[6];
	bool shown[6];
	enum imap_opening_state state;
	const char *why;
};

#define LOGIN "x LOGIN bob pw\r\n"
#define LITERAL "x LOGIN bob {3}\r\np\tw\r\n"
#define PLAIN "AGJvYgBwdw=="

static const struct dialogue dialogues[] = {
	{ "a login",
	  LOGIN,
	  false,
	  { "* OK hi\r\n", "t OK done\r\n" },
	  { "t LOGIN \"bob\" \"pw\"\r\n", "" },
	  { false, true },
	  IMAP_OPENING_OPEN,
	  "" },
	{ "what the server says before its OK is the client's",
	  LOGIN,
	  false,
	  { "* OK hi\r\n", "* CAPABILITY A\r\n", "* OK [ALERT] x\r\n",
	    "t OK done\r\n" },
	  { "t LOGIN \"bob\" \"pw\"\r\n", "", "", "" },
	  { false, true, true, true },
	  IMAP_OPENING_OPEN,
	  "" },
	{ "a literal waits",
	  LITERAL,
	  false,
	  { "* OK hi\r\n", "+\r\n", "t OK x\r\n" },
	  { "t LOGIN \"bob\" {3}\r\n", "p\tw\r\n", "" },
	  { false, false, true },
	  IMAP_OPENING_OPEN,
	  "" },
	{ "a refusal",
	  LOGIN,
	  false,
	  { "* OK hi\r\n", "t NO [AUTHENTICATIONFAILED] no\r\n" },
	  { "t LOGIN \"bob\" \"pw\"\r\n", "" },
	  { false, true },
	  IMAP_OPENING_REFUSED,
	  "login refused: no" },
	{ "a refusal while a literal waits",
	  LITERAL,
	  false,
	  { "* OK hi\r\n", "t BAD x\r\n" },
	  { "t LOGIN \"bob\" {3}\r\n", "" },
	  { false, true },
	  IMAP_OPENING_REFUSED,
	  "login refused: x" },
	{ "an OK while a literal waits is not believed",
	  LITERAL,
	  false,
	  { "* OK hi\r\n", "t OK x\r\n" },
	  { "t LOGIN \"bob\" {3}\r\n", "" },
	  { false, false },
	  IMAP_OPENING_FAILED,
	  "OK before the login was sent" },
	{ "PLAIN waits where there is no SASL-IR",
	  PLAIN,
	  false,
	  { "* OK hi\r\n", "+ \r\n", "t OK x\r\n" },
	  { "t AUTHENTICATE PLAIN\r\n", PLAIN "\r\n", "" },
	  { false, false, true },
	  IMAP_OPENING_OPEN,
	  "" },
	{ "SASL-IR of the greeting",
	  PLAIN,
	  false,
	  { "* OK [CAPABILITY IMAP4rev1 sasl-ir] hi\r\n", "t OK x\r\n" },
	  { "t AUTHENTICATE PLAIN " PLAIN "\r\n", "" },
	  { false, true },
	  IMAP_OPENING_OPEN,
	  "" },
	{ "SASL-IR known from before",
	  PLAIN,
	  true,
	  { "* OK hi\r\n", "t OK x\r\n" },
	  { "t AUTHENTICATE PLAIN " PLAIN "\r\n", "" },
	  { false, true },
	  IMAP_OPENING_OPEN,
	  "" },
	{ "one continuation too many",
	  LOGIN,
	  false,
	  { "* OK hi\r\n", "+ more\r\n" },
	  { "t LOGIN \"bob\" \"pw\"\r\n", "" },
	  { false, false },
	  IMAP_OPENING_FAILED,
	  "unexpected continuation" },
	{ "BYE for a greeting",
	  LOGIN,
	  false,
	  { "* BYE full\x1b\r\n" },
	  { "" },
	  { false },
	  IMAP_OPENING_FAILED,
	  "the server said BYE: full\\x1b" },
	{ "BYE during the login",
	  LOGIN,
	  false,
	  { "* OK hi\r\n", "* BYE\r\n" },
	  { "t LOGIN \"bob\" \"pw\"\r\n", "" },
	  { false, false },
	  IMAP_OPENING_FAILED,
	  "the server said BYE" },
	{ "PREAUTH is nobody",
	  LOGIN,
	  false,
	  { "* PREAUTH hi\r\n" },
	  { "" },
	  { false },
	  IMAP_OPENING_FAILED,
	  "the server greets with PREAUTH" },
	{ "NO for a greeting",
	  LOGIN,
	  false,
	  { "* NO busy\r\n" },
	  { "" },
	  { false },
	  IMAP_OPENING_FAILED,
	  "the server refuses connections: busy" },
	{ "something else",
	  LOGIN,
	  false,
	  { "SSH-2.0-x\r\n" },
	  { "" },
	  { false },
	  IMAP_OPENING_FAILED,
	  NULL },
	{ "data for a greeting",
	  LOGIN,
	  false,
	  { "* CAPABILITY A\r\n" },
	  { "" },
	  { false },
	  IMAP_OPENING_FAILED,
	  NULL },
	{ "a reply for a greeting",
	  LOGIN,
	  false,
	  { "t OK x\r\n" },
	  { "" },
	  { false },
	  IMAP_OPENING_FAILED,
	  "a reply to no command: x" },
	{ "a reply to someone else",
	  LOGIN,
	  false,
	  { "* OK hi\r\n", "u OK x\r\n" },
	  { "t LOGIN \"bob\" \"pw\"\r\n", "" },
	  { false, false },
	  IMAP_OPENING_FAILED,
	  "a reply to no command: x" },
	{ "a probe",
	  NULL,
	  false,
	  { "* OK [CAPABILITY A  B] hi\r\n", "* OK x\r\n",
	    "* CAPABILITY A B C\r\n", "t OK x\r\n" },
	  { "t CAPABILITY\r\n", "", "", "" },
	  { false, false, false, false },
	  IMAP_OPENING_PROBED,
	  "" },
	{ "a probe that is refused",
	  NULL,
	  false,
	  { "* OK hi\r\n", "t NO x\r\n" },
	  { "t CAPABILITY\r\n", "" },
	  { false, false },
	  IMAP_OPENING_FAILED,
	  "CAPABILITY refused: x" },
	{ "a probe without an answer",
	  NULL,
	  false,
	  { "* OK hi\r\n", "t OK x\r\n" },
	  { "t CAPABILITY\r\n", "" },
	  { false, false },
	  IMAP_OPENING_FAILED,
	  "no capability list" },
	{ "a continuation in a probe is passed over",
	  NULL,
	  false,
	  { "* OK hi\r\n", "+\r\n" },
	  { "t CAPABILITY\r\n", "" },
	  { false, false },
	  IMAP_OPENING_CAPABILITY,
	  "" },
};

static void run(const struct dialogue *d, struct imap_opening *o)
{
	struct imap_login login = { .password = NULL };
	struct imap_opening_opts opts = { .tag = STR("t"),
		                          .sasl_ir = d->sasl_ir };

	if (d->login != NULL) {
		struct str in = str_of(d->login);

		assert_ok(str_starts(in, STR("x "))
		                  ? imap_login_parse(in, &login)
		                  : parse_plain(in, &login));
		opts.login = &login;
	}
	imap_opening_init(o, &opts);
	for (size_t i = 0; i < COUNT(d->responses); i++) {
		struct buf sent;
		bool shown;

		if (d->responses[i] == NULL)
			break;
		buf_init(&sent, 1000);
		(void)imap_opening_feed(o, str_of(d->responses[i]), &sent,
		                        &shown);
		if (!str_eq(buf_str(&sent), str_of(d->sent[i])) ||
		    shown != d->shown[i])
			fail_msg("%s: %zu: %.*s %d", d->rule, i, (int)sent.len,
			         sent.data, shown);
		buf_reset(&sent);
	}
	imap_login_done(&login);
}

static void dialogues_go_as_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialogues); i++) {
		const struct dialogue *d = &dialogues[i];
		struct imap_opening o;

		run(d, &o);
		if (o.state != d->state)
			fail_msg("%s: state %d", d->rule, (int)o.state);
		if (d->why != NULL)
			assert_string_equal(o.why.text, d->why);
		imap_opening_done(&o);
	}
}

static void both_lists_are_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(dialogues); i++) {
		struct imap_opening o;

		if (dialogues[i].state != IMAP_OPENING_PROBED)
			continue;
		run(&dialogues[i], &o);
		assert_str(buf_str(&o.greeting_list), "A B");
		assert_str(buf_str(&o.list), "A B C");
		imap_opening_done(&o);
	}
}

static void nothing_moves_when_it_is_over(void **state)
{
	struct imap_opening o;
	struct buf sent;
	bool shown = true;

	(void)state;
	run(&dialogues[0], &o);
	buf_init(&sent, 100);
	assert_int_equal(imap_opening_feed(&o, STR("* BYE\r\n"), &sent, &shown),
	                 IMAP_OPENING_OPEN);
	assert_false(shown);
	assert_int_equal(sent.len, 0);
	imap_opening_done(&o);
}

static void opening_may_be_moved(void **state)
{
	const struct imap_opening_opts opts = { .login = NULL };
	struct imap_opening first;
	struct imap_opening o;
	struct buf sent;
	bool shown;

	(void)state;
	imap_opening_init(&first, &opts);
	o = first;
	memset(&first, 'x', sizeof(first));
	buf_init(&sent, 100);
	(void)imap_opening_feed(&o, STR("* OK\r\n"), &sent, &shown);
	assert_str(buf_str(&sent), "a1 CAPABILITY\r\n");
	buf_reset(&sent);
	imap_opening_done(&o);
}

/* --- STARTTLS and ID ------------------------------------------------------ */

/* A dialogue by hand, with what was sent since the last look. */
struct talk {
	struct imap_opening o;
	struct imap_login login;
	struct buf sent;
	bool shown;
};

static void talk_init(struct talk *t, const char *login,
                      struct imap_opening_opts opts)
{
	*t = (struct talk){ .sent.max = 1024 };
	opts.tag = STR("t");
	if (login != NULL) {
		assert_ok(imap_login_parse(str_of(login), &t->login));
		opts.login = &t->login;
	}
	imap_opening_init(&t->o, &opts);
}

static void talk_done(struct talk *t)
{
	imap_opening_done(&t->o);
	imap_login_done(&t->login);
	buf_reset(&t->sent);
}

/* hears wants |answer| to |response|, and the |state|. */
static void hears(struct talk *t, const char *response, const char *answer,
                  enum imap_opening_state state)
{
	buf_reset(&t->sent);
	assert_int_equal(
		imap_opening_feed(&t->o, str_of(response), &t->sent, &t->shown),
		state);
	assert_str(buf_str(&t->sent), answer);
}

static void secured(struct talk *t, const char *answer,
                    enum imap_opening_state state)
{
	buf_reset(&t->sent);
	assert_true(imap_opening_left(&t->o, 0));
	assert_int_equal(imap_opening_secured(&t->o, &t->sent), state);
	assert_str(buf_str(&t->sent), answer);
}

static void nothing_is_said_before_tls(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, LOGIN, (struct imap_opening_opts){ .starttls = true });
	hears(&t, "* OK [CAPABILITY STARTTLS SASL-IR] hi\r\n",
	      "S0 STARTTLS\r\n", IMAP_OPENING_STARTTLS);
	hears(&t, "* CAPABILITY EVIL\r\n", "", IMAP_OPENING_STARTTLS);
	assert_false(t.shown);
	hears(&t, "S0 OK go\r\n", "", IMAP_OPENING_TLS);
	assert_false(t.shown);
	secured(&t, "t LOGIN \"bob\" \"pw\"\r\n", IMAP_OPENING_LOGIN);
	hears(&t, "t OK done\r\n", "", IMAP_OPENING_OPEN);
	assert_true(t.shown);
	talk_done(&t);
}

static void what_was_listed_before_tls_is_gone(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, NULL, (struct imap_opening_opts){ .starttls = true });
	hears(&t, "* OK [CAPABILITY STARTTLS EVIL] hi\r\n", "S0 STARTTLS\r\n",
	      IMAP_OPENING_STARTTLS);
	hears(&t, "S0 OK go\r\n", "", IMAP_OPENING_TLS);
	secured(&t, "t CAPABILITY\r\n", IMAP_OPENING_CAPABILITY);
	hears(&t, "* CAPABILITY A B\r\n", "", IMAP_OPENING_CAPABILITY);
	hears(&t, "t OK done\r\n", "", IMAP_OPENING_PROBED);
	assert_str(buf_str(&t.o.greeting_list), "");
	assert_str(buf_str(&t.o.list), "A B");
	talk_done(&t);
}

/* The greeting's SASL-IR may be anybody's, too. */
static void a_greeting_before_tls_promises_nothing(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, NULL, (struct imap_opening_opts){ .starttls = true });
	assert_ok(parse_plain(STR(PLAIN), &t.login));
	t.o.opts.login = &t.login;
	hears(&t, "* OK [CAPABILITY SASL-IR] hi\r\n", "S0 STARTTLS\r\n",
	      IMAP_OPENING_STARTTLS);
	hears(&t, "S0 OK go\r\n", "", IMAP_OPENING_TLS);
	secured(&t, "t AUTHENTICATE PLAIN\r\n", IMAP_OPENING_LOGIN);
	talk_done(&t);
}

static void octets_behind_starttls_are_an_attack(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, LOGIN, (struct imap_opening_opts){ .starttls = true });
	hears(&t, "* OK hi\r\n", "S0 STARTTLS\r\n", IMAP_OPENING_STARTTLS);
	hears(&t, "S0 OK go\r\n", "", IMAP_OPENING_TLS);
	assert_false(imap_opening_left(&t.o, 7));
	assert_int_equal(t.o.state, IMAP_OPENING_FAILED);
	assert_string_equal(t.o.why.text,
	                    "7 unencrypted octets behind the OK of STARTTLS");
	talk_done(&t);

	talk_init(&t, LOGIN, (struct imap_opening_opts){ .starttls = true });
	hears(&t, "* OK hi\r\n", "S0 STARTTLS\r\n", IMAP_OPENING_STARTTLS);
	hears(&t, "S0 OK go\r\n", "", IMAP_OPENING_TLS);
	hears(&t, "t OK done\r\n", "", IMAP_OPENING_FAILED);
	talk_done(&t);
}

static void never_without_starttls(void **state)
{
	static const struct {
		const char *greeting;
		const char *reply;
		const char *why;
	} rows[] = {
		{ "* OK [CAPABILITY STARTTLS] hi\r\n", "S0 NO later\r\n",
		  "the server refuses STARTTLS: later" },
		{ "* OK [CAPABILITY IDLE] hi\r\n", "S0 BAD what\r\n",
		  "the server has no STARTTLS: what" },
		{ "* OK hi\r\n", "t OK done\r\n",
		  "a reply to no command: done" },
		{ "* OK hi\r\n", "+ go\r\n", "unexpected continuation" },
		{ "* OK hi\r\n", "* BYE no\r\n", "the server said BYE: no" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct talk t;

		talk_init(&t, LOGIN,
		          (struct imap_opening_opts){ .starttls = true });
		hears(&t, rows[i].greeting, "S0 STARTTLS\r\n",
		      IMAP_OPENING_STARTTLS);
		hears(&t, rows[i].reply, "", IMAP_OPENING_FAILED);
		assert_string_equal(t.o.why.text, rows[i].why);
		assert_false(t.shown);
		talk_done(&t);
	}
}

/* In one piece with the login, and nobody else hears of the answers. */
static void ids_come_in_front(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, LOGIN,
	          (struct imap_opening_opts){ .id = { STR("(\"a\" \"1\")"),
	                                              STR("(\"b\" \"2\")") } });
	hears(&t, "* OK hi\r\n",
	      "I0 ID (\"a\" \"1\")\r\nI1 ID (\"b\" \"2\")\r\n"
	      "t LOGIN \"bob\" \"pw\"\r\n",
	      IMAP_OPENING_LOGIN);
	hears(&t, "* ID NIL\r\n", "", IMAP_OPENING_LOGIN);
	assert_false(t.shown);
	hears(&t, "I0 OK x\r\n", "", IMAP_OPENING_LOGIN);
	assert_false(t.shown);
	hears(&t, "* OK [ALERT] y\r\n", "", IMAP_OPENING_LOGIN);
	assert_true(t.shown);
	hears(&t, "I1 BAD x\r\n", "", IMAP_OPENING_LOGIN);
	assert_false(t.shown);
	hears(&t, "t OK done\r\n", "", IMAP_OPENING_OPEN);
	assert_true(t.shown);
	talk_done(&t);
}

static void no_more_answers_than_ids(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, LOGIN,
	          (struct imap_opening_opts){
			  .id = { STR_NULL, STR("(\"b\" \"2\")") } });
	hears(&t, "* OK hi\r\n",
	      "I1 ID (\"b\" \"2\")\r\nt LOGIN \"bob\" \"pw\"\r\n",
	      IMAP_OPENING_LOGIN);
	hears(&t, "I1 OK x\r\n", "", IMAP_OPENING_LOGIN);
	hears(&t, "I1 OK x\r\n", "", IMAP_OPENING_FAILED);
	talk_done(&t);
}

static void an_id_has_not_the_tag_of_the_login(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, LOGIN,
	          (struct imap_opening_opts){ .id = { STR("(\"b\" \"2\")") } });
	memcpy(t.o.tag, "I0", 3);
	hears(&t, "* OK hi\r\n",
	      "J0 ID (\"b\" \"2\")\r\nI0 LOGIN \"bob\" \"pw\"\r\n",
	      IMAP_OPENING_LOGIN);
	hears(&t, "J0 OK x\r\n", "", IMAP_OPENING_LOGIN);
	hears(&t, "I0 OK x\r\n", "", IMAP_OPENING_OPEN);
	talk_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_go_as_they_should),
		cmocka_unit_test(both_lists_are_kept),
		cmocka_unit_test(nothing_moves_when_it_is_over),
		cmocka_unit_test(opening_may_be_moved),
		cmocka_unit_test(nothing_is_said_before_tls),
		cmocka_unit_test(what_was_listed_before_tls_is_gone),
		cmocka_unit_test(a_greeting_before_tls_promises_nothing),
		cmocka_unit_test(octets_behind_starttls_are_an_attack),
		cmocka_unit_test(never_without_starttls),
		cmocka_unit_test(ids_come_in_front),
		cmocka_unit_test(no_more_answers_than_ids),
		cmocka_unit_test(an_id_has_not_the_tag_of_the_login),
	};

	return cmocka_run_group_tests_name("opening", tests, NULL, NULL);
}
