/* SPDX-License-Identifier: ISC */
/* One connection to the backend, from the dial to its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/unit.h"
#include "watch/testwatch.h"

struct fixture {
	struct testwatch t;
	struct watcher_env env;
	const char *user;
	struct watcher *watcher;
	struct aside aside;
	struct fake_peer *peer;
	int inboxes; /* calls of on_inbox */
	struct store_state inbox;
	bool unwanted; /* its answer */
	int watching;  /* calls of on_watching */
	int ended;
	enum watcher_end end;
	char why[400];
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	testwatch_init(&f->t);
	testwatch_user(&f->t, "anna");
	f->user = "anna";
	fake_run(f->t.p.loop);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	watcher_free(&f->watcher);
	fake_run(f->t.p.loop);
	fake_peer_free(&f->peer);
	aside_done(&f->aside);
	testwatch_done(&f->t);
	free(f);
	return 0;
}

static bool on_inbox(void *arg, const struct store_state *inbox)
{
	struct fixture *f = arg;

	f->inboxes++;
	f->inbox = *inbox;
	return !f->unwanted;
}

static void on_watching(void *arg)
{
	struct fixture *f = arg;

	f->watching++;
	assert_int_equal(f->ended, 0);
}

static void on_end(void *arg, enum watcher_end end, const char *why)
{
	struct fixture *f = arg;

	f->ended++;
	f->end = end;
	(void)snprintf(f->why, sizeof(f->why), "%s", why);
	watcher_free(&f->watcher);
}

static const struct watcher_handler handler = { on_inbox, on_watching, on_end };

/* start makes the watcher, which dials. */
static void start(struct fixture *f)
{
	static const struct log_ctx log = { LOG_WATCH, 1 };

	f->env = testwatch_env(&f->t);
	f->watcher = watcher_new(&f->env, f->t.targets, str_of(f->user),
	                         &f->aside, &log, &handler, f);
	fake_run(f->t.p.loop);
}

/* connect_to lets the dial succeed. */
static void connect_to(struct fixture *f)
{
	f->peer = fake_dial_connect(f->t.p.loop, 0);
	start(f);
	assert_int_equal(f->ended, 0);
	testwatch_heard(&f->t, f->peer, ""); /* the server speaks first */
}

static void says(struct fixture *f, const char *text)
{
	testwatch_says(&f->t, f->peer, text);
}

static void heard(struct fixture *f, const char *text)
{
	testwatch_heard(&f->t, f->peer, text);
}

/* has_ended wants it to have ended so, with |word| in the reason, once. */
static void has_ended(struct fixture *f, enum watcher_end end, const char *word)
{
	fake_run(f->t.p.loop);
	assert_int_equal(f->ended, 1);
	assert_int_equal(f->end, end);
	if (strstr(f->why, word) == NULL)
		fail_msg("%s", f->why);
	if (f->peer != NULL)
		assert_true(fake_is_closed(f->peer));
	fake_clock_advance(f->t.p.loop, 3600 * 1000);
	assert_int_equal(f->ended, 1);
}

/* Reaching the backend. */

static void backend_is_dialled_for_half_a_minute(void **state)
{
	struct fixture *f = *state;

	fake_dial_hang(f->t.p.loop);
	start(f);
	assert_string_equal(fake_dial_target(f->t.p.loop)->host, "backend");
	assert_int_equal(fake_dial_target(f->t.p.loop)->port, 143);
	fake_clock_advance(f->t.p.loop, 29999);
	assert_int_equal(f->ended, 0);
	fake_clock_advance(f->t.p.loop, 1);
	has_ended(f, WATCHER_UNREACHABLE, "timed out");
}

static void backend_that_refuses_is_unreachable(void **state)
{
	struct fixture *f = *state;

	fake_dial_fail(f->t.p.loop, 0, ERR_CLOSED, "Connection refused");
	start(f);
	has_ended(f, WATCHER_UNREACHABLE, "Connection refused");
}

/* A port behind which there is no server any more. */
static void connection_without_a_greeting_reaches_nobody(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	fake_push_eof(f->peer);
	has_ended(f, WATCHER_UNREACHABLE, "closed the connection");
	f->ended = 0;
	fake_peer_free(&f->peer);
	connect_to(f);
	fake_break(f->peer, ERR_CLOSED, "Connection reset by peer");
	has_ended(f, WATCHER_UNREACHABLE, "reset by peer");
}

/* Logging in. */

static void login_goes_out_after_the_greeting(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	says(f, TESTWATCH_GREETING);
	heard(f, "W0 AUTHENTICATE PLAIN " TESTWATCH_ANNA "\r\n");
}

