/* SPDX-License-Identifier: ISC */
/* Edits of a pending row. */
#include <stdio.h>

#include "push/owed.h"
#include "push/testledger.h"
#include "unit/unit.h"

static void nothing_changes_before_it_is_put(void **state)
{
	struct testledger *f = *state;
	struct owed o;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_phone(f, "anna", "t1");
	owed_init(&o, f->ledger, id, 777);
	assert_int_equal(o.row.generation, 0);
	assert_int_equal(o.row.mailbox_count, 0);
	assert_true(o.row.due_ms == 777 && o.row.event_ms == 777);
	owed_add(&o, STR("Sent"));
	assert_null(ledger_pending(f->ledger, id));
	owed_put(&o, f->ledger);
	assert_int_equal(ledger_pending(f->ledger, id)->mailbox_count, 1);
	/* The times of the row that is there stay. */
	owed_init(&o, f->ledger, id, 999);
	assert_true(o.row.due_ms == 777 && o.row.event_ms == 777);
	owed_put(&o, f->ledger);
}

static void mailboxes_are_added_found_and_taken(void **state)
{
	struct testledger *f = *state;
	const struct store_pending *row;
	char names[40][16];
	struct owed o;
	uint64_t id;

	testledger_start(f);
	id = testledger_put_phone(f, "anna", "t1");
	testledger_put_owed(f, id, "INBOX");
	owed_init(&o, f->ledger, id, 0);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "b%d", i);
		assert_int_equal(owed_find(&o, str_of(names[i])),
		                 o.row.mailbox_count);
		owed_add(&o, str_of(names[i]));
	}
	assert_int_equal(owed_find(&o, STR("inbox")), 0);
	assert_int_equal(owed_find(&o, STR("b7")), 8);
	assert_int_equal(owed_find(&o, STR("B7")), 41);
	owed_take(&o, 1, 38);
	owed_take(&o, 0, 0);
	owed_put(&o, f->ledger);
	row = ledger_pending(f->ledger, id);
	assert_int_equal(row->mailbox_count, 3);
	assert_str(row->mailboxes[0], "INBOX");
	assert_str(row->mailboxes[1], "b38");
	assert_str(row->mailboxes[2], "b39");
}

#define TEST(name)                                               \
	cmocka_unit_test_setup_teardown(name, testledger_set_up, \
	                                testledger_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_changes_before_it_is_put),
		TEST(mailboxes_are_added_found_and_taken),
	};

	return cmocka_run_group_tests_name("owed", tests, NULL, NULL);
}
