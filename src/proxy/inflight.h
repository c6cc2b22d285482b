/* SPDX-License-Identifier: ISC */
/*
 * inflight - what the client still expects, in the order of its commands:
 * tags that the backend will answer, and answers of our own that wait until
 * all earlier tags were answered. A queue, not a map: clients use a tag again
 * while it is outstanding. Allocates nothing while empty.
 */
#ifndef PROXY_INFLIGHT_H
#define PROXY_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/str.h"

/* More commands than this are not read before some were answered. */
#define INFLIGHT_MAX 1000

struct inflight_entry {
	STAILQ_ENTRY(inflight_entry) link;
	bool is_answer;
	struct str text; /* the tag, or the whole answer; owned */
};

struct inflight {
	STAILQ_HEAD(, inflight_entry) entries;
	size_t count;
};

void inflight_init(struct inflight *q);
void inflight_done(struct inflight *q);

/* inflight_is_empty: the client expects nothing. */
bool inflight_is_empty(const struct inflight *q);

/* inflight_is_full: no more commands should be read. */
bool inflight_is_full(const struct inflight *q);

/* inflight_sent notes that the command |tag| (copied) went to the backend.
 * Returns its entry, the queue's own. */
struct inflight_entry *inflight_sent(struct inflight *q, struct str tag);

/* inflight_answer puts lines of our own (copied) in their place. */
void inflight_answer(struct inflight *q, struct str lines);

/* inflight_find returns the first command sent with |tag|, or NULL. */
struct inflight_entry *inflight_find(const struct inflight *q, struct str tag);

/* inflight_settle removes and frees |*e|, which was answered. */
void inflight_settle(struct inflight *q, struct inflight_entry **e);

/*
 * inflight_take_answer removes the answer at the head of the queue, to be freed
 * by the caller with str_free. Returns false when none is due.
 */
bool inflight_take_answer(struct inflight *q, struct str *lines_r);

#endif