static void login_waits_for_a_continuation_without_sasl_ir(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	says(f, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n");
	heard(f, "W0 AUTHENTICATE PLAIN\r\n");
	says(f, "+ \r\n");
	heard(f, TESTWATCH_ANNA "\r\n");
	says(f, "W0 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
	heard(f, TESTWATCH_STATUS);
}

/* starttls makes the backend one that is spoken to after STARTTLS only, and
 * lets the watcher get as far as that. */
static void starttls(struct fixture *f)
{
	static char context; /* the fakes only ask whether there is one */
	void *tls = &context;

	f->t.targets[0].starttls = true;
	f->t.targets[0].tls = tls;
	connect_to(f);
	says(f, TESTWATCH_GREETING);
	heard(f, "S0 STARTTLS\r\n");
}

static void login_waits_for_tls(void **state)
{
	struct fixture *f = *state;

	starttls(f);
	says(f, "* CAPABILITY IMAP4rev1 EVIL\r\nS0 OK go\r\n");
	assert_int_equal(fake_tls_starts(f->peer), 1);
	assert_string_equal(fake_tls_name(f->peer), "backend");
	heard(f, "W0 AUTHENTICATE PLAIN\r\n");
	says(f, "+ \r\n");
	heard(f, TESTWATCH_ANNA "\r\n");
	says(f, "W0 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n");
	heard(f, TESTWATCH_STATUS);
}

static void octets_before_tls_end_it(void **state)
{
	struct fixture *f = *state;

	starttls(f);
	says(f, "S0 OK go\r\nW0 OK in\r\n");
	assert_int_equal(fake_tls_starts(f->peer), 0);
	heard(f, "");
	has_ended(f, WATCHER_LOST, "10 unencrypted octets");
}

static void no_login_without_tls(void **state)
{
	struct fixture *f = *state;

	starttls(f);
	says(f, "S0 NO no\r\n");
	heard(f, "");
	has_ended(f, WATCHER_LOST, "the server has no STARTTLS: no");
}

/* Dovecot, Courier and Cyrus: in the reply, not at all, in a line before. */
static void capabilities_are_taken_from_where_they_are(void **state)
{
	static const struct {
		const char *reply;
		const char *next;
	} rows[] = {
		{ "W0 OK [CAPABILITY IMAP4rev1 IDLE] Logged in\r\n",
		  TESTWATCH_STATUS },
		{ "* CAPABILITY IMAP4rev1 IDLE\r\nW0 OK Logged in\r\n",
		  TESTWATCH_STATUS },
		{ "W0 OK LOGIN Ok.\r\n", "W1 CAPABILITY\r\n" },
		/* What it said before the login does not count. */
		{ "* OK hello\r\nW0 OK in\r\n", "W1 CAPABILITY\r\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		connect_to(f);
		says(f, TESTWATCH_GREETING);
		fake_written_clear(f->peer);
		says(f, rows[i].reply);
		heard(f, rows[i].next);
		watcher_free(&f->watcher);
		fake_peer_free(&f->peer);
	}
}

static void rejected_login_is_told_as_such(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	says(f, TESTWATCH_GREETING);
	says(f, "W0 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	has_ended(f, WATCHER_REJECTED, "Authentication failed.");
}

static void refusal_for_a_while_is_no_rejection(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	says(f, TESTWATCH_GREETING);
	says(f, "W0 NO [LIMIT] too many\r\n");
	has_ended(f, WATCHER_LOST, "too many");
}

/* The user came with a new password while the server thought about the old. */
static void rejection_of_an_old_login_says_nothing_of_the_new(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	says(f, TESTWATCH_GREETING);
	testwatch_login(&f->t, "anna", "new");
	says(f, "W0 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	has_ended(f, WATCHER_LOST, "Authentication failed.");
}

static void login_that_has_gone_meanwhile_is_not_sent(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	registry_login_rejected(f->t.p.registry, STR("anna"));
	says(f, TESTWATCH_GREETING);
	heard(f, "");
	has_ended(f, WATCHER_LOST, "login has gone");
}

static void greetings_that_lead_nowhere_end_it(void **state)
{
	static const char *const greetings[] = { "* BYE full\r\n",
		                                 "* PREAUTH you are in\r\n",
		                                 "220 smtp\r\n",
		                                 "+ what?\r\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 4; i++) {
		connect_to(f);
		says(f, greetings[i]);
		heard(f, "");
		has_ended(f, WATCHER_LOST, "");
		assert_string_not_equal(f->why, "");
		f->ended = 0;
		fake_peer_free(&f->peer);
	}
}

static void greeting_and_login_have_a_minute_each(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	fake_clock_advance(f->t.p.loop, 59000);
	says(f, TESTWATCH_GREETING);
	fake_clock_advance(f->t.p.loop, 59999);
	assert_int_equal(f->ended, 0);
	fake_clock_advance(f->t.p.loop, 1);
	has_ended(f, WATCHER_LOST, "no answer to the login");
	f->ended = 0;
	fake_peer_free(&f->peer);
	connect_to(f);
	fake_clock_advance(f->t.p.loop, 59999);
	assert_int_equal(f->ended, 0);
	fake_clock_advance(f->t.p.loop, 1);
	has_ended(f, WATCHER_UNREACHABLE, "no greeting");
}

/* Whose INBOX it is. */

static void inbox_is_shown_before_anything_is_done_with_it(void **state)
{
	struct fixture *f = *state;

	f->unwanted = true;
	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	assert_int_equal(f->inboxes, 0);
	says(f, "* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 12 MESSAGES 11 UNSEEN "
	        "1)\r\nW1 OK done\r\n");
	assert_int_equal(f->inboxes, 1);
	assert_int_equal(f->inbox.uidvalidity, 7);
	assert_int_equal(f->inbox.uidnext, 12);
	heard(f, ""); /* no EXAMINE */
	has_ended(f, WATCHER_UNWANTED, "not wanted");
	assert_null(ledger_state(f->t.p.ledger, STR("anna"), STR("INBOX")));
	assert_int_equal(f->watching, 0);
}

static void inbox_that_is_refused_is_told_as_such(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	says(f, "W1 NO Mailbox does not exist\r\n");
	has_ended(f, WATCHER_NO_INBOX, "does not exist");
	assert_int_equal(f->inboxes, 0);
}

static void master_logs_in_for_the_user(void **state)
{
	static const struct {
		enum watch_login_mode mode;
		const char *says;
	} rows[] = {
		{ WATCH_LOGIN_AUTHZID,
		  "W0 AUTHENTICATE PLAIN " TESTWATCH_FOR_ANNA "\r\n" },
		{ WATCH_LOGIN_SEPARATOR,
		  "W0 LOGIN \"anna*master\" \"secret\"\r\n" },
	};
	struct fixture *f = *state;

	testwatch_shown(&f->t, "anna", 12);
	for (size_t i = 0; i < 2; i++) {
		testwatch_master(&f->t, rows[i].mode);
		connect_to(f);
		says(f, TESTWATCH_GREETING);
		heard(f, rows[i].says);
		watcher_free(&f->watcher);
		fake_peer_free(&f->peer);
	}
}

static void empty_user_is_the_master_alone(void **state)
{
	struct fixture *f = *state;

	testwatch_master(&f->t, WATCH_LOGIN_AUTHZID);
	f->user = "";
	connect_to(f);
	says(f, TESTWATCH_GREETING);
	heard(f, "W0 AUTHENTICATE PLAIN " TESTWATCH_MASTER "\r\n");
	says(f, "W0 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	has_ended(f, WATCHER_REJECTED, "Authentication failed.");
}

/* Watching. */

static void first_look_at_a_mailbox_is_a_baseline(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	assert_int_equal(f->watching, 0);
	testwatch_listen(&f->t, f->peer, 12);
	assert_int_equal(f->watching, 1);
	testpush_sees(&f->t.p, "");
	assert_int_equal(
		ledger_state(f->t.p.ledger, STR("anna"), STR("INBOX"))->uidnext,
		12);
}

static void mail_that_came_while_nobody_watched_rings(void **state)
{
	struct fixture *f = *state;

	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "INBOX", 10);
	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
	assert_int_equal(f->watching, 1);
}

static void mail_that_comes_rings_in_that_turn(void **state)
{
	struct fixture *f = *state;
	const struct store_batch *b;

	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	f->t.p.apns.rc = ERR_UNAVAILABLE; /* commits nothing of its own */
	says(f, "* 12 EXISTS\r\n");
	b = scriptstore_last(&f->t.p.disk);
	assert_int_equal(b->state_count, 1);
	assert_int_equal(b->states[0].messages, 12);
	assert_int_equal(b->states[0].unseen, STORE_UNKNOWN);
	assert_int_equal(b->pending_count, 1);
	heard(f, "DONE\r\n");
	says(f, "W3 OK done\r\n");
	heard(f, "W4 UID FETCH 12:* (UID)\r\n");
	says(f, "* 12 FETCH (UID 12)\r\nW4 OK done\r\n");
	heard(f, "W5 IDLE\r\n");
	b = scriptstore_last(&f->t.p.disk);
	assert_int_equal(b->states[0].uidnext, 13);
	assert_int_equal(b->pending_count, 0);
	says(f, "+ idling\r\n");
	assert_int_equal(f->watching, 1); /* once */
}

static void change_is_debounced(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	says(f, "* 3 FETCH (FLAGS (\\Seen))\r\n");
	fake_clock_advance(f->t.p.loop, 19999);
	testpush_sees(&f->t.p, "");
	fake_clock_advance(f->t.p.loop, 1);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
}

/* Whole lines or single octets, literals too: it is the same. */
static void octets_may_come_one_by_one(void **state)
{
	struct fixture *f = *state;

	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "INBOX", 10);
	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	fake_push_split(f->peer,
	                STR("* STATUS {5}\r\nINBOX (UIDNEXT 12 MESSAGES 11 "
	                    "UIDVALIDITY 7)\r\nW1 OK done\r\n"),
	                1);
	heard(f, "W2 EXAMINE INBOX\r\n");
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
}

/* Other mailboxes. */

#define ASK(tag, mailbox) \
	tag " STATUS \"" mailbox "\" (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n"

/* wants has anna's phone want |list|: with a star it is proved. */
static void wants(struct fixture *f, const char *list)
{
	(void)testpush_phone(&f->t.p, "anna", "t-anna", list);
	fake_run(f->t.p.loop);
}

/* open_inbox brings it from the dial to what comes after EXAMINE. */
static void open_inbox(struct fixture *f)
{
	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	says(f, "* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 12 MESSAGES 11)\r\n"
	        "W1 OK done\r\n");
	heard(f, "W2 EXAMINE INBOX\r\n");
	says(f, "* 11 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
	        "* OK [UIDNEXT 12] x\r\nW2 OK done\r\n");
}

static const struct store_state *state_of(struct fixture *f,
                                          const char *mailbox)
{
	return ledger_state(f->t.p.ledger, STR("anna"), str_of(mailbox));
}

/* is_listed wants |mailbox| to be registered still, and how. */
static void is_listed(struct fixture *f, const char *list)
{
	const struct store_registration *r = ledger_registration_first(
		ledger_user_find(f->t.p.ledger, STR("anna")));
	struct buf text;

	buf_init(&text, 1000);
	for (size_t i = 0; i < r->mailbox_count; i++) {
		assert_ok(buf_adds(&text, i > 0 ? " " : ""));
		assert_ok(buf_add(&text, r->mailboxes[i].name));
		assert_ok(buf_adds(&text, r->mailboxes[i].proved ? "*" : ""));
	}
	assert_str(buf_str(&text), list);
	buf_reset(&text);
}

/* New mail, a change, nothing; what is not known yet is a baseline. */
static void folders_are_compared_before_idle(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A* B* C* D*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "INBOX", 12);
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "A", 5);
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "B", 5);
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "C", 5);
	open_inbox(f);
	heard(f, ASK("W3", "A") ASK("W4", "B") ASK("W5", "C") ASK("W6", "D"));
	assert_int_equal(f->watching, 0);
	says(f, "* STATUS A (UIDVALIDITY 7 UIDNEXT 6 MESSAGES 5)\r\n"
	        "W3 OK\r\n"
	        "* STATUS B (UIDVALIDITY 7 UIDNEXT 5 MESSAGES 3)\r\n"
	        "W4 OK\r\n"
	        "* STATUS C (UIDVALIDITY 7 UIDNEXT 5 MESSAGES 4)\r\n"
	        "W5 OK\r\n"
	        "* STATUS D (UIDVALIDITY 7 UIDNEXT 9 MESSAGES 8)\r\n"
	        "W6 OK\r\n");
	heard(f, "W7 IDLE\r\n");
	says(f, "+ idling\r\n");
	assert_int_equal(f->watching, 1);
	testpush_sees(&f->t.p, "t-anna A,B v2 try=0\n");
	assert_int_equal(state_of(f, "A")->uidnext, 6);
	assert_int_equal(state_of(f, "B")->messages, 3);
	assert_int_equal(state_of(f, "D")->uidnext, 9);
}

