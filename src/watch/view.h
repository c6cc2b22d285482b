/* SPDX-License-Identifier: ISC */
/*
 * view - the selected mailbox as the server has told us, and what each line of
 * it means for the devices: new mail, a change, or nothing to ring for; and
 * what STATUS means, of this mailbox or another. No I/O, no clock. Works for a
 * server that tells UIDNEXT at EXAMINE and for one that does not; what it holds
 * as UIDNEXT is never above the truth, since a mail below a stored UIDNEXT
 * would never ring.
 */
#ifndef WATCH_VIEW_H
#define WATCH_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "imap/response.h"
#include "store/store.h"

/* What happened, in the order of weight. */
enum view_news {
	VIEW_SAME,   /* nothing, or nothing that is stored */
	VIEW_STATE,  /* |now| holds more than before, nothing to ring for */
	VIEW_CHANGE, /* flags, expunge, read elsewhere */
	VIEW_NEW     /* new messages */
};

enum view_phase {
	VIEW_CLOSED,  /* not selected */
	VIEW_OPENING, /* EXAMINE was sent */
	VIEW_OPEN,    /* selected */
	VIEW_BROKEN   /* what we hold cannot be true any more: connect anew */
};

struct view {
	enum view_phase phase;
	/* Its strings are the owner's. A uidvalidity or uidnext of 0 is not
	 * known. */
	struct store_state now;
	uint32_t settled; /* messages up to this number were there when we
	                     began to listen: their flags count */

	/* What EXAMINE has told so far; the numbers are 0 if it did not. */
	struct {
		int64_t messages; /* STORE_UNKNOWN if it did not */
		uint32_t uidvalidity;
		uint32_t uidnext;
	} opening;

	/* Learning UIDNEXT by UID FETCH. */
	struct {
		bool wanted;
		uint32_t rung;    /* messages that EXISTS announced and that
		                     were rung for, their UIDs not known */
		uint32_t found;   /* UIDs from |now.uidnext| on that came */
		uint32_t highest; /* of them */
	} look;
};

/* view_init begins with nothing known of |mailbox| of |user| (borrowed). */
void view_init(struct view *v, struct str user, struct str mailbox);

/* view_status takes the answer to STATUS, asked before EXAMINE. */
void view_status(struct view *v, const struct imap_status_data *data);

/*
 * view_compare tells what happened to a mailbox between |stored| (NULL: nothing
 * is stored, this is the baseline) and |now|, as STATUS told it. What that did
 * not tell of UIDVALIDITY and UIDNEXT is taken from |stored|. A UIDVALIDITY
 * that is |fleeting| is not known afterwards, and only numbers are compared.
 */
enum view_news view_compare(const struct store_state *stored,
                            struct store_state *now, bool fleeting);

/*
 * view_is_unopened: the messages of |now| have the UIDs from 1 on, as in a
 * mailbox that was never selected. Courier keeps no UIDVALIDITY for such a one
 * and tells another each second.
 */
bool view_is_unopened(const struct store_state *now);

/* view_open_begin: EXAMINE is sent now. */
void view_open_begin(struct view *v);

/* view_opened: EXAMINE was answered OK. Tells what happened since STATUS. */
enum view_news view_opened(struct view *v);

/*
 * view_response takes an untagged status or data response and tells what it
 * means. Responses that do not concern the mailbox are VIEW_SAME. Results: 0;
 * ERR_PARSE, it concerns the mailbox and makes no sense.
 */
int view_response(struct view *v, const struct imap_response *r,
                  enum view_news *news_r) __attribute__((warn_unused_result));

/* view_settle: we listen from now on; changed flags of all messages that are
 * there count. Those told earlier came with the new messages themselves. */
void view_settle(struct view *v);

/* view_look_wanted: `UID FETCH <view_look_from>:* (UID)` should be asked; if
 * that is 0, `UID FETCH * (UID)`. */
bool view_look_wanted(const struct view *v);
uint32_t view_look_from(const struct view *v);

/* view_look_begin: it is sent now. view_look_end: it was answered, fully or
 * not; tells what was found. */
void view_look_begin(struct view *v);
enum view_news view_look_end(struct view *v);

#endif
