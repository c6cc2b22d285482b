/* SPDX-License-Identifier: ISC */
/* What the lines of a server mean for the phones. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "unit/unit.h"
#include "watch/view.h"

enum { NAME_MAX_LEN = 100 };

/* Feeding. */

/* status takes what stands between the brackets of a STATUS response. */
static void status(struct view *v, const char *items)
{
	struct imap_status_data data;
	struct imap_response r;
	struct buf name;
	char line[256];

	(void)snprintf(line, sizeof(line), "* STATUS INBOX (%s)\r\n", items);
	assert_ok(imap_response_parse(str_of(line), &r));
	buf_init(&name, NAME_MAX_LEN);
	assert_ok(imap_response_status_data(&r, &name, &data));
	buf_reset(&name);
	view_status(v, &data);
}

/* feed takes a line and returns what view_response did. */
static int feed(struct view *v, const char *line, enum view_news *news)
{
	struct imap_response r;
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "%s\r\n", line);
	assert_ok(imap_response_parse(str_of(whole), &r));
	return view_response(v, &r, news);
}

/* means wants |line| to mean |news|. */
static void means(struct view *v, const char *line, enum view_news news)
{
	enum view_news told = VIEW_SAME;

	assert_ok(feed(v, line, &told));
	if (told != news)
		fail_msg("%s: %d, not %d", line, (int)told, (int)news);
}

/* is wants the numbers to be "uidvalidity:uidnext messages unseen". */
static void is(const struct view *v, const char *numbers)
{
	const struct store_state *s = &v->now;
	char text[128];

	(void)snprintf(text, sizeof(text),
	               "%" PRIu32 ":%" PRIu32 " %" PRId64 " %" PRId64,
	               s->uidvalidity, s->uidnext, s->messages, s->unseen);
	assert_string_equal(text, numbers);
}

static struct view new_view(void)
{
	struct view v;

	view_init(&v, STR("anna"), STR("INBOX"));
	return v;
}

#define STATUS_3 "MESSAGES 3 UIDNEXT 12 UIDVALIDITY 7 UNSEEN 1"

/* open_with selects a mailbox of 3 messages, whose EXAMINE tells |lines|. */
static enum view_news open_with(struct view *v, const char *const *lines)
{
	*v = new_view();
	status(v, STATUS_3);
	(void)view_compare(NULL, &v->now, false);
	view_open_begin(v);
	for (; *lines != NULL; lines++)
		means(v, *lines, VIEW_SAME);
	return view_opened(v);
}

/* The three servers as measured, in the order in which they tell it. */
static const char *const dovecot[] = {
	"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)",
	"* OK [PERMANENTFLAGS ()] Read-only mailbox.",
	"* 3 EXISTS",
	"* 0 RECENT",
	"* OK [UNSEEN 3] First unseen.",
	"* OK [UIDVALIDITY 7] UIDs valid",
	"* OK [UIDNEXT 12] Predicted next UID",
	NULL
};

static const char *const cyrus[] = {
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
	NULL
};

/* It tells no UIDNEXT here. */
static const char *const courier[] = {
	"* FLAGS (\\Draft \\Answered \\Flagged \\Deleted \\Seen \\Recent)",
	"* OK [PERMANENTFLAGS ()] No permanent flags permitted",
	"* 3 EXISTS",
	"* 0 RECENT",
	"* OK [UIDVALIDITY 7] Ok",
	"* OK [MYRIGHTS \"acdilrsw\"] ACL",
	NULL
};

/* listen_to does that and listens. */
static struct view listen_to(const char *const *lines)
{
	struct view v;

	assert_int_equal(open_with(&v, lines), VIEW_SAME);
	view_settle(&v);
	return v;
}

/* Comparing with what is stored. */