/* idles wants IDLE with the tag |n|, and begins it. */
static void idles(struct fixture *f, int n)
{
	char line[40];

	(void)snprintf(line, sizeof(line), "W%d IDLE\r\n", n);
	heard(f, line);
	says(f, "+ idling\r\n");
}

/* sweeps wants IDLE of the tag |n| to end, for |soon| after a second, for the
 * question about A, which is told |uidvalidity| and |numbers|. */
static void sweeps(struct fixture *f, int n, bool soon, int uidvalidity,
                   const char *numbers)
{
	char line[200];

	idles(f, n);
	fake_clock_advance(f->t.p.loop, 999);
	heard(f, "");
	fake_clock_advance(f->t.p.loop, soon ? 1 : 59000);
	heard(f, "DONE\r\n");
	(void)snprintf(line, sizeof(line), "W%d OK\r\n", n);
	says(f, line);
	(void)snprintf(line, sizeof(line), ASK("W%d", "A"), n + 1);
	heard(f, line);
	(void)snprintf(line, sizeof(line),
	               "* STATUS A (UIDVALIDITY %d %s)\r\nW%d OK\r\n",
	               uidvalidity, numbers, n + 1);
	says(f, line);
}

/* It was deleted and made again, or what was in it is from a backup. That is
 * told twice, a second apart, before it counts. */
