/* SPDX-License-Identifier: ISC */
/*
 * A server that is watched, as a script (input.h): "|b" and what it says, "|t"
 * and how much time passes, "|w" and the mailboxes besides INBOX that are
 * wanted from now on, commas between them. The head is the capability list that
 * its login told; "+" before it: a state of the mailbox is stored.
 *
 * One command is outstanding at a time, or one batch of STATUS; DONE goes out
 * only after IDLE's "+"; something is always due; more messages than before are
 * news; no UIDNEXT is held above what the server let us know; each mailbox that
 * was asked for has one answer.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/mailbox.h"
#include "imap/reader.h"
#include "watch/dialogue.h"

#define RESPONSE_MAX ((size_t)64 * 1024)

enum { BATCH_MAX = 64, WANTED_MAX = 100 };

struct run {
	struct dialogue dialogue;
	struct imap_reader reader;
	uint64_t now_ms;
	bool over;

	/* What was said. */
	uint32_t tag;   /* of the last command */
	uint32_t first; /* of those that were said with it */
	uint64_t open;  /* bits of those that were not answered, from |first| */
	bool sweep;     /* they are STATUS, all of them */
	bool idle;      /* it is IDLE */
	bool plus;      /* which was granted */

	/* What the server let us know. */
	uint64_t uidnext;
	bool resynced;
};

/* take_command reads a command that is to be sent; |alone|: no other was said
 * before it. */
static void take_command(struct run *r, struct str line, bool alone)
{
	uint64_t number;

	assert(str_byte(&line, 'W'));
	must(str_number(&line, UINT32_MAX, &number));
	assert(number == r->tag + 1);
	assert(str_byte(&line, ' ') && str_ends(line, STR("\r\n")));
	r->tag = (uint32_t)number;
	if (alone) {
		assert(r->open == 0);
		r->first = r->tag;
	}
	r->sweep = str_starts(line, STR("STATUS ")) && r->resynced;
	assert(alone || r->sweep);
	assert(r->tag - r->first < BATCH_MAX);
	r->open |= UINT64_C(1) << (r->tag - r->first);
	r->idle = str_eq(line, STR("IDLE\r\n"));
	r->plus = false;
}

static void take_out(struct run *r)
{
	struct str out = buf_str(&r->dialogue.out);
	bool alone = true;

	while (out.len > 0) {
		struct str line = str_take(&out, str_find(out, '\n') + 1);

		if (str_eq(line, STR("DONE\r\n"))) {
			assert(r->open != 0 && r->idle && r->plus);
			r->plus = false; /* once */
			continue;
		}
		take_command(r, line, alone);
		alone = false;
	}
	buf_reset(&r->dialogue.out);
}

static void check_state(const struct run *r)
{
	const struct view *v = &r->dialogue.view;

	assert(dialogue_state_name(r->dialogue.state) != NULL);
	assert(r->dialogue.due_ms >= r->now_ms);
	assert(r->dialogue.due_ms != DIALOGUE_NEVER);
	assert(dialogue_listens(&r->dialogue) ==
	       (r->open == 0 || (r->idle && r->plus)));
	assert(!dialogue_sweeps(&r->dialogue) || r->open != 0);
	assert(v->now.uidnext <= r->uidnext);
	assert(v->now.messages == STORE_UNKNOWN ||
	       (v->now.messages >= 0 && v->now.messages <= UINT32_MAX));
	assert(v->settled == 0 || v->settled <= v->now.messages);
}

/* learn_uidnext: whatever a server says of a UID makes UIDNEXT higher. */
static void learn_uidnext(struct run *r, const struct imap_response *said)
{
	struct imap_status_data status = { .has = 0 };
	struct imap_fetch_data fetch = { .has_uid = false };
	struct str rest;
	struct buf name;
	uint64_t seen = 0;

	buf_init(&name, RESPONSE_MAX);
	if (imap_response_status_data(said, &name, &status) == ERR_OK &&
	    imap_mailbox_is_inbox(buf_str(&name)))
		seen = status.uidnext;
	else if (imap_response_fetch_data(said, &fetch) == ERR_OK)
		seen = fetch.has_uid ? (uint64_t)fetch.uid + 1 : 0;
	else if (imap_response_code(said, STR("UIDNEXT"), &rest) &&
	         str_number(&rest, UINT32_MAX, &seen) != ERR_OK)
		seen = 0;
	if (seen > r->uidnext)
		r->uidnext = seen;
	buf_reset(&name);
}

