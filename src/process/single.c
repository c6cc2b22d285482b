/* SPDX-License-Identifier: ISC */
/* single - see single.h. */
#include "process/single.h"

#include <signal.h>
#include <stdbool.h>

#include "base/log.h"
#include "base/metric.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "net/tls_tickets.h"
#include "process/confine.h"
#include "process/heir.h"
#include "process/notify.h"
#include "process/ports.h"
#include "process/reload.h"
#include "role/files.h"
#include "role/inherited.h"
#include "role/limits.h"
#include "role/listeners.h"
#include "role/push_role.h"
#include "role/status_role.h"
#include "role/target.h"
#include "role/worker.h"

struct single {
	struct log_ctx log;
	struct conf *conf;
	struct limits limits; /* at the start */
	struct loop *loop;
	/* One for each side: a login does not wait for Apple's name. */
	struct resolver *push_names;
	struct resolver *mail_names;
	struct targets backends; /* of the watchers */
	struct listeners listeners;
	struct ports *ports;
	struct status_role status;
	struct push_role *push;
	struct worker *worker;
	struct loop_timer *rotation; /* of the keys of tickets */
	struct watchdog *watchdog;
	bool draining;
};

static void on_empty(void *arg)
{
	struct single *s = arg;

	loop_stop(s->loop);
}

static void on_rotation(void *arg)
{
	struct single *s = arg;

	worker_rotate_tickets(s->worker);
	loop_timer_set(s->rotation, TLS_TICKETS_MS);
}

static void on_end(int signo, void *arg)
{
	struct single *s = arg;

	log_info(&s->log, "%s", signo == SIGINT ? "SIGINT" : "SIGTERM");
	notify_stopping();
	if (s->draining) {
		loop_stop(s->loop);
		return;
	}
	s->draining = true;
	metric_set(METRIC_DRAINING, 1);
	worker_drain(s->worker, false, on_empty, s);
}

/* reload does for both sides what processes of their own are told. */
static void reload(struct single *s)
{
	struct reload r;
	struct limits limits;

	if (reload_read(s->conf, &r) != ERR_OK)
		return;
	reload_apply(&r, s->conf);
	files_gather(s->conf, FILES_PUSH, &r.files);
	limits = limits_fit(s->conf, LIMITS_BOTH);
	worker_reload(s->worker, &r.files, &limits);
	worker_say_reloaded(s->worker);
	push_role_reload(s->push, &r.files, &limits);
	reload_done(&r);
}

static void on_reload(int signo, void *arg)
{
	struct single *s = arg;

	(void)signo;
	if (s->draining)
		return;
	notify_reloading();
	log_info(&s->log, "SIGHUP: reading the configuration again");
	reload(s);
	notify_ready("serving");
}

static void on_dump(int signo, void *arg)
{
	const struct single *s = arg;

	(void)signo;
	log_info(&s->log, "SIGUSR1: every metric that is not 0");
	metric_log(&s->log, loop_wall_ms(s->loop));
}

static void on_upgrade(int signo, void *arg)
{
	const struct single *s = arg;

	(void)signo;
	log_warn(&s->log, "SIGUSR2: an upgrade needs process.workers");
}

/* prepare does what may need the rights that this process was started with,
 * and leaves them. */
static int prepare(struct single *s, struct conf *c,
                   const struct rights *rights, struct files *f,
                   struct err_detail *detail)
{
	struct inherited *in = inherited_take();
	struct str version;
	int rc = worker_load(c, &s->worker, detail);

	if (rc == ERR_OK &&
	    inherited_find_named(in, HEIR_CHANNEL, &version) >= 0)
		rc = err_set(detail, ERR_INVALID,
		             "an upgrade needs process.workers");
	if (rc == ERR_OK)
		rc = targets_load(c, NULL, &s->backends, detail);
	if (rc == ERR_OK)
		rc = listeners_read(c, &s->listeners, detail);
	if (rc == ERR_OK)
		rc = ports_open(&s->listeners, 1, in, &s->ports, detail);
	if (rc == ERR_OK)
		rc = status_role_open(c, in, &s->status, detail);
	inherited_free(&in);
	if (rc != ERR_OK)
		return rc;
	files_gather(c, FILES_PUSH, f);
	rights_make_state(c, rights);
	s->limits = limits_fit(c, LIMITS_BOTH);
	rc = rights_drop(rights, detail);
	if (rc != ERR_OK)
		return rc;
	rights_say_foreign(c, rights);
	confine(c, SANDBOX_SINGLE);
	return ERR_OK;
}

/* serve turns until the end. */
static int serve(struct single *s, struct err_detail *detail)
{
	int rc;

	ports_give(s->ports, 0, &s->listeners);
	rc = worker_start(s->worker, s->loop, s->mail_names,
	                  push_role_service(s->push), &s->listeners, &s->limits,
	                  detail);
	if (rc != ERR_OK)
		return rc;
	loop_on_signal(s->loop, SIGTERM, on_end, s);
	loop_on_signal(s->loop, SIGINT, on_end, s);
	loop_on_signal(s->loop, SIGHUP, on_reload, s);
	loop_on_signal(s->loop, SIGUSR1, on_dump, s);
	loop_on_signal(s->loop, SIGUSR2, on_upgrade, s);
	loop_timer_set(s->rotation, TLS_TICKETS_MS);
	status_role_serve(&s->status, s->loop, 1);
	log_info(&s->log, "ready");
	notify_ready("serving");
	loop_run(s->loop);
	loop_deafen(s->loop);
	return ERR_OK;
}

int single_run(struct conf *c, const struct rights *rights,
               struct err_detail *detail)
{
	struct single s = { .log = { LOG_ROLE, 0 }, .conf = c };
	struct files files = { 0 };
	int rc;

	limits_no_core();
	rc = prepare(&s, c, rights, &files, detail);
	if (rc != ERR_OK)
		goto out;
	(void)signal(SIGPIPE, SIG_IGN);
	s.loop = loop_new();
	s.push_names = resolver_new(s.loop);
	s.mail_names = resolver_new(s.loop);
	s.rotation = loop_timer_new(s.loop, on_rotation, &s);
	s.watchdog = watchdog_new(s.loop);
	s.push = push_role_new(s.loop, s.push_names, c, &files,
	                       &s.backends.routes, &s.limits);
	files_done(&files);
	rc = serve(&s, detail);
	push_role_end(s.push);
out:
	status_role_done(&s.status);
	worker_free(&s.worker);
	push_role_free(&s.push);
	loop_timer_free(&s.rotation);
	watchdog_free(&s.watchdog);
	resolver_free(&s.mail_names);
	resolver_free(&s.push_names);
	if (s.loop != NULL) {
		streams_finish(s.loop);
		loop_free(&s.loop);
	}
	ports_free(&s.ports);
	listeners_done(&s.listeners);
	targets_done(&s.backends);
	files_done(&files);
	return rc;
}