static void resync_tells_what_happened_meanwhile(void **state)
{
	static const struct {
		int64_t stored[4]; /* uidvalidity uidnext messages unseen */
		const char *items; /* of STATUS */
		enum view_news news;
		const char *now;
	} rows[] = {
		/* Nothing. */
		{ { 7, 12, 3, 1 }, STATUS_3, VIEW_SAME, "7:12 3 1" },
		/* New mail, also while other mail went. */
		{ { 7, 11, 2, 0 }, STATUS_3, VIEW_NEW, "7:12 3 1" },
		{ { 7, 9, 3, 1 }, STATUS_3, VIEW_NEW, "7:12 3 1" },
		/* Another mailbox of that name: all of it is new. */
		{ { 6, 12, 3, 1 }, STATUS_3, VIEW_NEW, "7:12 3 1" },
		{ { 6, 99, 3, 1 }, STATUS_3, VIEW_NEW, "7:12 3 1" },
		/* Expunged; read, or unread again. */
		{ { 7, 12, 4, 1 }, STATUS_3, VIEW_CHANGE, "7:12 3 1" },
		{ { 7, 12, 3, 2 }, STATUS_3, VIEW_CHANGE, "7:12 3 1" },
		{ { 7, 12, 3, 0 }, STATUS_3, VIEW_CHANGE, "7:12 3 1" },
		/* Restored from a backup. */
		{ { 7, 13, 3, 1 }, STATUS_3, VIEW_CHANGE, "7:12 3 1" },
		/* What was not known is not compared, and known now. */
		{ { 7, 12, 3, -1 }, STATUS_3, VIEW_STATE, "7:12 3 1" },
		{ { 7, 12, -1, 1 }, STATUS_3, VIEW_STATE, "7:12 3 1" },
		{ { 7, 0, 3, 1 }, STATUS_3, VIEW_STATE, "7:12 3 1" },
		{ { 0, 12, 3, 1 }, STATUS_3, VIEW_STATE, "7:12 3 1" },
		{ { 7, 0, 2, 1 }, STATUS_3, VIEW_CHANGE, "7:12 3 1" },
		/* What STATUS does not tell is not lost. */
		{ { 7, 12, 3, 1 },
		  "MESSAGES 3 UIDVALIDITY 7 UNSEEN 1",
		  VIEW_SAME,
		  "7:12 3 1" },
		{ { 7, 12, 3, 1 },
		  "MESSAGES 4 UIDVALIDITY 7 UNSEEN 1",
		  VIEW_CHANGE,
		  "7:12 4 1" },
		{ { 7, 12, 3, 1 },
		  "MESSAGES 3 UIDNEXT 13 UNSEEN 1",
		  VIEW_NEW,
		  "7:13 3 1" },
		{ { 7, 12, 3, 1 },
		  "MESSAGES 3 UIDVALIDITY 8 UNSEEN 1",
		  VIEW_NEW,
		  "8:0 3 1" },
		{ { 7, 12, 3, 1 },
		  "UIDNEXT 12 UIDVALIDITY 7",
		  VIEW_STATE,
		  "7:12 -1 -1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct store_state stored = {
			.uidvalidity = (uint32_t)rows[i].stored[0],
			.uidnext = (uint32_t)rows[i].stored[1],
			.messages = rows[i].stored[2],
			.unseen = rows[i].stored[3],
		};
		struct view v = new_view();

		status(&v, rows[i].items);
		if (view_compare(&stored, &v.now, false) != rows[i].news)
			fail_msg("row %zu", i);
		is(&v, rows[i].now);
	}
}

static void nothing_stored_is_a_baseline(void **state)
{
	struct view v = new_view();

	(void)state;
	status(&v, STATUS_3);
	assert_int_equal(view_compare(NULL, &v.now, false), VIEW_STATE);
	is(&v, "7:12 3 1");
	assert_str(v.now.user, "anna");
	assert_str(v.now.mailbox, "INBOX");
}

/* Opening. */

static void examine_that_repeats_status_is_no_news(void **state)
{
	const char *const *servers[] = { dovecot, cyrus, courier };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct view v;

		assert_int_equal(open_with(&v, servers[i]), VIEW_SAME);
		is(&v, "7:12 3 1");
	}
}

/* Only a server without UIDNEXT is asked for it. */
static void look_is_wanted_where_examine_tells_no_uidnext(void **state)
{
	struct view v;

	(void)state;
	v = listen_to(dovecot);
	assert_false(view_look_wanted(&v));
	v = listen_to(cyrus);
	assert_false(view_look_wanted(&v));
	v = listen_to(courier);
	assert_true(view_look_wanted(&v));
	assert_int_equal(view_look_from(&v), 12);
}

