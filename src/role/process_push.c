/* SPDX-License-Identifier: ISC */
/* process_push - see process.h. */
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "push/service_local.h"
#include "role/channel.h"
#include "role/confine.h"
#include "role/files.h"
#include "role/limits.h"
#include "role/process.h"
#include "role/push_role.h"
#include "role/reload.h"
#include "role/service_server.h"
#include "role/target.h"

struct process {
	struct log_ctx log;
	struct conf *conf;
	struct reload news; /* that RELOAD will bring */
	struct loop *loop;
	struct channel *main;
	struct resolver *resolver;
	struct targets backends;
	struct push_role *push;
	struct service_server *server;
	bool is_lost; /* it could reach nobody any more */
};

static void on_culprit(void *arg, uint32_t pid)
{
	struct process *p = arg;

	channel_post(p->main, MESSAGE_CULPRIT, pid);
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
	if (channel_tell(p->main, &m, -1) != ERR_OK)
		log_error(&p->log, "what is offered is too long to be told");
}

/* reload takes over what main has looked at, and looks at the rest. */
static void reload(struct process *p)
{
	struct limits limits;

	reload_apply(&p->news, p->conf);
	limits = limits_fit(p->conf, LIMITS_WATCHERS);
	push_role_reload(p->push, &p->news.files, &limits);
	reload_done(&p->news);
	channel_post(p->main, MESSAGE_RELOADED, 0);
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct process *p = arg;

	if (m->type == MESSAGE_PEER && fd >= 0) {
		service_server_add(p->server, m->id, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (reload_hear(&p->news, m))
		return;
	if (m->type == MESSAGE_RELOAD)
		reload(p);
	else if (m->type == MESSAGE_STOP)
		loop_stop(p->loop);
	else if (m->type == MESSAGE_PING)
		channel_post(p->main, MESSAGE_PONG, 0);
}

static void on_ended(void *arg, int rc)
{
	struct process *p = arg;

	log_warn(&p->log, "main is gone (%s)", err_text(rc));
	loop_stop(p->loop);
}

/* on_child: names cannot be looked up any more, a new one can. */
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

int process_push(const struct process_start *start, struct err_detail *detail)
{
	struct process p = { .log = { LOG_ROLE, 0 }, .conf = start->conf };
	struct limits limits;
	struct files files = { 0 };
	int names;
	int rc;

	sandbox_close_others(&start->fd, 1);
	rc = process_names(start, NULL, &names, detail);
	if (rc != ERR_OK)
		return rc;
	files_gather(start->conf, FILES_PUSH, &files);
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
	p.loop = loop_new();
	process_names_watch(names, p.loop, on_child, &p);
	p.main = channel_new(p.loop, start->fd, &events, &p);
	p.resolver = resolver_new(p.loop);
	resolver_ask(p.resolver, names);
	p.push = push_role_new(p.loop, p.resolver, start->conf, &files,
	                       &p.backends.routes, &limits);
	files_done(&files);
	p.server = service_server_new(p.loop, push_role_service(p.push),
	                              start->key, on_culprit, &p);
	push_role_observe(p.push, tell_offer, &p);
	tell_offer(&p);
	loop_run(p.loop);
	if (p.is_lost)
		rc = err_set(detail, ERR_UNAVAILABLE,
		             "the push process needs one for names");
	reload_done(&p.news);
	service_server_free(&p.server);
	push_role_end(p.push);
	push_role_free(&p.push);
	channel_free(&p.main);
	resolver_free(&p.resolver);
	streams_finish(p.loop);
	loop_free(&p.loop);
out:
	targets_done(&p.backends);
	files_done(&files);
	return rc;
}
