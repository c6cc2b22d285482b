/* SPDX-License-Identifier: ISC */
/*
 * resolve - names on a thread of their own. A lookup belongs to the thread
 * while it works; the queries that wait for it belong to the loop and may go
 * at any time.
 */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/names.h"
#include "net/offload.h"

struct resolve {
	TAILQ_ENTRY(resolve) entry;
	struct lookup *lookup;
	uint16_t port;
	resolve_done_fn *done;
	void *arg;
};

TAILQ_HEAD(resolve_list, resolve);

struct lookup {
	LIST_ENTRY(lookup) entry;
	struct resolver *resolver;
	char *host;
	struct resolve_list queries; /* the loop's; the thread keeps off */
	struct names_answer answer;
	int names;    /* asked for it, or -1 */
	bool numeric; /* needs no thread, only its turn */
};

struct resolver {
	struct loop *loop;
	struct offload *offload;
	int names; /* see resolver_ask; -1: nobody */
	LIST_HEAD(, lookup) lookups;
};

static void work(void *arg)
{
	struct lookup *l = arg;

	if (l->names >= 0)
		names_ask(l->names, l->host, &l->answer);
	else
		names_look_up(l->host, 0, &l->answer);
}

static void lookup_free(struct lookup *l)
{
	free(l->host);
	free(l);
}

/* drop: its resolver is no more. */
static void drop(void *arg)
{
	lookup_free(arg);
}

/* answer makes the one call of |q|, which is gone before it. */
static void answer(struct lookup *l, struct resolve *q)
{
	struct names_answer *a = &l->answer;
	struct resolve query = *q;
	struct err_detail detail;

	free(q);
	if (a->gai == 0) {
		for (size_t i = 0; i < a->count; i++)
			address_set_port(&a->found[i].addr, query.port);
		query.done(query.arg, ERR_OK, a->found, a->count, "");
		return;
	}
	(void)err_set(&detail, ERR_DNS, "resolve %s: %s", l->host,
	              gai_strerror(a->gai));
	query.done(query.arg, ERR_DNS, NULL, 0, detail.text);
}

/* done is back on the loop. Those answered may cancel the ones behind them, or
 * ask for the same name again, which is a new lookup. */
static void done(void *arg)
{
	struct lookup *l = arg;
	struct resolve *q;

	LIST_REMOVE(l, entry);
	while ((q = TAILQ_FIRST(&l->queries)) != NULL) {
		TAILQ_REMOVE(&l->queries, q, entry);
		answer(l, q);
	}
	lookup_free(l);
}

static bool is_numeric(const char *host)
{
	struct in6_addr addr;

	/* A zone ("fe80::1%eth0") is numeric as well. */
	return inet_pton(AF_INET, host, &addr) == 1 ||
	       strchr(host, ':') != NULL;
}

static struct lookup *lookup_find(struct resolver *r, const char *host)
{
	struct lookup *l;

	LIST_FOREACH(l, &r->lookups, entry) {
		if (strcmp(l->host, host) == 0)
			return l;
	}
	return NULL;
}

static struct lookup *lookup_start(struct resolver *r, const char *host)
{
	struct lookup *l = xcalloc(1, sizeof(*l));

	l->resolver = r;
	l->names = r->names;
	l->host = xstrdup(host);
	TAILQ_INIT(&l->queries);
	LIST_INSERT_HEAD(&r->lookups, l, entry);
	l->numeric = is_numeric(host);
	if (l->numeric) {
		names_look_up(host, AI_NUMERICHOST, &l->answer);
		loop_defer(r->loop, done, l);
	} else {
		offload_submit(r->offload, work, done, l);
	}
	return l;
}

struct resolver *resolver_new(struct loop *loop)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->loop = loop;
	r->offload = offload_new(loop, "resolve");
	r->names = -1;
	LIST_INIT(&r->lookups);
	return r;
}

void resolver_ask(struct resolver *r, int fd)
{
	r->names = fd;
}

/* drop_queries: their askers are going or gone, nobody is called. */
static void drop_queries(struct lookup *l)
{
	struct resolve *q;

	while ((q = TAILQ_FIRST(&l->queries)) != NULL) {
		TAILQ_REMOVE(&l->queries, q, entry);
		free(q);
	}
}

void resolver_free(struct resolver **r)
{
	struct resolver *res = *r;
	struct lookup *l;
	struct lookup *next;

	*r = NULL;
	if (res == NULL)
		return;
	for (l = LIST_FIRST(&res->lookups); l != NULL; l = next) {
		next = LIST_NEXT(l, entry);
		drop_queries(l);
		if (!l->numeric)
			continue;
		loop_defer_cancel(res->loop, done, l);
		lookup_free(l);
	}
	/* A lookup may take as long as name servers are silent. */
	offload_leave(&res->offload, drop);
	free(res);
}

struct resolve *resolve_start(struct resolver *r, const char *host,
                              uint16_t port, resolve_done_fn *done_fn,
                              void *arg)
{
	struct resolve *q = xcalloc(1, sizeof(*q));
	struct lookup *l = lookup_find(r, host);

	if (l == NULL)
		l = lookup_start(r, host);
	q->lookup = l;
	q->port = port;
	q->done = done_fn;
	q->arg = arg;
	TAILQ_INSERT_TAIL(&l->queries, q, entry);
	return q;
}

void resolve_cancel(struct resolve **q)
{
	struct resolve *query = *q;

	*q = NULL;
	if (query == NULL)
		return;
	TAILQ_REMOVE(&query->lookup->queries, query, entry);
	free(query);
}