static void mail_between_status_and_examine_is_new(void **state)
{
	static const char *const grown[] = { "* 4 EXISTS",
		                             "* OK [UIDVALIDITY 7] x",
		                             "* OK [UIDNEXT 13] x", NULL };
	/* One came while another went. */
	static const char *const moved[] = { "* 3 EXISTS",
		                             "* OK [UIDVALIDITY 7] x",
		                             "* OK [UIDNEXT 13] x", NULL };
	static const char *const silent[] = { "* 4 EXISTS", NULL };
	struct view v;

	(void)state;
	assert_int_equal(open_with(&v, grown), VIEW_NEW);
	is(&v, "7:13 4 -1");
	assert_int_equal(open_with(&v, moved), VIEW_NEW);
	is(&v, "7:13 3 -1");
	assert_int_equal(open_with(&v, silent), VIEW_NEW);
	is(&v, "7:12 4 -1"); /* never above what is sure */
}

static void change_between_status_and_examine_is_one(void **state)
{
	static const char *const fewer[] = { "* 2 EXISTS",
		                             "* OK [UIDNEXT 12] x", NULL };
	static const char *const other[] = { "* 3 EXISTS",
		                             "* OK [UIDVALIDITY 8] x",
		                             "* OK [UIDNEXT 4] x", NULL };
	/* A cached UIDNEXT that lags behind STATUS. */
	static const char *const lags[] = { "* 3 EXISTS", "* OK [UIDNEXT 11] x",
		                            NULL };
	struct view v;

	(void)state;
	assert_int_equal(open_with(&v, fewer), VIEW_CHANGE);
	is(&v, "7:12 2 -1");
	assert_int_equal(open_with(&v, other), VIEW_NEW);
	is(&v, "8:4 3 -1");
	assert_int_equal(open_with(&v, lags), VIEW_SAME);
	is(&v, "7:12 3 1");
}

/* Listening. */

