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

/*
 * limits_fit raises the descriptor limit to what limits.sessions and
 * watch.connections_max of |c| ask for, as far as allowed, and lowers these two
 * with a warning to what fits; only those that |whom| has.
 */
void limits_fit(struct conf *c, enum limits_whom whom);

#endif
