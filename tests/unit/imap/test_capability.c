/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/capability.h"
#include "unit/unit.h"

static const struct imap_capability_policy offer = { .offer_push = true };
static const struct imap_capability_policy quiet = { .offer_push = false };
static const struct imap_capability_policy pass = { .pass_push = true };

/* After login, with push on offer. NULL: there is nothing to edit. */
static const struct {
	const char *rule;
	const char *line;
	const char *edited;
} session[] = {
	{ "untagged list", "* CAPABILITY IMAP4rev1 IDLE\r\n",
	  "* CAPABILITY IMAP4rev1 IDLE ID XAPPLEPUSHSERVICE\r\n" },
	{ "greeting", "* OK [CAPABILITY IMAP4rev1 ID] ready.\r\n",
	  "* OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] ready.\r\n" },
	{ "PREAUTH", "* PREAUTH [CAPABILITY IMAP4rev1 ID] x\r\n",
	  "* PREAUTH [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] x\r\n" },
	{ "tagged reply", "a1 OK [CAPABILITY IMAP4rev1 ID] Logged in\r\n",
	  "a1 OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] Logged in\r\n" },
	{ "any status", "a1 NO [CAPABILITY IMAP4rev1 ID] x\r\n",
	  "a1 NO [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE] x\r\n" },
	{ "lower case", "* ok [capability imap4rev1 id]\r\n",
	  "* ok [capability imap4rev1 id XAPPLEPUSHSERVICE]\r\n" },
	{ "no text behind the code", "* OK [CAPABILITY IMAP4rev1]\r\n",
	  "* OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE]\r\n" },
	{ "bare LF", "* CAPABILITY IMAP4rev1\n",
	  "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\n" },
	{ "no line end", "* CAPABILITY IMAP4rev1",
	  "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE" },
	{ "two spaces stay two", "* CAPABILITY  IMAP4rev1\r\n",
	  "* CAPABILITY  IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n" },
	{ "a space before the bracket stays there",
	  "a OK [CAPABILITY IMAP4rev1 ] x\r\n",
	  "a OK [CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE ] x\r\n" },
	{ "spaces before the line end stay there",
	  "* CAPABILITY IMAP4rev1 ID  \r\n",
	  "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE  \r\n" },
	{ "a word goes with the spaces before it",
	  "* CAPABILITY IMAP4rev1  COMPRESS=DEFLATE   IDLE\r\n",
	  "* CAPABILITY IMAP4rev1   IDLE ID XAPPLEPUSHSERVICE\r\n" },
	{ "the first word, too", "* CAPABILITY STARTTLS IMAP4rev1\r\n",
	  "* CAPABILITY IMAP4rev1 ID XAPPLEPUSHSERVICE\r\n" },
	{ "all words", "* OK [CAPABILITY COMPRESS=DEFLATE] x\r\n",
	  "* OK [CAPABILITY ID XAPPLEPUSHSERVICE] x\r\n" },
	{ "spaces before the code", "* OK  [CAPABILITY ID] x\r\n",
	  "* OK  [CAPABILITY ID XAPPLEPUSHSERVICE] x\r\n" },
	{ "order is kept", "* CAPABILITY IMAP4rev1 ID B A\r\n",
	  "* CAPABILITY IMAP4rev1 ID B A XAPPLEPUSHSERVICE\r\n" },
	{ "whole words only",
	  "* CAPABILITY ID STARTTLSX XSTARTTLS SORT=DISPLAY SORT AUTH\r\n",
	  "* CAPABILITY ID STARTTLSX XSTARTTLS SORT=DISPLAY SORT AUTH "
	  "XAPPLEPUSHSERVICE\r\n" },
	{ "mechanisms",
	  "* CAPABILITY ID AUTH=PLAIN AUTH=LOGIN AUTH=PLAIN-CLIENTTOKEN "
	  "auth=gssapi AUTH=EXTERNAL Auth=Plain AUTH=XOAUTH2 AUTH=GS2-KRB5 "
	  "AUTH=OAUTHBEARER AUTH=DIGEST-MD5 AUTH=CRAM-MD5 AUTH=KERBEROS_V4 "
	  "auth=scram-sha-1 AUTH=SCRAM-SHA-256 AUTH=\r\n",
	  "* CAPABILITY ID AUTH=PLAIN AUTH=LOGIN Auth=Plain AUTH=XOAUTH2 "
	  "AUTH=OAUTHBEARER AUTH=CRAM-MD5 auth=scram-sha-1 "
	  "AUTH=SCRAM-SHA-256 XAPPLEPUSHSERVICE\r\n" },
	{ "no SCRAM where there is channel binding",
	  "* CAPABILITY ID AUTH=SCRAM-SHA-1 AUTH=SCRAM-SHA-256 AUTH=PLAIN "
	  "AUTH=SCRAM-SHA-256-PLUS AUTH=CRAM-MD5\r\n",
	  "* CAPABILITY ID AUTH=PLAIN AUTH=CRAM-MD5 XAPPLEPUSHSERVICE\r\n" },
	{ "what cannot be carried",
	  "* CAPABILITY ID COMPRESS=DEFLATE compress=x STARTTLS LOGINDISABLED "
	  "LOGIN-REFERRALS MAILBOX-REFERRALS URLAUTH URLAUTH=BINARY "
	  "MUPDATE=mupdate://x/ X-REPLICATION X-REPLICATION2 "
	  "X-SIEVE-MAILBOX XIMAPPROXY UNAUTHENTICATE XCLIENT\r\n",
	  "* CAPABILITY ID XAPPLEPUSHSERVICE\r\n" },
	{ "a CR that may come to end the line",
	  "* CAPABILITY ID IDLE LOGIN-REFERRALS\r STARTTLS\n",
	  "* CAPABILITY ID IDLE XAPPLEPUSHSERVICE\n" },
	{ "what passes",
	  "* CAPABILITY ID ENABLE CONDSTORE QRESYNC UIDONLY IMAP4rev2 "
	  "UTF8=ACCEPT BINARY NOTIFY IDLE LITERAL- SASL-IR APPENDLIMIT=1 "
	  "URL-PARTIAL CATENATE JMAPACCESS=https://x QUOTA RIGHTS=kxten\r\n",
	  "* CAPABILITY ID ENABLE CONDSTORE QRESYNC UIDONLY IMAP4rev2 "
	  "UTF8=ACCEPT BINARY NOTIFY IDLE LITERAL- SASL-IR APPENDLIMIT=1 "
	  "URL-PARTIAL CATENATE JMAPACCESS=https://x QUOTA RIGHTS=kxten "
	  "XAPPLEPUSHSERVICE\r\n" },
	{ "the server's own push is replaced",
	  "* CAPABILITY ID xapplepushservice IDLE XAPPLEPUSHSERVICE\r\n",
	  "* CAPABILITY ID IDLE XAPPLEPUSHSERVICE\r\n" },
	{ "Dovecot after login",
	  "a1 OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE "
	  "SORT SORT=DISPLAY LITERAL+ NOTIFY SPECIAL-USE COMPRESS=DEFLATE] "
	  "Logged in\r\n",
	  "a1 OK [CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE "
	  "SORT SORT=DISPLAY LITERAL+ NOTIFY SPECIAL-USE XAPPLEPUSHSERVICE] "
	  "Logged in\r\n" },
	{ "Cyrus after login",
	  "a2 OK [CAPABILITY IMAP4rev1 LITERAL+ ID ENABLE LOGINDISABLED "
	  "COMPRESS=DEFLATE] User logged in SESSIONID=<x>\r\n",
	  "a2 OK [CAPABILITY IMAP4rev1 LITERAL+ ID ENABLE XAPPLEPUSHSERVICE] "
	  "User logged in SESSIONID=<x>\r\n" },

	{ "a longer word is no list", "* CAPABILITYX IMAP4rev1\r\n", NULL },
	{ "nor is a longer code", "* OK [CAPABILITYX A] x\r\n", NULL },
	{ "a code that is not the first",
	  "* OK [PERMANENTFLAGS (\\*)] [CAPABILITY A]\r\n", NULL },
	{ "a code later in the text", "* OK see [CAPABILITY A]\r\n", NULL },
	{ "no bracket", "* OK CAPABILITY A\r\n", NULL },
	{ "a code that does not end", "* OK [CAPABILITY A\r\n", NULL },
	{ "a space within the bracket", "* OK [ CAPABILITY A]\r\n", NULL },
	{ "an empty list is none", "* OK [CAPABILITY] x\r\n", NULL },
	{ "an empty line is none", "* CAPABILITY \r\n", NULL },
	{ "a continuation", "+ [CAPABILITY A]\r\n", NULL },
	{ "other data", "* 1 FETCH (X \"[CAPABILITY A]\")\r\n", NULL },
	{ "a tag that looks so", "* LIST () \"/\" CAPABILITY\r\n", NULL },
	{ "not IMAP", "CAPABILITY A\r\n", NULL },
	{ "a list that ends in a literal", "* CAPABILITY A {3}\r\n", NULL },
	{ "more than a line", "* CAPABILITY A {3}\r\nabc B\r\n", NULL },

	{ "a referral goes", "a NO [REFERRAL imap://x/] Remote.\r\n",
	  "a NO Remote.\r\n" },
	{ "in a greeting", "* OK [referral imap://x/] hi\r\n", "* OK hi\r\n" },
	{ "without text", "a OK [REFERRAL imap://x/]\r\n", "a OK \r\n" },
	{ "one behind another", "a NO [REFERRAL x]  [REFERRAL y] [z] z\r\n",
	  "a NO  [z] z\r\n" },
	{ "a list behind one",
	  "a OK [REFERRAL x] [CAPABILITY ID COMPRESS=X]\r\n",
	  "a OK [CAPABILITY ID XAPPLEPUSHSERVICE]\r\n" },
	{ "another word does not", "a NO [REFERRALS x] y\r\n", NULL },
};

