/* SPDX-License-Identifier: ISC */
/* Who says what, and when: servers as measured, servers as feared. */
#include <stdio.h>

#include "unit/unit.h"
#include "watch/dialogue.h"

enum { RENEW_MS = 1740 * 1000, POLL_MS = 60 * 1000, REPLY_MS = 60 * 1000 };

#define START_MS ((uint64_t)1000000)

struct talk {
	struct dialogue d;
	uint64_t now_ms;
	struct err_detail why;
};

/* What a line of the server comes to. */
enum { NOTHING, RESYNC, STATE, CHANGE, NEW, SWEPT };

/* want has the proved mailboxes of |list|, "INBOX Sent", be wanted. */
static void want(struct talk *t, const char *list)
{
	struct store_mailbox wanted[8];
	struct str rest = str_of(list);
	size_t count = 0;

	while (rest.len > 0) {
		wanted[count].name = str_take(&rest, str_find(rest, ' '));
		wanted[count++].proved = true;
		(void)str_byte(&rest, ' ');
	}
	dialogue_want(&t->d, wanted, count, t->now_ms);
}

static void begin_wanting(struct talk *t, const char *capabilities,
                          const char *list)
{
	const struct dialogue_opts opts = { RENEW_MS, POLL_MS, false };

	*t = (struct talk){ .now_ms = START_MS };
	dialogue_init(&t->d, &opts, STR("anna"), STR("INBOX"));
	assert_true(t->d.due_ms == DIALOGUE_NEVER);
	assert_false(dialogue_listens(&t->d));
	want(t, list);
	dialogue_begin(&t->d, str_of(capabilities), t->now_ms);
}

static void begin(struct talk *t, const char *capabilities)
{
	begin_wanting(t, capabilities, "INBOX");
}

static void end(struct talk *t)
{
	dialogue_done(&t->d);
}

/* says wants just |text| to have been said since the last such question. */
static void says(struct talk *t, const char *text)
{
	struct str said = str_dup(buf_str(&t->d.out));

	assert_string_equal(said.data, text);
	str_free(&said);
	buf_clear(&t->d.out);
}

static int feed(struct talk *t, const char *line, enum view_news *news)
{
	char whole[600];

	(void)snprintf(whole, sizeof(whole), "%s\r\n", line);
	t->why.text[0] = '\0';
	return dialogue_feed(&t->d, str_of(whole), t->now_ms, news, &t->why);
}

/* hears has the server say |line|, which comes to |what|. */
static void hears(struct talk *t, const char *line, int what)
{
	static const int of_news[] = {
		[VIEW_STATE] = STATE, [VIEW_CHANGE] = CHANGE, [VIEW_NEW] = NEW
	};
	enum view_news news = VIEW_SAME;
	int event = feed(t, line, &news);
	int heard = event == DIALOGUE_RESYNC  ? RESYNC
	            : event == DIALOGUE_SWEPT ? SWEPT
	                                      : NOTHING;

	if (event < 0)
		fail_msg("%s: %s", line, t->why.text);
	if (event == DIALOGUE_NEWS)
		heard = of_news[news];
	if (heard != what)
		fail_msg("%s: %d, not %d", line, heard, what);
}

/* ends_with wants |line| to end it, with |rc| and a sentence. */
static void ends_with(struct talk *t, const char *line, int rc)
{
	enum view_news news = VIEW_SAME;

	if (feed(t, line, &news) != rc)
		fail_msg("%s: not %d", line, rc);
	assert_string_not_equal(t->why.text, "");
	says(t, "");
}

/* waits wants the next step in |ms| and no earlier, and takes it. */
static void waits(struct talk *t, uint64_t ms)
{
	assert_true(t->d.due_ms >= t->now_ms);
	assert_int_equal(t->d.due_ms - t->now_ms, ms);
	t->now_ms = t->d.due_ms;
	assert_ok(dialogue_due(&t->d, t->now_ms, &t->why));
}

/* play takes lines: those that begin with ">" are said by us, others by the
 * server and come to nothing. */
static void play(struct talk *t, const char *const *lines)
{
	char line[600];

	for (; *lines != NULL; lines++) {
		if ((*lines)[0] == '>') {
			(void)snprintf(line, sizeof(line), "%s\r\n",
			               *lines + 1);
			says(t, line);
		} else {
			hears(t, *lines, NOTHING);
		}
	}
}

/* Servers, as measured. */

#define ASK_STATUS "STATUS INBOX (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n"
#define ASK_FETCH(tag, from) tag " UID FETCH " from " (UID)\r\n"

