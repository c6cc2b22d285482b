/* SPDX-License-Identifier: ISC */
/*
 * route - which server has the mailbox of a user: that of the user's domain.
 * One list, the same for clients and watchers.
 */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/dial.h"

/* No route, no target. */
#define ROUTES_NONE SIZE_MAX

struct route {
	const char *domain;
	size_t target; /* of routes.targets */
};

struct routes {
	const struct dial_target *targets; /* no two of them the same */
	size_t target_count;
	const struct route *list;
	size_t count;
	size_t fallback; /* for a user without a route; ROUTES_NONE: no target
	                  */
	const char *default_domain; /* of names without one; NULL: none */
};

/* routes_find tells which of |r|'s targets is |user|'s, the name being as it
 * was given at login or as the registry has it, or empty where a login gives
 * none; ROUTES_NONE: none. */
size_t routes_find(const struct routes *r, struct str user);

/* routes_need_names: which target it is depends on the user. */
bool routes_need_names(const struct routes *r);

/* route_domain is what follows the last @ of |user|; empty if there is none. */
struct str route_domain(struct str user);

#endif
