/* SPDX-License-Identifier: ISC */
/*
 * dialogue - one command at a time, so that a reply can only be the reply to
 * it; only questions of a sweep go together, each with a tag of its own. Does
 * not know users, the store or how bytes travel. RFC 9051 section 6, RFC 2177,
 * RFC 6154 section 5.
 */
#include "watch/dialogue.h"

#include <assert.h>
#include <inttypes.h>

#include "base/log.h"
#include "imap/capability.h"
#include "imap/mailbox.h"

enum {
	/* Every command is answered within this time, however slow. */
	DIALOGUE_REPLY_MS = 60 * 1000,
	/* UID FETCH is asked at most this often: mail that comes in a burst,
	 * or a server that announces without end, costs it no more. */
	DIALOGUE_LOOK_MS = 1000,
	/* A new mailbox is asked for so soon, and none any sooner: whoever
	 * registers ever new ones costs the server one sweep a second, and
	 * what is told twice was told in two seconds. */
	DIALOGUE_SOON_MS = 1000,
	DIALOGUE_LIST_MAX = 64 * 1024,
};

#define TO(state) (1U << DIALOGUE_##state)
#define TO_NEXT (TO(LOOK) | TO(USES) | TO(SWEEP) | TO(ASKED) | TO(REST))

typedef int reply_fn(struct dialogue *d, const struct imap_response *r,
                     uint64_t now_ms);

static reply_fn on_capability_reply, on_status_reply, on_examine_reply,
	on_look_reply, on_uses_reply, on_sweep_reply, on_idle_reply,
	on_done_reply, on_noop_reply;

/* One row for each state: its name, where it may lead, and what is done with
 * a tagged reply in it; NULL: none may come. */
static const struct row {
	const char *name;
	unsigned to;
	reply_fn *reply;
} rows[] = {
	[DIALOGUE_START] = { "start", TO(CAPABILITY) | TO(STATUS), NULL },
	[DIALOGUE_CAPABILITY] = { "capability", TO(STATUS),
	                          on_capability_reply },
	[DIALOGUE_STATUS] = { "status", TO(EXAMINE), on_status_reply },
	[DIALOGUE_EXAMINE] = { "examine", TO_NEXT, on_examine_reply },
	[DIALOGUE_LOOK] = { "look", TO_NEXT, on_look_reply },
	[DIALOGUE_USES] = { "uses", TO(SWEEP), on_uses_reply },
	[DIALOGUE_SWEEP] = { "sweep", TO_NEXT, on_sweep_reply },
	[DIALOGUE_ASKED] = { "asked", TO(IDLE) | TO_NEXT, on_idle_reply },
	[DIALOGUE_IDLE] = { "idle", TO(DONE) | TO_NEXT, on_idle_reply },
	[DIALOGUE_DONE] = { "done", TO_NEXT, on_done_reply },
	[DIALOGUE_REST] = { "rest", TO(LOOK) | TO(NOOP), NULL },
	[DIALOGUE_NOOP] = { "noop", TO_NEXT, on_noop_reply },
};

static_assert(sizeof(rows) / sizeof(rows[0]) == DIALOGUE_STATES,
              "every state has a row");

const char *dialogue_state_name(enum dialogue_state state)
{
	return rows[state].name;
}

static void set_state(struct dialogue *d, enum dialogue_state to,
                      uint64_t now_ms)
{
	assert(rows[d->state].to & (1U << to));
	d->state = to;
	d->since_ms = now_ms;
	d->due_ms = now_ms + DIALOGUE_REPLY_MS;
}

/* say sends a command; its reply leads out of the state |to|. */
static void say(struct dialogue *d, enum dialogue_state to, uint64_t now_ms,
                const char *command)
{
	int rc;

	set_state(d, to, now_ms);
	d->tag++;
	rc = buf_printf(&d->out, "W%" PRIu32 " %s\r\n", d->tag, command);
	assert(rc == ERR_OK); /* the owner empties it */
}