/* dovecot_listens brings it into IDLE with 3 messages. */
static void dovecot_listens(struct talk *t)
{
	static const char *const examine[] = {
		"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
		"* OK [PERMANENTFLAGS ()] Read-only mailbox.",
		"* 3 EXISTS",
		"* 0 RECENT",
		"* OK [UNSEEN 3] First unseen.",
		"* OK [UIDVALIDITY 7] UIDs valid",
		"* OK [UIDNEXT 12] Predicted next UID",
		"W2 OK [READ-ONLY] Examine completed (0.001 + 0.000 secs).",
		">W3 IDLE",
		"+ idling",
		NULL
	};

	begin(t, "IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ NOTIFY");
	says(t, "W1 " ASK_STATUS);
	hears(t,
	      "* STATUS INBOX (MESSAGES 3 UIDNEXT 12 UIDVALIDITY 7 UNSEEN 1)",
	      NOTHING);
	hears(t, "W1 OK Status completed (0.001 + 0.000 secs).", RESYNC);
	says(t, "W2 EXAMINE INBOX\r\n");
	play(t, examine);
	assert_true(dialogue_listens(&t->d));
}

static void dovecot_rings_in_idle(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	hears(&t, "* OK Still here", NOTHING);
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "DONE\r\n"); /* to learn UIDNEXT */
	hears(&t, "* 1 RECENT", NOTHING);
	hears(&t, "W3 OK Idle completed (12.3 + 12.2 + 12.3 secs).", NOTHING);
	says(&t, ASK_FETCH("W4", "12:*"));
	hears(&t, "* 4 FETCH (UID 12)", NOTHING);
	hears(&t, "W4 OK Fetch completed (0.001 + 0.000 secs).", STATE);
	assert_int_equal(t.d.view.now.uidnext, 13);
	says(&t, "W5 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	hears(&t, "* 1 FETCH (FLAGS (\\Seen))", CHANGE);
	hears(&t, "* 2 EXPUNGE", CHANGE);
	says(&t, "");
	assert_true(dialogue_listens(&t.d));
	end(&t);
}

/* The login told no capabilities; EXAMINE tells no UIDNEXT; EXISTS is said
 * again and again. */
static void courier_rings_in_idle(void **state)
{
	static const char *const examine[] = {
		"* FLAGS (\\Draft \\Answered \\Flagged \\Deleted \\Seen)",
		"* OK [PERMANENTFLAGS ()] No permanent flags permitted",
		"* 3 EXISTS",
		"* 0 RECENT",
		"* OK [UIDVALIDITY 7] Ok",
		"* OK [MYRIGHTS \"acdilrsw\"] ACL",
		"W3 OK [READ-ONLY] Ok",
		">W4 UID FETCH 12:* (UID)",
		"* 3 FETCH (UID 11)", /* the last, though below */
		"W4 OK FETCH completed.",
		">W5 IDLE",
		"+ entering ENHANCED idle mode",
		"* 3 EXISTS",
		"* 0 RECENT",
		NULL
	};
	struct talk t;

	(void)state;
	begin(&t, "");
	says(&t, "W1 CAPABILITY\r\n");
	hears(&t,
	      "* CAPABILITY IMAP4rev1 UIDPLUS CHILDREN NAMESPACE SORT QUOTA "
	      "IDLE AUTH=PLAIN ACL ACL2=UNION ENABLE UTF8=ACCEPT",
	      NOTHING);
	hears(&t, "W1 OK CAPABILITY completed", NOTHING);
	says(&t, "W2 " ASK_STATUS);
	hears(&t,
	      "* STATUS \"INBOX\" (MESSAGES 3 UIDNEXT 12 UIDVALIDITY 7 "
	      "UNSEEN 1)",
	      NOTHING);
	hears(&t, "W2 OK STATUS Completed.", RESYNC);
	says(&t, "W3 EXAMINE INBOX\r\n");
	play(&t, examine);
	says(&t, "");
	t.now_ms += 5000;
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "DONE\r\n");
	hears(&t, "W5 OK IDLE completed", NOTHING);
	says(&t, ASK_FETCH("W6", "12:*"));
	hears(&t, "* 4 FETCH (UID 12)", NOTHING);
	hears(&t, "W6 OK FETCH completed.", STATE);
	says(&t, "W7 IDLE\r\n");
	end(&t);
}