static void check_edit(const char *rule, const char *line,
                       const struct imap_capability_policy *policy,
                       enum imap_capability_phase phase, const char *want)
{
	struct buf out;
	struct buf again;
	int rc;

	buf_init(&out, 10000);
	buf_init(&again, 10000);
	rc = imap_capability_edit(str_of(line), policy, phase, &out);
	assert_int_equal(rc, want != NULL ? ERR_OK : ERR_NOT_FOUND);
	if (!str_eq(buf_str(&out), str_of(want)))
		fail_msg("%s: %.*s", rule, (int)out.len, out.data);
	/* What was edited stays as it is. */
	rc = imap_capability_edit(str_of(want), policy, phase, &again);
	if (rc == ERR_OK)
		assert_str(buf_str(&again), want);
	buf_reset(&out);
	buf_reset(&again);
}

static void lists_are_edited_wherever_they_stand(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(session); i++)
		check_edit(session[i].rule, session[i].line, &offer,
		           IMAP_CAPABILITY_SESSION, session[i].edited);
}

static void push_is_shown_by_policy(void **state)
{
	const char *line = "* CAPABILITY ID XAPPLEPUSHSERVICE IDLE\r\n";

	(void)state;
	check_edit("quiet", line, &quiet, IMAP_CAPABILITY_SESSION,
	           "* CAPABILITY ID IDLE\r\n");
	check_edit("pass", line, &pass, IMAP_CAPABILITY_SESSION, line);
	check_edit("none to pass", "* CAPABILITY ID\r\n", &pass,
	           IMAP_CAPABILITY_SESSION, "* CAPABILITY ID\r\n");
}

