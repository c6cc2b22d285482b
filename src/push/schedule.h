/* SPDX-License-Identifier: ISC */
/*
 * schedule - to which registrations a push is due now or later, and which wait
 * for an answer. Knows neither rows nor transports. Times are the loop's, so
 * that a jump of the clock delays nothing.
 */
#ifndef PUSH_SCHEDULE_H
#define PUSH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "net/loop.h"

#define SCHEDULE_NEVER_MS UINT64_MAX

struct schedule;

enum entry_state {
	ENTRY_NEW,
	ENTRY_WAITING,  /* for its timer */
	ENTRY_READY,    /* for the transport */
	ENTRY_IN_FLIGHT /* for its answer */
};

/* What is owed to one registration. */
struct entry {
	uint64_t id;
	enum entry_state state;
	uint64_t due_ms; /* in flight: of what came since, or NEVER */
	uint64_t not_before_ms;

	/* The queue's. The first |sent_count| mailboxes of the row are in the
	 * push that is in flight; what came since stands behind. */
	uint64_t sent_generation;
	size_t sent_count;
	int64_t sent_ms;        /* wall */
	int64_t fresh_event_ms; /* wall, of the first event since, 0: none */
	uint32_t unanswered;    /* sends since the last answer */

	/* The schedule's own. */
	struct schedule *schedule;
	struct loop_timer *timer;
	TAILQ_ENTRY(entry) ready;
	UT_hash_handle hh;
};

struct schedule {
	struct loop *loop;
	loop_fn *woken;
	void *arg;
	struct entry *entries; /* hash */
	TAILQ_HEAD(, entry) ready;
};

/* schedule_init: |woken| is called with |arg| whenever an entry became ready,
 * also from inside the call that made it so. */
void schedule_init(struct schedule *s, struct loop *loop, loop_fn *woken,
                   void *arg);
void schedule_done(struct schedule *s);

/* schedule_find returns the entry of a registration, or NULL. */
struct entry *schedule_find(const struct schedule *s, uint64_t id);

/* schedule_add makes one, new; schedule_remove ends it. */
struct entry *schedule_add(struct schedule *s, uint64_t id);
void schedule_remove(struct entry **e);

/* schedule_set makes an entry ready at |due_ms|, but not before its time;
 * schedule_advance does if that is earlier. */
void schedule_set(struct entry *e, uint64_t due_ms);
void schedule_advance(struct entry *e, uint64_t due_ms);

/* schedule_first makes it ready before all others. */
void schedule_first(struct entry *e);

/* schedule_next is the one that has been ready for longest, or NULL. */
struct entry *schedule_next(const struct schedule *s);

/* schedule_fly: it is in flight now. */
void schedule_fly(struct entry *e);

#endif
