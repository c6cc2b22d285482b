/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "imap/opening.h"
#include "unit/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
		                  : imap_login_parse_plain(in, &login));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_go_as_they_should),
		cmocka_unit_test(both_lists_are_kept),
		cmocka_unit_test(nothing_moves_when_it_is_over),
		cmocka_unit_test(opening_may_be_moved),
	};

	return cmocka_run_group_tests_name("opening", tests, NULL, NULL);
}