static void folder_that_is_another_one_rings(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "A", 5);
	open_inbox(f);
	heard(f, ASK("W3", "A"));
	says(f, "W3 NO no such mailbox\r\n");
	is_listed(f, "INBOX* A*"); /* it may come back */
	testpush_sees(&f->t.p, "");
	assert_int_equal(state_of(f, "A")->uidnext, 5);
	sweeps(f, 4, false, 8, "UIDNEXT 5 MESSAGES 4");
	testpush_sees(&f->t.p, "");
	sweeps(f, 6, true, 8, "UIDNEXT 5 MESSAGES 4");
	testpush_sees(&f->t.p, "t-anna A v2 try=0\n");
	assert_int_equal(state_of(f, "A")->uidvalidity, 8);
	sweeps(f, 8, false, 9, "UIDNEXT 5 MESSAGES 4");
	testpush_sees(&f->t.p, "");
	assert_int_equal(state_of(f, "A")->uidvalidity, 8);
	sweeps(f, 10, true, 9, "UIDNEXT 5 MESSAGES 4");
	assert_int_equal(state_of(f, "A")->uidvalidity, 9);
}

/* Courier makes up another UIDVALIDITY each second for a mailbox that nobody
 * has selected. */
static void folder_that_was_never_opened_rings_for_mail_only(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "A", 5);
	open_inbox(f);
	heard(f, ASK("W3", "A"));
	says(f,
	     "* STATUS A (UIDVALIDITY 10 UIDNEXT 5 MESSAGES 4)\r\nW3 OK\r\n");
	sweeps(f, 4, true, 11, "UIDNEXT 5 MESSAGES 4");
	assert_int_equal(state_of(f, "A")->uidvalidity, 0);
	sweeps(f, 6, false, 71, "UIDNEXT 5 MESSAGES 4");
	sweeps(f, 8, false, 131, "UIDNEXT 5 MESSAGES 4");
	testpush_sees(&f->t.p, "");
	sweeps(f, 10, false, 191, "UIDNEXT 6 MESSAGES 5");
	testpush_sees(&f->t.p, "t-anna A v2 try=0\n");
	/* Somebody opens it. */
	sweeps(f, 12, false, 200, "UIDNEXT 6 MESSAGES 5");
	sweeps(f, 14, false, 200, "UIDNEXT 6 MESSAGES 5");
	assert_int_equal(state_of(f, "A")->uidvalidity, 200);
	testpush_sees(&f->t.p, "");
}

