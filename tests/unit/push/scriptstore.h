/* SPDX-License-Identifier: ISC */
/*
 * scriptstore - a store whose answers the test writes. What was committed is
 * kept as a list of batches that outlives every ledger, as a disk does, so
 * that a new one can begin on the first of them as after a crash.
 */
#ifndef PUSH_SCRIPTSTORE_H
#define PUSH_SCRIPTSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "net/loop.h"
#include "store/store.h"

struct scriptstore_call;
struct scriptstore_commit;

struct scriptstore {
	struct loop *loop;

	/* What calls come to, until changed: 0, ERR_IO, or ERR_INVALID. A
	 * commit that is told ERR_INVALID empties the store; a load that is
	 * told so has all rows as what could be saved. */
	int load_rc;
	int commit_rc;
	/* Nothing is answered before scriptstore_release. */
	bool hold;
	/* Commits are told 0 and not kept: the process has been killed, though
	 * its objects are still to be freed. */
	bool dead;

	size_t loads;   /* asked for so far */
	size_t commits; /* likewise, refused ones too */

	struct scriptstore_commit *kept; /* in order */
	size_t kept_count;
	size_t begin; /* those before were lost */
	STAILQ_HEAD(, scriptstore_call) calls;
};

void scriptstore_init(struct scriptstore *s, struct loop *loop);
void scriptstore_done(struct scriptstore *s);

/* scriptstore_open returns the store, to be closed by store_close. One at a
 * time. */
struct store *scriptstore_open(struct scriptstore *s);

/* scriptstore_release answers what is open, on later turns. */
void scriptstore_release(struct scriptstore *s);

/* scriptstore_last is the batch that was kept last. */
const struct store_batch *scriptstore_last(const struct scriptstore *s);

/*
 * scriptstore_text appends the rows after the first |commits| that were kept
 * (SIZE_MAX: all), sorted, a line each:
 *
 *	login anna blob rejected
 *	owed anna/token INBOX Sent tries=0
 *	phone anna/token INBOX* Sent       (* is proved)
 *	state anna INBOX 7:12 messages=3 unseen=-1
 */
void scriptstore_text(const struct scriptstore *s, size_t commits,
                      struct buf *out);

/* scriptstore_want wants all rows to be |text|. */
void scriptstore_want(const struct scriptstore *s, const char *text);

#endif
