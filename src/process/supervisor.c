/* SPDX-License-Identifier: ISC */
/*
 * supervisor - what main wants of its children, and when; children.h has what
 * becomes of them.
 */
#include "process/supervisor.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"
#include "net/loop.h"
#include "net/tls_tickets.h"
#include "process/channel.h"
#include "process/children.h"
#include "process/forked.h"
#include "process/heir.h"
#include "process/notify.h"
#include "process/ports.h"
#include "process/reload.h"
#include "process/supervisor_impl.h"
#include "process/title.h"
#include "role/files.h"
#include "role/inherited.h"
#include "role/limits.h"
#include "role/listeners.h"
#include "role/worker.h"

enum {
	/* Clients can be served without the push process: they wait for it only
	 * to be shown what it offers. */
	OFFER_WAIT_MS = 5 * 1000,
	/* What does not end when it should. */
	STOP_WAIT_MS = 10 * 1000,
};

enum {
	PULSE_MS = 5 * 1000,
	/* A process that hangs so long is ended. */
	HANG_MS = 30 * 1000,
	HANG_MIN_MS = 2 * 1000,
};

#define SERVING "serving"

/* What there is to fork; the functions are below. */
enum kind { PUSH, WORKER, STATUS, KINDS };

static const struct child_kind kinds[KINDS];

/* Talking. */

struct child *supervisor_push(const struct supervisor *s)
{
	return children_next(s->children, &kinds[PUSH], NULL);
}

struct child *supervisor_next_worker(const struct supervisor *s,
                                     const struct child *c)
{
	return children_next(s->children, &kinds[WORKER], c);
}

void supervisor_tell_workers(struct supervisor *s, const struct message *m)
{
	struct child *c = NULL;

	while ((c = supervisor_next_worker(s, c)) != NULL)
		child_tell(c, m, -1);
}

/* begin_workers has all of them forked. */
static void begin_workers(struct supervisor *s)
{
	struct child *c = NULL;

	if (s->state != STATE_BEGINS)
		return;
	s->state = STATE_SERVES;
	loop_timer_cancel(s->timer);
	while ((c = supervisor_next_worker(s, c)) != NULL)
		child_want(c);
}

void supervisor_offer(struct supervisor *s, const struct message *m)
{
	struct str old = s->topic;

	s->topic = str_dup(m->u.offer.topic);
	str_free(&old);
	s->offer = m->u.offer;
	s->offer.topic = s->topic;
	supervisor_tell_workers(s, m);
	upgrade_offer(s);
	begin_workers(s);
}

/* say_serving: not before all do, and not when that ends. */
static void say_serving(struct supervisor *s)
{
	if (!s->leads || !s->said_ready || s->state != STATE_SERVES)
		return;
	notify_ready(SERVING);
	s->told[0] = '\0';
}

static void on_ready(struct supervisor *s)
{
	struct child *c = NULL;

	while ((c = supervisor_next_worker(s, c)) != NULL)
		if (!c->is_ready)
			return;
	if (s->said_ready)
		return;
	s->said_ready = true;
	log_info(&s->log, "ready");
	say_serving(s);
	if (s->elder != NULL)
		upgrade_ready(s);
}

void supervisor_lead(struct supervisor *s)
{
	s->leads = true;
	s->watchdog = watchdog_new(s->loop);
	say_serving(s);
	upgrade_offer(s);
}

static void begin_reload(struct supervisor *s);

/* on_reloaded says so once no process has the old options and certificates. */
static void on_reloaded(struct supervisor *s)
{
	struct child *c = NULL;

	while ((c = children_next(s->children, NULL, c)) != NULL)
		if (c->is_reloading)
			return;
	if (!s->is_reloading)
		return;
	s->is_reloading = false;
	worker_say_reloaded(s->worker);
	if (!s->is_reload_due || s->state >= STATE_DRAINS) {
		say_serving(s);
		return;
	}
	s->is_reload_due = false;
	log_info(&s->log, "SIGHUP: reading the configuration once more");
	begin_reload(s);
}

