/* SPDX-License-Identifier: ISC */
/* The union of what devices registered, however many mailboxes there are. */
#include <stdio.h>

#include "push/testledger.h"
#include "push/wanted.h"
#include "unit/unit.h"

enum { BOXES = 300 };

/* put registers |token| of anna for |count| mailboxes "b<i>", i from |first| in
 * steps of |step|, every third of them proved. */
static void put(struct testledger *f, const char *token, int first, int step,
                int count)
{
	static char names[BOXES][16];
	static struct store_mailbox boxes[BOXES];
	const struct store_registration row = {
		.user = STR("anna"),
		.account_id = STR("acc"),
		.device_token = str_of(token),
		.mailboxes = boxes,
		.mailbox_count = (size_t)count,
	};

	assert_true(count <= BOXES);
	for (int i = 0; i < count; i++) {
		int n = first + i * step;

		(void)snprintf(names[i], sizeof(names[i]), "b%d", n);
		boxes[i].name = str_of(names[i]);
		boxes[i].proved = n % 3 == 0;
	}
	(void)ledger_registration_put(f->ledger, &row);
}

static void each_mailbox_once_and_proved_if_for_any(void **state)
{
	struct testledger *f = *state;
	struct wanted w;
	char name[16];

	testledger_start(f);
	put(f, "t1", 0, 2, 100);    /* even, to 198 */
	put(f, "t2", 198, -1, 199); /* all, the other way round */
	put(f, "t3", 3, 3, 0);
	wanted_init(&w, f->ledger, STR("anna"));
	assert_int_equal(w.count, 199);
	for (size_t i = 1; i < w.count; i++)
		assert_true(str_cmp(w.items[i - 1].name, w.items[i].name) < 0);
	for (int n = -1; n < 201; n++) {
		bool there = n >= 0 && n <= 198;

		(void)snprintf(name, sizeof(name), "b%d", n);
		assert_int_equal(wanted_has(&w, str_of(name)), there);
		assert_int_equal(wanted_is_proved(&w, str_of(name)),
		                 there && n % 3 == 0);
	}
	wanted_done(&w);
}

static void inbox_comes_first_in_any_case(void **state)
{
	struct testledger *f = *state;
	const struct store_mailbox boxes[] = { { STR("Archive"), false },
		                               { STR("iNBOX"), true },
		                               { STR("INBOX.Sub"), false },
		                               { STR("INBOX"), false } };
	const struct store_registration row = { .user = STR("anna"),
		                                .mailboxes = boxes,
		                                .mailbox_count = 4 };
	struct wanted w;

	testledger_start(f);
	(void)ledger_registration_put(f->ledger, &row);
	wanted_init(&w, f->ledger, STR("anna"));
	assert_int_equal(w.count, 3);
	assert_str(w.items[0].name, "INBOX");
	assert_true(w.items[0].proved);
	assert_true(wanted_has(&w, STR("inbox")));
	assert_false(wanted_has(&w, STR("inbox.sub")));
	assert_false(wanted_is_proved(&w, STR("Archive")));
	wanted_done(&w);
}

static void unknown_user_wants_nothing(void **state)
{
	struct testledger *f = *state;
	struct wanted w;

	testledger_start(f);
	wanted_init(&w, f->ledger, STR("nobody"));
	assert_int_equal(w.count, 0);
	assert_false(wanted_has(&w, STR("INBOX")));
	wanted_done(&w);
}

#define TEST(name)                                               \
	cmocka_unit_test_setup_teardown(name, testledger_set_up, \
	                                testledger_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_mailbox_once_and_proved_if_for_any),
		TEST(inbox_comes_first_in_any_case),
		TEST(unknown_user_wants_nothing),
	};

	return cmocka_run_group_tests_name("wanted", tests, NULL, NULL);
}
