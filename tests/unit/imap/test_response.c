/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "imap/response.h"
#include "unit/unit.h"

static const struct {
	const char *line;
	enum imap_class cls;
	enum imap_status status;
	const char *tag;
	const char *code;
	const char *text;
} statuses[] = {
	{ "* OK hi\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_OK, "", "", "hi" },
	{ "* OK [ALERT] hi\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_OK, "", "ALERT",
	  "hi" },
	{ "* ok [UIDNEXT 5]\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_OK, "",
	  "UIDNEXT 5", "" },
	{ "* OK [open\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_OK, "", "",
	  "[open" },
	{ "* OK []x\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_OK, "", "", "x" },
	{ "* OK\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_OK, "", "", "" },
	{ "* BYE Autologout\n", IMAP_CLASS_STATUS, IMAP_STATUS_BYE, "", "",
	  "Autologout" },
	{ "* PREAUTH x", IMAP_CLASS_STATUS, IMAP_STATUS_PREAUTH, "", "", "x" },
	{ "* BAD x\r\n", IMAP_CLASS_STATUS, IMAP_STATUS_BAD, "", "", "x" },
	{ "a1 NO [LIMIT] Maximum\r\n", IMAP_CLASS_TAGGED, IMAP_STATUS_NO, "a1",
	  "LIMIT", "Maximum" },
	{ "a1 OK \r\n", IMAP_CLASS_TAGGED, IMAP_STATUS_OK, "a1", "", "" },
	{ "a1 BAD\r\n", IMAP_CLASS_TAGGED, IMAP_STATUS_BAD, "a1", "", "" },
	{ "a NO [BADCHARSET ({1}\r\nX)] no\r\n", IMAP_CLASS_TAGGED,
	  IMAP_STATUS_NO, "a", "BADCHARSET ({1}\r\nX)", "no" },
	{ "+ idling\r\n", IMAP_CLASS_CONTINUATION, IMAP_STATUS_NONE, "", "",
	  "idling" },
	{ "+\r\n", IMAP_CLASS_CONTINUATION, IMAP_STATUS_NONE, "", "", "" },
	{ "+  x\r\n", IMAP_CLASS_CONTINUATION, IMAP_STATUS_NONE, "", "", " x" },
	{ "+x\r\n", IMAP_CLASS_CONTINUATION, IMAP_STATUS_NONE, "", "", "x" },
};

static void status_lines_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(statuses); i++) {
		struct imap_response r;

		assert_ok(imap_response_parse(str_of(statuses[i].line), &r));
		assert_int_equal(r.cls, statuses[i].cls);
		assert_int_equal(r.status, statuses[i].status);
		assert_str(r.tag, statuses[i].tag);
		assert_str(r.code, statuses[i].code);
		assert_str(r.text, statuses[i].text);
	}
}

static const struct {
	const char *line;
	bool has_number;
	uint64_t number;
	const char *keyword;
	const char *rest;
} data[] = {
	{ "* 12 EXISTS\r\n", true, 12, "EXISTS", "" },
	{ "* 1 FETCH (UID 4)\r\n", true, 1, "FETCH", "(UID 4)" },
	{ "* LIST () \"/\" {5}\r\nIN\r\nB\r\n", false, 0, "LIST",
	  "() \"/\" {5}\r\nIN\r\nB" },
	{ "* CAPABILITY  A\r\n", false, 0, "CAPABILITY", " A" },
	{ "* SEARCH\r\n", false, 0, "SEARCH", "" },
	{ "* 12x y\r\n", false, 0, "12x", "y" },
	{ "* 99999999999999999999 EXISTS\r\n", false, 0, "99999999999999999999",
	  "EXISTS" },
	{ "*  3  EXISTS \r\n", true, 3, "EXISTS", "" },
	{ "* \r\n", false, 0, "", "" },
	{ "* 12\r\n", true, 12, "", "" },
};

static void data_lines_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(data); i++) {
		struct imap_response r;

		assert_ok(imap_response_parse(str_of(data[i].line), &r));
		assert_int_equal(r.cls, IMAP_CLASS_DATA);
		assert_int_equal(r.status, IMAP_STATUS_NONE);
		assert_int_equal(r.has_number, data[i].has_number);
		if (r.has_number)
			assert_int_equal(r.number, data[i].number);
		assert_true(imap_response_is(&r, str_of(data[i].keyword)));
		assert_str(r.keyword, data[i].keyword);
		assert_str(r.rest, data[i].rest);
	}
}