static void say_look(struct dialogue *d, uint64_t now_ms)
{
	uint32_t from = view_look_from(&d->view);
	int rc;

	set_state(d, DIALOGUE_LOOK, now_ms);
	view_look_begin(&d->view);
	d->look_from_ms = now_ms + DIALOGUE_LOOK_MS;
	d->tag++;
	if (from == 0)
		rc = buf_printf(&d->out, "W%" PRIu32 " UID FETCH * (UID)\r\n",
		                d->tag);
	else
		rc = buf_printf(&d->out,
		                "W%" PRIu32 " UID FETCH %" PRIu32
		                ":* (UID)\r\n",
		                d->tag, from);
	assert(rc == ERR_OK);
}

static void say_done(struct dialogue *d, uint64_t now_ms)
{
	int rc;

	/* Never before "+": Cyrus 3.6 then answers neither of the two. */
	assert(d->state == DIALOGUE_IDLE);
	set_state(d, DIALOGUE_DONE, now_ms);
	rc = buf_adds(&d->out, "DONE\r\n");
	assert(rc == ERR_OK);
}

static bool is_look_due(const struct dialogue *d, uint64_t now_ms)
{
	return view_look_wanted(&d->view) && now_ms >= d->look_from_ms;
}

static bool is_sweep_due(const struct dialogue *d, uint64_t now_ms)
{
	return d->sweep.count > 0 && now_ms >= d->sweep_from_ms;
}

/* listen_until sets when listening ends: after |ms|, or for a look or a
 * sweep. */
static void listen_until(struct dialogue *d, uint64_t ms)
{
	d->due_ms = d->since_ms + ms;
	if (view_look_wanted(&d->view) && d->look_from_ms < d->due_ms)
		d->due_ms = d->look_from_ms;
	if (d->sweep.count > 0 && d->sweep_from_ms < d->due_ms)
		d->due_ms = d->sweep_from_ms;
}

static void next(struct dialogue *d, uint64_t now_ms);

/* end_round: from its end, so that INBOX is listened to in any case. */
static void end_round(struct dialogue *d, uint64_t now_ms)
{
	uint64_t ms = d->opts.poll_ms;

	if (d->sweep_again || ms < DIALOGUE_SOON_MS)
		ms = DIALOGUE_SOON_MS;
	d->sweep_again = false;
	d->sweep_from_ms = now_ms + ms;
	next(d, now_ms);
}

/* say_sweep asks the next questions, or goes on if there are none. */
static void say_sweep(struct dialogue *d, uint64_t now_ms)
{
	size_t asked = sweep_ask(&d->sweep, d->tag + 1, &d->out);

	if (asked > 0) {
		set_state(d, DIALOGUE_SWEEP, now_ms);
		d->tag += (uint32_t)asked;
	} else {
		end_round(d, now_ms);
	}
}

/* begin_sweep learns the uses first, once for each list of mailboxes. */
static void begin_sweep(struct dialogue *d, uint64_t now_ms)
{
	if (d->uses_known || !d->tells_uses) {
		say_sweep(d, now_ms);
		return;
	}
	d->uses_known = true;
	sweep_forget_uses(&d->sweep);
	say(d, DIALOGUE_USES, now_ms,
	    "LIST (SPECIAL-USE) \"\" \"*\" RETURN (SPECIAL-USE)");
}

/* next decides what comes when nothing is outstanding. */
static void next(struct dialogue *d, uint64_t now_ms)
{
	if (is_look_due(d, now_ms)) {
		say_look(d, now_ms);
	} else if (is_sweep_due(d, now_ms)) {
		begin_sweep(d, now_ms);
	} else if (now_ms >= d->idle_from_ms) {
		say(d, DIALOGUE_ASKED, now_ms, "IDLE");
	} else {
		set_state(d, DIALOGUE_REST, now_ms);
		view_settle(&d->view);
		listen_until(d, d->opts.poll_ms);
	}
}

/* wake ends listening. */
static void wake(struct dialogue *d, uint64_t now_ms)
{
	if (d->state == DIALOGUE_IDLE)
		say_done(d, now_ms);
	else if (is_look_due(d, now_ms))
		say_look(d, now_ms);
	else
		say(d, DIALOGUE_NOOP, now_ms, "NOOP");
}

/* heard is called after each response while we listen: a look or a sweep that
 * is wanted is taken at once, or as soon as another is allowed. */
