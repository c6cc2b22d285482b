/* SPDX-License-Identifier: ISC */
/* Many mailboxes asked in one write, and who is meant by which answer. */
#include <stdio.h>
#include <string.h>

#include "imap/xaps.h"
#include "unit/unit.h"
#include "watch/sweep.h"

enum { WANTED_MAX = 200, LINE_MAX_LEN = 3000 };

/* set wants the mailboxes of |list|, "INBOX* Work": with a star it is proved.
 * They are in order. */
static bool set(struct sweep *s, const char *list)
{
	struct store_mailbox wanted[WANTED_MAX];
	struct str rest = str_of(list);
	size_t count = 0;

	while (rest.len > 0) {
		struct str word = str_take(&rest, str_find(rest, ' '));
		bool proved = str_ends(word, STR("*"));

		(void)str_byte(&rest, ' ');
		wanted[count].name = str_sub(word, 0, word.len - proved);
		wanted[count++].proved = proved;
	}
	return sweep_set(s, wanted, count);
}

/* asks wants the next batch to be |text|. */
static void asks(struct sweep *s, uint32_t tag, size_t count, const char *text)
{
	struct buf out;

	buf_init(&out, SWEEP_BATCH_BYTES);
	assert_int_equal(sweep_ask(s, tag, &out), count);
	assert_str(buf_str(&out), text);
	buf_reset(&out);
}

#define ITEMS " (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n"

static void parse(const char *line, struct imap_response *r, char *whole)
{
	(void)snprintf(whole, LINE_MAX_LEN, "%s\r\n", line);
	assert_ok(imap_response_parse(str_of(whole), r));
}

static void tells(struct sweep *s, const char *line)
{
	char whole[LINE_MAX_LEN];
	struct imap_response r;

	parse(line, &r, whole);
	if (imap_response_is(&r, STR("LIST")))
		sweep_use(s, &r);
	else
		sweep_status(s, &r);
}

/* replies wants the tagged reply |line| to question |tag| to mean this. */
static struct sweep_answer replies(struct sweep *s, uint32_t tag,
                                   const char *line, const char *name,
                                   enum sweep_verdict verdict)
{
	char whole[LINE_MAX_LEN];
	struct imap_response r;
	struct sweep_answer answer;

	parse(line, &r, whole);
	assert_true(sweep_is_open(s, tag));
	sweep_reply(s, tag, &r, &answer);
	assert_false(sweep_is_open(s, tag));
	assert_str(answer.mailbox->name, name);
	if (answer.verdict != verdict)
		fail_msg("%s: %d, not %d", line, (int)answer.verdict,
		         (int)verdict);
	return answer;
}

/* Asking. */

static void all_are_asked_in_one_write_but_inbox(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	assert_true(set(&s, "INBOX* Entw&APw-rfe* Work"));
	asks(&s, 7, 2,
	     "W7 STATUS \"Entw&APw-rfe\"" ITEMS "W8 STATUS \"Work\"" ITEMS);
	assert_false(sweep_is_open(&s, 6));
	assert_false(sweep_is_open(&s, 9));
	assert_true(replies(&s, 7, "W7 OK", "Entw&APw-rfe", SWEEP_UNKNOWN)
	                    .mailbox->is_proved);
	assert_false(replies(&s, 8, "W8 OK", "Work", SWEEP_UNKNOWN)
	                     .mailbox->is_proved);
	asks(&s, 9, 0, ""); /* over */
	asks(&s, 9, 2,
	     "W9 STATUS \"Entw&APw-rfe\"" ITEMS "W10 STATUS \"Work\"" ITEMS);
	sweep_done(&s);
}

static void nothing_is_asked_of_nobody(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	asks(&s, 1, 0, "");
	assert_false(set(&s, "INBOX*"));
	asks(&s, 1, 0, "");
	assert_false(sweep_is_open(&s, 1));
	sweep_done(&s);
}

/* A store may hold what is never registered. */
static void what_no_phone_registers_is_not_asked_for(void **state)
{
	static char too_long[IMAP_XAPS_MAILBOX_MAX + 1];
	struct store_mailbox wanted[] = {
		{ STR("a\r\nW1 DELETE x"), true },
		{ STR("b\0b"), true },
		{ str_new(too_long, sizeof(too_long)), true },
		{ STR("d\xc3\xbc"), true },
		{ STR("e \"\\"), true },
	};
	struct sweep s;

	(void)state;
	for (size_t i = 0; i < sizeof(too_long); i++)
		too_long[i] = 'c';
	sweep_init(&s);
	assert_true(sweep_set(&s, wanted, 5));
	assert_int_equal(s.count, 1);
	asks(&s, 1, 1, "W1 STATUS \"e \\\"\\\\\"" ITEMS);
	sweep_done(&s);
}