static void what_is_no_response_is_other(void **state)
{
	static const char *const lines[] = { "",
		                             "\r\n",
		                             "hello\r\n",
		                             "*\r\n",
		                             "a1 PREAUTH x\r\n",
		                             "HTTP/1.1 400 Bad\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct imap_response r;

		assert_int_equal(imap_response_parse(str_of(lines[i]), &r),
		                 ERR_PARSE);
		assert_int_equal(r.cls, IMAP_CLASS_OTHER);
	}
}

static void code_is_found_by_its_word(void **state)
{
	struct imap_response r;
	struct str rest = STR("unchanged");

	(void)state;
	assert_ok(imap_response_parse(STR("* OK [uidnext 5] x\r\n"), &r));
	assert_false(imap_response_code(&r, STR("UIDNEX"), &rest));
	assert_str(rest, "unchanged");
	assert_true(imap_response_code(&r, STR("UIDNEXT"), &rest));
	assert_str(rest, "5");
	assert_ok(imap_response_parse(STR("* OK [ALERT] x\r\n"), &r));
	assert_true(imap_response_code(&r, STR("ALERT"), &rest));
	assert_str(rest, "");
	assert_ok(imap_response_parse(STR("* OK x\r\n"), &r));
	assert_false(imap_response_code(&r, STR(""), &rest));
}