/* open_courier has STATUS tell 11 messages, and EXAMINE no UIDNEXT. */
static void open_courier(struct fixture *f, int uidnext, int of_status,
                         int of_examine)
{
	char line[200];

	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	(void)snprintf(line, sizeof(line),
	               "* STATUS INBOX (MESSAGES 11 UIDNEXT %d UIDVALIDITY %d "
	               "UNSEEN 0)\r\nW1 OK done\r\n",
	               uidnext, of_status);
	says(f, line);
	heard(f, "W2 EXAMINE INBOX\r\n");
	(void)snprintf(line, sizeof(line),
	               "* 11 EXISTS\r\n* OK [UIDVALIDITY %d] x\r\n"
	               "W2 OK done\r\n",
	               of_examine);
	says(f, line);
	(void)snprintf(line, sizeof(line), "W3 UID FETCH %d:* (UID)\r\n",
	               uidnext);
	heard(f, line);
	says(f, "* 11 FETCH (UID 11)\r\nW3 OK\r\n");
	idles(f, 4);
}

static void inbox_that_was_never_opened_rings_for_mail_only(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "INBOX", 12);
	open_courier(f, 12, 8, 9);
	testpush_sees(&f->t.p, "");
	assert_int_equal(state_of(f, "INBOX")->uidvalidity, 0);
	says(f, "* 12 EXISTS\r\n");
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
	assert_int_equal(state_of(f, "INBOX")->uidvalidity, 0);
}

/* Once a mail was deleted from it, it is known to have one. */
static void inbox_that_was_opened_is_known_by_its_uidvalidity(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "INBOX", 13);
	open_courier(f, 13, 8, 8);
	testpush_sees(&f->t.p, "t-anna INBOX v2 try=0\n");
	assert_int_equal(state_of(f, "INBOX")->uidvalidity, 8);
}

