/* SPDX-License-Identifier: ISC */
/*
 * resolve - getaddrinfo on a thread of its own. A lookup belongs to the thread
 * while it works; the queries that wait for it belong to the loop and may go
 * at any time.
 */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/offload.h"

/* APNs has eight; nobody tries more than that. */
enum { ADDRESSES_MAX = 16 };

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
	struct resolve_address found[ADDRESSES_MAX];
	size_t count;
	int gai;      /* getaddrinfo's verdict */
	bool numeric; /* needs no thread, only its turn */
};

struct resolver {
	struct loop *loop;
	struct offload *offload;
	LIST_HEAD(, lookup) lookups;
};

/* look_up fills |l| from getaddrinfo; on the thread, or for what needs no
 * waiting on the loop. */
static void look_up(struct lookup *l, int flags)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		                        .ai_socktype = SOCK_STREAM,
		                        .ai_flags = flags };
	struct addrinfo *list = NULL;

	l->gai = getaddrinfo(l->host, NULL, &hints, &list);
	if (l->gai != 0)
		return;
	for (const struct addrinfo *ai = list;
	     ai != NULL && l->count < ADDRESSES_MAX; ai = ai->ai_next) {
		struct resolve_address *a = &l->found[l->count];

		if (ai->ai_addrlen > sizeof(a->addr) ||
		    (ai->ai_family != AF_INET && ai->ai_family != AF_INET6))
			continue;
		memcpy(&a->addr, ai->ai_addr, ai->ai_addrlen);
		a->len = ai->ai_addrlen;
		l->count++;
	}
	freeaddrinfo(list);
	if (l->count == 0)
		l->gai = EAI_NONAME;
}

static void work(void *arg)
{
	look_up(arg, 0);
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
	struct resolve query = *q;
	struct err_detail detail;

	free(q);
	if (l->gai == 0) {
		for (size_t i = 0; i < l->count; i++)
			address_set_port(&l->found[i].addr, query.port);
		query.done(query.arg, ERR_OK, l->found, l->count, "");
		return;
	}
	(void)err_set(&detail, ERR_DNS, "resolve %s: %s", l->host,
	              gai_strerror(l->gai));
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
	l->host = xstrdup(host);
	TAILQ_INIT(&l->queries);
	LIST_INSERT_HEAD(&r->lookups, l, entry);
	l->numeric = is_numeric(host);
	if (l->numeric) {
		look_up(l, AI_NUMERICHOST);
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
	LIST_INIT(&r->lookups);
	return r;
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
