/* SPDX-License-Identifier: ISC */
/* Which answers on the client's session are ours. */
#include <string.h>

#include "base/err.h"
#include "proxy/ask.h"
#include "unit/unit.h"

static void ask_for(struct asks *a, const char *mailbox, size_t index)
{
	struct buf out;

	buf_init(&out, 4096);
	assert_ok(asks_add(a, str_of(mailbox), index, &out));
	assert_true(str_ends(buf_str(&out),
	                     STR(" (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)"
	                         "\r\n")));
	buf_reset(&out);
}

static struct ask *take(struct asks *a, const char *tag)
{
	struct imap_response r = { .tag = str_of(tag) };

	return asks_take(a, &r);
}

static void names_are_quoted(void **arg)
{
	struct asks a;
	struct buf out;
	struct str line;

	(void)arg;
	asks_init(&a);
	buf_init(&out, 4096);
	assert_ok(asks_add(&a, STR("a\" \\b"), 0, &out));
	line = str_sub(buf_str(&out), ASK_TAG_LEN, SIZE_MAX);
	assert_str(line, " STATUS \"a\\\" \\\\b\" "
	                 "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n");
	assert_int_equal(asks_add(&a, STR("a\r\nb LOGOUT"), 0, &out),
	                 ERR_PARSE);
	assert_int_equal(a.count, 1);
	buf_reset(&out);
	asks_done(&a);
	assert_true(asks_is_empty(&a));
}

static void only_the_asked_items_are_taken(void **arg)
{
	struct asks a;

	(void)arg;
	asks_init(&a);
	ask_for(&a, "Work", 3);
	/* Others speak of the same mailbox, or of another. */
	assert_false(asks_status(&a, STR("* STATUS Work (MESSAGES 1)\r\n")));
	assert_false(asks_status(&a, STR("* STATUS Work (UIDVALIDITY 1 UIDNEXT "
	                                 "2 MESSAGES 3 UNSEEN 4 HIGHESTMODSEQ "
	                                 "5)\r\n")));
	assert_false(asks_status(&a, STR("* STATUS work (UIDVALIDITY 1 UIDNEXT "
	                                 "2 MESSAGES 3 UNSEEN 4)\r\n")));
	assert_false(asks_status(&a, STR("* 3 EXISTS\r\n")));
	assert_true(asks_status(&a, STR("* STATUS \"Work\" (MESSAGES 3 UIDNEXT "
	                                "2 UIDVALIDITY 1 UNSEEN 4)\r\n")));
	/* One each: a second is not ours. */
	assert_false(asks_status(&a, STR("* STATUS Work (UIDVALIDITY 1 UIDNEXT "
	                                 "2 MESSAGES 3 UNSEEN 4)\r\n")));
	asks_done(&a);
}

static void inbox_in_any_case_and_by_literal(void **arg)
{
	struct asks a;

	(void)arg;
	asks_init(&a);
	ask_for(&a, "INBOX", 0);
	assert_true(asks_status(&a, STR("* STATUS {5}\r\ninbox (UIDVALIDITY 1 "
	                                "UIDNEXT 2 MESSAGES 3 UNSEEN 4)"
	                                "\r\n")));
	assert_int_equal(STAILQ_FIRST(&a.list)->status.uidnext, 2);
	asks_done(&a);
}

static void ended_by_its_tag_alone(void **arg)
{
	struct asks a;
	struct ask *first;
	char tag[ASK_TAG_LEN + 1];

	(void)arg;
	asks_init(&a);
	ask_for(&a, "INBOX", 7);
	ask_for(&a, "Work", 8);
	memcpy(tag, STAILQ_FIRST(&a.list)->tag, sizeof(tag));
	assert_null(take(&a, "a1"));
	assert_null(take(&a, ""));
	first = take(&a, tag);
	assert_non_null(first);
	assert_int_equal(first->index, 7);
	assert_false(first->is_late);
	ask_free(&first);
	assert_null(take(&a, tag));
	asks_give_up(&a);
	assert_true(STAILQ_FIRST(&a.list)->is_late);
	assert_int_equal(a.count, 1);
	asks_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_quoted),
		cmocka_unit_test(only_the_asked_items_are_taken),
		cmocka_unit_test(inbox_in_any_case_and_by_literal),
		cmocka_unit_test(ended_by_its_tag_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
