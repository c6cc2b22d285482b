/* SPDX-License-Identifier: ISC */
/*
 * The dialogue against a model of each server, with mail that comes, goes and
 * is read at any moment, folders that are wanted or not, and connections that
 * break at any moment. Whatever happens, each mail rings, and a stored UIDNEXT
 * is never above one that has not rung: else a restart would lose it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/unit.h"
#include "watch/dialogue.h"

enum {
	RENEW_MS = 100 * 1000,
	POLL_MS = 10 * 1000,
	MAILS_MAX = 600,
	FOLDERS = 3,
	STEPS = 400,
	SEEDS = 150,
	OUT_MAX = 1024 * 1024,
};

/* What a server does differently. */
struct style {
	const char *name;
	const char *capabilities; /* "": only when asked */
	bool no_uidnext;          /* at EXAMINE */
	bool repeats;             /* EXISTS, also without a change */
	bool late_fetch;          /* UID FETCH tells what is new first */
};

static const struct style styles[] = {
	{ "dovecot", "IMAP4rev1 IDLE", false, false, false },
	{ "courier", "", true, true, false },
	{ "cyrus", "IMAP4rev1 IDLE", false, false, true },
	{ "old", "IMAP4rev1", true, false, true },
};

struct mail {
	uint32_t uid;
	bool gone;
	bool flagged; /* its flags changed and this session was not told */
	bool rung;
};

/* A folder gets mail and nothing else: its UIDNEXT is |count| + 1. */
struct folder {
	uint32_t count;
	uint32_t rung; /* so many have rung, or came before it was wanted */
	bool wanted;
	bool has_stored;
	struct store_state stored;
};

static const char *const folder_names[FOLDERS] = { "F0", "F1", "F2" };

struct server {
	const struct style *style;
	struct folder folders[FOLDERS];
	struct mail mails[MAILS_MAX]; /* all that ever were, by uid */
	size_t count;

	/* The session. */
	size_t known[MAILS_MAX]; /* places in |mails|, by sequence number */
	size_t known_count;
	size_t told; /* of |mails| that it knows of or knew */
	bool selected;
	bool idle;
	char tag[16];
	struct buf out;
};

struct world {
	struct server server;
	struct dialogue d;
	uint64_t now_ms;
	uint64_t random;
	bool has_stored;
	struct store_state stored;
	size_t news;
};

static uint32_t draw(struct world *w, uint32_t bound)
{
	/* xorshift64: the same each time. */
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random >> 32) % bound;
}

/* The server. */

