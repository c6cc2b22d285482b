/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/xaps.h"
#include "unit/unit.h"

#define ID "0715A26B-CA09-4730-A419-793000CA982E"
#define TOKEN                                      \
	"2918390218931890821908309283098109381029" \
	"309829018310983092892829"
#define COMMAND "6 XAPPLEPUSHSERVICE "

/* show writes what was understood, in one line. */
static struct str show(const struct imap_xaps *x, struct buf *out)
{
	buf_clear(out);
	assert_ok(buf_printf(out, "v%u ", (unsigned)x->version));
	assert_ok(buf_add(out, x->subtopic));
	for (size_t i = 0; i < x->mailbox_count; i++) {
		assert_ok(buf_adds(out, i == 0 ? " " : ","));
		assert_ok(buf_add(out, x->mailboxes[i]));
	}
	return buf_str(out);
}

/* Commands with the ID and the TOKEN above, and what they mean. */
static const struct {
	const char *rule;
	const char *command;
	const char *meaning;
} understood[] = {
	{ "as iOS sends it",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " aps-subtopic com.apple.mobilemail mailboxes "
	          "(INBOX Notes \"Sent Messages\")\r\n",
	  "v2 com.apple.mobilemail INBOX,Notes,Sent Messages" },
	{ "all quoted, as in Apple's own server",
	  COMMAND "\"aps-version\" \"1\" \"aps-account-id\" \"" ID
	          "\" \"aps-device-token\" \"" TOKEN "\" \"aps-subtopic\" "
	          "\"com.apple.mobilemail\" \"mailboxes\" (\"INBOX\")\r\n",
	  "v1 com.apple.mobilemail INBOX" },
	{ "literals, synchronising or not",
	  COMMAND "aps-version {1+}\r\n2 {14}\r\naps-account-id " ID
	          " aps-device-token " TOKEN
	          " mailboxes ({5+}\r\nINBOX \"N\\\"x\" {3}\r\na b)\r\n",
	  "v2 com.apple.mobilemail INBOX,N\"x,a b" },
	{ "any order, any case, LF alone",
	  "6 xapplepushservice MAILBOXES (b a) APS-SubTopic com.example "
	  "Aps-Device-Token " TOKEN " APS-ACCOUNT-ID " ID " APS-VERSION 7\n",
	  "v7 com.example INBOX,b,a" },
	{ "unknown keys with values of any kind",
	  COMMAND "sender me aps-version 2 x (a (b) \"c\") aps-account-id " ID
	          " y {1+}\r\nz aps-device-token " TOKEN " z \"\"\r\n",
	  "v2 com.apple.mobilemail INBOX" },
	{ "an unknown key without a value at the end",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " sender\r\n",
	  "v2 com.apple.mobilemail INBOX" },
	{ "the same with a space",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " mailboxes (a) sender \r\n",
	  "v2 com.apple.mobilemail INBOX,a" },
	{ "an empty value is written as nothing",
	  COMMAND "sender  aps-version 2 aps-subtopic  aps-account-id " ID
	          " aps-device-token " TOKEN " mailboxes (a  b)\r\n",
	  "v2 com.apple.mobilemail INBOX,a,b" },
	{ "two spaces before a value that is there",
	  COMMAND "aps-version  2  aps-account-id  " ID
	          "  aps-device-token  " TOKEN "\r\n",
	  "v2 com.apple.mobilemail INBOX" },
	{ "no mailboxes: INBOX",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " mailboxes ()\r\n",
	  "v2 com.apple.mobilemail INBOX" },
	{ "one mailbox without parentheses",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " mailboxes Work\r\n",
	  "v2 com.apple.mobilemail INBOX,Work" },
	{ "INBOX first, once, in capitals; names once, in order",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " mailboxes (b inbox a b INBOX \"a\" A)\r\n",
	  "v2 com.apple.mobilemail INBOX,b,a,A" },
	{ "unfit names are left out",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " mailboxes (\"\" {1+}\r\n\1 \"\xc3\xa4\" ok {3+}\r\na\r\n"
	          ")\r\n",
	  "v2 com.apple.mobilemail INBOX,ok" },
	{ "names as iOS writes them bare",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " mailboxes (Entw&APw-rfe a]b a}b &-)\r\n",
	  "v2 com.apple.mobilemail INBOX,Entw&APw-rfe,a]b,a}b,&-" },
	{ "the last of two counts",
	  COMMAND "aps-version 1 aps-version 2 aps-subtopic a aps-subtopic b "
	          "mailboxes (a) mailboxes (b) aps-account-id x "
	          "aps-account-id " ID " aps-device-token " TOKEN "\r\n",
	  "v2 b INBOX,b" },
	{ "a subtopic that is none",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN
	          " aps-subtopic \"\t\"\r\n",
	  "v2 com.apple.mobilemail INBOX" },
	{ "no line end",
	  COMMAND "aps-version 2 aps-account-id " ID " aps-device-token " TOKEN,
	  "v2 com.apple.mobilemail INBOX" },
};