static void cyrus_rings_in_idle(void **state)
{
	static const char *const examine[] = {
		"* 3 EXISTS",
		"* 0 RECENT",
		"* FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen)",
		"* OK [PERMANENTFLAGS ()] Ok",
		"* OK [UNSEEN 3] Ok",
		"* OK [UIDVALIDITY 7] Ok",
		"* OK [UIDNEXT 12] Ok",
		"* OK [HIGHESTMODSEQ 9] Ok",
		"* OK [URLMECH INTERNAL] Ok",
		"* OK [ANNOTATIONS 65536] Ok",
		"W2 OK [READ-ONLY] Completed",
		">W3 IDLE",
		"+ idling",
		NULL
	};
	struct talk t;

	(void)state;
	begin(&t, "IMAP4rev1 LITERAL+ ID ENABLE IDLE COMPRESS=DEFLATE MOVE");
	says(&t, "W1 " ASK_STATUS);
	hears(&t,
	      "* STATUS INBOX (MESSAGES 3 UIDNEXT 12 UIDVALIDITY 7 UNSEEN 1)",
	      NOTHING);
	hears(&t, "W1 OK Completed (0.000 sec)", RESYNC);
	says(&t, "W2 EXAMINE INBOX\r\n");
	play(&t, examine);
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "DONE\r\n");
	hears(&t, "* 1 RECENT", NOTHING);
	hears(&t, "W3 OK Completed", NOTHING);
	says(&t, ASK_FETCH("W4", "12:*"));
	end(&t);
}

/* A mailbox that STATUS names otherwise, as a literal or in quotes, or that
 * was not asked for. */
static void only_the_status_of_the_asked_mailbox_counts(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, "IDLE");
	says(&t, "W1 " ASK_STATUS);
	hears(&t, "* STATUS Work (MESSAGES 9 UIDNEXT 99)", NOTHING);
	hears(&t, "* STATUS inbox (MESSAGES 3 UIDNEXT 12)", NOTHING);
	hears(&t, "* STATUS \"Work\" (MESSAGES 9 UIDNEXT 99)", NOTHING);
	hears(&t, "W1 OK done", RESYNC);
	assert_int_equal(t.d.view.now.uidnext, 12);
	assert_int_equal(t.d.view.now.messages, 3);
	end(&t);
	/* None at all: what is stored cannot be compared. */
	begin(&t, "IDLE");
	says(&t, "W1 " ASK_STATUS);
	hears(&t, "* STATUS Work (MESSAGES 9 UIDNEXT 99)", NOTHING);
	ends_with(&t, "W1 OK done", ERR_UNAVAILABLE);
	end(&t);
}

/* Renewal. */

static void idle_is_renewed_in_time(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	t.now_ms += 1000;
	hears(&t, "* OK Still here", NOTHING); /* moves nothing */
	waits(&t, RENEW_MS - 1000);
	says(&t, "DONE\r\n");
	hears(&t, "W3 OK Idle completed.", NOTHING);
	says(&t, "W4 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	waits(&t, RENEW_MS);
	says(&t, "DONE\r\n");
	end(&t);
}

/* Cyrus 3.6 answers neither of the two if DONE comes before its "+". */
static void done_never_goes_before_the_continuation(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	waits(&t, RENEW_MS);
	says(&t, "DONE\r\n");
	hears(&t, "W3 OK Idle completed.", NOTHING);
	says(&t, "W4 IDLE\r\n");
	hears(&t, "* 4 EXISTS", NEW); /* a look is wanted */
	says(&t, "");
	assert_false(dialogue_listens(&t.d));
	hears(&t, "+ idling", NOTHING);
	says(&t, "DONE\r\n");
	end(&t);
}

static void mail_while_idle_ends_is_looked_at(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	waits(&t, RENEW_MS);
	says(&t, "DONE\r\n");
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "");
	hears(&t, "W3 OK Idle completed.", NOTHING);
	says(&t, ASK_FETCH("W4", "12:*"));
	end(&t);
}

/* A burst costs one look a second. */
static void looks_are_a_second_apart(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "DONE\r\n");
	hears(&t, "W3 OK Idle completed.", NOTHING);
	says(&t, ASK_FETCH("W4", "12:*"));
	hears(&t, "* 4 FETCH (UID 12)", NOTHING);
	hears(&t, "* 5 EXISTS", NEW);
	hears(&t, "W4 OK Fetch completed.", STATE);
	says(&t, "W5 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	says(&t, "");
	t.now_ms += 400;
	hears(&t, "* 6 EXISTS", NEW); /* rings at once all the same */
	says(&t, "");
	waits(&t, 600);
	says(&t, "DONE\r\n");
	hears(&t, "W5 OK Idle completed.", NOTHING);
	says(&t, ASK_FETCH("W6", "13:*"));
	end(&t);
}

