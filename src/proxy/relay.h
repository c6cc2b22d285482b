/* SPDX-License-Identifier: ISC */
/*
 * relay - the session after login: the client's commands to the backend with
 * their literals synchronised, the backend's responses to the client with
 * their capability text edited.
 *
 * "Sync-down": towards the backend every {n+} becomes {n}, and the octets wait
 * for its "+". Servers disagree whether the octets announced by a line they
 * refuse are part of it or the next command; this way none is ever sent.
 */
#ifndef PROXY_RELAY_H
#define PROXY_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "imap/command.h"
#include "imap/framer.h"

struct inflight_entry;
struct session;

/* What becomes of the response that is being received. */
enum relay_fate {
	RELAY_BETWEEN, /* there is none: lines of our own may go out */
	RELAY_PASS,
	RELAY_DROP, /* ours: not for the client */
	RELAY_HOLD  /* perhaps ours: kept until it is whole */
};

/* Who answers ID after login. */
enum relay_id { RELAY_ID_UNKNOWN, RELAY_ID_THEIRS, RELAY_ID_OURS };

struct relay {
	/* The command that is being forwarded or was last, while it is
	 * outstanding under a tag; else NULL. */
	struct inflight_entry *current;
	bool nonsync; /* INPUT_LITERAL: the client does not wait */

	/* The response at hand. */
	enum relay_fate fate;
	enum imap_class cls;
	struct inflight_entry *settles; /* what it answers, or NULL */
	struct buf hold;
	bool bye_seen;
	enum relay_id id;
};

void relay_init(struct relay *r);
void relay_done(struct relay *r);

/* relay_begin: the login was accepted. */
void relay_begin(struct session *s);

/* relay_command forwards the first frame of a command with |tag| (may be
 * empty: then nobody can tell which reply is its own). */
void relay_command(struct session *s, struct str tag,
                   const struct imap_frame *frame);

/* relay_more forwards a further frame of the command. */
void relay_more(struct session *s, const struct imap_frame *frame);

/* relay_idle forwards IDLE, a whole line. */
void relay_idle(struct session *s, struct str tag,
                const struct imap_frame *frame);

/* relay_idle_line forwards the line that ends IDLE. */
void relay_idle_line(struct session *s, const struct imap_frame *frame);

/* relay_on_backend takes the next frame of the backend from |in|; returns
 * whether there was one. */
bool relay_on_backend(struct session *s, struct str *in);

/* relay_on_backend_end: the backend is gone. */
void relay_on_backend_end(struct session *s, const char *why);

/* relay_flush gives the client the answers that are due, if it stands between
 * two responses. */
void relay_flush(struct session *s);

/*
 * relay_edit appends |line| with its capability text edited to |out|, or
 * returns false when there is none. Notes whether the backend has ID.
 */
bool relay_edit(struct session *s, struct str line, struct buf *out);

/* relay_answers_id: the backend has no ID, we answer it. */
bool relay_answers_id(const struct session *s);

#endif