static void commands_are_understood(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	for (size_t i = 0; i < COUNT(understood); i++) {
		struct imap_xaps x;
		struct err_detail why;

		if (imap_xaps_parse(str_of(understood[i].command), &x, &why) !=
		    0)
			fail_msg("%s: %s", understood[i].rule, why.text);
		assert_str(x.account_id, ID);
		assert_str(x.device_token, TOKEN);
		if (!str_eq(show(&x, &out), str_of(understood[i].meaning)))
			fail_msg("%s: %.*s", understood[i].rule, (int)out.len,
			         out.data);
		imap_xaps_done(&x);
	}
	buf_reset(&out);
}

/* Each must be answered BAD, with this sentence. */
static const struct {
	const char *why;
	const char *command;
} refused[] = {
	{ "aps-version is missing", "a XAPPLEPUSHSERVICE\r\n" },
	{ "aps-version is missing",
	  COMMAND "aps-account-id " ID " aps-device-token " TOKEN "\r\n" },
	{ "aps-version is not a version", COMMAND "aps-version 0\r\n" },
	{ "aps-version is not a version", COMMAND "aps-version -1\r\n" },
	{ "aps-version is not a version", COMMAND "aps-version 2x\r\n" },
	{ "aps-version is not a version",
	  COMMAND "aps-version 18446744073709551616\r\n" },
	{ "aps-account-id is missing",
	  COMMAND "aps-version 2 aps-device-token " TOKEN "\r\n" },
	{ "aps-account-id is malformed", COMMAND "aps-account-id \"\"\r\n" },
	{ "aps-account-id is malformed",
	  COMMAND "aps-account-id \"a\\\"b\"\r\n" },
	{ "aps-account-id is malformed", COMMAND "aps-account-id a\\b\r\n" },
	{ "aps-account-id is malformed",
	  COMMAND "aps-account-id {3+}\r\na\r\n\r\n" },
	{ "aps-account-id is malformed",
	  COMMAND "aps-account-id 12345678901234567890123456789012"
	          "345678901234567890123456789012345\r\n" },
	{ "aps-device-token is missing",
	  COMMAND "aps-version 2 aps-account-id " ID "\r\n" },
	{ "aps-device-token is malformed",
	  COMMAND "aps-device-token 0123456789abcdef0123456789abcd\r\n" },
	{ "aps-device-token is malformed",
	  COMMAND "aps-device-token 0123456789abcdef0123456789abcdef0\r\n" },
	{ "aps-device-token is malformed",
	  COMMAND "aps-device-token g0123456789abcdef0123456789abcdef\r\n" },
	{ "aps-device-token is malformed",
	  COMMAND "aps-device-token " TOKEN TOKEN TOKEN TOKEN "\r\n" },
	{ "Malformed arguments", COMMAND "aps-device-token (" TOKEN ")\r\n" },
	{ "Malformed arguments", COMMAND "(aps-version 2)\r\n" },
	{ "Malformed arguments", COMMAND "mailboxes (a b\r\n" },
	{ "Malformed arguments", COMMAND "mailboxes (a (b))\r\n" },
	{ "Malformed arguments", COMMAND "mailboxes )\r\n" },
	{ "Malformed arguments", COMMAND "mailboxes \"a\r\n" },
	{ "Malformed arguments", COMMAND "mailboxes (\"a\"b)\r\n" },
	{ "Malformed arguments", COMMAND "aps-version {5+}\r\n2" },
	{ "Malformed arguments",
	  COMMAND "x ((((((((((((((((((((((a))))))))))))))))))))))\r\n" },
	{ "Malformed arguments", COMMAND "x (a\r\n" },
	{ "Malformed command", "a XAPPLEPUSHSERVICES aps-version 2\r\n" },
	{ "Malformed command", "a  XAPPLEPUSHSERVICE aps-version 2\r\n" },
	{ "Malformed command", "" },
};