/* Without IDLE. */

/* opens brings a server through EXAMINE. */
static void opens(struct talk *t)
{
	says(t, "W1 " ASK_STATUS);
	hears(t,
	      "* STATUS INBOX (MESSAGES 3 UIDNEXT 12 UIDVALIDITY 7 UNSEEN 1)",
	      NOTHING);
	hears(t, "W1 OK done", RESYNC);
	says(t, "W2 EXAMINE INBOX\r\n");
	hears(t, "* 3 EXISTS", NOTHING);
	hears(t, "* OK [UIDNEXT 12] x", NOTHING);
	hears(t, "W2 OK done", NOTHING);
}

/* polls does so with one that has |capabilities|. */
static void polls(struct talk *t, const char *capabilities)
{
	begin(t, capabilities);
	opens(t);
}

static void without_idle_noop_asks_at_every_poll(void **state)
{
	struct talk t;

	(void)state;
	polls(&t, "IMAP4rev1 IDLENESS");
	says(&t, "");
	assert_true(dialogue_listens(&t.d));
	waits(&t, POLL_MS);
	says(&t, "W3 NOOP\r\n");
	assert_false(dialogue_listens(&t.d));
	hears(&t, "W3 OK done", NOTHING);
	says(&t, "");
	waits(&t, POLL_MS);
	says(&t, "W4 NOOP\r\n");
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "");
	hears(&t, "W4 OK done", NOTHING);
	says(&t, ASK_FETCH("W5", "12:*"));
	hears(&t, "* 4 FETCH (UID 12)", NOTHING);
	hears(&t, "W5 OK done", STATE);
	says(&t, "");
	/* A server that tells by itself is heard, too. */
	t.now_ms += 2000;
	hears(&t, "* 1 FETCH (FLAGS (\\Seen))", CHANGE);
	hears(&t, "* 5 EXISTS", NEW);
	says(&t, ASK_FETCH("W6", "13:*"));
	end(&t);
}

static void server_that_tells_no_capability_is_polled(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, "");
	says(&t, "W1 CAPABILITY\r\n");
	hears(&t, "W1 BAD what?", NOTHING);
	says(&t, "W2 " ASK_STATUS);
	hears(&t, "* STATUS INBOX (MESSAGES 0 UIDNEXT 1)", NOTHING);
	hears(&t, "W2 OK done", RESYNC);
	says(&t, "W3 EXAMINE INBOX\r\n");
	hears(&t, "* 0 EXISTS", NOTHING);
	hears(&t, "* OK [UIDNEXT 1] x", NOTHING);
	hears(&t, "W3 OK done", NOTHING);
	says(&t, "");
	waits(&t, POLL_MS);
	says(&t, "W4 NOOP\r\n");
	end(&t);
}

static void refused_idle_is_asked_again_after_the_renewal_time(void **state)
{
	struct talk t;
	uint64_t since;

	(void)state;
	polls(&t, "IDLE");
	says(&t, "W3 IDLE\r\n");
	since = t.now_ms;
	hears(&t, "W3 NO not now", NOTHING);
	for (int i = 0; i < RENEW_MS / POLL_MS; i++) {
		char noop[32];

		says(&t, "");
		waits(&t, POLL_MS);
		(void)snprintf(noop, sizeof(noop), "W%d NOOP\r\n", 4 + i);
		says(&t, noop);
		(void)snprintf(noop, sizeof(noop), "W%d OK", 4 + i);
		hears(&t, noop, NOTHING);
	}
	says(&t, "W33 IDLE\r\n");
	assert_int_equal(t.now_ms - since, RENEW_MS);
	end(&t);
}