/* One that crashes at a folder, or hangs, or says nonsense: INBOX is watched,
 * and the other folders are. */
static void folder_that_ends_the_connection_is_set_aside(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A* B* C*");
	open_inbox(f);
	heard(f, ASK("W3", "A") ASK("W4", "B") ASK("W5", "C"));
	says(f, "* STATUS A (UIDVALIDITY 7 UIDNEXT 5 MESSAGES 4)\r\n"
	        "W3 OK\r\n");
	fake_push_eof(f->peer);
	has_ended(f, WATCHER_LOST, "closed");
	assert_true(aside_has(&f->aside, STR("B"), 0));
	assert_false(aside_has(&f->aside, STR("A"), 0));
	assert_false(aside_has(&f->aside, STR("C"), 0));
}

static void inbox_goes_first_while_a_folder_is_set_aside(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A* B*");
	(void)aside_put(&f->aside, STR("B"), loop_now_ms(f->t.p.loop));
	open_inbox(f);
	idles(f, 3);
	assert_int_equal(f->watching, 1);
	fake_clock_advance(f->t.p.loop, 52000);
	heard(f, "");
	fake_clock_advance(f->t.p.loop, 8000);
	heard(f, "DONE\r\n");
	says(f, "W3 OK\r\n");
	heard(f, ASK("W4", "A"));
}

static void folder_set_aside_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	uint32_t delay_ms;

	wants(f, "INBOX* B*");
	delay_ms = aside_put(&f->aside, STR("B"), loop_now_ms(f->t.p.loop));
	open_inbox(f);
	idles(f, 3);
	fake_clock_advance(f->t.p.loop, delay_ms - 1);
	heard(f, "");
	fake_clock_advance(f->t.p.loop, 1);
	heard(f, "DONE\r\n");
	says(f, "W3 OK\r\n");
	heard(f, ASK("W4", "B"));
	says(f, "W4 NO not today\r\n");
	assert_true(aside_is_empty(&f->aside));
}

static void mail_into_sent_and_the_like_is_a_change(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* Sent*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "Sent", 5);
	connect_to(f);
	says(f, TESTWATCH_GREETING);
	fake_written_clear(f->peer);
	says(f, "W0 OK [CAPABILITY IDLE SPECIAL-USE] in\r\n"
	        "* STATUS INBOX (UIDNEXT 12 MESSAGES 11)\r\nW1 OK\r\n"
	        "* 11 EXISTS\r\n* OK [UIDNEXT 12] x\r\nW2 OK\r\n");
	fake_written_clear(f->peer);
	says(f, "* LIST (\\Sent) \"/\" Sent\r\nW3 OK\r\n");
	heard(f, ASK("W4", "Sent"));
	says(f, "* STATUS Sent (UIDVALIDITY 7 UIDNEXT 6 MESSAGES 5)\r\n"
	        "W4 OK\r\n");
	fake_clock_advance(f->t.p.loop, 19999);
	testpush_sees(&f->t.p, "");
	fake_clock_advance(f->t.p.loop, 1);
	testpush_sees(&f->t.p, "t-anna Sent v2 try=0\n");
}

/* Proof. */

static void status_as_the_user_proves_a_mailbox(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A");
	open_inbox(f);
	is_listed(f, "INBOX* A");
	says(f, "* STATUS A (UIDVALIDITY 7 UIDNEXT 5 MESSAGES 4)\r\nW3 OK\r\n");
	is_listed(f, "INBOX* A*");
	testpush_sees(&f->t.p, "");
	assert_int_equal(state_of(f, "A")->uidnext, 5);
}

static void mailbox_that_is_refused_is_registered_no_more(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A B C");
	open_inbox(f);
	fake_written_clear(f->peer);
	says(f, "W3 NO Mailbox doesn't exist\r\n"
	        "W4 NO [NOPERM] not yours\r\n"
	        "W5 NO [UNAVAILABLE] not now\r\n");
	is_listed(f, "INBOX* C");
	watcher_refresh(f->watcher);
	heard(f, "W6 IDLE\r\n");
	says(f, "+ idling\r\n");
	fake_clock_advance(f->t.p.loop, 60000);
	heard(f, "DONE\r\n");
	says(f, "W6 OK\r\n");
	heard(f, ASK("W7", "C")); /* again, and just that */
	testpush_sees(&f->t.p, "");
}

/* A phone proves it, and its session tells from where new mail counts, while
 * our question is on its way: what came since then is news. */