static void what_is_missing_or_malformed_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct imap_xaps x;
		struct err_detail why;

		assert_int_equal(
			imap_xaps_parse(str_of(refused[i].command), &x, &why),
			ERR_PARSE);
		assert_string_equal(why.text, refused[i].why);
	}
	assert_int_equal(
		imap_xaps_parse(STR("a XAPPLEPUSHSERVICE a\0 b"), NULL, NULL),
		ERR_PARSE);
}

static void device_token_is_kept_in_lower_case(void **state)
{
	struct imap_xaps x;

	(void)state;
	assert_ok(imap_xaps_parse(
		STR("1 XAPPLEPUSHSERVICE aps-version 2 aps-account-id a "
	            "aps-device-token ABCDEFabcdef0123456789ABCDEF0123\r\n"),
		&x, NULL));
	assert_str(x.device_token, "abcdefabcdef0123456789abcdef0123");
	imap_xaps_done(&x);
	assert_null(x.mailboxes);
	imap_xaps_done(&x);
}

/* command_of writes a command with |count| mailboxes of |len| octets. */
static void command_of(struct buf *out, unsigned count, unsigned len)
{
	buf_clear(out);
	assert_ok(buf_adds(out,
	                   COMMAND "aps-version 2 aps-account-id " ID
	                           " aps-device-token " TOKEN " mailboxes ("));
	for (unsigned i = 0; i < count; i++)
		assert_ok(buf_printf(out, "%s%0*u", i > 0 ? " " : "", (int)len,
		                     i));
	assert_ok(buf_adds(out, ")\r\n"));
}

static void ten_thousand_mailboxes_are_bounded(void **state)
{
	struct imap_xaps x;
	struct buf command;

	(void)state;
	buf_init(&command, 1 << 20);
	command_of(&command, 10000, 5);
	assert_ok(imap_xaps_parse(buf_str(&command), &x, NULL));
	assert_int_equal(x.mailbox_count, IMAP_XAPS_MAILBOXES_MAX);
	assert_str(x.mailboxes[0], "INBOX");
	assert_str(x.mailboxes[1], "00000");
	assert_str(x.mailboxes[IMAP_XAPS_MAILBOXES_MAX - 1], "01022");
	imap_xaps_done(&x);
	buf_reset(&command);
}

/* A name that was there costs as much time as a new one: 85,000 of them, which
 * is what a command holds, would cost half a second. */
static void names_that_were_there_count_too(void **state)
{
	struct imap_xaps x;
	struct buf command;

	(void)state;
	buf_init(&command, 1 << 20);
	command_of(&command, 1, 1);
	buf_cut(&command, command.len - 3);
	/* One for INBOX, one that is there, one to come. */
	for (size_t i = 3; i < IMAP_XAPS_MAILBOXES_MAX; i++)
		assert_ok(buf_adds(&command, " 0"));
	/* The list that counts is the last one, the names of all do. */
	assert_ok(buf_adds(&command, ") mailboxes (A B)\r\n"));
	assert_ok(imap_xaps_parse(buf_str(&command), &x, NULL));
	assert_int_equal(x.mailbox_count, 2);
	assert_str(x.mailboxes[1], "A");
	imap_xaps_done(&x);
	buf_reset(&command);
}