/* hear_reloaded: |c| has it all. */
static bool hear_reloaded(struct supervisor *s, struct child *c)
{
	c->is_reloading = false;
	on_reloaded(s);
	return true;
}

void supervisor_accuse(struct supervisor *s, uint32_t pid)
{
	struct child *c = NULL;

	while ((c = supervisor_next_worker(s, c)) != NULL)
		if ((uint32_t)c->pid == pid)
			break;
	if (c != NULL)
		child_kill(c);
	else
		upgrade_accuse(s, pid);
}

static bool hear_push(void *arg, struct child *c, const struct message *m)
{
	struct supervisor *s = arg;

	if (m->type == MESSAGE_RELOADED)
		return hear_reloaded(s, c);
	if (m->type == MESSAGE_CULPRIT)
		supervisor_accuse(s, m->id);
	else if (m->type == MESSAGE_OFFER)
		supervisor_offer(s, m);
	else
		return false;
	return true;
}

static bool hear_worker(void *arg, struct child *c, const struct message *m)
{
	struct supervisor *s = arg;

	if (m->type == MESSAGE_READY) {
		c->is_ready = true;
		on_ready(s);
	} else if (m->type == MESSAGE_RELOADED) {
		return hear_reloaded(s, c);
	} else {
		return false;
	}
	return true;
}

static bool hear_status(void *arg, struct child *c, const struct message *m)
{
	return m->type == MESSAGE_RELOADED && hear_reloaded(arg, c);
}

/* Ends. */

static bool has_clients(const struct supervisor *s)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].faces_clients &&
		    children_live(s->children, &kinds[i]))
			return true;
	return false;
}

void supervisor_stop(struct supervisor *s)
{
	struct child *c = NULL;

	s->state = STATE_STOPS;
	s->is_patient = false;
	while ((c = children_next(s->children, NULL, c)) != NULL) {
		child_leave(c);
		child_post(c, MESSAGE_STOP);
	}
	loop_timer_set(s->timer, STOP_WAIT_MS);
}

/* supervisor_drain: what does not face clients is needed until then, since
 * registrations are to be kept. */
void supervisor_drain(struct supervisor *s, bool is_patient)
{
	uint64_t wait_ms = (uint64_t)s->conf->process_drain_s * 1000;
	const struct message m = { .type = MESSAGE_DRAIN, .id = is_patient };
	struct child *c = NULL;

	s->state = STATE_DRAINS;
	s->is_patient = is_patient;
	metric_set(METRIC_DRAINING, 1);
	ports_close(s->ports);
	while ((c = children_next(s->children, NULL, c)) != NULL) {
		if (!c->kind->faces_clients)
			continue;
		child_leave(c);
		child_tell(c, &m, -1);
	}
	loop_timer_set(s->timer, STOP_WAIT_MS + (is_patient ? 0 : wait_ms));
}

/* supervisor_go_on: the main before ends first, since its workers have no other
 * way to the push process. */
void supervisor_go_on(struct supervisor *s)
{
	if (s->state == STATE_DRAINS && !has_clients(s) && s->elder == NULL)
		supervisor_stop(s);
	if (s->state == STATE_STOPS && !children_live(s->children, NULL)) {
		s->state = STATE_OVER;
		loop_stop(s->loop);
	}
}

/* is_late: |c| was asked to end, and does not. */
static bool is_late(const struct supervisor *s, const struct child *c)
{
	return !c->is_wanted && !(s->is_patient && c->kind->faces_clients);
}

/* on_late: somebody did not do what was asked. */
static void on_late(void *arg)
{
	struct supervisor *s = arg;
	struct child *c = NULL;

	if (s->state == STATE_BEGINS) {
		log_error(&s->log, "the push process does not say what is "
		                   "offered: nothing is, for now");
		begin_workers(s);
		return;
	}
	while ((c = children_next(s->children, NULL, c)) != NULL)
		if (is_late(s, c))
			child_kill(c);
	if (s->state == STATE_DRAINS && !s->is_patient)
		upgrade_abandon(s);
	supervisor_go_on(s);
}

