/* SPDX-License-Identifier: ISC */
/*
 * intercept - one table: which of a client's commands are not simply
 * forwarded, in which state, and what happens to them instead.
 */
#ifndef PROXY_INTERCEPT_H
#define PROXY_INTERCEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct session;

enum intercept_action {
	INTERCEPT_FORWARD,
	INTERCEPT_IDLE,   /* forwarded; the lines after it are no commands */
	INTERCEPT_ANSWER, /* gathered whole, then given to |answer| */
	INTERCEPT_REFUSE  /* answered |refusal|, its literals dropped */
};

/* |command| is whole, literals in place, and begins with tag and verb; or, by
 * |front_only|, its first frame. */
typedef void intercept_fn(struct session *s, struct str command);

struct intercept {
	const char *verb;
	unsigned states; /* SESSION_IN bits */
	enum intercept_action action;
	bool (*applies)(const struct session *s); /* NULL: always */
	intercept_fn *answer;
	size_t max_bytes; /* ANSWER: of the whole command */
	/* ANSWER: if that depends on how its first line begins. */
	size_t (*max_for)(struct str line);
	bool front_only;     /* ANSWER: what follows is of no interest */
	const char *refusal; /* REFUSE: without the tag */
};

/* intercept_find returns the row for |verb| in the state of |s|: the first
 * that applies, or one that stands for all other commands. Never NULL. */
const struct intercept *intercept_find(const struct session *s,
                                       struct str verb);

/*
 * intercept_is_owned: a line that is not written exactly (more than one space,
 * a tab, a tag without end) holds, or may hold where it is cut, a verb that
 * must not reach the backend by accident, if that should be lenient.
 */
bool intercept_is_owned(const struct session *s, struct str line);

/* intercept_table is for the test that walks it; |*count_r| rows. */
const struct intercept *intercept_table(size_t *count_r);

#endif