/* It ends IDLE by itself at once: not asked without end. */
static void idle_that_ends_at_once_is_asked_at_the_next_poll(void **state)
{
	struct talk t;

	(void)state;
	polls(&t, "IDLE");
	says(&t, "W3 IDLE\r\n");
	hears(&t, "W3 OK done", NOTHING); /* not even a "+" */
	says(&t, "");
	waits(&t, POLL_MS);
	says(&t, "W4 NOOP\r\n");
	hears(&t, "W4 OK done", NOTHING);
	says(&t, "W5 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	t.now_ms += POLL_MS - 1;
	hears(&t, "W5 OK that was it", NOTHING);
	says(&t, "");
	waits(&t, POLL_MS);
	says(&t, "W6 NOOP\r\n");
	hears(&t, "W6 OK done", NOTHING);
	says(&t, "W7 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	t.now_ms += POLL_MS;
	hears(&t, "W7 OK long enough", NOTHING);
	says(&t, "W8 IDLE\r\n");
	end(&t);
}

/* Other mailboxes. */

#define ASK(tag, mailbox) \
	tag " STATUS \"" mailbox "\" (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n"

/* swept wants a tagged |line| to tell that there are |messages| in |mailbox|.
 */
static void swept(struct talk *t, const char *line, const char *mailbox,
                  uint32_t messages)
{
	hears(t, line, SWEPT);
	assert_str(t->d.answer.mailbox->name, mailbox);
	assert_int_equal(t->d.answer.verdict, SWEEP_SEEN);
	assert_int_equal(t->d.answer.status.messages, messages);
}

/* sweeps answers two questions from |tag| on. */
static void sweeps(struct talk *t, int tag)
{
	char text[400];

	(void)snprintf(text, sizeof(text),
	               ASK("W%d", "Sent") ASK("W%d", "Work"), tag, tag + 1);
	says(t, text);
	assert_true(dialogue_sweeps(&t->d));
	hears(t, "* STATUS Sent (MESSAGES 5)", NOTHING);
	(void)snprintf(text, sizeof(text), "W%d OK done", tag);
	swept(t, text, "Sent", 5);
	says(t, "");
	hears(t, "* STATUS Work (MESSAGES 6)", NOTHING);
	(void)snprintf(text, sizeof(text), "W%d OK done", tag + 1);
	swept(t, text, "Work", 6);
	assert_false(dialogue_sweeps(&t->d));
}

static void others_are_swept_before_idle_and_at_every_poll(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IDLE", "INBOX Sent Work");
	opens(&t);
	assert_false(dialogue_listens(&t.d));
	sweeps(&t, 3);
	says(&t, "W5 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	t.now_ms += 1000;
	hears(&t, "* OK Still here", NOTHING); /* moves nothing */
	waits(&t, POLL_MS - 1000);
	says(&t, "DONE\r\n");
	hears(&t, "W5 OK done", NOTHING);
	t.now_ms += 500;
	sweeps(&t, 6);
	says(&t, "W8 IDLE\r\n");
	t.now_ms += 20;
	hears(&t, "+ idling", NOTHING);
	waits(&t, POLL_MS - 20); /* from the end of the sweep */
	end(&t);
}

static void without_idle_others_are_swept_after_each_noop(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IMAP4rev1", "INBOX Sent Work");
	opens(&t);
	sweeps(&t, 3);
	says(&t, "");
	assert_true(dialogue_listens(&t.d));
	waits(&t, POLL_MS);
	says(&t, "W5 NOOP\r\n");
	hears(&t, "W5 OK done", NOTHING);
	sweeps(&t, 6);
	waits(&t, POLL_MS);
	says(&t, "W8 NOOP\r\n");
	end(&t);
}

static void inbox_is_heard_during_a_sweep(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IDLE", "Sent Work");
	opens(&t);
	says(&t, ASK("W3", "Sent") ASK("W4", "Work"));
	hears(&t, "* STATUS Sent (MESSAGES 5)", NOTHING);
	hears(&t, "* 4 EXISTS", NEW);
	swept(&t, "W3 OK done", "Sent", 5);
	hears(&t, "* 1 FETCH (FLAGS (\\Seen))", NOTHING); /* not settled */
	hears(&t, "* STATUS Work (MESSAGES 6)", NOTHING);
	swept(&t, "W4 OK done", "Work", 6);
	says(&t, ASK_FETCH("W5", "12:*"));
	hears(&t, "* 4 FETCH (UID 12)", NOTHING);
	hears(&t, "W5 OK done", STATE);
	says(&t, "W6 IDLE\r\n"); /* the sweep is over */
	end(&t);
}

static void refusals_are_told_and_the_sweep_goes_on(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IDLE", "Sent Work");
	opens(&t);
	says(&t, ASK("W3", "Sent") ASK("W4", "Work"));
	hears(&t, "W4 NO [UNAVAILABLE] later", SWEPT);
	assert_int_equal(t.d.answer.verdict, SWEEP_UNKNOWN);
	says(&t, "");
	hears(&t, "W3 NO no such mailbox", SWEPT);
	assert_int_equal(t.d.answer.verdict, SWEEP_REFUSED);
	assert_str(t.d.answer.mailbox->name, "Sent");
	says(&t, "W5 IDLE\r\n");
	end(&t);
}

static void sweep_is_answered_a_minute_after_the_last_answer(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IDLE", "Sent Work");
	opens(&t);
	t.now_ms += REPLY_MS - 1;
	hears(&t, "* STATUS Sent (MESSAGES 5)", NOTHING); /* is none */
	assert_int_equal(t.d.due_ms - t.now_ms, 1);
	hears(&t, "W3 OK done", SWEPT);
	assert_int_equal(t.d.due_ms - t.now_ms, REPLY_MS);
	assert_int_equal(dialogue_due(&t.d, t.d.due_ms, &t.why), ERR_TIMEOUT);
	assert_string_equal(t.why.text, "no answer to sweep within 60 s");
	end(&t);
}

static void tag_that_is_not_open_ends_a_sweep(void **state)
{
	static const char *const lines[] = { "W2 OK", "W5 OK",   "W3 OK",
		                             "W OK",  "W03x OK", "X4 OK" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct talk t;

		begin_wanting(&t, "IDLE", "Sent Work");
		opens(&t);
		says(&t, ASK("W3", "Sent") ASK("W4", "Work"));
		hears(&t, "W3 OK done", SWEPT);
		ends_with(&t, lines[i], ERR_PARSE);
		end(&t);
	}
}

/* Uses are asked for where the server tells them, once for a list. */
static void uses_are_asked_before_the_first_sweep(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IDLE LIST-EXTENDED SPECIAL-USE", "Sent Work");
	opens(&t);
	says(&t, "W3 LIST (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE)\r\n");
	assert_true(dialogue_sweeps(&t.d));
	hears(&t, "* LIST (\\HasNoChildren \\Sent) \"/\" Sent", NOTHING);
	hears(&t, "W3 OK done", NOTHING);
	sweeps(&t, 4);
	assert_true(t.d.sweep.mailboxes[0].is_used);
	assert_false(t.d.sweep.mailboxes[1].is_used);
	says(&t, "W6 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	waits(&t, POLL_MS);
	says(&t, "DONE\r\n");
	hears(&t, "W6 OK", NOTHING);
	sweeps(&t, 7);
	says(&t, "W9 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	want(&t, "Archive Sent Work");
	waits(&t, 1000);
	says(&t, "DONE\r\n");
	hears(&t, "W9 OK", NOTHING);
	says(&t, "W10 LIST (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE)\r\n");
	hears(&t, "* LIST (\\Trash) \"/\" Work", NOTHING);
	hears(&t, "W10 NO not today", NOTHING); /* what came, came */
	assert_false(t.d.sweep.mailboxes[1].is_used);
	assert_true(t.d.sweep.mailboxes[2].is_used);
	says(&t, ASK("W11", "Archive") ASK("W12", "Sent") ASK("W13", "Work"));
	end(&t);
}

static void nothing_else_to_watch_costs_no_command(void **state)
{
	struct talk t;

	(void)state;
	begin_wanting(&t, "IDLE SPECIAL-USE", "INBOX");
	opens(&t);
	says(&t, "W3 IDLE\r\n");
	hears(&t, "+ idling", NOTHING);
	waits(&t, RENEW_MS);
	end(&t);
}

/* New wishes. */

/* listens_wanting brings it into IDLE under W5, with two mailboxes. */
static void listens_wanting(struct talk *t)
{
	begin_wanting(t, "IDLE", "INBOX Sent Work");
	opens(t);
	sweeps(t, 3);
	says(t, "W5 IDLE\r\n");
	hears(t, "+ idling", NOTHING);
}

static void new_mailbox_is_asked_for_in_a_second(void **state)
{
	struct talk t;

	(void)state;
	listens_wanting(&t);
	t.now_ms += 5000;
	want(&t, "INBOX Sent Trash Work");
	says(&t, "");
	t.now_ms += 400;
	want(&t, "INBOX Sent Trash Work X"); /* does not put it off */
	waits(&t, 600);
	says(&t, "DONE\r\n");
	hears(&t, "W5 OK", NOTHING);
	says(&t, ASK("W6", "Sent") ASK("W7", "Trash") ASK("W8", "Work")
	                 ASK("W9", "X"));
	end(&t);
}

static void wishes_without_a_new_mailbox_change_no_time(void **state)
{
	struct talk t;

	(void)state;
	listens_wanting(&t);
	t.now_ms += 5000;
	want(&t, "INBOX Sent Work");
	assert_int_equal(t.d.due_ms - t.now_ms, POLL_MS - 5000);
	want(&t, "INBOX Work");
	assert_int_equal(t.d.due_ms - t.now_ms, POLL_MS - 5000);
	want(&t, "INBOX");
	assert_int_equal(t.d.due_ms - t.now_ms, RENEW_MS - 5000);
	says(&t, "");
	end(&t);
}

/* While something is outstanding they wait for its end. */
static void wishes_during_a_command_are_taken_after_it(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, "IDLE");
	opens(&t);
	says(&t, "W3 IDLE\r\n");
	want(&t, "INBOX Sent Work");
	says(&t, "");
	hears(&t, "+ idling", NOTHING); /* a sweep was never: it is due */
	says(&t, "DONE\r\n");
	hears(&t, "W3 OK", NOTHING);
	sweeps(&t, 4);
	end(&t);
}

/* Time-outs. */

static void every_command_is_answered_in_a_minute(void **state)
{
	/* Each brings the server one answer further. */
	static const char *const answers[] = {
		"* CAPABILITY IDLE",
		"W1 OK done",
		"* STATUS INBOX (MESSAGES 3 UIDNEXT 12)",
		"W2 OK done",
		"* 3 EXISTS",
		"W3 OK done", /* no UIDNEXT: a look */
		"W4 OK done",
	};

	(void)state;
	for (size_t n = 0; n <= sizeof(answers) / sizeof(answers[0]); n++) {
		enum view_news news;
		struct talk t;

		begin(&t, "");
		for (size_t i = 0; i < n; i++)
			assert_true(feed(&t, answers[i], &news) >= 0);
		assert_false(dialogue_listens(&t.d));
		assert_int_equal(t.d.due_ms - t.now_ms, REPLY_MS);
		/* Untagged lines are no answer. */
		t.now_ms += 1000;
		assert_true(feed(&t, "* OK working", &news) >= 0);
		assert_int_equal(t.d.due_ms - t.now_ms, REPLY_MS - 1000);
		assert_int_equal(dialogue_due(&t.d, t.d.due_ms, &t.why),
		                 ERR_TIMEOUT);
		assert_string_not_equal(t.why.text, "");
		end(&t);
	}
}

static void done_and_noop_are_answered_in_a_minute(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	waits(&t, RENEW_MS);
	assert_int_equal(t.d.due_ms - t.now_ms, REPLY_MS);
	assert_int_equal(dialogue_due(&t.d, t.d.due_ms, &t.why), ERR_TIMEOUT);
	end(&t);
	polls(&t, "IMAP4rev1");
	waits(&t, POLL_MS);
	assert_int_equal(t.d.due_ms - t.now_ms, REPLY_MS);
	assert_int_equal(dialogue_due(&t.d, t.d.due_ms, &t.why), ERR_TIMEOUT);
	end(&t);
}

/* Ends. */

static void what_cannot_go_on_ends_it(void **state)
{
	static const struct {
		const char *line;
		int rc;
	} rows[] = {
		{ "* BYE going down", ERR_CLOSED },
		{ "W4 OK not asked", ERR_PARSE }, /* a tag to come */
		{ "W2 OK long ago", ERR_PARSE },  /* one that was */
		{ "X3 OK ours?", ERR_PARSE },
		{ "W3x OK ours?", ERR_PARSE },
		{ "* 9 EXPUNGE", ERR_PARSE }, /* the count went wrong */
		{ "* VANISHED 3", ERR_PARSE },
		{ "* OK [UIDVALIDITY 8] anew", ERR_PARSE },
		{ "* 4294967296 EXISTS", ERR_PARSE },
		{ "", ERR_PARSE },
		{ "HTTP/1.1 200", ERR_PARSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct talk t;

		dovecot_listens(&t);
		ends_with(&t, rows[i].line, rows[i].rc);
		end(&t);
	}
}

static void commands_that_cannot_be_done_without_end_it(void **state)
{
	static const char *const replies[] = { "NO no such mailbox",
		                               "BAD what?" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char line[64];
		struct talk t;

		begin(&t, "IDLE");
		says(&t, "W1 " ASK_STATUS);
		(void)snprintf(line, sizeof(line), "W1 %s", replies[i]);
		ends_with(&t, line, ERR_UNAVAILABLE);
		end(&t);
		begin(&t, "IDLE");
		says(&t, "W1 " ASK_STATUS);
		hears(&t, "* STATUS INBOX (MESSAGES 1)", NOTHING);
		hears(&t, "W1 OK", RESYNC);
		says(&t, "W2 EXAMINE INBOX\r\n");
		(void)snprintf(line, sizeof(line), "W2 %s", replies[i]);
		ends_with(&t, line, ERR_UNAVAILABLE);
		end(&t);
		polls(&t, "IMAP4rev1");
		waits(&t, POLL_MS);
		says(&t, "W3 NOOP\r\n");
		(void)snprintf(line, sizeof(line), "W3 %s", replies[i]);
		ends_with(&t, line, ERR_UNAVAILABLE);
		end(&t);
	}
}

static void continuation_that_nobody_awaits_is_nothing(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	hears(&t, "+ idling", NOTHING);
	waits(&t, RENEW_MS);
	says(&t, "DONE\r\n");
	hears(&t, "+ idling", NOTHING);
	says(&t, "");
	hears(&t, "W3 OK Idle completed.", NOTHING);
	says(&t, "W4 IDLE\r\n");
	end(&t);
}

/* A look is only needed not to ring again after a restart. */
static void refused_look_is_no_end(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	hears(&t, "* 4 EXISTS", NEW);
	says(&t, "DONE\r\n");
	hears(&t, "W3 OK Idle completed.", NOTHING);
	says(&t, ASK_FETCH("W4", "12:*"));
	hears(&t, "W4 NO no UIDs today", NOTHING);
	says(&t, "W5 IDLE\r\n");
	assert_int_equal(t.d.view.now.uidnext, 12);
	end(&t);
}

static void goodbye_is_said_only_where_it_is_heard(void **state)
{
	struct talk t;

	(void)state;
	dovecot_listens(&t);
	dialogue_leave(&t.d);
	says(&t, "DONE\r\nW4 LOGOUT\r\n");
	end(&t);
	polls(&t, "IMAP4rev1");
	dialogue_leave(&t.d);
	says(&t, "W3 LOGOUT\r\n");
	end(&t);
	begin(&t, "IDLE");
	says(&t, "W1 " ASK_STATUS);
	dialogue_leave(&t.d);
	says(&t, "");
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dovecot_rings_in_idle),
		cmocka_unit_test(courier_rings_in_idle),
		cmocka_unit_test(cyrus_rings_in_idle),
		cmocka_unit_test(only_the_status_of_the_asked_mailbox_counts),
		cmocka_unit_test(idle_is_renewed_in_time),
		cmocka_unit_test(done_never_goes_before_the_continuation),
		cmocka_unit_test(mail_while_idle_ends_is_looked_at),
		cmocka_unit_test(looks_are_a_second_apart),
		cmocka_unit_test(without_idle_noop_asks_at_every_poll),
		cmocka_unit_test(server_that_tells_no_capability_is_polled),
		cmocka_unit_test(
			refused_idle_is_asked_again_after_the_renewal_time),
		cmocka_unit_test(
			idle_that_ends_at_once_is_asked_at_the_next_poll),
		cmocka_unit_test(
			others_are_swept_before_idle_and_at_every_poll),
		cmocka_unit_test(without_idle_others_are_swept_after_each_noop),
		cmocka_unit_test(inbox_is_heard_during_a_sweep),
		cmocka_unit_test(refusals_are_told_and_the_sweep_goes_on),
		cmocka_unit_test(
			sweep_is_answered_a_minute_after_the_last_answer),
		cmocka_unit_test(tag_that_is_not_open_ends_a_sweep),
		cmocka_unit_test(uses_are_asked_before_the_first_sweep),
		cmocka_unit_test(nothing_else_to_watch_costs_no_command),
		cmocka_unit_test(new_mailbox_is_asked_for_in_a_second),
		cmocka_unit_test(wishes_without_a_new_mailbox_change_no_time),
		cmocka_unit_test(wishes_during_a_command_are_taken_after_it),
		cmocka_unit_test(every_command_is_answered_in_a_minute),
		cmocka_unit_test(done_and_noop_are_answered_in_a_minute),
		cmocka_unit_test(what_cannot_go_on_ends_it),
		cmocka_unit_test(commands_that_cannot_be_done_without_end_it),
		cmocka_unit_test(continuation_that_nobody_awaits_is_nothing),
		cmocka_unit_test(refused_look_is_no_end),
		cmocka_unit_test(goodbye_is_said_only_where_it_is_heard),
	};

	return cmocka_run_group_tests_name("dialogue", tests, NULL, NULL);
}
