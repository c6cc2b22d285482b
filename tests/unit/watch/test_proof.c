/* SPDX-License-Identifier: ISC */
/* Whose INBOX the master is given, and who may try when. */
#include <stdlib.h>

#include "base/mem.h"
#include "unit/unit.h"
#include "watch/proof.h"
#include "watch/testwatch.h"

struct fixture {
	struct testwatch t;
	struct watcher_env env;
	struct proof *proof;
	struct fake_peer *peer;
	int changed;
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	testwatch_init(&f->t);
	testwatch_master(&f->t, WATCH_LOGIN_AUTHZID);
	testwatch_shown(&f->t, "anna", 12);
	testwatch_shown(&f->t, "bert", 12);
	fake_run(f->t.p.loop);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	proof_free(&f->proof);
	fake_run(f->t.p.loop);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
	fake_peer_free(&f->peer);
	testwatch_done(&f->t);
	free(f);
	return 0;
}

static void on_changed(void *arg)
{
	struct fixture *f = arg;

	f->changed++;
}

static void start(struct fixture *f)
{
	f->env = testwatch_env(&f->t);
	f->proof = proof_new(&f->env, f->t.targets, on_changed, f);
}

static void says(struct fixture *f, const char *text)
{
	testwatch_says(&f->t, f->peer, text);
}

/* asks starts and connects the master, up to the login. */
static void asks(struct fixture *f)
{
	start(f);
	f->peer = fake_dial_connect(f->t.p.loop, 0);
	assert_false(proof_admits(f->proof, 0));
	fake_run(f->t.p.loop);
	says(f, TESTWATCH_GREETING);
	testwatch_heard(&f->t, f->peer,
	                "W0 AUTHENTICATE PLAIN " TESTWATCH_MASTER "\r\n");
}

/* changes wants it to be worth asking again. */
static void changes(struct fixture *f)
{
	fake_run(f->t.p.loop);
	assert_int_equal(f->changed, 1);
	f->changed = 0;
}