/* |name| NULL: does not parse. */
static const struct {
	const char *line;
	const char *name;
	struct imap_status_data data;
} status_data[] = {
	{ "* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UNSEEN 1)\r\n",
	  "INBOX",
	  { IMAP_ITEM_MESSAGES | IMAP_ITEM_UIDNEXT | IMAP_ITEM_UNSEEN, 2, 3, 0,
	    1, 0 } },
	{ "* status \"a \\\"b\" (uidvalidity 4294967295 highestmodseq "
	  "9223372036854775807)\r\n",
	  "a \"b",
	  { IMAP_ITEM_UIDVALIDITY | IMAP_ITEM_HIGHESTMODSEQ, 0, 0, UINT32_MAX,
	    0, INT64_MAX } },
	{ "* STATUS {3}\r\na\r\n (MESSAGES 0)\r\n",
	  "a\r\n",
	  { IMAP_ITEM_MESSAGES, 0, 0, 0, 0, 0 } },
	{ "* STATUS x (SIZE 12345678901234 MAILBOXID (F1) UNSEEN 7 X (a (b)))\r\n",
	  "x",
	  { IMAP_ITEM_UNSEEN, 0, 0, 0, 7, 0 } },
	{ "* STATUS x ()\r\n", "x", { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS x ( MESSAGES 1 ) \r\n",
	  "x",
	  { IMAP_ITEM_MESSAGES, 1, 0, 0, 0, 0 } },
	{ "* STATUS x (MESSAGES 4294967296)\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS x (MESSAGES -1)\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS x (MESSAGES)\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS x (MESSAGES 1\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS x (MESSAGES 1) y\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS (MESSAGES 1)\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* STATUS x\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* 1 STATUS x ()\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
	{ "* LIST x ()\r\n", NULL, { 0, 0, 0, 0, 0, 0 } },
};

static void refusals_are_for_good_or_for_now(void **state)
{
	static const struct {
		const char *reply;
		bool is_final;
	} rows[] = {
		/* As measured: Dovecot, Courier, Cyrus. */
		{ "a NO Mailbox doesn't exist: A (0.001 secs).", true },
		{ "a NO [CANNOT] Invalid mailbox name", true },
		{ "a NO Mailbox does not exist, or must be subscribed to.",
		  true },
		{ "a NO Mailbox does not exist", true },
		/* RFC 5530. */
		{ "a NO [NONEXISTENT] x", true },
		{ "a NO [noperm] x", true },
		{ "a BAD what?", true },
		{ "a BAD [CLIENTBUG] what?", true },
		{ "a NO [UNAVAILABLE] x", false },
		{ "a NO [INUSE] x", false },
		{ "a NO [LIMIT] x", false },
		{ "a NO [SERVERBUG] x", false },
		{ "a NO [CONTACTADMIN] x", false },
		{ "a NO [X-NEW 5] x", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct imap_response r;

		assert_ok(imap_response_parse(str_of(rows[i].reply), &r));
		assert_int_equal(imap_response_is_final(&r), rows[i].is_final);
	}
}

static void status_data_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(status_data); i++) {
		const struct imap_status_data *want = &status_data[i].data;
		struct imap_status_data got = { .has = 0 };
		struct imap_response r;
		struct buf name;

		buf_init(&name, 20);
		assert_ok(buf_adds(&name, "#"));
		assert_ok(imap_response_parse(str_of(status_data[i].line), &r));
		assert_int_equal(imap_response_status_data(&r, &name, &got),
		                 status_data[i].name != NULL ? ERR_OK
		                                             : ERR_PARSE);
		assert_str(str_sub(buf_str(&name), 1, SIZE_MAX),
		           status_data[i].name);
		assert_int_equal(got.has, want->has);
		assert_int_equal(got.messages, want->messages);
		assert_int_equal(got.uidnext, want->uidnext);
		assert_int_equal(got.uidvalidity, want->uidvalidity);
		assert_int_equal(got.unseen, want->unseen);
		assert_int_equal(got.highestmodseq, want->highestmodseq);
		buf_reset(&name);
	}
}

static void status_name_above_the_ceiling_is_a_limit(void **state)
{
	struct imap_status_data got;
	struct imap_response r;
	struct buf name;

	(void)state;
	buf_init(&name, 4);
	assert_ok(imap_response_parse(STR("* STATUS INBOX ()\r\n"), &r));
	assert_int_equal(imap_response_status_data(&r, &name, &got), ERR_LIMIT);
	assert_null(name.data);
}

/* |name| NULL: does not parse. Dovecot, Cyrus, Courier; with what RFC 5258
 * adds; and what is none. */
static const struct {
	const char *line;
	const char *name;
	unsigned uses;
} lists[] = {
	{ "* LIST (\\Sent) \"/\" Sent\r\n", "Sent", IMAP_USE_SENT },
	{ "* LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\r\n", "Drafts",
	  IMAP_USE_DRAFTS },
	{ "* LIST (\\Unmarked \\HasChildren) \".\" \"INBOX\"\r\n", "INBOX", 0 },
	{ "* list (\\TRASH \\junk \\All) NIL {5}\r\na \"b\\ (\"X\" (\"y\"))\r\n",
	  "a \"b\\", IMAP_USE_TRASH | IMAP_USE_JUNK },
	{ "* LIST () \"/\" \"\"\r\n", "", 0 },
	{ "* LIST (\\SentMail Sent) \"/\" x\r\n", "x", 0 },
	{ "* LIST (\\Sent) \"/\"\r\n", NULL, 0 },
	{ "* LIST (\\Sent \"/\" x\r\n", NULL, 0 },
	{ "* LIST \\Sent \"/\" x\r\n", NULL, 0 },
	{ "* LIST (\\Sent) \"/\" (x)\r\n", NULL, 0 },
	{ "* 1 LIST () \"/\" x\r\n", NULL, 0 },
	{ "* LSUB () \"/\" x\r\n", NULL, 0 },
};

static void list_data_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct imap_response r;
		unsigned uses = 0;
		struct buf name;

		buf_init(&name, 20);
		assert_ok(imap_response_parse(str_of(lists[i].line), &r));
		assert_int_equal(imap_response_list_data(&r, &name, &uses),
		                 lists[i].name != NULL ? ERR_OK : ERR_PARSE);
		assert_str(buf_str(&name), lists[i].name);
		assert_int_equal(uses, lists[i].uses);
		buf_reset(&name);
	}
}