/* batches_of asks for |count| mailboxes whose names have |length| octets, two
 * on the wire for each, and counts the writes. */
static size_t batches_of(size_t count, size_t length)
{
	static char names[WANTED_MAX][IMAP_XAPS_MAILBOX_MAX];
	struct store_mailbox wanted[WANTED_MAX];
	struct sweep_answer answer;
	struct imap_response ok;
	size_t batches = 0;
	size_t asked = 0;
	struct sweep s;
	struct buf out;
	size_t n;

	for (size_t i = 0; i < count; i++) {
		memset(names[i], '"', length);
		names[i][0] = (char)('0' + i / 100);
		names[i][1] = (char)('0' + i / 10 % 10);
		names[i][2] = (char)('0' + i % 10);
		wanted[i].name = str_new(names[i], length);
		wanted[i].proved = true;
	}
	assert_ok(imap_response_parse(STR("W1 OK\r\n"), &ok));
	sweep_init(&s);
	assert_true(sweep_set(&s, wanted, count));
	buf_init(&out, SWEEP_BATCH_BYTES);
	for (; (n = sweep_ask(&s, 1, &out)) > 0; batches++) {
		for (uint32_t tag = 1; tag <= n; tag++) {
			sweep_reply(&s, tag, &ok, &answer);
			assert_true(str_eq(answer.mailbox->name,
			                   wanted[asked++].name));
		}
		buf_clear(&out);
	}
	assert_int_equal(asked, count);
	buf_reset(&out);
	sweep_done(&s);
	return batches;
}

static void sixty_four_mailboxes_are_one_write(void **state)
{
	(void)state;
	assert_int_equal(batches_of(64, 20), 1);
	assert_int_equal(batches_of(65, 20), 2);
	assert_int_equal(batches_of(200, 20), 4);
	/* Seven of the longest names are 16 KiB. */
	assert_int_equal(batches_of(63, IMAP_XAPS_MAILBOX_MAX), 9);
}

/* Answers. */

static void answers_belong_to_their_mailboxes_in_any_order(void **state)
{
	struct sweep_answer a;
	struct sweep s;

	(void)state;
	sweep_init(&s);
	(void)set(&s, "A* B* C*");
	asks(&s, 1, 3,
	     "W1 STATUS \"A\"" ITEMS "W2 STATUS \"B\"" ITEMS
	     "W3 STATUS \"C\"" ITEMS);
	tells(&s, "* STATUS C (UIDNEXT 4)");
	tells(&s, "* STATUS \"A\" (UIDNEXT 1 MESSAGES 2)");
	tells(&s, "* STATUS b (UIDNEXT 9)"); /* not ours: case counts */
	a = replies(&s, 3, "W3 OK done", "C", SWEEP_SEEN);
	assert_int_equal(a.status.uidnext, 4);
	tells(&s, "* STATUS C (UIDNEXT 5)"); /* late: nobody asked */
	tells(&s, "* STATUS {1}\r\nB (UIDVALIDITY 2 UNSEEN 3)");
	a = replies(&s, 1, "W1 OK done", "A", SWEEP_SEEN);
	assert_int_equal(a.status.uidnext, 1);
	assert_int_equal(a.status.messages, 2);
	assert_int_equal(a.status.has, IMAP_ITEM_UIDNEXT | IMAP_ITEM_MESSAGES);
	a = replies(&s, 2, "W2 OK done", "B", SWEEP_SEEN);
	assert_int_equal(a.status.uidvalidity, 2);
	sweep_done(&s);
}

/* What was told in one round says nothing in the next. */
static void ok_without_numbers_is_unknown(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	(void)set(&s, "A*");
	asks(&s, 1, 1, "W1 STATUS \"A\"" ITEMS);
	tells(&s, "* STATUS A (UIDNEXT 4)");
	(void)replies(&s, 1, "W1 OK done", "A", SWEEP_SEEN);
	asks(&s, 2, 0, "");
	asks(&s, 2, 1, "W2 STATUS \"A\"" ITEMS);
	tells(&s, "* STATUS A (UIDNEXT x)");
	tells(&s, "* STATUS (A)");
	(void)replies(&s, 2, "W2 OK done", "A", SWEEP_UNKNOWN);
	sweep_done(&s);
}

