/* SPDX-License-Identifier: ISC */
/*
 * view - numbers of one mailbox and how they may move. Knows nothing of
 * connections, commands or time. RFC 9051 sections 2.3.1 and 7.4.
 */
#include "watch/view.h"

#include "base/err.h"

void view_init(struct view *v, struct str user, struct str mailbox)
{
	*v = (struct view){
		.phase = VIEW_CLOSED,
		.now = {
			.user = user,
			.mailbox = mailbox,
			.messages = STORE_UNKNOWN,
			.unseen = STORE_UNKNOWN,
		},
	};
}

void view_status(struct view *v, const struct imap_status_data *data)
{
	struct store_state *now = &v->now;

	if (data->has & IMAP_ITEM_UIDVALIDITY)
		now->uidvalidity = data->uidvalidity;
	if (data->has & IMAP_ITEM_UIDNEXT)
		now->uidnext = data->uidnext;
	if (data->has & IMAP_ITEM_MESSAGES)
		now->messages = data->messages;
	if (data->has & IMAP_ITEM_UNSEEN)
		now->unseen = data->unseen;
}

static bool differ(int64_t a, int64_t b)
{
	return a != STORE_UNKNOWN && b != STORE_UNKNOWN && a != b;
}

/* compare tells what must have happened to make |now| of |before|. */
static enum view_news compare(const struct store_state *before,
                              const struct store_state *now)
{
	if (before->uidvalidity != now->uidvalidity &&
	    before->uidvalidity != 0 && now->uidvalidity != 0)
		return VIEW_NEW; /* another mailbox of that name */
	if (before->uidnext != 0 && now->uidnext > before->uidnext)
		return VIEW_NEW;
	/* A UIDNEXT that fell: restored from a backup. Nobody can tell what is
	 * new in it. */
	if (now->uidnext < before->uidnext ||
	    differ(before->messages, now->messages) ||
	    differ(before->unseen, now->unseen))
		return VIEW_CHANGE;
	if (before->uidvalidity != now->uidvalidity ||
	    before->uidnext != now->uidnext ||
	    before->messages != now->messages || before->unseen != now->unseen)
		return VIEW_STATE;
	return VIEW_SAME;
}

enum view_news view_compare(const struct store_state *stored,
                            struct store_state *now, bool fleeting)
{
	if (fleeting)
		now->uidvalidity = 0;
	if (stored == NULL)
		return VIEW_STATE;
	if (now->uidvalidity == 0 && !fleeting)
		now->uidvalidity = stored->uidvalidity;
	if (now->uidnext == 0 &&
	    (fleeting || now->uidvalidity == stored->uidvalidity))
		now->uidnext = stored->uidnext;
	return compare(stored, now);
}

bool view_is_unopened(const struct store_state *now)
{
	return now->messages != STORE_UNKNOWN &&
	       now->messages + 1 == (int64_t)now->uidnext;
}

void view_open_begin(struct view *v)
{
	v->phase = VIEW_OPENING;
	v->opening.messages = STORE_UNKNOWN;
	v->opening.uidvalidity = 0;
	v->opening.uidnext = 0;
}

enum view_news view_opened(struct view *v)
{
	struct store_state before = v->now;
	struct store_state *now = &v->now;
	/* Courier, which tells no UIDNEXT here: of the moment, perhaps. */
	bool fleeting = v->opening.uidnext == 0 && view_is_unopened(now);
	enum view_news news;

	v->phase = VIEW_OPEN;
	if (fleeting)
		now->uidvalidity = 0;
	else if (v->opening.uidvalidity != 0)
		now->uidvalidity = v->opening.uidvalidity;
	if ((!fleeting && now->uidvalidity != before.uidvalidity) ||
	    v->opening.uidnext > now->uidnext)
		now->uidnext = v->opening.uidnext;
	if (v->opening.messages != STORE_UNKNOWN)
		now->messages = v->opening.messages;
	/* Courier tells no UIDNEXT here: a mail that came after STATUS while
	 * another went would not show in the number of messages. */
	v->look.wanted = v->opening.uidnext == 0;
	news = compare(&before, now);
	if (before.messages != STORE_UNKNOWN &&
	    now->messages > before.messages) {
		news = VIEW_NEW;
		if (v->look.wanted) /* it will find these */
			v->look.rung +=
				(uint32_t)(now->messages - before.messages);
	}
	if (news > VIEW_STATE)
		now->unseen = STORE_UNKNOWN;
	return news;
}

/* RFC 9051 section 7.4.1: `* n EXISTS`. Also repeated by Courier with the
 * number that we know, which is no event. */
static enum view_news view_on_exists(struct view *v, uint32_t messages)
{
	int64_t before = v->now.messages;

	if (messages == before)
		return VIEW_SAME;
	v->now.messages = messages;
	v->now.unseen = STORE_UNKNOWN;
	v->look.wanted = true;
	if (messages > before) {
		if (before != STORE_UNKNOWN)
			v->look.rung += messages - (uint32_t)before;
		return VIEW_NEW;
	}
	/* Fewer without EXPUNGE is not allowed, but has been seen. */
	if (v->settled > messages)
		v->settled = messages;
	return VIEW_CHANGE;
}