static void proof_by_a_session_is_not_overlooked(void **state)
{
	struct fixture *f = *state;

	wants(f, "INBOX* A B");
	open_inbox(f);
	fake_written_clear(f->peer);
	wants(f, "INBOX* A* B*");
	testpush_event(&f->t.p, NOTIFIER_STATE, "anna", "A", 5);
	says(f, "* STATUS A (UIDVALIDITY 7 UIDNEXT 6 MESSAGES 5)\r\n"
	        "W3 OK\r\nW4 NO no such mailbox\r\n");
	is_listed(f, "INBOX* A* B*");
	testpush_sees(&f->t.p, "t-anna A v2 try=0\n");
}

/* Wishes change. */

static void new_wish_is_watched_without_another_connection(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	wants(f, "INBOX* A*");
	watcher_refresh(f->watcher);
	heard(f, "DONE\r\n");
	wants(f, "INBOX* A* B*"); /* while it cannot hear */
	watcher_refresh(f->watcher);
	says(f, "W3 OK\r\n");
	heard(f, ASK("W4", "A") ASK("W5", "B"));
	says(f, "* STATUS A (UIDNEXT 5)\r\nW4 OK\r\n");
	wants(f, "INBOX* B* C*");
	watcher_refresh(f->watcher);
	says(f, "* STATUS B (UIDNEXT 6)\r\nW5 OK\r\n");
	assert_null(state_of(f, "A"));
	assert_int_equal(state_of(f, "B")->uidnext, 6);
	heard(f, "W6 IDLE\r\n");
	says(f, "+ idling\r\n");
	fake_clock_advance(f->t.p.loop, 1000);
	heard(f, "DONE\r\n");
	says(f, "W6 OK\r\n");
	heard(f, ASK("W7", "B") ASK("W8", "C"));
	assert_int_equal(f->watching, 1);
}

static void refresh_of_one_that_is_not_up_yet_is_nothing(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	watcher_refresh(f->watcher);
	heard(f, "");
	wants(f, "INBOX* A*");
	says(f, TESTWATCH_GREETING);
	fake_written_clear(f->peer);
	watcher_refresh(f->watcher);
	heard(f, "");
	says(f, "W0 OK [CAPABILITY IDLE] in\r\n");
	heard(f, TESTWATCH_STATUS);
	watcher_refresh(f->watcher);
	fake_push_eof(f->peer);
	has_ended(f, WATCHER_LOST, "closed the connection");
}

/* Those who connected together do not sweep together. */
static void sweeps_are_spread_over_an_eighth(void **state)
{
	struct fixture *f = *state;
	uint64_t first = 0;
	bool differ = false;

	wants(f, "INBOX* A*");
	for (int i = 0; i < 40; i++) {
		uint64_t waited = 0;

		open_inbox(f);
		says(f, "* STATUS A (UIDNEXT 5)\r\nW3 OK\r\n");
		says(f, "+ idling\r\n");
		fake_written_clear(f->peer);
		for (; fake_written(f->peer).len == 0; waited += 100)
			fake_clock_advance(f->t.p.loop, 100);
		assert_in_range(waited, 52500, 60000);
		first = i == 0 ? waited : first;
		differ = differ || waited != first;
		watcher_free(&f->watcher);
		fake_peer_free(&f->peer);
	}
	assert_true(differ);
}

/* Those who connected together do not renew together. */
static void renewals_are_spread_over_an_eighth(void **state)
{
	struct fixture *f = *state;
	uint64_t first = 0;
	bool differ = false;

	f->t.opts.renew_s = 800;
	for (int i = 0; i < 40; i++) {
		uint64_t waited = 0;

		connect_to(f);
		testwatch_bring_up(&f->t, f->peer, 12);
		while (fake_written(f->peer).len == 0) {
			fake_clock_advance(f->t.p.loop, 1000);
			waited += 1000;
		}
		heard(f, "DONE\r\n");
		assert_in_range(waited, 700 * 1000, 800 * 1000);
		first = i == 0 ? waited : first;
		differ = differ || waited != first;
		watcher_free(&f->watcher);
		fake_peer_free(&f->peer);
		f->watching = 0;
	}
	assert_true(differ);
}

/* Ends. */

static void connection_that_ends_is_lost(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	fake_push_eof(f->peer);
	has_ended(f, WATCHER_LOST, "closed the connection");
	f->ended = 0;
	fake_peer_free(&f->peer);
	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	fake_break(f->peer, ERR_CLOSED, "Connection reset by peer");
	has_ended(f, WATCHER_LOST, "reset by peer");
	f->ended = 0;
	fake_peer_free(&f->peer);
	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	says(f, "* BYE Server shutting down.\r\n* 99 EXISTS\r\n");
	has_ended(f, WATCHER_LOST, "shutting down");
}