/* Dovecot before 2.4.3 may tell names in UTF-8, as literals. */
static void names_in_utf8_are_understood(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	(void)set(&s, "Entw&-rfe* Entw&APw-rfe* a&-b*");
	asks(&s, 1, 3,
	     "W1 STATUS \"Entw&-rfe\"" ITEMS "W2 STATUS \"Entw&APw-rfe\"" ITEMS
	     "W3 STATUS \"a&-b\"" ITEMS);
	tells(&s, "* STATUS {9}\r\nEntw\xc3\xbcrfe (UIDNEXT 2)");
	tells(&s, "* STATUS \"a&b\" (UIDNEXT 3)");
	tells(&s, "* STATUS {2}\r\n\xc3\x28 (UIDNEXT 4)"); /* not UTF-8 */
	(void)replies(&s, 1, "W1 OK", "Entw&-rfe", SWEEP_UNKNOWN);
	(void)replies(&s, 2, "W2 OK", "Entw&APw-rfe", SWEEP_SEEN);
	(void)replies(&s, 3, "W3 OK", "a&-b", SWEEP_SEEN);
	sweep_done(&s);
}

static void refusals_are_for_good_or_for_now(void **state)
{
	static const struct {
		const char *reply;
		enum sweep_verdict verdict;
	} rows[] = {
		{ "W1 NO Mailbox does not exist", SWEEP_REFUSED },
		{ "W1 NO [NOPERM] x", SWEEP_REFUSED },
		{ "W1 BAD what?", SWEEP_REFUSED },
		{ "W1 NO [INUSE] x", SWEEP_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sweep s;

		sweep_init(&s);
		(void)set(&s, "A");
		asks(&s, 1, 1, "W1 STATUS \"A\"" ITEMS);
		tells(&s, "* STATUS A (UIDNEXT 4)"); /* whatever it says */
		(void)replies(&s, 1, rows[i].reply, "A", rows[i].verdict);
		sweep_done(&s);
	}
}

/* The list. */

static void new_mailbox_is_told_from_old_ones(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	assert_true(set(&s, "INBOX* B D*"));
	assert_false(set(&s, "INBOX* B* D*")); /* proved meanwhile */
	assert_true(s.mailboxes[0].is_proved);
	assert_true(set(&s, "A B* D*"));
	assert_true(set(&s, "B* C D*"));
	assert_true(set(&s, "B* C D* E"));
	assert_false(set(&s, "C E"));
	assert_int_equal(s.count, 2);
	assert_false(set(&s, ""));
	assert_int_equal(s.count, 0);
	assert_true(set(&s, "C"));
	sweep_done(&s);
}

/* The list may change between two batches, too. */
static void new_list_begins_a_round(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	(void)set(&s, "A B");
	asks(&s, 1, 2, "W1 STATUS \"A\"" ITEMS "W2 STATUS \"B\"" ITEMS);
	(void)replies(&s, 1, "W1 OK", "A", SWEEP_UNKNOWN);
	(void)replies(&s, 2, "W2 OK", "B", SWEEP_UNKNOWN);
	(void)set(&s, "C");
	asks(&s, 3, 1, "W3 STATUS \"C\"" ITEMS);
	(void)replies(&s, 3, "W3 OK", "C", SWEEP_UNKNOWN);
	sweep_done(&s);
}

/* Uses. */

static void uses_are_learned_and_kept(void **state)
{
	struct sweep s;

	(void)state;
	sweep_init(&s);
	(void)set(&s, "Entw&APw-rfe Sent Work");
	tells(&s, "* LIST (\\Sent) \"/\" Sent");
	tells(&s, "* LIST (\\HasNoChildren \\Drafts) \"/\" {9}\r\n"
	          "Entw\xc3\xbcrfe");
	tells(&s, "* LIST (\\All \\Flagged) \"/\" Work");
	tells(&s, "* LIST (\\Trash) \"/\" INBOX");
	tells(&s, "* LIST (\\Trash");
	assert_true(s.mailboxes[0].is_used);
	assert_true(s.mailboxes[1].is_used);
	assert_false(s.mailboxes[2].is_used);
	(void)set(&s, "A Sent Work");
	assert_false(s.mailboxes[0].is_used);
	assert_true(s.mailboxes[1].is_used);
	assert_false(s.mailboxes[2].is_used);
	sweep_forget_uses(&s);
	assert_false(s.mailboxes[1].is_used);
	sweep_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_asked_in_one_write_but_inbox),
		cmocka_unit_test(nothing_is_asked_of_nobody),
		cmocka_unit_test(what_no_phone_registers_is_not_asked_for),
		cmocka_unit_test(sixty_four_mailboxes_are_one_write),
		cmocka_unit_test(
			answers_belong_to_their_mailboxes_in_any_order),
		cmocka_unit_test(ok_without_numbers_is_unknown),
		cmocka_unit_test(names_in_utf8_are_understood),
		cmocka_unit_test(refusals_are_for_good_or_for_now),
		cmocka_unit_test(new_mailbox_is_told_from_old_ones),
		cmocka_unit_test(new_list_begins_a_round),
		cmocka_unit_test(uses_are_learned_and_kept),
	};

	return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
