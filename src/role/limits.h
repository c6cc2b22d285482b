/* SPDX-License-Identifier: ISC */
/* limits - what the system lets this process have. */
#ifndef ROLE_LIMITS_H
#define ROLE_LIMITS_H

#include "conf/conf.h"

/* limits_no_core: a crash leaves no core behind, and others of the same user
 * cannot look in, since keys and passwords are in memory. */
void limits_no_core(void);

/* Whom a process has. */
enum limits_whom {
	LIMITS_CLIENTS = 1,
	LIMITS_WATCHERS = 2,
	LIMITS_BOTH = LIMITS_CLIENTS | LIMITS_WATCHERS
};

/* How many a process may have. */
struct limits {
	unsigned sessions; /* its part of limits.sessions */
	unsigned watchers; /* towards one backend */
};

/*
 * limits_fit raises the descriptor limit to what limits.sessions, of which each
 * of process.workers has a part, and watch.connections_max of |c| ask for, as
 * far as allowed, and returns what fits, with a warning if that is less; only
 * those that |whom| has.
 */
struct limits limits_fit(const struct conf *c, enum limits_whom whom);

#endif