static void server_that_falls_silent_is_lost(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	fake_clock_advance(f->t.p.loop, 59999);
	assert_int_equal(f->ended, 0);
	fake_clock_advance(f->t.p.loop, 1);
	has_ended(f, WATCHER_LOST, "no answer to status");
}

static void response_without_end_is_not_kept(void **state)
{
	struct fixture *f = *state;
	char block[1024];

	memset(block, 'x', sizeof(block) - 1);
	block[sizeof(block) - 1] = '\0';
	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	says(f, "* OK ");
	for (int i = 0; i < 63; i++)
		says(f, block);
	assert_int_equal(f->ended, 0);
	for (int i = 0; i < 3; i++)
		says(f, block);
	has_ended(f, WATCHER_LOST, "too large");
}

static void nothing_is_heard_after_the_end(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	says(f, "nonsense\r\n* 99 EXISTS\r\n");
	has_ended(f, WATCHER_LOST, "not IMAP");
	testpush_sees(&f->t.p, "");
}

static void end_says_goodbye_where_it_is_heard(void **state)
{
	struct fixture *f = *state;

	connect_to(f);
	testwatch_bring_up(&f->t, f->peer, 12);
	watcher_free(&f->watcher);
	heard(f, "DONE\r\nW4 LOGOUT\r\n");
	assert_true(fake_is_closed(f->peer));
	fake_peer_free(&f->peer);
	connect_to(f);
	testwatch_log_in(&f->t, f->peer);
	watcher_free(&f->watcher);
	heard(f, "");
	assert_true(fake_is_closed(f->peer));
	fake_peer_free(&f->peer);
	start(f); /* dials, and finds no one */
	watcher_free(&f->watcher);
	assert_int_equal(fake_dials_open(f->t.p.loop), 0);
	fake_clock_advance(f->t.p.loop, 3600 * 1000);
	assert_int_equal(f->ended, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(backend_is_dialled_for_half_a_minute),
		TEST(backend_that_refuses_is_unreachable),
		TEST(connection_without_a_greeting_reaches_nobody),
		TEST(login_goes_out_after_the_greeting),
		TEST(login_waits_for_a_continuation_without_sasl_ir),
		TEST(login_waits_for_tls),
		TEST(octets_before_tls_end_it),
		TEST(no_login_without_tls),
		TEST(capabilities_are_taken_from_where_they_are),
		TEST(rejected_login_is_told_as_such),
		TEST(refusal_for_a_while_is_no_rejection),
		TEST(rejection_of_an_old_login_says_nothing_of_the_new),
		TEST(login_that_has_gone_meanwhile_is_not_sent),
		TEST(greetings_that_lead_nowhere_end_it),
		TEST(greeting_and_login_have_a_minute_each),
		TEST(inbox_is_shown_before_anything_is_done_with_it),
		TEST(inbox_that_is_refused_is_told_as_such),
		TEST(master_logs_in_for_the_user),
		TEST(empty_user_is_the_master_alone),
		TEST(first_look_at_a_mailbox_is_a_baseline),
		TEST(mail_that_came_while_nobody_watched_rings),
		TEST(mail_that_comes_rings_in_that_turn),
		TEST(change_is_debounced),
		TEST(octets_may_come_one_by_one),
		TEST(folders_are_compared_before_idle),
		TEST(folder_that_is_another_one_rings),
		TEST(folder_that_ends_the_connection_is_set_aside),
		TEST(inbox_goes_first_while_a_folder_is_set_aside),
		TEST(folder_set_aside_is_asked_for_again),
		TEST(folder_that_was_never_opened_rings_for_mail_only),
		TEST(inbox_that_was_never_opened_rings_for_mail_only),
		TEST(inbox_that_was_opened_is_known_by_its_uidvalidity),
		TEST(mail_into_sent_and_the_like_is_a_change),
		TEST(status_as_the_user_proves_a_mailbox),
		TEST(mailbox_that_is_refused_is_registered_no_more),
		TEST(proof_by_a_session_is_not_overlooked),
		TEST(new_wish_is_watched_without_another_connection),
		TEST(refresh_of_one_that_is_not_up_yet_is_nothing),
		TEST(sweeps_are_spread_over_an_eighth),
		TEST(renewals_are_spread_over_an_eighth),
		TEST(connection_that_ends_is_lost),
		TEST(server_that_falls_silent_is_lost),
		TEST(response_without_end_is_not_kept),
		TEST(nothing_is_heard_after_the_end),
		TEST(end_says_goodbye_where_it_is_heard),
	};

	return cmocka_run_group_tests_name("watcher", tests, NULL, NULL);
}