static void lines_mean_what_they_mean(void **state)
{
	static const struct {
		const char *line;
		enum view_news news;
		const char *now;
	} rows[] = {
		{ "* 4 EXISTS", VIEW_NEW, "7:12 4 -1" },
		{ "* 4 exists", VIEW_NEW, "7:12 4 -1" },
		{ "* 3 EXISTS", VIEW_SAME, "7:12 3 1" }, /* Courier repeats */
		{ "* 2 EXISTS", VIEW_CHANGE, "7:12 2 -1" },
		{ "* 1 RECENT", VIEW_SAME, "7:12 3 1" },
		{ "* 3 EXPUNGE", VIEW_CHANGE, "7:12 2 -1" },
		{ "* 3 FETCH (FLAGS (\\Seen))", VIEW_CHANGE, "7:12 3 -1" },
		{ "* 1 FETCH (UID 4 FLAGS () MODSEQ (9))", VIEW_CHANGE,
		  "7:12 3 -1" },
		/* Flags that come with new mail are no change of their own. */
		{ "* 4 FETCH (FLAGS (\\Recent))", VIEW_SAME, "7:12 3 -1" },
		{ "* 3 FETCH (UID 11)", VIEW_SAME, "7:12 3 1" },
		{ "* FLAGS (\\Seen)", VIEW_SAME, "7:12 3 1" },
		{ "* OK Still here", VIEW_SAME, "7:12 3 1" },
		{ "* OK [UIDVALIDITY 7] again", VIEW_SAME, "7:12 3 1" },
		{ "* OK [UIDNEXT 99] of what?", VIEW_SAME, "7:12 3 1" },
		{ "* OK [HIGHESTMODSEQ 12] Highest", VIEW_SAME, "7:12 3 1" },
		{ "* NO disk is nearly full", VIEW_SAME, "7:12 3 1" },
		{ "* STATUS Work (MESSAGES 9 UIDNEXT 99)", VIEW_SAME,
		  "7:12 3 1" },
		{ "* LIST () \".\" Work", VIEW_SAME, "7:12 3 1" },
		{ "* SEARCH 1 2", VIEW_SAME, "7:12 3 1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct view v = listen_to(dovecot);

		means(&v, rows[i].line, rows[i].news);
		is(&v, rows[i].now);
		assert_int_equal(v.phase, VIEW_OPEN);
	}
}

static void lines_that_cannot_be_true_break_the_view(void **state)
{
	static const char *const lines[] = {
		"* 4 EXPUNGE",     /* of a message that is not there */
		"* 0 EXPUNGE",     /* there is none */
		"* 99 EXPUNGE",    /* we have missed something */
		"* VANISHED 4:11", /* QRESYNC was not asked for */
		"* VANISHED (EARLIER) 1:3",
		"* OK [UIDVALIDITY 8] ", /* made anew under our feet */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct view v = listen_to(dovecot);

		means(&v, lines[i], VIEW_SAME);
		if (v.phase != VIEW_BROKEN)
			fail_msg("%s", lines[i]);
	}
}

static void lines_that_make_no_sense_are_refused(void **state)
{
	static const char *const lines[] = {
		"* 4294967296 EXISTS",
		"* 4294967296 EXPUNGE",
		"* 3 FETCH (FLAGS",
		"* 3 FETCH",
		"* OK [UIDVALIDITY seven] x",
		"* OK [UIDVALIDITY] x",
		"* OK [UIDNEXT 4294967296] x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct view v = listen_to(dovecot);
		enum view_news news = VIEW_SAME;

		assert_int_equal(feed(&v, lines[i], &news), ERR_PARSE);
		assert_int_equal(news, VIEW_SAME);
		is(&v, "7:12 3 1");
	}
}

static void nothing_counts_before_the_mailbox_is_selected(void **state)
{
	struct view v = new_view();

	(void)state;
	status(&v, STATUS_3);
	means(&v, "* 9 EXISTS", VIEW_SAME);
	means(&v, "* 9 EXPUNGE", VIEW_SAME);
	means(&v, "* 1 FETCH (FLAGS ())", VIEW_SAME);
	means(&v, "* VANISHED 1", VIEW_SAME);
	means(&v, "* OK [UIDVALIDITY 99] x", VIEW_SAME);
	is(&v, "7:12 3 1");
	assert_int_equal(v.phase, VIEW_CLOSED);
}

/* Flags count for messages that were there when we began to listen; numbers
 * move when others go. */
static void settled_messages_move_with_expunges(void **state)
{
	struct view v = listen_to(dovecot);

	(void)state;
	means(&v, "* 5 EXISTS", VIEW_NEW);
	means(&v, "* 4 FETCH (FLAGS (\\Recent))", VIEW_SAME);
	means(&v, "* 1 EXPUNGE", VIEW_CHANGE);
	means(&v, "* 3 FETCH (FLAGS (\\Recent))", VIEW_SAME); /* the new one */
	means(&v, "* 2 FETCH (FLAGS (\\Seen))", VIEW_CHANGE);
	means(&v, "* 3 EXPUNGE", VIEW_CHANGE);
	means(&v, "* 2 FETCH (FLAGS (\\Seen))", VIEW_CHANGE);
	view_settle(&v);
	means(&v, "* 3 FETCH (FLAGS (\\Seen))", VIEW_CHANGE);
	is(&v, "7:12 3 -1");
}

/* Learning UIDNEXT. */

static void look_learns_uidnext_and_rings_no_second_time(void **state)
{
	struct view v = listen_to(dovecot);

	(void)state;
	means(&v, "* 5 EXISTS", VIEW_NEW);
	assert_true(view_look_wanted(&v));
	assert_int_equal(view_look_from(&v), 12);
	view_look_begin(&v);
	assert_false(view_look_wanted(&v));
	means(&v, "* 4 FETCH (UID 12)", VIEW_SAME);
	means(&v, "* 5 FETCH (UID 14)", VIEW_SAME);
	is(&v, "7:12 5 -1"); /* not before the end */
	assert_int_equal(view_look_end(&v), VIEW_STATE);
	is(&v, "7:15 5 -1");
	assert_false(view_look_wanted(&v));
}

static void look_finds_what_exists_hid(void **state)
{
	struct view v = listen_to(dovecot);

	(void)state;
	/* Two came, one went: Courier tells it as one more. */
	means(&v, "* 4 EXISTS", VIEW_NEW);
	view_look_begin(&v);
	means(&v, "* 3 FETCH (UID 12)", VIEW_SAME);
	means(&v, "* 4 FETCH (UID 13)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_NEW);
	is(&v, "7:14 4 -1");
	/* One came, one went: it looks as if nothing had been. */
	v = listen_to(courier);
	view_look_begin(&v);
	means(&v, "* 3 FETCH (UID 12)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_NEW);
	is(&v, "7:13 3 -1");
}

static void mail_that_examine_announced_rings_once(void **state)
{
	static const char *const grown[] = { "* 4 EXISTS",
		                             "* OK [UIDVALIDITY 7] Ok", NULL };
	struct view v;

	(void)state;
	assert_int_equal(open_with(&v, grown), VIEW_NEW);
	view_look_begin(&v);
	means(&v, "* 4 FETCH (UID 12)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_STATE);
	is(&v, "7:13 4 -1");
}

/* RFC 9051 section 6.4.9: n:* holds the last message even if it is below n. */
static void look_at_nothing_new_changes_nothing(void **state)
{
	struct view v = listen_to(courier);

	(void)state;
	view_look_begin(&v);
	means(&v, "* 3 FETCH (UID 11)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_SAME);
	is(&v, "7:12 3 1");
	means(&v, "* 2 EXISTS", VIEW_CHANGE);
	view_look_begin(&v);
	assert_int_equal(view_look_end(&v), VIEW_SAME); /* refused, or empty */
	is(&v, "7:12 2 -1");
}

static void look_overtaken_by_mail_is_taken_again(void **state)
{
	struct view v = listen_to(dovecot);

	(void)state;
	means(&v, "* 4 EXISTS", VIEW_NEW);
	view_look_begin(&v);
	means(&v, "* 4 FETCH (UID 12)", VIEW_SAME);
	means(&v, "* 5 EXISTS", VIEW_NEW); /* not in this answer */
	assert_int_equal(view_look_end(&v), VIEW_STATE);
	is(&v, "7:13 5 -1");
	assert_true(view_look_wanted(&v));
	view_look_begin(&v);
	means(&v, "* 5 FETCH (UID 13)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_STATE);
	is(&v, "7:14 5 -1");
}

static void message_told_twice_counts_once(void **state)
{
	struct view v = listen_to(dovecot);

	(void)state;
	means(&v, "* 4 EXISTS", VIEW_NEW);
	view_look_begin(&v);
	means(&v, "* 4 FETCH (UID 12 FLAGS (\\Recent))", VIEW_SAME);
	means(&v, "* 4 FETCH (UID 12)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_STATE);
}

static void unknown_uidnext_is_asked_of_the_last_message(void **state)
{
	struct view v = new_view();

	(void)state;
	status(&v, "MESSAGES 3 UIDVALIDITY 7 UNSEEN 1");
	assert_int_equal(view_compare(NULL, &v.now, false), VIEW_STATE);
	view_open_begin(&v);
	means(&v, "* 3 EXISTS", VIEW_SAME);
	assert_int_equal(view_opened(&v), VIEW_SAME);
	assert_true(view_look_wanted(&v));
	assert_int_equal(view_look_from(&v), 0);
	view_look_begin(&v);
	means(&v, "* 3 FETCH (UID 40)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_STATE); /* no ring for old */
	is(&v, "7:41 3 1");
}

static void last_uid_of_all_does_not_wrap(void **state)
{
	struct view v = listen_to(courier);

	(void)state;
	view_look_begin(&v);
	means(&v, "* 3 FETCH (UID 4294967295)", VIEW_SAME);
	assert_int_equal(view_look_end(&v), VIEW_NEW);
	is(&v, "7:4294967295 3 -1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resync_tells_what_happened_meanwhile),
		cmocka_unit_test(nothing_stored_is_a_baseline),
		cmocka_unit_test(examine_that_repeats_status_is_no_news),
		cmocka_unit_test(look_is_wanted_where_examine_tells_no_uidnext),
		cmocka_unit_test(mail_between_status_and_examine_is_new),
		cmocka_unit_test(change_between_status_and_examine_is_one),
		cmocka_unit_test(lines_mean_what_they_mean),
		cmocka_unit_test(lines_that_cannot_be_true_break_the_view),
		cmocka_unit_test(lines_that_make_no_sense_are_refused),
		cmocka_unit_test(nothing_counts_before_the_mailbox_is_selected),
		cmocka_unit_test(settled_messages_move_with_expunges),
		cmocka_unit_test(look_learns_uidnext_and_rings_no_second_time),
		cmocka_unit_test(look_finds_what_exists_hid),
		cmocka_unit_test(mail_that_examine_announced_rings_once),
		cmocka_unit_test(look_at_nothing_new_changes_nothing),
		cmocka_unit_test(look_overtaken_by_mail_is_taken_again),
		cmocka_unit_test(message_told_twice_counts_once),
		cmocka_unit_test(unknown_uidnext_is_asked_of_the_last_message),
		cmocka_unit_test(last_uid_of_all_does_not_wrap),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
