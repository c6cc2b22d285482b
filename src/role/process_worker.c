/* SPDX-License-Identifier: ISC */
/* process_worker - see process.h. */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "role/channel.h"
#include "role/confine.h"
#include "role/limits.h"
#include "role/process.h"
#include "role/reload.h"
#include "role/service_remote.h"
#include "role/whom.h"

/* What is left for the push process when the last session has ended. */
enum { SETTLE_MS = 5 * 1000 };

struct process {
	struct log_ctx log;
	struct conf *conf;
	struct reload news; /* that RELOAD will bring */
	struct loop *loop;
	struct channel *main;
	struct resolver *resolver;
	struct service *service;
	struct worker *worker;
	struct loop_timer *patience; /* set while registrations wait */
	bool is_lost;                /* it could dial nobody any more */
};

static void on_settled(void *arg)
{
	struct process *p = arg;

	loop_stop(p->loop);
}

static void on_patience(void *arg)
{
	struct process *p = arg;

	log_error(&p->log,
	          "the push process is away: what waits for it is lost "
	          "requests=%zu",
	          service_remote_kept(p->service));
	loop_stop(p->loop);
}

/* on_empty: phones were told that their registrations are kept. */
static void on_empty(void *arg)
{
	struct process *p = arg;

	loop_timer_set(p->patience, SETTLE_MS);
	service_remote_settle(p->service, on_settled, p);
}

/* reload takes over what main has looked at. */
static void reload(struct process *p)
{
	struct limits limits;
	struct audience_opts lists;

	reload_apply(&p->news, p->conf);
	limits = limits_fit(p->conf, LIMITS_CLIENTS);
	worker_reload(p->worker, &p->news.files, &limits);
	lists = whom_load(p->conf, NULL);
	service_remote_set_lists(p->service, &lists);
	whom_done(&lists);
	reload_done(&p->news);
	channel_post(p->main, MESSAGE_RELOADED, 0);
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct process *p = arg;

	if (m->type == MESSAGE_PEER && fd >= 0) {
		service_remote_connect(p->service, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (reload_hear(&p->news, m))
		return;
	if (m->type == MESSAGE_OFFER)
		service_remote_offer(p->service, &m->u.offer);
	else if (m->type == MESSAGE_RELOAD)
		reload(p);
	else if (m->type == MESSAGE_TICKETS)
		worker_set_tickets(p->worker, m->u.secret);
	else if (m->type == MESSAGE_DRAIN)
		worker_drain(p->worker, m->id != 0, on_empty, p);
	else if (m->type == MESSAGE_STOP)
		loop_stop(p->loop);
	else if (m->type == MESSAGE_PING)
		channel_post(p->main, MESSAGE_PONG, 0);
}

/* on_ended: without main there is nobody to say when to end. */
static void on_ended(void *arg, int rc)
{
	struct process *p = arg;

	log_warn(&p->log, "main is gone (%s)", err_text(rc));
	loop_stop(p->loop);
}

/* on_child: names cannot be looked up any more, a new worker can. */
static void on_child(int signo, void *arg)
{
	struct process *p = arg;

	(void)signo;
	log_error(&p->log, "the process for names is gone");
	p->is_lost = true;
	loop_stop(p->loop);
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_ended,
};

static struct service *make_service(struct loop *loop,
                                    const struct process_start *start,
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
static void close_others(const struct process_start *start,
                         const struct listeners *l)
{
	size_t count = 1;
	int *keep;

	for (size_t i = 0; i < l->count; i++)
		count += l->list[i].fd_count;
	keep = xcalloc(count, sizeof(*keep));
	keep[0] = start->fd;
	count = 1;
	for (size_t i = 0; i < l->count; i++)
		for (size_t j = 0; j < l->list[i].fd_count; j++)
			keep[count++] = l->list[i].fds[j];
	sandbox_close_others(keep, count);
	free(keep);
}

int process_worker(const struct process_start *start, struct worker *w,
                   const struct listeners *l, const struct message_offer *offer,
                   struct err_detail *detail)
{
	struct process p = { .log = { LOG_ROLE, 0 },
		             .conf = start->conf,
		             .worker = w };
	struct limits limits;
	int names;
	int rc;

	close_others(start, l);
	limits = limits_fit(start->conf, LIMITS_CLIENTS);
	rc = process_names(start, w, &names, detail);
	if (rc == ERR_OK)
		rc = rights_drop(start->rights, detail);
	if (rc != ERR_OK) {
		worker_free(&w);
		return rc;
	}
	confine(start->conf, SANDBOX_WORKER);
	p.loop = loop_new();
	process_names_watch(names, p.loop, on_child, &p);
	p.main = channel_new(p.loop, start->fd, &events, &p);
	p.resolver = resolver_new(p.loop);
	p.patience = loop_timer_new(p.loop, on_patience, &p);
	resolver_ask(p.resolver, names);
	p.service = make_service(p.loop, start, offer);
	rc = worker_start(p.worker, p.loop, p.resolver, p.service, l, &limits,
	                  detail);
	if (rc == ERR_OK) {
		channel_post(p.main, MESSAGE_READY, 0);
		loop_run(p.loop);
	}
	if (p.is_lost)
		rc = err_set(detail, ERR_UNAVAILABLE,
		             "a worker needs a process for names");
	reload_done(&p.news);
	service_free(&p.service);
	worker_free(&p.worker);
	channel_free(&p.main);
	loop_timer_free(&p.patience);
	resolver_free(&p.resolver);
	streams_finish(p.loop);
	loop_free(&p.loop);
	return rc;
}