static void heard(struct dialogue *d, uint64_t now_ms)
{
	bool idle = d->state == DIALOGUE_IDLE;

	if (is_look_due(d, now_ms) || is_sweep_due(d, now_ms))
		wake(d, now_ms);
	else
		listen_until(d, idle ? d->opts.renew_ms : d->opts.poll_ms);
}

static void note_capabilities(struct dialogue *d, struct str list)
{
	d->idle_from_ms =
		imap_capability_has(list, STR("IDLE")) ? 0 : DIALOGUE_NEVER;
	d->tells_uses = imap_capability_has(list, STR("SPECIAL-USE"));
}

/* tag_number is the number of a tag of ours; 0, which no command has: it is
 * none. */
static uint32_t tag_number(struct str tag)
{
	uint64_t number;

	if (!str_byte(&tag, 'W') ||
	    str_number(&tag, UINT32_MAX, &number) != ERR_OK || tag.len > 0)
		return 0;
	return (uint32_t)number;
}

static int on_capability_reply(struct dialogue *d,
                               const struct imap_response *r, uint64_t now_ms)
{
	(void)r; /* refused: then there is no IDLE */
	say(d, DIALOGUE_STATUS, now_ms,
	    "STATUS INBOX (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)");
	return DIALOGUE_NOTHING;
}

static int on_status_reply(struct dialogue *d, const struct imap_response *r,
                           uint64_t now_ms)
{
	if (r->status != IMAP_STATUS_OK || !d->status_told)
		return ERR_UNAVAILABLE;
	view_open_begin(&d->view);
	say(d, DIALOGUE_EXAMINE, now_ms, "EXAMINE INBOX");
	return DIALOGUE_RESYNC;
}

static int on_examine_reply(struct dialogue *d, const struct imap_response *r,
                            uint64_t now_ms)
{
	if (r->status != IMAP_STATUS_OK)
		return ERR_UNAVAILABLE;
	d->news = view_opened(&d->view);
	next(d, now_ms);
	return DIALOGUE_NOTHING;
}

static int on_look_reply(struct dialogue *d, const struct imap_response *r,
                         uint64_t now_ms)
{
	(void)r; /* refused: a UIDNEXT that lags only rings once more */
	d->news = view_look_end(&d->view);
	next(d, now_ms);
	return DIALOGUE_NOTHING;
}

static int on_uses_reply(struct dialogue *d, const struct imap_response *r,
                         uint64_t now_ms)
{
	(void)r; /* refused: then all of them are for mail */
	say_sweep(d, now_ms);
	return DIALOGUE_NOTHING;
}

static int on_sweep_reply(struct dialogue *d, const struct imap_response *r,
                          uint64_t now_ms)
{
	sweep_reply(&d->sweep, tag_number(r->tag), r, &d->answer);
	d->due_ms = now_ms + DIALOGUE_REPLY_MS;
	if (d->sweep.open == 0)
		say_sweep(d, now_ms);
	return DIALOGUE_SWEPT;
}

/* The server ended IDLE, or never began it. */
static int on_idle_reply(struct dialogue *d, const struct imap_response *r,
                         uint64_t now_ms)
{
	if (r->status != IMAP_STATUS_OK)
		d->idle_from_ms = now_ms + d->opts.renew_ms;
	else if (d->state == DIALOGUE_ASKED ||
	         now_ms - d->since_ms < d->opts.poll_ms)
		/* Asking again at once might go on for ever. */
		d->idle_from_ms = now_ms + d->opts.poll_ms;
	next(d, now_ms);
	return DIALOGUE_NOTHING;
}

static int on_done_reply(struct dialogue *d, const struct imap_response *r,
                         uint64_t now_ms)
{
	if (r->status != IMAP_STATUS_OK)
		d->idle_from_ms = now_ms + d->opts.poll_ms;
	next(d, now_ms);
	return DIALOGUE_NOTHING;
}

static int on_noop_reply(struct dialogue *d, const struct imap_response *r,
                         uint64_t now_ms)
{
	if (r->status != IMAP_STATUS_OK)
		return ERR_UNAVAILABLE;
	next(d, now_ms);
	return DIALOGUE_NOTHING;
}