static void send_line(struct server *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void send_line(struct server *s, const char *fmt, ...)
{
	char line[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	assert_ok(buf_adds(&s->out, line));
	assert_ok(buf_adds(&s->out, "\r\n"));
}

static uint32_t uidnext_of(const struct server *s)
{
	return (uint32_t)s->count + 1;
}

static size_t present(const struct server *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += !s->mails[i].gone;
	return n;
}

/* tell_changes is what a server does where it may: in IDLE, before the end of
 * a command. */
static void tell_changes(struct server *s)
{
	size_t before = s->known_count;

	for (size_t n = s->known_count; n > 0; n--) {
		if (!s->mails[s->known[n - 1]].gone)
			continue;
		send_line(s, "* %zu EXPUNGE", n);
		s->known_count--;
		memmove(s->known + n - 1, s->known + n,
		        (s->known_count - (n - 1)) * sizeof(s->known[0]));
		before--;
	}
	for (; s->told < s->count; s->told++) {
		if (!s->mails[s->told].gone)
			s->known[s->known_count++] = s->told;
	}
	if (s->known_count != before || s->style->repeats)
		send_line(s, "* %zu EXISTS", s->known_count);
	for (size_t n = 0; n < s->known_count; n++) {
		struct mail *m = &s->mails[s->known[n]];

		if (m->flagged)
			send_line(s, "* %zu FETCH (FLAGS (\\Seen))", n + 1);
		m->flagged = false;
	}
}

static void do_examine(struct server *s)
{
	s->known_count = 0;
	for (size_t i = 0; i < s->count; i++) {
		s->mails[i].flagged = false;
		if (!s->mails[i].gone)
			s->known[s->known_count++] = i;
	}
	s->told = s->count;
	s->selected = true;
	send_line(s, "* %zu EXISTS", s->known_count);
	send_line(s, "* OK [UIDVALIDITY 7] Ok");
	if (!s->style->no_uidnext)
		send_line(s, "* OK [UIDNEXT %" PRIu32 "] Ok", uidnext_of(s));
}

static void do_fetch(struct server *s, uint32_t from)
{
	bool any = false;

	if (s->style->late_fetch)
		tell_changes(s);
	for (size_t n = 0; n < s->known_count; n++) {
		uint32_t uid = s->mails[s->known[n]].uid;
		bool last = n + 1 == s->known_count;

		/* n:* holds the last one, whatever its UID. */
		if ((from > 0 && uid >= from) || (last && !any)) {
			send_line(s, "* %zu FETCH (UID %" PRIu32 ")", n + 1,
			          uid);
			any = true;
		}
	}
}

static void do_status(struct server *s, struct str line)
{
	for (size_t i = 0; i < FOLDERS; i++) {
		char command[32];

		(void)snprintf(command, sizeof(command), "STATUS \"%s\" (",
		               folder_names[i]);
		if (!str_starts(line, str_of(command)))
			continue;
		send_line(s,
		          "* STATUS %s (MESSAGES %" PRIu32 " UIDNEXT %" PRIu32
		          " UIDVALIDITY 7)",
		          folder_names[i], s->folders[i].count,
		          s->folders[i].count + 1);
		return;
	}
	assert_true(str_starts(line, STR("STATUS INBOX (")));
	send_line(s,
	          "* STATUS INBOX (MESSAGES %zu UIDNEXT %" PRIu32
	          " UIDVALIDITY 7)",
	          present(s), uidnext_of(s));
}

/* run_command takes one line of the client. */
static void run_command(struct server *s, struct str line)
{
	struct str tag;
	uint64_t from = 0;

	if (s->idle) {
		assert_str(line, "DONE");
		s->idle = false;
		tell_changes(s);
		send_line(s, "%s OK done", s->tag);
		return;
	}
	tag = str_take(&line, str_find(line, ' '));
	(void)str_byte(&line, ' ');
	assert_true(tag.len < sizeof(s->tag));
	memcpy(s->tag, tag.data, tag.len);
	s->tag[tag.len] = '\0';
	if (str_starts(line, STR("IDLE"))) {
		s->idle = true;
		send_line(s, "+ idling");
		return;
	}
	if (str_starts(line, STR("CAPABILITY"))) {
		send_line(s, "* CAPABILITY IMAP4rev1 IDLE");
	} else if (str_starts(line, STR("STATUS"))) {
		do_status(s, line);
	} else if (str_starts(line, STR("EXAMINE"))) {
		do_examine(s);
	} else if (str_starts(line, STR("UID FETCH "))) {
		(void)str_take(&line, strlen("UID FETCH "));
		if (!str_byte(&line, '*'))
			assert_ok(str_number(&line, UINT32_MAX, &from));
		do_fetch(s, (uint32_t)from);
	} else {
		assert_str(line, "NOOP");
	}
	if (s->selected && !str_starts(line, STR("EXAMINE")))
		tell_changes(s);
	send_line(s, "%s OK done", s->tag);
}

/* The watcher. */

static void check_stored(const struct world *w)
{
	for (size_t i = 0; i < w->server.count; i++) {
		const struct mail *m = &w->server.mails[i];

		if (w->has_stored && m->uid < w->stored.uidnext && !m->rung)
			fail_msg("%s: uid %" PRIu32 " would be lost",
			         w->server.style->name, m->uid);
	}
}

/* report is what the watcher does with news. */
static void report(struct world *w, enum view_news news)
{
	if (news == VIEW_SAME)
		return;
	/* The phone fetches all that is there. */
	for (size_t i = 0; news == VIEW_NEW && i < w->server.count; i++)
		w->server.mails[i].rung = true;
	w->news += news == VIEW_NEW;
	w->stored = w->d.view.now;
	w->has_stored = true;
	assert_true(w->stored.uidnext <= uidnext_of(&w->server));
	check_stored(w);
}

/* swept is what the watcher does with an answer about a folder. */
static void swept(struct world *w)
{
	const struct sweep_answer *answer = &w->d.answer;
	struct str name = answer->mailbox->name;
	struct folder *f = &w->server.folders[name.data[1] - '0'];
	enum view_news news;
	struct view view;

	assert_true(f->wanted);
	assert_int_equal(answer->verdict, SWEEP_SEEN);
	view_init(&view, STR("anna"), name);
	view_status(&view, &answer->status);
	news = view_compare(f->has_stored ? &f->stored : NULL, &view.now,
	                    false);
	if (!f->has_stored) /* what is there is old */
		f->rung = view.now.uidnext - 1;
	if (news == VIEW_NEW)
		f->rung = f->count;
	f->stored = view.now;
	f->has_stored = true;
	assert_true(f->stored.uidnext - 1 <= f->rung);
}

static void hear(struct world *w, struct str line)
{
	enum view_news news = VIEW_SAME;
	struct err_detail why;
	int event = dialogue_feed(&w->d, line, w->now_ms, &news, &why);

	if (event < 0)
		fail_msg("%s: %s", w->server.style->name, why.text);
	if (event == DIALOGUE_RESYNC) {
		/* The first time: what is there is old. */
		for (size_t i = 0; !w->has_stored && i < w->server.count; i++)
			w->server.mails[i].rung = true;
		news = view_compare(w->has_stored ? &w->stored : NULL,
		                    &w->d.view.now, false);
	}
	report(w, news);
	if (event == DIALOGUE_SWEPT)
		swept(w);
}

/* deliver has the watcher hear one line, if there is one. */
static bool deliver(struct world *w)
{
	struct buf *out = &w->server.out;
	struct str line = buf_str(out);
	char copy[256];

	line.len = str_find(line, '\n') + 1;
	if (out->len == 0)
		return false;
	assert_true(line.len < sizeof(copy));
	memcpy(copy, line.data, line.len);
	line.data = copy;
	buf_consume(out, line.len);
	hear(w, line);
	return true;
}

/* obey has the server take one line, if there is one. */
static bool obey(struct world *w)
{
	struct buf *said = &w->d.out;
	struct str line = buf_str(said);
	size_t len = str_find(line, '\n') + 1;

	if (said->len == 0)
		return false;
	line.len = len - 2;
	run_command(&w->server, line);
	buf_consume(said, len);
	return true;
}

/* tell_wishes has the dialogue know what is wanted; what is not is forgotten.
 */
static void tell_wishes(struct world *w)
{
	struct store_mailbox wanted[FOLDERS];
	size_t count = 0;

	for (size_t i = 0; i < FOLDERS; i++) {
		struct folder *f = &w->server.folders[i];

		f->has_stored = f->has_stored && f->wanted;
		wanted[count].name = str_of(folder_names[i]);
		wanted[count].proved = true;
		count += f->wanted;
	}
	dialogue_want(&w->d, wanted, count, w->now_ms);
}

static void connect_to(struct world *w)
{
	const struct dialogue_opts opts = { RENEW_MS, POLL_MS, false };

	w->server.selected = false;
	w->server.idle = false;
	w->server.known_count = 0;
	buf_clear(&w->server.out);
	dialogue_init(&w->d, &opts, STR("anna"), STR("INBOX"));
	tell_wishes(w);
	dialogue_begin(&w->d, str_of(w->server.style->capabilities), w->now_ms);
}

static void lose_connection(struct world *w)
{
	check_stored(w);
	dialogue_done(&w->d);
	connect_to(w);
}

/* Nature. */

static void mail_comes(struct world *w)
{
	struct server *s = &w->server;

	if (s->count == MAILS_MAX)
		return;
	s->mails[s->count] = (struct mail){ .uid = (uint32_t)s->count + 1 };
	s->count++;
}

static void mail_goes(struct world *w)
{
	if (w->server.count > 0)
		w->server.mails[draw(w, (uint32_t)w->server.count)].gone = true;
}

static void mail_is_read(struct world *w)
{
	if (w->server.count > 0)
		w->server.mails[draw(w, (uint32_t)w->server.count)].flagged =
			true;
}

static void folder_gets_mail(struct world *w)
{
	w->server.folders[draw(w, FOLDERS)].count++;
}

static void wish_changes(struct world *w)
{
	struct folder *f = &w->server.folders[draw(w, FOLDERS)];

	if (dialogue_sweeps(&w->d) || draw(w, 4) > 0)
		return;
	f->wanted = !f->wanted;
	tell_wishes(w);
}

/* time_passes, at most to when the dialogue wants to be called; the server is
 * never so slow that it would give up. */
static void time_passes(struct world *w)
{
	struct err_detail why;
	uint64_t ms = draw(w, 3000);

	if (!dialogue_listens(&w->d))
		ms = 1;
	if (w->d.due_ms - w->now_ms > ms && draw(w, 4) > 0) {
		w->now_ms += ms;
		return;
	}
	if (!dialogue_listens(&w->d))
		return;
	w->now_ms = w->d.due_ms;
	if (w->d.out.len == 0)
		assert_ok(dialogue_due(&w->d, w->now_ms, &why));
}

static void step(struct world *w)
{
	switch (draw(w, 18)) {
	case 0:
	case 1:
		mail_comes(w);
		break;
	case 2:
		mail_goes(w);
		break;
	case 3:
		mail_is_read(w);
		break;
	case 4:
		if (draw(w, 4) == 0)
			lose_connection(w);
		break;
	case 5:
		if (w->server.idle && w->d.state == DIALOGUE_IDLE)
			tell_changes(&w->server);
		break;
	case 6:
	case 7:
		time_passes(w);
		break;
	case 8:
	case 9:
	case 10:
		(void)obey(w);
		break;
	case 11:
		folder_gets_mail(w);
		break;
	case 12:
		wish_changes(w);
		break;
	default:
		(void)deliver(w);
		break;
	}
}

/* settle lets all be said, and waits for one renewal or poll and one look. */
static void settle(struct world *w)
{
	struct err_detail why;

	for (int i = 0; i < 4; i++) {
		while (obey(w) || deliver(w))
			;
		assert_true(dialogue_listens(&w->d));
		w->now_ms = w->d.due_ms;
		assert_ok(dialogue_due(&w->d, w->now_ms, &why));
	}
	while (obey(w) || deliver(w))
		;
}

static void live(const struct style *style, uint64_t seed)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->random = seed * 0x9e3779b97f4a7c15ULL + 1;
	w->now_ms = 1000000;
	w->server.style = style;
	buf_init(&w->server.out, OUT_MAX);
	for (uint32_t n = draw(w, 5); n > 0; n--)
		mail_comes(w);
	connect_to(w);
	for (int i = 0; i < STEPS; i++)
		step(w);
	settle(w);
	for (size_t i = 0; i < w->server.count; i++) {
		if (!w->server.mails[i].rung && !w->server.mails[i].gone)
			fail_msg("%s, seed %" PRIu64 ": uid %" PRIu32
			         " never rang",
			         style->name, seed, w->server.mails[i].uid);
	}
	for (size_t i = 0; i < FOLDERS; i++) {
		const struct folder *f = &w->server.folders[i];

		if (f->wanted && (!f->has_stored || f->rung < f->count))
			fail_msg("%s, seed %" PRIu64 ": %s never rang",
			         style->name, seed, folder_names[i]);
	}
	assert_int_equal(w->d.view.now.messages, present(&w->server));
	assert_true(w->d.view.now.uidnext <= uidnext_of(&w->server));
	assert_true(w->news > 0);
	dialogue_done(&w->d);
	buf_reset(&w->server.out);
	free(w);
}

static void no_mail_is_missed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
		for (uint64_t seed = 1; seed <= SEEDS; seed++)
			live(&styles[i], seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mail_is_missed),
	};

	return cmocka_run_group_tests_name("dialogue_model", tests, NULL, NULL);
}