/* is_growth: it announces messages that were not there. */
static bool is_growth(const struct run *r, const struct imap_response *said)
{
	const struct view *v = &r->dialogue.view;

	return v->phase == VIEW_OPEN && imap_response_is(said, STR("EXISTS")) &&
	       said->has_number && said->number <= UINT32_MAX &&
	       v->now.messages != STORE_UNKNOWN &&
	       said->number > (uint64_t)v->now.messages;
}

static void resync(struct run *r, bool stored)
{
	struct store_state state = {
		.uidvalidity = 1, .uidnext = 5, .messages = 3, .unseen = 1
	};

	assert(!r->resynced);
	r->resynced = true;
	if (stored && r->uidnext < state.uidnext)
		r->uidnext = state.uidnext;
	(void)view_compare(stored ? &state : NULL, &r->dialogue.view.now,
	                   false);
}

/* settle notes the reply to a command of ours; false if it is none. */
static bool settle(struct run *r, struct str tag)
{
	uint64_t number;
	uint64_t bit;

	if (!str_byte(&tag, 'W') ||
	    str_number(&tag, UINT32_MAX, &number) != ERR_OK || tag.len > 0 ||
	    number < r->first || number - r->first >= BATCH_MAX)
		return false;
	bit = UINT64_C(1) << (number - r->first);
	if ((r->open & bit) == 0)
		return false;
	r->open &= ~bit;
	return true;
}

/* heard notes what |said| settles or grants. Tells whether it is a reply. */
static bool heard(struct run *r, const struct imap_response *said)
{
	if (said->cls == IMAP_CLASS_CONTINUATION && r->idle &&
	    r->dialogue.state == DIALOGUE_ASKED)
		r->plus = true;
	return said->cls == IMAP_CLASS_TAGGED && settle(r, said->tag);
}

/* check_swept: the answer is about a mailbox that is wanted. */
static void check_swept(const struct run *r, const struct imap_response *said)
{
	const struct sweep_answer *a = &r->dialogue.answer;
	const struct sweep *sweep = &r->dialogue.sweep;

	assert(a->mailbox >= sweep->mailboxes);
	assert(a->mailbox < sweep->mailboxes + sweep->count);
	assert(!imap_mailbox_is_inbox(a->mailbox->name));
	assert((said->status == IMAP_STATUS_OK) || a->verdict != SWEEP_SEEN);
	assert((said->status != IMAP_STATUS_OK) || a->verdict != SWEEP_REFUSED);
}

/* check_event: what came of |said|. */
static void check_event(struct run *r, const struct imap_response *said,
                        int event, enum view_news news)
{
	assert((event == DIALOGUE_NEWS) == (news != VIEW_SAME));
	assert(event != DIALOGUE_NEWS || r->resynced);
	if (event == DIALOGUE_SWEPT)
		check_swept(r, said);
}

static void take_response(struct run *r, struct str response, bool stored)
{
	enum view_news news = VIEW_SAME;
	struct err_detail why = { "" };
	struct imap_response said;
	bool is_sweep = r->sweep;
	bool is_reply;
	bool is_news;
	int event;

	if (imap_response_parse(response, &said) != ERR_OK)
		said = (struct imap_response){ .cls = IMAP_CLASS_OTHER };
	is_news = is_growth(r, &said);
	learn_uidnext(r, &said);
	is_reply = heard(r, &said);
	event = dialogue_feed(&r->dialogue, response, r->now_ms, &news, &why);
	r->over = event < 0;
	assert(r->over == (why.text[0] != '\0'));
	assert(r->over || !is_news || news == VIEW_NEW);
	/* A reply that nobody asked for is the end. */
	assert(r->over || is_reply || said.cls != IMAP_CLASS_TAGGED);
	assert((event == DIALOGUE_SWEPT) == (is_reply && is_sweep));
	check_event(r, &said, event, news);
	if (event == DIALOGUE_RESYNC)
		resync(r, stored);
	take_out(r);
	if (!r->over)
		check_state(r);
}

