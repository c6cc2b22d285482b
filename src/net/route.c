/* SPDX-License-Identifier: ISC */
/* route - see route.h. */
#include "net/route.h"

struct str route_domain(struct str user)
{
	size_t at = user.len;

	while (at > 0 && user.data[at - 1] != '@')
		at--;
	return at > 0 ? str_sub(user, at, user.len) : STR_NULL;
}

size_t routes_find(const struct routes *r, struct str user)
{
	struct str domain = route_domain(user);

	if (user.len > 0 && str_find(user, '@') == SIZE_MAX)
		domain = str_of(r->default_domain);
	for (size_t i = 0; domain.len > 0 && i < r->count; i++)
		if (str_ieq(str_of(r->list[i].domain), domain))
			return r->list[i].target;
	return r->fallback;
}

bool routes_need_names(const struct routes *r)
{
	return r->target_count > 1 || r->fallback == ROUTES_NONE;
}