static void mailbox_of_a_thousand_octets_is_the_longest(void **state)
{
	struct imap_xaps x;
	struct buf command;

	(void)state;
	buf_init(&command, 1 << 20);
	command_of(&command, 1, 1000);
	assert_ok(imap_xaps_parse(buf_str(&command), &x, NULL));
	assert_int_equal(x.mailbox_count, 2);
	imap_xaps_done(&x);
	command_of(&command, 1, 1001);
	assert_ok(imap_xaps_parse(buf_str(&command), &x, NULL));
	assert_int_equal(x.mailbox_count, 1);
	imap_xaps_done(&x);
	buf_reset(&command);
}

static void command_above_the_ceiling_is_refused(void **state)
{
	struct imap_xaps x;
	struct buf command;
	struct err_detail why;

	(void)state;
	buf_init(&command, 1 << 20);
	command_of(&command, 300, 900);
	assert_true(command.len > IMAP_XAPS_COMMAND_MAX);
	assert_int_equal(imap_xaps_parse(buf_str(&command), &x, &why),
	                 ERR_PARSE);
	assert_string_equal(why.text, "Command too long");
	buf_reset(&command);
}

static void reply_of_version_two_echoes_mailboxes(void **state)
{
	const struct str echo[] = { STR("INBOX"), STR("Sent \"M\\s\"") };
	struct imap_xaps x = { .version = 3 };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(imap_xaps_version(&x), 2);
	assert_ok(imap_xaps_reply(&x, STR("6"),
	                          STR("com.apple.mobilemail.push.com.example"),
	                          echo, 2, &out));
	assert_str(buf_str(&out),
	           "* XAPPLEPUSHSERVICE \"mailbox\" \"INBOX\"\r\n"
	           "* XAPPLEPUSHSERVICE \"mailbox\" \"Sent \\\"M\\\\s\\\"\"\r\n"
	           "* XAPPLEPUSHSERVICE \"aps-version\" \"2\" \"aps-topic\" "
	           "\"com.apple.mobilemail.push.com.example\"\r\n"
	           "6 OK XAPPLEPUSHSERVICE completed.\r\n");
	buf_reset(&out);
}

static void reply_of_version_one_echoes_nothing(void **state)
{
	const struct str echo[] = { STR("INBOX") };
	struct imap_xaps x = { .version = 1 };
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_ok(imap_xaps_reply(&x, STR("t"), STR("topic"), echo, 1, &out));
	assert_str(buf_str(&out),
	           "* XAPPLEPUSHSERVICE \"aps-version\" \"1\" \"aps-topic\" "
	           "\"topic\"\r\n"
	           "t OK XAPPLEPUSHSERVICE completed.\r\n");
	buf_reset(&out);
}

static void reply_that_fails_leaves_nothing(void **state)
{
	const struct str odd[] = { STR("INBOX"), STR("a\r\nb") };
	struct imap_xaps x = { .version = 2 };
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	assert_ok(buf_adds(&out, "kept"));
	assert_int_equal(
		imap_xaps_reply(&x, STR("t"), STR("topic"), odd, 1, &out),
		ERR_LIMIT);
	assert_str(buf_str(&out), "kept");
	out.max = 1000;
	assert_int_equal(
		imap_xaps_reply(&x, STR("t"), STR("topic"), odd, 2, &out),
		ERR_PARSE);
	assert_str(buf_str(&out), "kept");
	buf_reset(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_understood),
		cmocka_unit_test(what_is_missing_or_malformed_is_named),
		cmocka_unit_test(device_token_is_kept_in_lower_case),
		cmocka_unit_test(ten_thousand_mailboxes_are_bounded),
		cmocka_unit_test(names_that_were_there_count_too),
		cmocka_unit_test(mailbox_of_a_thousand_octets_is_the_longest),
		cmocka_unit_test(command_above_the_ceiling_is_refused),
		cmocka_unit_test(reply_of_version_two_echoes_mailboxes),
		cmocka_unit_test(reply_of_version_one_echoes_nothing),
		cmocka_unit_test(reply_that_fails_leaves_nothing),
	};

	return cmocka_run_group_tests_name("xaps", tests, NULL, NULL);
}
