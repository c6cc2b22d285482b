/* SPDX-License-Identifier: ISC */
/* forked_push - see forked.h. */
#include "base/err.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "process/channel.h"
#include "process/confine.h"
#include "process/forked.h"
#include "process/namer.h"
#include "process/orders.h"
#include "process/service_server.h"
#include "push/service_local.h"
#include "role/files.h"
#include "role/limits.h"
#include "role/push_role.h"
#include "role/target.h"

struct process {
	struct orders orders;
	struct resolver *resolver;
	struct targets backends;
	struct push_role *push;
	struct service_server *server;
};

static void on_culprit(void *arg, uint32_t pid)
{
	struct process *p = arg;

	channel_post(p->orders.main, MESSAGE_CULPRIT, pid);
}

/* tell_offer has main know what is offered, for all workers. */
static void tell_offer(void *arg)
{
	struct process *p = arg;
	const struct service *service = push_role_service(p->push);
	struct message m = { .type = MESSAGE_OFFER };

	m.u.offer.topic = service_local_topic(service);
	m.u.offer.mailboxes_max = (uint32_t)service_mailboxes_max(service);
	m.u.offer.keeps_logins = service_keeps_logins(service);
	if (channel_tell(p->orders.main, &m, -1) != ERR_OK)
		log_error(&p->orders.log,
		          "what is offered is too long to be told");
}

static void on_reload(void *arg, const struct files *f)
{
	struct process *p = arg;
	struct limits limits = limits_fit(p->orders.conf, LIMITS_WATCHERS);

	push_role_reload(p->push, f, &limits);
}

static void on_worker(void *arg, uint32_t id, int fd)
{
	const struct process *p = arg;

	service_server_add(p->server, id, fd);
}

static const struct orders_kind kind = {
	.who = "the push process",
	.reload = on_reload,
	.peer = on_worker,
};

int forked_push(const struct forked_start *start, struct err_detail *detail)
{
	struct process p = { 0 };
	struct limits limits;
	struct files files = { 0 };
	struct loop *loop;
	int names;
	int rc;

	sandbox_close_others(start->fd, NULL, 0);
	rc = namer_begin(start, NULL, &names, detail);
	if (rc != ERR_OK)
		return rc;
	files_gather(start->conf, FILES_PUSH | FILES_SERVERS, &files);
	rc = targets_load(start->conf, &files, &p.backends, detail);
	if (rc != ERR_OK)
		goto out;
	rights_make_state(start->conf, start->rights);
	limits = limits_fit(start->conf, LIMITS_WATCHERS);
	rc = rights_drop(start->rights, detail);
	if (rc != ERR_OK)
		goto out;
	rights_say_foreign(start->conf, start->rights);
	confine(start->conf, SANDBOX_PUSH);
	orders_init(&p.orders, start, names, &kind, &p);
	loop = p.orders.loop;
	p.resolver = resolver_new(loop);
	resolver_ask(p.resolver, names);
	p.push = push_role_new(loop, p.resolver, start->conf, &files,
	                       &p.backends.routes, &limits);
	files_done(&files);
	p.server = service_server_new(loop, push_role_service(p.push),
	                              start->key, on_culprit, &p);
	push_role_observe(p.push, tell_offer, &p);
	tell_offer(&p);
	rc = orders_obey(&p.orders, detail);
	service_server_free(&p.server);
	push_role_end(p.push);
	push_role_free(&p.push);
	resolver_free(&p.resolver);
	orders_done(&p.orders);
out:
	targets_done(&p.backends);
	files_done(&files);
	return rc;
}