/* on_ended: clients do not wait for what a push process offers that died. */
static void on_ended(void *arg, struct child *c)
{
	struct supervisor *s = arg;

	on_reloaded(s);
	if (c->kind == &kinds[PUSH])
		begin_workers(s);
	supervisor_go_on(s);
}

/* Signals. */

static void on_child(int signo, void *arg)
{
	struct supervisor *s = arg;

	(void)signo;
	children_reap(s->children);
}

static void on_terminate(int signo, void *arg)
{
	struct supervisor *s = arg;
	bool stops = s->is_ended || s->state >= STATE_STOPS;

	s->is_ended = true;
	log_info(&s->log, "%s", signo == SIGINT ? "SIGINT" : "SIGTERM");
	if (s->leads)
		notify_stopping();
	upgrade_ended(s, stops);
	if (stops)
		supervisor_stop(s);
	else
		supervisor_drain(s, false);
	supervisor_go_on(s);
}

static void on_upgrade(int signo, void *arg)
{
	(void)signo;
	upgrade_begin(arg);
}

static void say_reload(void *arg, const struct message *m)
{
	child_tell(arg, m, -1);
}

/* tell_reload has |c| take over what main has; who holds |secrets| is told
 * them. */
static void tell_reload(struct child *c, const struct reload *r,
                        const struct files *secrets)
{
	static const struct files none;
	const struct files *f = &none;

	if (c->kind == &kinds[PUSH])
		f = secrets;
	else if (c->kind == &kinds[WORKER])
		f = &r->files;
	c->is_reloading = c->channel != NULL;
	if (c->is_reloading)
		reload_tell(&r->changes, f, say_reload, c);
}

/* begin_reload: those that are forked from now on have it all by birth. */
static void begin_reload(struct supervisor *s)
{
	const struct limits unused = { 0 }; /* main has no clients */
	struct files secrets = { 0 };
	struct child *c = NULL;
	struct reload r;

	if (reload_read(s->conf, &r) != ERR_OK) {
		say_serving(s);
		return;
	}
	reload_apply(&r, s->conf);
	worker_reload(s->worker, &r.files, &unused);
	files_gather(s->conf, FILES_PUSH, &secrets);
	while ((c = children_next(s->children, NULL, c)) != NULL)
		tell_reload(c, &r, &secrets);
	files_done(&secrets);
	reload_done(&r);
	s->is_reloading = true;
	on_reloaded(s);
}

/* on_reload: one after the other, so that all processes end with the last. */
static void on_reload(int signo, void *arg)
{
	struct supervisor *s = arg;

	(void)signo;
	if (s->state >= STATE_DRAINS)
		return;
	if (s->leads)
		notify_reloading();
	upgrade_reload(s);
	if (s->is_reloading) {
		s->is_reload_due = true;
		return;
	}
	log_info(&s->log, "SIGHUP: reading the configuration again");
	begin_reload(s);
}

/* on_rotation: a session that one worker began is resumed by each other. */
static void on_rotation(void *arg)
{
	struct message m = { .type = MESSAGE_TICKETS };
	struct supervisor *s = arg;

	worker_rotate_tickets(s->worker);
	m.u.secret = worker_tickets(s->worker);
	supervisor_tell_workers(s, &m);
	upgrade_tickets(s);
	loop_timer_set(s->rotation, TLS_TICKETS_MS);
}

/* say_status tells the manager how it is, if that has changed. */
static void say_status(struct supervisor *s)
{
	char text[sizeof(s->told)];

	if (!s->leads || !s->said_ready || s->state != STATE_SERVES)
		return;
	(void)snprintf(text, sizeof(text), "%s, sessions=%lld watched=%lld",
	               SERVING, (long long)metric_total(METRIC_SESSIONS_RELAY),
	               (long long)metric_total(METRIC_USERS_WATCHED));
	if (strcmp(text, s->told) == 0)
		return;
	(void)snprintf(s->told, sizeof(s->told), "%s", text);
	notify_status(text);
}