static enum view_news view_on_expunge(struct view *v, uint32_t number)
{
	/* A message that we do not know of: the count went wrong. */
	if (number == 0 || number > v->now.messages) {
		v->phase = VIEW_BROKEN;
		return VIEW_SAME;
	}
	v->now.messages--;
	if (number <= v->settled)
		v->settled--;
	v->now.unseen = STORE_UNKNOWN;
	return VIEW_CHANGE;
}

static int view_on_fetch(struct view *v, const struct imap_response *r,
                         enum view_news *news_r)
{
	struct imap_fetch_data data;
	int rc;

	rc = imap_response_fetch_data(r, &data);
	if (rc != ERR_OK)
		return rc;
	/* Each once: changed flags may come with the UID too. */
	if (data.has_uid && data.uid >= v->now.uidnext &&
	    data.uid > v->look.highest) {
		v->look.found++;
		v->look.highest = data.uid;
	}
	if (data.has_flags) {
		v->now.unseen = STORE_UNKNOWN;
		if (r->number <= v->settled)
			*news_r = VIEW_CHANGE;
	}
	return ERR_OK;
}

/* The codes that EXAMINE may be answered with, and what UIDVALIDITY means when
 * it comes later: a new mailbox under our feet. */
static int view_on_code(struct view *v, const struct imap_response *r)
{
	struct str rest;
	uint64_t value;
	uint32_t *opening = NULL;

	if (imap_response_code(r, STR("UIDVALIDITY"), &rest))
		opening = &v->opening.uidvalidity;
	else if (imap_response_code(r, STR("UIDNEXT"), &rest))
		opening = &v->opening.uidnext;
	else
		return ERR_OK;
	if (str_number(&rest, UINT32_MAX, &value) != ERR_OK)
		return ERR_PARSE;
	if (v->phase == VIEW_OPENING)
		*opening = (uint32_t)value;
	else if (opening == &v->opening.uidvalidity &&
	         value != v->now.uidvalidity)
		v->phase = VIEW_BROKEN;
	return ERR_OK;
}

static int view_on_number(struct view *v, const struct imap_response *r,
                          enum view_news *news_r)
{
	/* Sequence numbers and counts are 32 bits (RFC 9051 section 9). */
	if (r->number > UINT32_MAX)
		return ERR_PARSE;
	if (imap_response_is(r, STR("EXISTS"))) {
		if (v->phase == VIEW_OPENING)
			v->opening.messages = (int64_t)r->number;
		else
			*news_r = view_on_exists(v, (uint32_t)r->number);
		return ERR_OK;
	}
	if (v->phase != VIEW_OPEN)
		return ERR_OK;
	if (imap_response_is(r, STR("EXPUNGE")))
		*news_r = view_on_expunge(v, (uint32_t)r->number);
	else if (imap_response_is(r, STR("FETCH")))
		return view_on_fetch(v, r, news_r);
	return ERR_OK;
}

int view_response(struct view *v, const struct imap_response *r,
                  enum view_news *news_r)
{
	enum view_news news = VIEW_SAME;
	int rc = ERR_OK;

	if (v->phase != VIEW_CLOSED && r->cls == IMAP_CLASS_STATUS)
		rc = view_on_code(v, r);
	else if (v->phase != VIEW_CLOSED && r->has_number)
		rc = view_on_number(v, r, &news);
	else if (v->phase == VIEW_OPEN && imap_response_is(r, STR("VANISHED")))
		/* Only after ENABLE QRESYNC, which is never sent: from here on
		 * the number of messages would be a guess. */
		v->phase = VIEW_BROKEN;
	if (rc != ERR_OK)
		return rc;
	*news_r = news;
	return ERR_OK;
}

void view_settle(struct view *v)
{
	v->settled = v->now.messages > 0 ? (uint32_t)v->now.messages : 0;
}

bool view_look_wanted(const struct view *v)
{
	return v->look.wanted;
}

uint32_t view_look_from(const struct view *v)
{
	return v->now.uidnext;
}

void view_look_begin(struct view *v)
{
	v->look.wanted = false;
	v->look.found = 0;
	v->look.highest = 0;
}

enum view_news view_look_end(struct view *v)
{
	bool was_known = v->now.uidnext != 0;
	uint32_t rung = v->look.rung;

	/* What was announced while the answer was on its way may be missing in
	 * it, and is then asked for again. */
	v->look.rung = 0;
	if (v->look.wanted && rung > v->look.found)
		v->look.rung = rung - v->look.found;
	if (v->look.found == 0)
		return VIEW_SAME;
	v->now.uidnext =
		v->look.highest < UINT32_MAX ? v->look.highest + 1 : UINT32_MAX;
	if (was_known && v->look.found > rung) {
		v->now.unseen = STORE_UNKNOWN;
		return VIEW_NEW;
	}
	return VIEW_STATE;
}
