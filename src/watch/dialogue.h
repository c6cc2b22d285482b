/* SPDX-License-Identifier: ISC */
/*
 * dialogue - what a watcher says once it is logged in, and when: STATUS before
 * EXAMINE, then IDLE, or NOOP now and then where the server has no IDLE, and
 * between two of them a sweep of the other mailboxes. One command at a time,
 * but for the sweep. No I/O and no clock: whole responses and the time go in;
 * text to send, the time of the next step and news come out.
 */
#ifndef WATCH_DIALOGUE_H
#define WATCH_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"
#include "watch/sweep.h"
#include "watch/view.h"

enum dialogue_state {
	DIALOGUE_START,      /* nothing was said yet */
	DIALOGUE_CAPABILITY, /* the login reply told none */
	DIALOGUE_STATUS,
	DIALOGUE_EXAMINE,
	DIALOGUE_LOOK,  /* UID FETCH, to learn UIDNEXT */
	DIALOGUE_USES,  /* LIST, to learn which are \Sent and the like */
	DIALOGUE_SWEEP, /* STATUS of other mailboxes */
	DIALOGUE_ASKED, /* IDLE was sent, its "+" is awaited */
	DIALOGUE_IDLE,
	DIALOGUE_DONE, /* DONE was sent */
	DIALOGUE_REST, /* no IDLE: until the next poll */
	DIALOGUE_NOOP,
	DIALOGUE_STATES
};

#define DIALOGUE_NEVER UINT64_MAX

struct dialogue_opts {
	uint64_t renew_ms; /* of IDLE */
	uint64_t poll_ms;  /* from sweep to sweep; of INBOX without IDLE */
	bool inbox_first;  /* listen to it before the first sweep */
};

struct dialogue {
	enum dialogue_state state;
	struct dialogue_opts opts;
	struct view view;
	struct buf out;             /* to be sent now; the owner empties it */
	uint64_t due_ms;            /* dialogue_due is to be called then */
	uint32_t tag;               /* of the last command */
	struct sweep_answer answer; /* of DIALOGUE_SWEPT */
	/* private: */
	struct sweep sweep;
	uint64_t since_ms;     /* of the state */
	uint64_t idle_from_ms; /* IDLE may be asked from then on */
	uint64_t look_from_ms; /* UID FETCH likewise */
	uint64_t sweep_from_ms;
	bool sweep_again; /* soon after the round that is asked */
	bool tells_uses;  /* the server has SPECIAL-USE */
	bool uses_known;  /* of all mailboxes of the sweep */
	bool status_told;
	enum view_news news; /* of the response that is being read */
};

void dialogue_init(struct dialogue *d, const struct dialogue_opts *opts,
                   struct str user, struct str mailbox);
void dialogue_done(struct dialogue *d);

/* dialogue_begin starts after login; |capabilities| are the words that the
 * login reply told, empty if it told none. */
void dialogue_begin(struct dialogue *d, struct str capabilities,
                    uint64_t now_ms);

/* What a response made of it. */
enum dialogue_event {
	DIALOGUE_NOTHING,
	DIALOGUE_RESYNC, /* |view.now| is what STATUS told: compare it with the
	                    stored state by view_compare */
	DIALOGUE_NEWS,   /* |*news_r| is more than VIEW_SAME */
	DIALOGUE_SWEPT   /* |answer| tells of another mailbox */
};

/*
 * dialogue_feed takes one whole response. Results: an event; or ERR_PARSE (not
 * IMAP, or makes no sense here), ERR_CLOSED (BYE), ERR_UNAVAILABLE (a command
 * was refused that we cannot do without), with a sentence in |why|: the
 * connection is of no use any more.
 */
int dialogue_feed(struct dialogue *d, struct str response, uint64_t now_ms,
                  enum view_news *news_r, struct err_detail *why)
	__attribute__((warn_unused_result));

/* dialogue_due: |due_ms| has come. Results: 0; ERR_TIMEOUT with a sentence in
 * |why|, the server did not answer. */
int dialogue_due(struct dialogue *d, uint64_t now_ms, struct err_detail *why)
	__attribute__((warn_unused_result));

/*
 * dialogue_want takes the mailboxes that are wanted now, in the order of
 * registry_wanted; they are copied. A new one is asked for soon. Not while
 * dialogue_sweeps.
 */
void dialogue_want(struct dialogue *d, const struct store_mailbox *wanted,
                   size_t count, uint64_t now_ms);
bool dialogue_sweeps(const struct dialogue *d);

/* dialogue_suspect is the other mailbox that the server is answering for now,
 * as far as one can tell; NULL: for none. */
const struct sweep_mailbox *dialogue_suspect(const struct dialogue *d);

/* dialogue_sweep_soon: what was told of a mailbox is to be told once more, a
 * second later. */
void dialogue_sweep_soon(struct dialogue *d, uint64_t now_ms);

/* dialogue_listens: new mail would be noticed by itself: in IDLE, or resting
 * between polls. */
bool dialogue_listens(const struct dialogue *d);

/* dialogue_leave adds a goodbye to |out|, where there is a place for one. */
void dialogue_leave(struct dialogue *d);

/* dialogue_state_name is for debug lines. */
const char *dialogue_state_name(enum dialogue_state state);

#endif
