/* SPDX-License-Identifier: ISC */
/* forked_worker - see forked.h. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "process/channel.h"
#include "process/confine.h"
#include "process/forked.h"
#include "process/namer.h"
#include "process/orders.h"
#include "process/service_remote.h"
#include "role/limits.h"
#include "role/whom.h"

/* What is left for the push process when the last session has ended. */
enum { SETTLE_MS = 5 * 1000 };

struct process {
	struct orders orders;
	struct resolver *resolver;
	struct service *service;
	struct worker *worker;
	struct loop_timer *patience; /* set while registrations wait */
};

static void on_settled(void *arg)
{
	struct process *p = arg;

	loop_stop(p->orders.loop);
}

static void on_patience(void *arg)
{
	struct process *p = arg;

	log_error(&p->orders.log,
	          "the push process is away: what waits for it is lost "
	          "requests=%zu",
	          service_remote_kept(p->service));
	loop_stop(p->orders.loop);
}

/* on_empty: phones were told that their registrations are kept. */
static void on_empty(void *arg)
{
	struct process *p = arg;

	loop_timer_set(p->patience, SETTLE_MS);
	service_remote_settle(p->service, on_settled, p);
}

static void on_reload(void *arg, const struct files *f)
{
	struct process *p = arg;
	struct limits limits = limits_fit(p->orders.conf, LIMITS_CLIENTS);
	struct audience_opts lists = whom_load(p->orders.conf, NULL);

	worker_reload(p->worker, f, &limits);
	service_remote_set_lists(p->service, &lists);
	whom_done(&lists);
}

static void on_push(void *arg, uint32_t id, int fd)
{
	const struct process *p = arg;

	(void)id;
	service_remote_connect(p->service, fd);
}

static void on_message(void *arg, const struct message *m)
{
	struct process *p = arg;

	if (m->type == MESSAGE_OFFER)
		service_remote_offer(p->service, &m->u.offer);
	else if (m->type == MESSAGE_TICKETS)
		worker_set_tickets(p->worker, m->u.secret);
	else if (m->type == MESSAGE_DRAIN)
		worker_drain(p->worker, m->id != 0, on_empty, p);
}

static const struct orders_kind kind = {
	.who = "a worker",
	.reload = on_reload,
	.peer = on_push,
	.message = on_message,
};

static struct service *make_service(struct loop *loop,
                                    const struct forked_start *start,
                                    const struct message_offer *offer)
{
	struct service_remote_opts opts = {
		.audience = whom_load(start->conf, NULL),
		.key = start->key,
	};
	struct service *service = service_remote_new(loop, &opts);

	service_remote_offer(service, offer);
	whom_done(&opts.audience);
	return service;
}

/* close_others keeps the channel to main and the listening sockets. */
static void close_others(const struct forked_start *start,
                         const struct listeners *l)
{
	size_t count = 0;
	int *keep = NULL;

	for (size_t i = 0; i < l->count; i++)
		for (size_t j = 0; j < l->list[i].fd_count; j++) {
			keep = xgrow(keep, &count, sizeof(*keep));
			keep[count - 1] = l->list[i].fds[j];
		}
	sandbox_close_others(start->fd, keep, count);
	free(keep);
}

int forked_worker(const struct forked_start *start, struct worker *w,
                  const struct listeners *l, const struct message_offer *offer,
                  struct err_detail *detail)
{
	struct process p = { .worker = w };
	struct limits limits;
	struct loop *loop;
	int names;
	int rc;

	close_others(start, l);
	limits = limits_fit(start->conf, LIMITS_CLIENTS);
	rc = namer_begin(start, w, &names, detail);
	if (rc == ERR_OK)
		rc = rights_drop(start->rights, detail);
	if (rc != ERR_OK) {
		worker_free(&w);
		return rc;
	}
	confine(start->conf, SANDBOX_WORKER);
	orders_init(&p.orders, start, names, &kind, &p);
	loop = p.orders.loop;
	p.resolver = resolver_new(loop);
	p.patience = loop_timer_new(loop, on_patience, &p);
	resolver_ask(p.resolver, names);
	p.service = make_service(loop, start, offer);
	rc = worker_start(p.worker, loop, p.resolver, p.service, l, &limits,
	                  detail);
	if (rc == ERR_OK) {
		channel_post(p.orders.main, MESSAGE_READY, 0);
		rc = orders_obey(&p.orders, detail);
	}
	service_free(&p.service);
	worker_free(&p.worker);
	loop_timer_free(&p.patience);
	resolver_free(&p.resolver);
	orders_done(&p.orders);
	return rc;
}