/* is_refused: the master alone may not log in. */
static void is_refused(struct fixture *f)
{
	asks(f);
	says(f, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
	changes(f);
}

/* has_inbox: the master's is at |uidvalidity| and UIDNEXT 5. */
static void has_inbox(struct fixture *f, const char *uidvalidity)
{
	asks(f);
	says(f, "W0 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n"
	        "* STATUS INBOX (UIDVALIDITY ");
	says(f, uidvalidity);
	says(f, " UIDNEXT 5 MESSAGES 4 UNSEEN 0)\r\nW1 OK done\r\n");
	testwatch_heard(&f->t, f->peer, TESTWATCH_STATUS); /* no more */
	assert_true(fake_is_closed(f->peer));
	changes(f);
}

static enum proof_verdict judge(struct fixture *f, const char *user,
                                uint32_t uidvalidity, uint32_t uidnext)
{
	const struct store_state inbox = {
		.user = str_of(user),
		.mailbox = STR("INBOX"),
		.uidvalidity = uidvalidity,
		.uidnext = uidnext,
	};

	return proof_judge(f->proof, str_of(user), &inbox);
}

/* admits_in wants one to be admitted after a wait between half of |step_ms|
 * and all of it. */
static void admits_in(struct fixture *f, uint64_t step_ms)
{
	uint64_t waited_ms = 0;

	f->changed = 0;
	for (; f->changed == 0; waited_ms += 100) {
		assert_false(proof_admits(f->proof, 0));
		fake_clock_advance(f->t.p.loop, 100);
	}
	assert_in_range(waited_ms, step_ms / 2, step_ms + 100);
	assert_true(proof_admits(f->proof, 0));
	f->changed = 0;
}

/* The master alone. */

static void nobody_is_admitted_before_the_master_alone_was_asked(void **state)
{
	struct fixture *f = *state;

	asks(f);
	assert_false(proof_admits(f->proof, 0));
	assert_int_equal(f->changed, 0);
	assert_int_equal(fake_dials(f->t.p.loop), 1); /* once */
	says(f, "W0 NO [AUTHENTICATIONFAILED] no\r\n");
	changes(f);
	assert_true(proof_admits(f->proof, 0));
	assert_int_equal(fake_dials(f->t.p.loop), 1); /* and remembered */
}

static void master_without_an_inbox_is_an_answer(void **state)
{
	struct fixture *f = *state;

	asks(f);
	says(f, "W0 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
	says(f, "W1 NO Mailbox does not exist\r\n");
	changes(f);
	assert_int_equal(judge(f, "anna", 7, 12), PROOF_OWN);
}

static void asking_is_repeated_until_there_is_an_answer(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		fake_dial_fail(f->t.p.loop, 0, ERR_CLOSED, "refused");
	start(f);
	assert_false(proof_admits(f->proof, 0));
	for (uint64_t step_ms = 1000; step_ms < 4000; step_ms *= 2) {
		fake_run(f->t.p.loop);
		f->changed = 0;
		fake_clock_advance(f->t.p.loop, step_ms / 2 - 1);
		assert_int_equal(f->changed, 0);
		assert_false(proof_admits(f->proof, 0)); /* not asked now */
		fake_clock_advance(f->t.p.loop, step_ms / 2 + 1);
		changes(f);
		assert_false(proof_admits(f->proof, 0)); /* but then */
	}
	f->peer = fake_dial_connect(f->t.p.loop, 0);
	fake_run(f->t.p.loop);
	says(f, TESTWATCH_GREETING);
	says(f, "W0 NO [UNAVAILABLE] later\r\n");
	fake_clock_advance(f->t.p.loop, 4000);
	changes(f);
	assert_false(proof_admits(f->proof, 0));
	assert_int_equal(fake_dials(f->t.p.loop), 4);
}

static void name_in_one_word_needs_no_asking(void **state)
{
	struct fixture *f = *state;

	testwatch_master(&f->t, WATCH_LOGIN_SEPARATOR);
	start(f);
	assert_true(proof_admits(f->proof, 0));
	assert_false(proof_admits(f->proof, 1));
	assert_int_equal(judge(f, "anna", 8, 12), PROOF_OTHER);
	assert_int_equal(judge(f, "anna", 7, 12), PROOF_OWN);
	assert_int_equal(fake_dials(f->t.p.loop), 0);
}

/* Whose INBOX. */

static void inbox_must_be_the_one_that_the_user_showed(void **state)
{
	static const struct {
		const char *user;
		uint32_t uidvalidity;
		uint32_t uidnext;
		enum proof_verdict verdict;
	} rows[] = {
		{ "anna", 7, 12, PROOF_OWN },
		{ "anna", 7, 400, PROOF_OWN }, /* mail came */
		{ "anna", 7, 11, PROOF_OTHER },
		{ "anna", 7, 0, PROOF_OTHER }, /* not told */
		{ "anna", 8, 12, PROOF_OTHER },
		{ "anna", 0, 12, PROOF_OTHER },
		{ "cleo", 7, 12, PROOF_OTHER }, /* nobody showed hers */
	};
	struct fixture *f = *state;

	is_refused(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (judge(f, rows[i].user, rows[i].uidvalidity,
		          rows[i].uidnext) != rows[i].verdict)
			fail_msg("row %zu", i);
	assert_false(proof_is_refuted(f->proof));
}

static void inbox_of_the_master_refutes_for_good(void **state)
{
	struct fixture *f = *state;

	has_inbox(f, "9");
	assert_false(proof_is_refuted(f->proof));
	assert_int_equal(judge(f, "anna", 9, 6), PROOF_REFUTED);
	assert_true(proof_is_refuted(f->proof));
	assert_int_equal(judge(f, "bert", 7, 12), PROOF_REFUTED);
	assert_false(proof_admits(f->proof, 0));
}

static void other_inbox_than_both_condemns_the_user_alone(void **state)
{
	struct fixture *f = *state;

	has_inbox(f, "9");
	assert_int_equal(judge(f, "anna", 8, 12), PROOF_OTHER);
	assert_int_equal(judge(f, "bert", 7, 12), PROOF_OWN);
	assert_false(proof_is_refuted(f->proof));
}

/* Two mailboxes that were made in the same second. */
static void what_may_be_either_is_neither(void **state)
{
	struct fixture *f = *state;

	has_inbox(f, "7");
	assert_int_equal(judge(f, "anna", 7, 12), PROOF_OTHER);
	assert_false(proof_is_refuted(f->proof));
}

static void proved_once_the_masters_inbox_is_no_question(void **state)
{
	struct fixture *f = *state;

	has_inbox(f, "9");
	assert_int_equal(judge(f, "anna", 7, 12), PROOF_OWN);
	testpush_event(&f->t.p, NOTIFIER_STATE, "bert", "INBOX", 4);
	assert_int_equal(judge(f, "bert", 9, 6), PROOF_OTHER);
	assert_false(proof_is_refuted(f->proof));
}

/* Who may try. */

static void one_at_a_time_until_one_was_right(void **state)
{
	struct fixture *f = *state;

	is_refused(f);
	assert_true(proof_admits(f->proof, 0));
	assert_false(proof_admits(f->proof, 1));
	assert_int_equal(judge(f, "anna", 7, 12), PROOF_OWN);
	changes(f);
	assert_true(proof_admits(f->proof, 500));
}

/* With a wrong secret each try is a failed login, for which servers punish
 * our address, from which all users come. */
static void failures_slow_down_and_a_success_ends_it(void **state)
{
	static const uint64_t steps_ms[] = { 1000,   2000,   4000,  8000,
		                             16000,  32000,  64000, 128000,
		                             256000, 300000, 300000 };
	struct fixture *f = *state;

	is_refused(f);
	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		proof_doubt(f->proof);
		admits_in(f, steps_ms[i]);
	}
	assert_int_equal(judge(f, "anna", 7, 12), PROOF_OWN);
	changes(f);
	assert_true(proof_admits(f->proof, 500));
	/* The secret may be changed any time. */
	proof_doubt(f->proof);
	admits_in(f, 1000);
	assert_false(proof_admits(f->proof, 1));
	assert_int_equal(judge(f, "bert", 7, 12), PROOF_OWN);
	assert_true(proof_admits(f->proof, 500));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_is_admitted_before_the_master_alone_was_asked),
		TEST(master_without_an_inbox_is_an_answer),
		TEST(asking_is_repeated_until_there_is_an_answer),
		TEST(name_in_one_word_needs_no_asking),
		TEST(inbox_must_be_the_one_that_the_user_showed),
		TEST(inbox_of_the_master_refutes_for_good),
		TEST(other_inbox_than_both_condemns_the_user_alone),
		TEST(what_may_be_either_is_neither),
		TEST(proved_once_the_masters_inbox_is_no_question),
		TEST(one_at_a_time_until_one_was_right),
		TEST(failures_slow_down_and_a_success_ends_it),
	};

	return cmocka_run_group_tests_name("proof", tests, NULL, NULL);
}
