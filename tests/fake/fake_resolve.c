/* SPDX-License-Identifier: ISC */
/* resolve, where every name exists until the test says otherwise. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "fake/fake_loop.h"
#include "net/resolve.h"

struct resolver {
	struct loop *loop;
};

struct resolve {
	struct loop *loop;
	struct resolve_address found;
	resolve_done_fn *done;
	void *arg;
};

struct resolver *resolver_new(struct loop *loop)
{
	struct resolver *r = xcalloc(1, sizeof(*r));

	r->loop = loop;
	return r;
}

void resolver_free(struct resolver **r)
{
	free(*r);
	*r = NULL;
}

static void answer(void *arg)
{
	struct resolve query = *(struct resolve *)arg;
	const char *why = query.loop->resolve_why;

	free(arg);
	if (why != NULL)
		query.done(query.arg, ERR_DNS, NULL, 0, why);
	else
		query.done(query.arg, ERR_OK, &query.found, 1, "");
}

static void set_address(struct resolve_address *a, const char *host,
                        uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
		                    .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
		                    .sin_port = htons(port) };

	if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1) {
		memcpy(&a->addr, &six, sizeof(six));
		a->len = sizeof(six);
		return;
	}
	if (inet_pton(AF_INET, host, &four.sin_addr) != 1)
		(void)inet_pton(AF_INET, "192.0.2.1", &four.sin_addr);
	memcpy(&a->addr, &four, sizeof(four));
	a->len = sizeof(four);
}

struct resolve *resolve_start(struct resolver *r, const char *host,
                              uint16_t port, resolve_done_fn *done, void *arg)
{
	struct resolve *q = xcalloc(1, sizeof(*q));

	q->loop = r->loop;
	q->done = done;
	q->arg = arg;
	set_address(&q->found, host, port);
	loop_defer(r->loop, answer, q);
	return q;
}

void resolve_cancel(struct resolve **q)
{
	if (*q == NULL)
		return;
	loop_defer_cancel((*q)->loop, answer, *q);
	free(*q);
	*q = NULL;
}

void fake_resolve_fail(struct loop *loop, const char *why)
{
	free(loop->resolve_why);
	loop->resolve_why = xstrdup(why);
}
