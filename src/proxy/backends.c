/* SPDX-License-Identifier: ISC */
/* backends - see backends.h. The lists are made anew when a backend has news,
 * which is seldom; they are asked for by every stranger. */
#include "proxy/backends.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"
#include "imap/capability.h"
#include "imap/sasl.h"
#include "proxy/backend.h"

struct backends {
	const struct routes *routes;
	struct backend **list; /* one for each target */
	struct buf greeting;
	struct buf capability;
	bool are_known;
	bool bind;
};

typedef struct str list_fn(const struct backend *b);

/* share makes |out| what the lists |list| of all that are known share. */
static void share(const struct backends *all, list_fn *list, struct buf *out)
{
	bool is_first = true;
	struct str other;
	struct buf shared;
	int rc;

	buf_reset(out);
	for (size_t i = 0; i < all->routes->target_count; i++) {
		const struct backend *b = all->list[i];

		if (!backend_is_known(b))
			continue;
		other = is_first ? list(b) : buf_str(out);
		is_first = false;
		buf_init(&shared, BACKEND_LIST_MAX);
		rc = imap_capability_share(list(b), other, &shared);
		assert(rc == ERR_OK); /* no longer than either */
		buf_reset(out);
		*out = shared;
	}
}

static bool binds(const struct backend *b)
{
	return imap_sasl_binds(backend_greeting(b)) ||
	       imap_sasl_binds(backend_capability(b));
}

static void on_news(void *arg)
{
	struct backends *all = arg;
	bool are_up = true;

	all->are_known = all->bind = false;
	for (size_t i = 0; i < all->routes->target_count; i++) {
		all->are_known |= backend_is_known(all->list[i]);
		all->bind |= binds(all->list[i]);
		are_up &= backend_is_up(all->list[i]);
	}
	share(all, backend_greeting, &all->greeting);
	share(all, backend_capability, &all->capability);
	metric_set(METRIC_BACKEND_UP, are_up);
}

struct backends *backends_new(struct loop *loop, struct resolver *resolver,
                              const struct routes *routes, uint64_t fresh_ms)
{
	struct backends *all = xcalloc(1, sizeof(*all));

	all->routes = routes;
	all->list = xcalloc(routes->target_count, sizeof(struct backend *));
	buf_init(&all->greeting, BACKEND_LIST_MAX);
	buf_init(&all->capability, BACKEND_LIST_MAX);
	for (size_t i = 0; i < routes->target_count; i++)
		all->list[i] = backend_new(loop, resolver, &routes->targets[i],
		                           fresh_ms, on_news, all);
	return all;
}

void backends_free(struct backends **allp)
{
	struct backends *all = *allp;

	if (all == NULL)
		return;
	for (size_t i = 0; i < all->routes->target_count; i++)
		backend_free(&all->list[i]);
	buf_reset(&all->greeting);
	buf_reset(&all->capability);
	free(all->list);
	free(all);
	*allp = NULL;
}

struct backend *backends_find(const struct backends *all, struct str user)
{
	size_t target = routes_find(all->routes, user);

	return target == ROUTES_NONE ? NULL : all->list[target];
}

struct str backends_greeting(const struct backends *all)
{
	return buf_str(&all->greeting);
}

struct str backends_capability(const struct backends *all)
{
	return buf_str(&all->capability);
}

bool backends_are_known(const struct backends *all)
{
	return all->are_known;
}

bool backends_bind(const struct backends *all)
{
	return all->bind;
}
