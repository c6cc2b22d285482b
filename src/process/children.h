/* SPDX-License-Identifier: ISC */
/*
 * children - the processes that main forked: each with a channel to it, and
 * another in its place when it dies. What they do, and when they are wanted, is
 * for their owner to know.
 */
#ifndef PROCESS_CHILDREN_H
#define PROCESS_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/backoff.h"
#include "base/err.h"
#include "net/loop.h"
#include "process/channel.h"
#include "process/message.h"

struct child;
struct children;

/* One row for each kind of process; all called with the owner's |arg|. */
struct child_kind {
	const char *name; /* in the log, in the title, in metrics */
	bool is_numbered; /* there may be several: the title has the number */
	/* It is the last to come, and the first to go. */
	bool faces_clients;
	bool sees_counters; /* of all processes */
	/* The life of the forked process; |fd| is its channel to main. Results:
	 * 0, it ended as asked; ERR_* with a sentence. */
	int (*live)(void *arg, const struct child *c, int fd,
	            struct err_detail *detail);
	/* In main: it says |m|. Returns false if it should not. */
	bool (*message)(void *arg, struct child *c, const struct message *m);
};

struct child {
	const struct child_kind *kind;
	uint32_t id;             /* among all, from 0 */
	uint32_t number;         /* among its kind, from 1 */
	pid_t pid;               /* 0: none */
	struct channel *channel; /* NULL: none */
	/* The owner's; false in one that was forked just now. */
	bool is_ready;
	bool is_reloading; /* no other sign of life counts until that ends */
	/* Private: */
	struct children *all;
	struct backoff backoff;
	struct loop_timer *timer; /* until it is replaced */
	uint64_t since_ms;
	bool is_asked;      /* whether it turns */
	uint64_t silent_ms; /* since */
	bool is_wanted;
	bool is_due; /* to be forked */
};

struct children_opts {
	/* In a forked process, before its life: lets go of what is main's, the
	 * loop last. */
	void (*shed)(void *arg);
	/* After its life: frees what is left. */
	void (*done)(void *arg);
	/* In main: |c| was forked. */
	void (*forked)(void *arg, struct child *c);
	/* It ended: |c->pid| is 0. Another comes if it is still wanted. */
	void (*ended)(void *arg, struct child *c);
};

/* children_new: |opts| and |arg| are borrowed for its life. Main is the process
 * that calls it. */
struct children *children_new(struct loop *loop,
                              const struct children_opts *opts, void *arg);

/* children_add makes |count| of |kind|, which outlives them; none is forked
 * yet. */
void children_add(struct children *all, const struct child_kind *kind,
                  size_t count);

/* child_want has |c| forked, and replaced when it ends; child_leave has not,
 * from now on. */
void child_want(struct child *c);
void child_leave(struct child *c);

/* children_fork forks those that are due: between two runs of the loop, so that
 * a child begins with a short stack. It does not return in a child. The loop is
 * stopped whenever there are some. */
void children_fork(struct children *all);

/* children_reap sees to those that ended: for SIGCHLD. */
void children_reap(struct children *all);

/*
 * children_ask asks all whether they turn, every |pause_ms|. One that has not
 * answered after |patience_ms| is named and ended: the pauses count, not the
 * time, of which main itself may have missed some with all of them. Returns
 * false if one is there that not even that helped against.
 */
bool children_ask(struct children *all, uint64_t pause_ms,
                  uint64_t patience_ms);

/* children_next walks all of |kind|, NULL: all there are; the first after NULL,
 * and NULL after the last. */
struct child *children_next(const struct children *all,
                            const struct child_kind *kind,
                            const struct child *c);

/* children_find is the one with that |id|, or NULL. */
struct child *children_find(const struct children *all, uint32_t id);

/* children_live: some of |kind|, NULL: of all, is there. */
bool children_live(const struct children *all, const struct child_kind *kind);

/* child_tell sends |m|; who does not take it hangs, as is logged. child_post
 * sends one without fields. */
void child_tell(struct child *c, const struct message *m, int fd);
void child_post(struct child *c, enum message_type type);

/* child_kill ends it for what it did, or did not do. */
void child_kill(const struct child *c);

/* children_free lets go of all; those that live are on their own. */
void children_free(struct children **children);

#endif