static void mechanisms_are_shown_by_policy(void **state)
{
	static const struct imap_capability_policy needy = { .needs_passwords =
		                                                     true };
	static const struct imap_capability_policy named = { .needs_names =
		                                                     true };
	static const struct imap_capability_policy binding = { .binds = true };
	const char *line = "* CAPABILITY ID AUTH=SCRAM-SHA-256 AUTH=CRAM-MD5 "
			   "AUTH=LOGIN AUTH=XOAUTH2\r\n";

	(void)state;
	check_edit("passwords", line, &needy, IMAP_CAPABILITY_SESSION,
	           "* CAPABILITY ID AUTH=LOGIN AUTH=XOAUTH2\r\n");
	check_edit("names", line, &named, IMAP_CAPABILITY_SESSION,
	           "* CAPABILITY ID AUTH=SCRAM-SHA-256 AUTH=LOGIN "
	           "AUTH=XOAUTH2\r\n");
	check_edit("channel binding in another list", line, &binding,
	           IMAP_CAPABILITY_SESSION,
	           "* CAPABILITY ID AUTH=CRAM-MD5 AUTH=LOGIN AUTH=XOAUTH2\r\n");
}

static void nothing_else_is_added_after_login(void **state)
{
	(void)state;
	check_edit("Courier", "* CAPABILITY IMAP4rev1 IDLE\r\n", &quiet,
	           IMAP_CAPABILITY_SESSION,
	           "* CAPABILITY IMAP4rev1 IDLE ID\r\n");
}