/* on_pulse asks processes whether they turn. A manager that hears nothing from
 * us would end all: one that hangs is ended before that. */
static void on_pulse(void *arg)
{
	struct supervisor *s = arg;
	uint64_t patience_ms = HANG_MS;
	uint64_t wanted_ms = watchdog_ms() / 2;
	uint64_t pause_ms = PULSE_MS;

	if (wanted_ms > 0 && wanted_ms < patience_ms)
		patience_ms = wanted_ms > HANG_MIN_MS ? wanted_ms : HANG_MIN_MS;
	if (patience_ms / 2 < pause_ms)
		pause_ms = patience_ms / 2;
	watchdog_hold(s->watchdog,
	              !children_ask(s->children, pause_ms, patience_ms));
	say_status(s);
	loop_timer_set(s->pulse, pause_ms);
}

static void on_dump(int signo, void *arg)
{
	const struct supervisor *s = arg;

	(void)signo;
	log_info(&s->log, "SIGUSR1: every metric that is not 0");
	metric_log(&s->log, loop_wall_ms(s->loop));
}

/* Processes. */

static struct forked_start start_of(struct supervisor *s, int fd)
{
	return (struct forked_start){
		.conf = s->conf,
		.rights = s->rights,
		.fd = fd,
		.key = str_new(s->key, sizeof(s->key)),
	};
}

static int live_worker(void *arg, const struct child *c, int fd,
                       struct err_detail *detail)
{
	struct supervisor *s = arg;
	const struct forked_start start = start_of(s, fd);
	struct worker *w = s->worker;

	s->worker = NULL;
	worker_number(w, c->number, s->conf->process_workers);
	ports_give(s->ports, c->number - 1, &s->listeners);
	status_role_done(&s->status);
	return forked_worker(&start, w, &s->listeners, &s->offer, detail);
}

static int live_push(void *arg, const struct child *c, int fd,
                     struct err_detail *detail)
{
	struct supervisor *s = arg;
	const struct forked_start start = start_of(s, fd);

	(void)c;
	worker_free(&s->worker); /* with the listeners' keys */
	ports_close(s->ports);
	status_role_done(&s->status);
	return forked_push(&start, detail);
}

static int live_status(void *arg, const struct child *c, int fd,
                       struct err_detail *detail)
{
	struct supervisor *s = arg;
	const struct forked_start start = start_of(s, fd);

	(void)c;
	worker_free(&s->worker);
	mem_wipe(s->key, sizeof(s->key));
	ports_close(s->ports);
	status_role_mend(&s->status);
	return forked_status(&start, &s->status, detail);
}

static const struct child_kind kinds[KINDS] = {
	[PUSH] = { "push", false, false, false, live_push, hear_push },
	[WORKER] = { "worker", true, true, false, live_worker, hear_worker },
	[STATUS] = { "status", false, false, true, live_status, hear_status },
};

/* on_forked makes |c| known to those it works with. */
static void on_forked(void *arg, struct child *c)
{
	struct supervisor *s = arg;
	struct child *worker = NULL;

	if (c->kind == &kinds[WORKER])
		upgrade_introduce(s, c);
	if (c->kind != &kinds[PUSH])
		return;
	while ((worker = supervisor_next_worker(s, worker)) != NULL)
		upgrade_introduce(s, worker);
	upgrade_push_came(s);
}

/* shed lets go of what turns. */
static void shed(void *arg)
{
	struct supervisor *s = arg;

	upgrade_free(s);
	loop_timer_free(&s->timer);
	loop_timer_free(&s->rotation);
	loop_timer_free(&s->pulse);
	watchdog_free(&s->watchdog);
	loop_free(&s->loop);
}

static void supervisor_done(struct supervisor *s)
{
	worker_free(&s->worker);
	listeners_done(&s->listeners);
	ports_free(&s->ports);
	status_role_done(&s->status);
	str_free(&s->topic);
	mem_wipe(s->key, sizeof(s->key));
}

