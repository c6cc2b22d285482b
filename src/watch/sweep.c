/* SPDX-License-Identifier: ISC */
/*
 * sweep - one round of STATUS (RFC 9051 section 6.3.11) over a list, a batch at
 * a time. Knows neither what the numbers mean nor when it is time for a round.
 */
#include "watch/sweep.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "imap/emit.h"
#include "imap/mailbox.h"
#include "imap/xaps.h"

enum {
	/* Enough to hide the length of a line. */
	SWEEP_BATCH = 64,
	/* A name in an answer. */
	SWEEP_NAME_MAX = 4096,
};

static_assert(SWEEP_BATCH_BYTES > 2 * IMAP_XAPS_MAILBOX_MAX + 128,
              "one question always fits");

void sweep_init(struct sweep *s)
{
	*s = (struct sweep){ .count = 0 };
}

static void free_mailboxes(struct sweep_mailbox **mailboxes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		str_free(&(*mailboxes)[i].name);
	free(*mailboxes);
	*mailboxes = NULL;
}

void sweep_done(struct sweep *s)
{
	free_mailboxes(&s->mailboxes, s->count);
	sweep_init(s);
}

/* is_swept: nothing else is ever registered, but a store may hold anything. */
static bool is_swept(struct str name)
{
	return !imap_mailbox_is_inbox(name) && imap_quotable(name) &&
	       name.len <= IMAP_XAPS_MAILBOX_MAX;
}

/* take_over gives |new| what was known of it in |old|, |*at| being the place
 * up to which that was searched; both are sorted. Tells whether it was there.
 */
static bool take_over(struct sweep_mailbox *new, const struct sweep *old,
                      size_t *at)
{
	while (*at < old->count &&
	       str_cmp(old->mailboxes[*at].name, new->name) < 0)
		(*at)++;
	if (*at == old->count || !str_eq(old->mailboxes[*at].name, new->name))
		return false;
	new->is_used = old->mailboxes[*at].is_used;
	new->uidvalidity = old->mailboxes[*at].uidvalidity;
	return true;
}

bool sweep_set(struct sweep *s, const struct store_mailbox *wanted,
               size_t count)
{
	struct sweep old = *s;
	bool has_new = false;
	size_t at = 0;

	assert(s->open == 0);
	sweep_init(s);
	s->mailboxes = xcalloc(count, sizeof(*s->mailboxes));
	for (size_t i = 0; i < count; i++) {
		struct sweep_mailbox *new = &s->mailboxes[s->count];

		if (!is_swept(wanted[i].name))
			continue;
		new->name = str_dup(wanted[i].name);
		new->is_proved = wanted[i].proved;
		has_new |= !take_over(new, &old, &at);
		s->count++;
	}
	free_mailboxes(&old.mailboxes, old.count);
	return has_new;
}

/* add_question appends one; nothing if it does not fit. */
static int add_question(struct buf *out, uint32_t tag, struct str name)
{
	size_t start = out->len;
	int rc;

	rc = buf_printf(out, "W%" PRIu32 " STATUS ", tag);
	if (rc == ERR_OK)
		rc = imap_quote(name, out);
	if (rc == ERR_OK)
		rc = buf_adds(out,
		              " (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n");
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

size_t sweep_ask(struct sweep *s, uint32_t tag, struct buf *out)
{
	assert(s->open == 0);
	s->first = s->end;
	s->tag = tag;
	while (s->end < s->count && s->open < SWEEP_BATCH) {
		struct sweep_mailbox *m = &s->mailboxes[s->end];

		if (add_question(out, tag++, m->name) != ERR_OK)
			break; /* the next batch has room */
		m->is_open = true;
		m->is_told = false;
		s->end++;
		s->open++;
	}
	if (s->open == 0)
		s->end = 0;
	return s->open;
}

bool sweep_is_open(const struct sweep *s, uint32_t tag)
{
	return tag - s->tag < s->end - s->first &&
	       s->mailboxes[s->first + (tag - s->tag)].is_open;
}

const struct sweep_mailbox *sweep_suspect(const struct sweep *s)
{
	for (size_t i = s->first; i < s->end; i++)
		if (s->mailboxes[i].is_open)
			return &s->mailboxes[i];
	return NULL;
}

/* find_name finds the mailbox |name| among the |count| from |m| on, or NULL. */
static struct sweep_mailbox *find_name(struct sweep_mailbox *m, size_t count,
                                       struct str name)
{
	for (; count > 0; m++, count--)
		if (str_eq(m->name, name))
			return m;
	return NULL;
}

/* find_told does so by what a server calls it: Dovecot before 2.4.3, for one,
 * may tell a name in UTF-8. */
static struct sweep_mailbox *find_told(struct sweep_mailbox *m, size_t count,
                                       struct str told)
{
	struct sweep_mailbox *found = find_name(m, count, told);
	struct buf utf7;

	buf_init(&utf7, SWEEP_NAME_MAX);
	if (found == NULL && imap_mailbox_utf7(told, &utf7) == ERR_OK)
		found = find_name(m, count, buf_str(&utf7));
	buf_reset(&utf7);
	return found;
}

void sweep_status(struct sweep *s, const struct imap_response *r)
{
	struct imap_status_data data;
	struct sweep_mailbox *m;
	struct buf name;

	buf_init(&name, SWEEP_NAME_MAX);
	if (imap_response_status_data(r, &name, &data) == ERR_OK) {
		m = find_told(s->mailboxes + s->first, s->end - s->first,
		              buf_str(&name));
		if (m != NULL) {
			m->is_told = true;
			m->status = data;
		}
	}
	buf_reset(&name);
}

void sweep_reply(struct sweep *s, uint32_t tag, const struct imap_response *r,
                 struct sweep_answer *answer_r)
{
	struct sweep_mailbox *m;

	assert(sweep_is_open(s, tag));
	m = &s->mailboxes[s->first + (tag - s->tag)];
	m->is_open = false;
	s->open--;
	answer_r->mailbox = m;
	answer_r->status = m->status;
	answer_r->uidvalidity = m->uidvalidity;
	if (r->status != IMAP_STATUS_OK)
		answer_r->verdict = imap_response_is_final(r) ? SWEEP_REFUSED
		                                              : SWEEP_UNKNOWN;
	else
		answer_r->verdict = m->is_told ? SWEEP_SEEN : SWEEP_UNKNOWN;
	if (answer_r->verdict == SWEEP_SEEN &&
	    (m->status.has & IMAP_ITEM_UIDVALIDITY))
		m->uidvalidity = m->status.uidvalidity;
}

void sweep_forget_uses(struct sweep *s)
{
	for (size_t i = 0; i < s->count; i++)
		s->mailboxes[i].is_used = false;
}

void sweep_use(struct sweep *s, const struct imap_response *r)
{
	struct sweep_mailbox *m;
	struct buf name;
	unsigned uses;

	buf_init(&name, SWEEP_NAME_MAX);
	if (imap_response_list_data(r, &name, &uses) == ERR_OK && uses != 0) {
		m = find_told(s->mailboxes, s->count, buf_str(&name));
		if (m != NULL)
			m->is_used = true;
	}
	buf_reset(&name);
}