static void our_own_are_always_listed_before_login(void **state)
{
	(void)state;
	check_edit("bare",
	           "* OK [CAPABILITY IMAP4rev1 LITERAL- AUTH=PLAIN]\r\n",
	           &offer, IMAP_CAPABILITY_PRELOGIN,
	           "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+ ID "
	           "XAPPLEPUSHSERVICE]\r\n");
}

static void hidden_words_are_out_whatever_they_are(void **state)
{
	const struct str hide[] = { STR("idle"), STR("ID"), STR("LITERAL+"),
		                    STR("XAPPLEPUSHSERVICE") };
	const struct imap_capability_policy hiding = { .offer_push = true,
		                                       .hide = hide,
		                                       .hide_count = 4 };

	(void)state;
	check_edit("session", "* CAPABILITY A IDLE ID IDLES\r\n", &hiding,
	           IMAP_CAPABILITY_SESSION, "* CAPABILITY A IDLES\r\n");
	check_edit("before", "* CAPABILITY A LITERAL+\r\n", &hiding,
	           IMAP_CAPABILITY_PRELOGIN, "* CAPABILITY A SASL-IR\r\n");
}

/* What the pre-login list is made of, and what it becomes. */
static const struct {
	const char *backend;
	const char *list;
} prelogin[] = {
	{ "", "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN XAPPLEPUSHSERVICE" },
	{ " ", "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN XAPPLEPUSHSERVICE" },
	{ "IMAP4rev1 AUTH=PLAIN",
	  "IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+ ID XAPPLEPUSHSERVICE" },
	{ "STARTTLS IMAP4rev1 LOGINDISABLED",
	  "IMAP4rev1 SASL-IR LITERAL+ ID XAPPLEPUSHSERVICE" },
	{ "STARTTLS", "SASL-IR LITERAL+ ID XAPPLEPUSHSERVICE" },
	{ "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS "
	  "AUTH=PLAIN AUTH=LOGIN",
	  "IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN "
	  "XAPPLEPUSHSERVICE" },
};

static void prelogin_list_is_made_of_the_backends(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prelogin); i++) {
		struct buf out;

		buf_init(&out, 1000);
		assert_ok(buf_adds(&out, "* "));
		assert_ok(imap_capability_prelogin(str_of(prelogin[i].backend),
		                                   &offer, &out));
		assert_str(str_sub(buf_str(&out), 2, SIZE_MAX),
		           prelogin[i].list);
		buf_reset(&out);
	}
}

