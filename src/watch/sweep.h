/* SPDX-License-Identifier: ISC */
/*
 * sweep - the mailboxes that are not selected, each asked for its numbers by
 * STATUS. Many questions go in one write: over a long line a round costs a few
 * round trips instead of one for each mailbox. No I/O, no clock.
 */
#ifndef WATCH_SWEEP_H
#define WATCH_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "imap/response.h"
#include "store/store.h"

struct sweep_mailbox {
	struct str name; /* as registered; owned */
	bool is_proved;  /* when the list was made */
	bool is_used;    /* \Sent, \Drafts, \Trash, \Junk: what comes into it is
	                    no new mail */
	/* private: */
	uint32_t uidvalidity; /* as it was told last, 0: never */
	bool is_open;         /* not answered yet */
	bool is_told;         /* |status| came */
	struct imap_status_data status;
};

struct sweep {
	struct sweep_mailbox *mailboxes; /* by name */
	size_t count;
	/* private: the batch that was asked last */
	size_t first;
	size_t end; /* behind its last one */
	size_t open;
	uint32_t tag; /* of its first one */
};

/* The ceiling of |out| of sweep_ask: what goes in one write. */
#define SWEEP_BATCH_BYTES ((size_t)16 * 1024)

void sweep_init(struct sweep *s);
void sweep_done(struct sweep *s);

/*
 * sweep_set takes the mailboxes that are wanted, in the order of
 * registry_wanted; they are copied. INBOX is left out: it is selected. Tells
 * whether there is one that was not there before. Not while one is open.
 */
bool sweep_set(struct sweep *s, const struct store_mailbox *wanted,
               size_t count);

/*
 * sweep_ask appends the next questions to |out|, which is empty, tagged "W" and
 * a number each, from |tag| on; returns how many. 0: the round is over, and the
 * next call begins another. Not while one is open.
 */
size_t sweep_ask(struct sweep *s, uint32_t tag, struct buf *out);

/* sweep_is_open: the question with that tag is not answered yet. */
bool sweep_is_open(const struct sweep *s, uint32_t tag);

/* sweep_suspect is the mailbox that the server is answering for now, if it
 * answers in order; NULL: none is asked for. */
const struct sweep_mailbox *sweep_suspect(const struct sweep *s);

/* sweep_status takes a STATUS response; of a mailbox that is not asked for it
 * is nothing, and so is one that makes no sense. */
void sweep_status(struct sweep *s, const struct imap_response *r);

enum sweep_verdict {
	SWEEP_SEEN,    /* |status| is what there is in it */
	SWEEP_REFUSED, /* not there, or not for this user */
	SWEEP_UNKNOWN  /* refused for now, or OK without numbers */
};

struct sweep_answer {
	enum sweep_verdict verdict;
	const struct sweep_mailbox *mailbox; /* until sweep_set */
	struct imap_status_data status;
	uint32_t uidvalidity; /* told the time before, 0: not */
};

/* sweep_reply takes the tagged reply |r| to the open question |tag|. */
void sweep_reply(struct sweep *s, uint32_t tag, const struct imap_response *r,
                 struct sweep_answer *answer_r);

/* sweep_forget_uses: no mailbox has a use. sweep_use takes a LIST response,
 * which tells that of one. */
void sweep_forget_uses(struct sweep *s);
void sweep_use(struct sweep *s, const struct imap_response *r);

#endif