/* on_life_over frees what a forked process still has of main's. */
static void on_life_over(void *arg)
{
	struct supervisor *s = arg;

	supervisor_done(s);
	conf_done(s->conf);
	title_done();
}

static const struct children_opts children_opts = {
	.shed = shed,
	.done = on_life_over,
	.forked = on_forked,
	.ended = on_ended,
};

static struct child *status_of(const struct supervisor *s)
{
	return children_next(s->children, &kinds[STATUS], NULL);
}

void supervisor_hide_status(struct supervisor *s)
{
	child_leave(status_of(s));
	child_post(status_of(s), MESSAGE_STOP);
	status_role_done(&s->status);
}

void supervisor_begin(struct supervisor *s)
{
	s->state = STATE_BEGINS;
	child_want(supervisor_push(s));
	if (status_role_is_open(&s->status))
		child_want(status_of(s));
	loop_timer_set(s->timer, OFFER_WAIT_MS);
}

static void supervise(struct supervisor *s)
{
	loop_on_signal(s->loop, SIGCHLD, on_child, s);
	loop_on_signal(s->loop, SIGTERM, on_terminate, s);
	loop_on_signal(s->loop, SIGINT, on_terminate, s);
	loop_on_signal(s->loop, SIGHUP, on_reload, s);
	loop_on_signal(s->loop, SIGUSR1, on_dump, s);
	loop_on_signal(s->loop, SIGUSR2, on_upgrade, s);
	loop_timer_set(s->rotation, TLS_TICKETS_MS);
	loop_timer_set(s->pulse, PULSE_MS);
	while (s->state != STATE_OVER) {
		children_fork(s->children);
		loop_run(s->loop);
	}
}

static int prepare(struct supervisor *s, struct inherited *in,
                   struct err_detail *detail)
{
	struct conf *c = s->conf;
	int rc = worker_load(c, &s->worker, detail);

	if (rc == ERR_OK)
		rc = listeners_read(c, &s->listeners, detail);
	if (rc == ERR_OK)
		rc = ports_open(&s->listeners, c->process_workers, in,
		                &s->ports, detail);
	if (rc == ERR_OK)
		rc = status_role_open(c, in, &s->status, detail);
	/* Main, push, workers, status. */
	if (rc == ERR_OK && metric_share(3 + c->process_workers) != ERR_OK)
		rc = err_set(detail, ERR_UNAVAILABLE,
		             "no memory can be shared with processes");
	return rc;
}

int supervisor_run(struct conf *c, const struct rights *rights,
                   struct err_detail *detail)
{
	struct supervisor s = {
		.log = { LOG_ROLE, 0 },
		.conf = c,
		.rights = rights,
	};
	struct inherited *in = inherited_take();
	struct str version = STR_NULL;
	int elder = inherited_find_named(in, HEIR_CHANNEL, &version);
	int rc;

	limits_no_core();
	rc = prepare(&s, in, detail);
	if (rc != ERR_OK)
		goto out;
	rand_bytes(s.key, sizeof(s.key));
	s.offer.mailboxes_max = c->push_mailboxes_per_device;
	s.loop = loop_new();
	s.timer = loop_timer_new(s.loop, on_late, &s);
	s.rotation = loop_timer_new(s.loop, on_rotation, &s);
	s.pulse = loop_timer_new(s.loop, on_pulse, &s);
	s.children = children_new(s.loop, &children_opts, &s);
	children_add(s.children, &kinds[PUSH], 1);
	children_add(s.children, &kinds[WORKER], c->process_workers);
	children_add(s.children, &kinds[STATUS], 1);
	title_set("imapbell: main");
	upgrade_inherit(&s, elder, version);
	inherited_free(&in);
	supervise(&s);
	loop_deafen(s.loop);
	children_free(&s.children);
	upgrade_free(&s);
	loop_timer_free(&s.timer);
	loop_timer_free(&s.rotation);
	loop_timer_free(&s.pulse);
	watchdog_free(&s.watchdog);
	loop_free(&s.loop);
out:
	inherited_free(&in);
	supervisor_done(&s);
	metric_unshare();
	return rc;
}