static void list_gives_the_words_with_single_spaces(void **state)
{
	static const struct {
		const char *line;
		const char *list; /* NULL: none */
	} lists[] = {
		{ "* CAPABILITY  IMAP4rev1   IDLE \r\n", "IMAP4rev1 IDLE" },
		{ "* OK [CAPABILITY A] B\r\n", "A" },
		{ "* OK [REFERRAL A] B\r\n", NULL },
		{ "* OK B\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct buf out;

		buf_init(&out, 100);
		assert_int_equal(
			imap_capability_list(str_of(lists[i].line), &out),
			lists[i].list != NULL ? ERR_OK : ERR_NOT_FOUND);
		assert_str(buf_str(&out), lists[i].list);
		buf_reset(&out);
	}
}

static void ceiling_leaves_the_buffer_as_it_was(void **state)
{
	const struct str line = STR("* CAPABILITY IMAP4rev1\r\n");

	(void)state;
	for (size_t max = 4; max < 49; max++) {
		struct buf out;
		int rc;

		buf_init(&out, max);
		assert_ok(buf_adds(&out, "kept"));
		rc = imap_capability_edit(line, &offer, IMAP_CAPABILITY_SESSION,
		                          &out);
		assert_int_equal(rc, ERR_LIMIT);
		assert_str(buf_str(&out), "kept");
		rc = imap_capability_prelogin(STR("A"), &offer, &out);
		if (rc != ERR_OK)
			assert_str(buf_str(&out), "kept");
		buf_reset(&out);
	}
}

static void has_compares_whole_words_without_case(void **state)
{
	const struct str list = STR("IMAP4rev1 SORT=DISPLAY  idle");

	(void)state;
	assert_true(imap_capability_has(list, STR("IDLE")));
	assert_true(imap_capability_has(list, STR("imap4REV1")));
	assert_false(imap_capability_has(list, STR("SORT")));
	assert_false(imap_capability_has(list, STR("IMAP4")));
	assert_false(imap_capability_has(list, STR("")));
	assert_false(imap_capability_has(STR(""), STR("IDLE")));
}

static void lists_share_words(void **state)
{
	static const struct {
		const char *list;
		const char *other;
		const char *shared;
	} cases[] = {
		{ "A B C", "C X a", "A C" },
		{ "A B", "A B", "A B" },
		{ "AB", "A B ABC", "" },
		{ "", "A", "" },
		{ "A", "", "" },
		{ " A  B ", "B A", "A B" },
		{ "A A", "A", "A A" },
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&out, 100);
		assert_int_equal(imap_capability_share(str_of(cases[i].list),
		                                       str_of(cases[i].other),
		                                       &out),
		                 0);
		assert_str(buf_str(&out), cases[i].shared);
		buf_reset(&out);
	}
	buf_init(&out, 3);
	assert_int_equal(buf_adds(&out, "x"), 0);
	assert_int_equal(imap_capability_share(STR("A B"), STR("A B"), &out),
	                 ERR_LIMIT);
	assert_str(buf_str(&out), "x");
	buf_reset(&out);
}

static void commands_of_what_is_stripped_are_refused(void **state)
{
	static const char *const verbs[] = {
		"COMPRESS", "compress", "UNAUTHENTICATE", "STARTTLS",
		"XCLIENT",  "RLIST",    "RLSUB",          "GENURLAUTH",
		"URLFETCH", "RESETKEY", "SYNCAPPLY",      "SyncRestore",
	};
	static const char *const passing[] = {
		"NOOP", "ID", "LOGIN", "IDLE", "XAPPLEPUSHSERVICE", ""
	};

	(void)state;
	for (size_t i = 0; i < COUNT(verbs); i++)
		assert_true(imap_capability_refused(str_of(verbs[i])));
	for (size_t i = 0; i < COUNT(passing); i++)
		assert_false(imap_capability_refused(str_of(passing[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_edited_wherever_they_stand),
		cmocka_unit_test(push_is_shown_by_policy),
		cmocka_unit_test(mechanisms_are_shown_by_policy),
		cmocka_unit_test(nothing_else_is_added_after_login),
		cmocka_unit_test(our_own_are_always_listed_before_login),
		cmocka_unit_test(hidden_words_are_out_whatever_they_are),
		cmocka_unit_test(prelogin_list_is_made_of_the_backends),
		cmocka_unit_test(list_gives_the_words_with_single_spaces),
		cmocka_unit_test(ceiling_leaves_the_buffer_as_it_was),
		cmocka_unit_test(has_compares_whole_words_without_case),
		cmocka_unit_test(lists_share_words),
		cmocka_unit_test(commands_of_what_is_stripped_are_refused),
	};

	return cmocka_run_group_tests_name("capability", tests, NULL, NULL);
}