static const struct {
	const char *line;
	bool ok;
	struct imap_fetch_data data;
} fetches[] = {
	{ "* 5 FETCH (UID 7 FLAGS (\\Seen \\Recent))\r\n",
	  true,
	  { true, true, 7, 0, true, false } },
	{ "* 5 FETCH (FLAGS (\\DELETED $x) MODSEQ (12))\r\n",
	  true,
	  { false, true, 0, 12, false, true } },
	{ "* 5 FETCH (FLAGS ())\r\n",
	  true,
	  { false, true, 0, 0, false, false } },
	{ "* 5 FETCH (BODY[HEADER.FIELDS (SUBJECT \"X-Y\")] {12}\r\n"
	  "Subject: x\r\n UID 7 BODY[TEXT]<0> \"y\")\r\n",
	  true,
	  { true, false, 7, 0, false, false } },
	{ "* 5 FETCH (ENVELOPE (\"a\" NIL ((NIL NIL \"b\" \"c\")(\"d\" NIL "
	  "\"e\" \"f\"))) BODY (\"text\" \"plain\" (\"a\" \"b\")) "
	  "INTERNALDATE \"x\" RFC822.SIZE 44 uid 9)\r\n",
	  true,
	  { true, false, 9, 0, false, false } },
	{ "* 5 FETCH (BODY[] NIL BINARY[1] ~{2}\r\n\1\2 UID 3)\r\n",
	  true,
	  { true, false, 3, 0, false, false } },
	{ "* 5 FETCH (X-GM-LABELS (\"a b\" c) UID 3 )\r\n",
	  true,
	  { true, false, 3, 0, false, false } },
	{ "* 5 FETCH ()\r\n", true, { false, false, 0, 0, false, false } },
	{ "* 5 FETCH (UID 4294967296)\r\n", false, { .uid = 0 } },
	{ "* 5 FETCH (UID x)\r\n", false, { .uid = 0 } },
	{ "* 5 FETCH (FLAGS \\Seen)\r\n", false, { .uid = 0 } },
	{ "* 5 FETCH (FLAGS (\\Seen)\r\n", false, { .uid = 0 } },
	{ "* 5 FETCH (BODY[HEADER.FIELDS (X) UID 3)\r\n", false, { .uid = 0 } },
	{ "* 5 FETCH UID 3\r\n", false, { .uid = 0 } },
	{ "* FETCH (UID 3)\r\n", false, { .uid = 0 } },
	{ "* 5 EXISTS\r\n", false, { .uid = 0 } },
};

static void fetch_data_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(fetches); i++) {
		const struct imap_fetch_data *want = &fetches[i].data;
		struct imap_fetch_data got = { .uid = 0 };
		struct imap_response r;

		assert_ok(imap_response_parse(str_of(fetches[i].line), &r));
		assert_int_equal(imap_response_fetch_data(&r, &got),
		                 fetches[i].ok ? ERR_OK : ERR_PARSE);
		assert_int_equal(got.has_uid, want->has_uid);
		assert_int_equal(got.has_flags, want->has_flags);
		assert_int_equal(got.uid, want->uid);
		assert_int_equal(got.modseq, want->modseq);
		assert_int_equal(got.seen, want->seen);
		assert_int_equal(got.deleted, want->deleted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines_are_split),
		cmocka_unit_test(data_lines_are_split),
		cmocka_unit_test(what_is_no_response_is_other),
		cmocka_unit_test(code_is_found_by_its_word),
		cmocka_unit_test(refusals_are_for_good_or_for_now),
		cmocka_unit_test(status_data_is_read),
		cmocka_unit_test(status_name_above_the_ceiling_is_a_limit),
		cmocka_unit_test(list_data_is_read),
		cmocka_unit_test(fetch_data_is_read),
	};

	return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