static void take_bytes(struct run *r, struct str bytes, bool stored)
{
	struct cutter cutter;
	struct str piece;
	struct str response;

	cutter_init(&cutter, bytes, CUTS_RANDOM);
	while (cutter_next(&cutter, &piece))
		while (!r->over && imap_reader_next(&r->reader, &piece,
		                                    &response) == ERR_OK)
			take_response(r, response, stored);
}

/* pass moves the clock, with a call when something is due. */
static void pass(struct run *r, uint64_t ms)
{
	uint64_t until = r->now_ms + ms;
	struct err_detail why = { "" };

	while (!r->over && r->dialogue.due_ms <= until) {
		r->now_ms = r->dialogue.due_ms;
		r->over = dialogue_due(&r->dialogue, r->now_ms, &why) != ERR_OK;
		assert(r->over == (why.text[0] != '\0'));
		take_out(r);
		assert(r->over || r->dialogue.due_ms > r->now_ms);
	}
	r->now_ms = until;
}

/* add adds |name| to the |count| that are sorted, once. */
static size_t add(struct store_mailbox *list, size_t count, struct str name)
{
	size_t at = 0;

	while (at < count && str_cmp(list[at].name, name) < 0)
		at++;
	if (name.len == 0 || count == WANTED_MAX ||
	    (at < count && str_eq(list[at].name, name)))
		return count;
	memmove(list + at + 1, list + at, (count - at) * sizeof(*list));
	list[at] = (struct store_mailbox){ .name = name, .proved = true };
	return count + 1;
}

static void want(struct run *r, struct str names)
{
	struct store_mailbox list[WANTED_MAX + 1];
	size_t count = 1;

	if (dialogue_sweeps(&r->dialogue))
		return;
	list[0] = (struct store_mailbox){ .name = STR("INBOX") };
	while (names.len > 0) {
		struct str name = str_take(&names, str_find(names, ','));

		(void)str_byte(&names, ',');
		count = 1 + add(list + 1, count - 1, name);
	}
	dialogue_want(&r->dialogue, list, count, r->now_ms);
	take_out(r);
	check_state(r);
}

/* leave: a goodbye only where nothing is outstanding. */
static void leave(struct run *r)
{
	bool listens = dialogue_listens(&r->dialogue);
	struct str out;

	dialogue_leave(&r->dialogue);
	out = buf_str(&r->dialogue.out);
	assert(listens == str_ends(out, STR(" LOGOUT\r\n")));
	assert(str_starts(out, STR("DONE\r\n")) ==
	       (listens && r->idle && r->open != 0));
	assert(listens || out.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct dialogue_opts opts = { .renew_ms = 1740 * 1000,
		                            .poll_ms = 60 * 1000 };
	struct str script = str_new(data, size);
	struct str capabilities = script_head(&script);
	bool stored = str_byte(&capabilities, '+');
	struct run r = { .now_ms = 1000 };
	struct step step;

	dialogue_init(&r.dialogue, &opts, STR("user"), STR("INBOX"));
	imap_reader_init(&r.reader, RESPONSE_MAX);
	dialogue_begin(&r.dialogue, capabilities, r.now_ms);
	take_out(&r);
	check_state(&r);
	while (!r.over && script_next(&script, &step)) {
		if (step.op == 'b')
			take_bytes(&r, step.octets, stored);
		else if (step.op == 't')
			pass(&r, step_ms(&step));
		else if (step.op == 'w')
			want(&r, step.octets);
	}
	if (!r.over)
		leave(&r);
	imap_reader_done(&r.reader);
	dialogue_done(&r.dialogue);
	return 0;
}