/* The tag must be that of a command that is outstanding. */
static bool is_our_tag(const struct dialogue *d, struct str tag)
{
	uint32_t number = tag_number(tag);

	return d->state == DIALOGUE_SWEEP ? sweep_is_open(&d->sweep, number)
	                                  : number == d->tag;
}

static int on_tagged(struct dialogue *d, const struct imap_response *r,
                     uint64_t now_ms, struct err_detail *why)
{
	const struct row *row = &rows[d->state];
	struct log_text text;
	int event;

	if (row->reply == NULL || !is_our_tag(d, r->tag))
		return err_set(why, ERR_PARSE, "an unexpected tagged reply");
	event = row->reply(d, r, now_ms);
	if (event < 0)
		err_set(why, event, "%s was refused: %s", row->name,
		        log_safe(r->text, &text));
	return event;
}

/* RFC 9051 section 7.3.4. Only the mailbox that was asked for counts. */
static int on_status_data(struct dialogue *d, const struct imap_response *r)
{
	struct imap_status_data data;
	struct buf name;
	int rc;

	buf_init(&name, DIALOGUE_LIST_MAX);
	rc = imap_response_status_data(r, &name, &data);
	if (rc == ERR_OK &&
	    imap_mailbox_eq(buf_str(&name), d->view.now.mailbox)) {
		view_status(&d->view, &data);
		d->status_told = true;
	}
	buf_reset(&name);
	return rc;
}

static int on_capability_data(struct dialogue *d, struct str response)
{
	struct buf list;
	int rc;

	buf_init(&list, DIALOGUE_LIST_MAX);
	rc = imap_capability_list(response, &list);
	if (rc == ERR_OK)
		note_capabilities(d, buf_str(&list));
	buf_reset(&list);
	return rc;
}

/* An untagged response, whatever state we are in: servers tell when they
 * like. */
static int on_untagged(struct dialogue *d, const struct imap_response *r,
                       struct str response)
{
	int rc;

	if (r->status == IMAP_STATUS_BYE)
		return ERR_CLOSED;
	if (d->state == DIALOGUE_STATUS && imap_response_is(r, STR("STATUS")))
		return on_status_data(d, r);
	if (d->state == DIALOGUE_SWEEP && imap_response_is(r, STR("STATUS"))) {
		sweep_status(&d->sweep, r);
		return ERR_OK;
	}
	if (d->state == DIALOGUE_USES && imap_response_is(r, STR("LIST"))) {
		sweep_use(&d->sweep, r);
		return ERR_OK;
	}
	if (d->state == DIALOGUE_CAPABILITY &&
	    imap_response_is(r, STR("CAPABILITY")))
		return on_capability_data(d, response);
	rc = view_response(&d->view, r, &d->news);
	if (rc == ERR_OK && d->view.phase == VIEW_BROKEN)
		return ERR_PARSE;
	return rc;
}

static int dispatch(struct dialogue *d, const struct imap_response *r,
                    struct str response, uint64_t now_ms,
                    struct err_detail *why)
{
	struct log_text text;
	int rc;

	switch (r->cls) {
	case IMAP_CLASS_CONTINUATION:
		if (d->state == DIALOGUE_ASKED) {
			set_state(d, DIALOGUE_IDLE, now_ms);
			view_settle(&d->view);
			heard(d, now_ms);
		}
		return DIALOGUE_NOTHING;
	case IMAP_CLASS_TAGGED:
		return on_tagged(d, r, now_ms, why);
	case IMAP_CLASS_STATUS:
	case IMAP_CLASS_DATA:
		rc = on_untagged(d, r, response);
		if (rc != ERR_OK)
			return err_set(why, rc, "%s: %s",
			               rc == ERR_CLOSED
			                       ? "the server said"
			                       : "a response makes no sense",
			               log_safe(response, &text));
		if (dialogue_listens(d))
			heard(d, now_ms);
		return DIALOGUE_NOTHING;
	case IMAP_CLASS_NONE:
	case IMAP_CLASS_OTHER:
		break;
	}
	return err_set(why, ERR_PARSE, "not IMAP: %s",
	               log_safe(response, &text));
}

