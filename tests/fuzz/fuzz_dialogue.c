/* SPDX-License-Identifier: ISC */
/*
 * A server that is watched, as a script (input.h): "|b" and what it says, "|t"
 * and how much time passes. The head is the capability list that its login
 * told; "+" before it: a state of the mailbox is stored.
 *
 * One command is outstanding at a time, DONE goes out only after IDLE's "+";
 * something is always due; more messages than before are news; and no UIDNEXT
 * is held above what the server let us know.
 */
#include <assert.h>
#include <inttypes.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/mailbox.h"
#include "imap/reader.h"
#include "watch/dialogue.h"

#define RESPONSE_MAX ((size_t)64 * 1024)

struct run {
	struct dialogue dialogue;
	struct imap_reader reader;
	uint64_t now_ms;
	bool over;

	/* What was said. */
	uint32_t tag;     /* of the last command */
	bool outstanding; /* it was not answered yet */
	bool idle;        /* it is IDLE */
	bool plus;        /* which was granted */

	/* What the server let us know. */
	uint64_t uidnext;
	bool resynced;
};

/* take_out reads one line that is to be sent. */
static void take_out_line(struct run *r, struct str line)
{
	uint64_t number;

	if (str_eq(line, STR("DONE\r\n"))) {
		assert(r->outstanding && r->idle && r->plus);
		r->plus = false; /* once */
		return;
	}
	assert(!r->outstanding);
	assert(str_byte(&line, 'W'));
	must(str_number(&line, UINT32_MAX, &number));
	assert(number == r->tag + 1);
	assert(str_byte(&line, ' ') && str_ends(line, STR("\r\n")));
	r->tag = (uint32_t)number;
	r->outstanding = true;
	r->idle = str_eq(line, STR("IDLE\r\n"));
	r->plus = false;
}

static void take_out(struct run *r)
{
	struct str out = buf_str(&r->dialogue.out);

	while (out.len > 0) {
		struct str line = str_take(&out, str_find(out, '\n') + 1);

		take_out_line(r, line);
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
	       (!r->outstanding || (r->idle && r->plus)));
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
	(void)view_compare(stored ? &state : NULL, &r->dialogue.view.now);
}

/* heard notes what of |said| settles or grants our command. */
static void heard(struct run *r, const struct imap_response *said)
{
	if (said->cls == IMAP_CLASS_TAGGED)
		r->outstanding = false;
	else if (said->cls == IMAP_CLASS_CONTINUATION && r->idle &&
	         r->dialogue.state == DIALOGUE_ASKED)
		r->plus = true;
}

static void take_response(struct run *r, struct str response, bool stored)
{
	enum view_news news = VIEW_SAME;
	struct err_detail why = { "" };
	struct imap_response said;
	bool is_news;
	int event;

	if (imap_response_parse(response, &said) != ERR_OK)
		said = (struct imap_response){ .cls = IMAP_CLASS_OTHER };
	is_news = is_growth(r, &said);
	learn_uidnext(r, &said);
	heard(r, &said);
	event = dialogue_feed(&r->dialogue, response, r->now_ms, &news, &why);
	r->over = event < 0;
	assert(r->over == (why.text[0] != '\0'));
	assert((event == DIALOGUE_NEWS) == (news != VIEW_SAME));
	assert(r->over || !is_news || news == VIEW_NEW);
	assert(event != DIALOGUE_NEWS || r->resynced);
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

/* leave: a goodbye only where nothing is outstanding. */
static void leave(struct run *r)
{
	bool listens = dialogue_listens(&r->dialogue);
	struct str out;

	dialogue_leave(&r->dialogue);
	out = buf_str(&r->dialogue.out);
	assert(listens == str_ends(out, STR(" LOGOUT\r\n")));
	assert(str_starts(out, STR("DONE\r\n")) ==
	       (listens && r->idle && r->outstanding));
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
	}
	if (!r.over)
		leave(&r);
	imap_reader_done(&r.reader);
	dialogue_done(&r.dialogue);
	return 0;
}
