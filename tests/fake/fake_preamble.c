/* SPDX-License-Identifier: ISC */
/* preamble, where every connection says what fake_preamble decided. */
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "fake/fake.h"
#include "fake/fake_loop.h"
#include "net/preamble.h"

/* A connection whose header is due on the next turn. */
struct arrival {
	TAILQ_ENTRY(arrival) entry;
	struct preambles *all;
	int fd;
};

struct preambles {
	struct loop *loop;
	preamble_fn *fn;
	void *arg;
	TAILQ_HEAD(, arrival) list;
};

void fake_preamble(struct loop *loop, int rc, const char *from)
{
	loop->preamble_rc = rc;
	loop->preamble_from = from;
}

static void on_arrival(void *arg)
{
	struct arrival *a = arg;
	struct preambles *all = a->all;
	struct preamble p = { .rc = all->loop->preamble_rc, .fd = a->fd };

	TAILQ_REMOVE(&all->list, a, entry);
	free(a);
	p.why = p.rc != ERR_OK ? "got something else" : "";
	p.header.is_local = all->loop->preamble_from == NULL;
	if (!p.header.is_local) {
		assert(address_parse(str_of(all->loop->preamble_from),
		                     &p.header.from) == ERR_OK);
		assert(address_parse(STR("198.51.100.1"), &p.header.to) ==
		       ERR_OK);
	}
	if (p.rc != ERR_OK)
		(void)close(p.fd);
	all->fn(all->arg, &p);
}

void preambles_add(struct preambles *all, int fd)
{
	struct arrival *a = xcalloc(1, sizeof(*a));

	a->all = all;
	a->fd = fd;
	TAILQ_INSERT_TAIL(&all->list, a, entry);
	loop_defer(all->loop, on_arrival, a);
}

struct preambles *preambles_new(struct loop *loop,
                                const struct preamble_opts *opts,
                                preamble_fn *fn, void *arg)
{
	struct preambles *all = xcalloc(1, sizeof(*all));

	assert(opts->max > 0 && opts->timeout_ms > 0);
	all->loop = loop;
	all->fn = fn;
	all->arg = arg;
	TAILQ_INIT(&all->list);
	return all;
}

void preambles_free(struct preambles **allp)
{
	struct preambles *all = *allp;
	struct arrival *a;

	*allp = NULL;
	if (all == NULL)
		return;
	while ((a = TAILQ_FIRST(&all->list)) != NULL) {
		TAILQ_REMOVE(&all->list, a, entry);
		loop_defer_cancel(all->loop, on_arrival, a);
		(void)close(a->fd);
		free(a);
	}
	free(all);
}