int dialogue_feed(struct dialogue *d, struct str response, uint64_t now_ms,
                  enum view_news *news_r, struct err_detail *why)
{
	struct imap_response r;
	struct log_text text;
	int event;

	if (imap_response_parse(response, &r) != ERR_OK)
		return err_set(why, ERR_PARSE, "not IMAP: %s",
		               log_safe(response, &text));
	d->news = VIEW_SAME;
	event = dispatch(d, &r, response, now_ms, why);
	if (event == DIALOGUE_NOTHING && d->news != VIEW_SAME) {
		*news_r = d->news;
		return DIALOGUE_NEWS;
	}
	return event;
}

int dialogue_due(struct dialogue *d, uint64_t now_ms, struct err_detail *why)
{
	if (dialogue_listens(d)) {
		wake(d, now_ms);
		return ERR_OK;
	}
	return err_set(why, ERR_TIMEOUT, "no answer to %s within %d s",
	               rows[d->state].name, DIALOGUE_REPLY_MS / 1000);
}

bool dialogue_listens(const struct dialogue *d)
{
	return d->state == DIALOGUE_IDLE || d->state == DIALOGUE_REST;
}

void dialogue_leave(struct dialogue *d)
{
	int rc = ERR_OK;

	if (!dialogue_listens(d))
		return; /* a goodbye would wait behind a command */
	if (d->state == DIALOGUE_IDLE)
		rc = buf_adds(&d->out, "DONE\r\n");
	d->tag++;
	if (rc == ERR_OK)
		rc = buf_printf(&d->out, "W%" PRIu32 " LOGOUT\r\n", d->tag);
	assert(rc == ERR_OK);
}

void dialogue_init(struct dialogue *d, const struct dialogue_opts *opts,
                   struct str user, struct str mailbox)
{
	*d = (struct dialogue){
		.state = DIALOGUE_START,
		.opts = *opts,
		.due_ms = DIALOGUE_NEVER,
		.idle_from_ms = DIALOGUE_NEVER,
	};
	view_init(&d->view, user, mailbox);
	sweep_init(&d->sweep);
	buf_init(&d->out, SWEEP_BATCH_BYTES);
}

void dialogue_done(struct dialogue *d)
{
	sweep_done(&d->sweep);
	buf_reset(&d->out);
}

/* hasten_sweep has the next round begin soon, if it is not due earlier. */
static void hasten_sweep(struct dialogue *d, uint64_t now_ms)
{
	uint64_t soon_ms = now_ms + DIALOGUE_SOON_MS;

	if (soon_ms < d->sweep_from_ms)
		d->sweep_from_ms = soon_ms;
}

void dialogue_want(struct dialogue *d, const struct store_mailbox *wanted,
                   size_t count, uint64_t now_ms)
{
	if (sweep_set(&d->sweep, wanted, count)) {
		d->uses_known = false;
		hasten_sweep(d, now_ms);
	}
	if (dialogue_listens(d))
		heard(d, now_ms);
}

const struct sweep_mailbox *dialogue_suspect(const struct dialogue *d)
{
	return sweep_suspect(&d->sweep);
}

void dialogue_sweep_soon(struct dialogue *d, uint64_t now_ms)
{
	if (dialogue_sweeps(d)) {
		d->sweep_again = true;
		return;
	}
	hasten_sweep(d, now_ms); /* that was the last answer of the round */
	if (dialogue_listens(d))
		heard(d, now_ms);
}

bool dialogue_sweeps(const struct dialogue *d)
{
	return d->state == DIALOGUE_USES || d->state == DIALOGUE_SWEEP;
}

void dialogue_begin(struct dialogue *d, struct str capabilities,
                    uint64_t now_ms)
{
	if (d->opts.inbox_first)
		d->sweep_from_ms = now_ms + d->opts.poll_ms;
	if (capabilities.len == 0) {
		say(d, DIALOGUE_CAPABILITY, now_ms, "CAPABILITY");
		return;
	}
	note_capabilities(d, capabilities);
	say(d, DIALOGUE_STATUS, now_ms,
	    "STATUS INBOX (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)");
}
