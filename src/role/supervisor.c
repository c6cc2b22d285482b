/* SPDX-License-Identifier: ISC */
/*
 * supervisor - processes are forked between two runs of the loop, so that a
 * child begins with a short stack and returns from it as main does.
 */
#include "role/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"
#include "net/loop.h"
#include "net/tls_tickets.h"
#include "role/channel.h"
#include "role/limits.h"
#include "role/listeners.h"
#include "role/notify.h"
#include "role/ports.h"
#include "role/process.h"
#include "role/title.h"
#include "role/worker.h"

enum {
	KEY_BYTES = 32,
	/* One that dies is replaced at once, one that dies again and again
	 * keeps the machine free for the others. */
	RESTART_MIN_MS = 50,
	RESTART_MAX_MS = 10 * 1000,
	LIVED_WELL_MS = 60 * 1000,
	/* Clients can be served without the push process: they wait for it only
	 * to be shown what it offers. */
	OFFER_WAIT_MS = 5 * 1000,
	/* What does not end when it should. */
	STOP_WAIT_MS = 10 * 1000,
};

/* The first is the push process, the others are workers by their number. */
enum { PUSH, FIRST_WORKER };

#define SERVING "serving"

enum state {
	STATE_BEGINS, /* the push process is asked what it offers */
	STATE_SERVES,
	STATE_DRAINS, /* workers end */
	STATE_STOPS,  /* the push process ends */
	STATE_OVER,
};

struct child {
	struct supervisor *supervisor;
	uint32_t id;
	pid_t pid; /* 0: none */
	struct channel *channel;
	struct backoff backoff;
	struct loop_timer *timer; /* until it is replaced */
	uint64_t since_ms;
	bool is_due;       /* to be forked */
	bool is_reloading; /* it was asked to */
	bool is_ready;
};

struct supervisor {
	struct log_ctx log;
	struct conf *conf;
	struct loop *loop;
	struct loop_timer *timer;    /* of the state */
	struct loop_timer *rotation; /* of the keys of tickets */
	struct watchdog *watchdog;
	enum state state;
	bool said_ready;
	bool is_reloading;     /* some worker is */
	struct worker *worker; /* loaded, for those that are forked */
	struct listeners listeners;
	struct ports *ports;
	char key[KEY_BYTES];
	struct message_offer offer; /* the last */
	struct str topic;           /* of |offer| */
	struct child *children;
	size_t count;
	pid_t pid;
};

static const char *role_of(const struct child *c)
{
	return c->id == PUSH ? "push" : "worker";
}

/* Talking. */

static void post_all(struct supervisor *s, size_t first, enum message_type type)
{
	for (size_t i = first; i < s->count; i++) {
		if (s->children[i].channel != NULL)
			channel_post(s->children[i].channel, type, 0);
	}
}

/* tell_workers sends |m| to each. */
static void tell_workers(struct supervisor *s, const struct message *m)
{
	for (size_t i = FIRST_WORKER; i < s->count; i++) {
		struct channel *c = s->children[i].channel;

		if (c != NULL && channel_tell(c, m, -1) != ERR_OK)
			log_error(&s->log, "worker %zu hangs", i);
	}
}

static void kill_child(const struct child *c)
{
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL);
}

/* introduce gives a worker and the push process a channel to each other. */
static void introduce(struct supervisor *s, struct child *worker)
{
	struct child *push = &s->children[PUSH];
	struct message m = { .type = MESSAGE_PEER, .id = worker->id };
	struct err_detail why;
	int fds[2];

	if (push->channel == NULL || worker->channel == NULL)
		return;
	if (channel_pair(fds, &why) != ERR_OK) {
		log_error(&s->log, "worker %u gets no push: %s",
		          (unsigned)worker->id, why.text);
		return;
	}
	if (channel_tell(push->channel, &m, fds[0]) != ERR_OK ||
	    channel_tell(worker->channel, &m, fds[1]) != ERR_OK)
		log_error(&s->log, "worker %u gets no push: a process hangs",
		          (unsigned)worker->id);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* begin_workers has all of them forked. */
static void begin_workers(struct supervisor *s)
{
	if (s->state != STATE_BEGINS)
		return;
	s->state = STATE_SERVES;
	loop_timer_cancel(s->timer);
	for (size_t i = FIRST_WORKER; i < s->count; i++)
		s->children[i].is_due = true;
	loop_stop(s->loop);
}

static void on_offer(struct supervisor *s, const struct message *m)
{
	struct str old = s->topic;

	s->topic = str_dup(m->u.offer.topic);
	str_free(&old);
	s->offer = m->u.offer;
	s->offer.topic = s->topic;
	tell_workers(s, m);
	begin_workers(s);
}

static void on_ready(struct supervisor *s)
{
	for (size_t i = FIRST_WORKER; i < s->count; i++) {
		if (!s->children[i].is_ready)
			return;
	}
	if (s->said_ready)
		return;
	s->said_ready = true;
	log_info(&s->log, "ready");
	notify_ready(SERVING);
}

/* say_serving: not before all do, and not when that ends. */
static void say_serving(const struct supervisor *s)
{
	if (s->said_ready && s->state == STATE_SERVES)
		notify_ready(SERVING);
}

/* on_reloaded says so once no worker shows the old certificates. */
static void on_reloaded(struct supervisor *s)
{
	for (size_t i = FIRST_WORKER; i < s->count; i++) {
		if (s->children[i].is_reloading)
			return;
	}
	if (!s->is_reloading)
		return;
	s->is_reloading = false;
	worker_say_reloaded(s->worker);
	say_serving(s);
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct child *c = arg;
	struct supervisor *s = c->supervisor;

	if (fd >= 0)
		(void)close(fd);
	if (c->id == PUSH && m->type == MESSAGE_OFFER) {
		on_offer(s, m);
	} else if (c->id == PUSH && m->type == MESSAGE_CULPRIT &&
	           m->id >= FIRST_WORKER && m->id < s->count) {
		kill_child(&s->children[m->id]);
	} else if (c->id != PUSH && m->type == MESSAGE_READY) {
		c->is_ready = true;
		on_ready(s);
	} else if (c->id != PUSH && m->type == MESSAGE_RELOADED) {
		c->is_reloading = false;
		on_reloaded(s);
	} else {
		log_error(&s->log, "%s %u says what it should not (%s)",
		          role_of(c), (unsigned)c->id, message_name(m->type));
		kill_child(c);
	}
}

static void on_channel_ended(void *arg, int rc)
{
	struct child *c = arg;

	/* It ends, or is at its end: SIGCHLD tells. */
	if (rc != ERR_CLOSED)
		kill_child(c);
	channel_free(&c->channel);
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_channel_ended,
};

/* Ends. */

static bool has_workers(const struct supervisor *s)
{
	for (size_t i = FIRST_WORKER; i < s->count; i++) {
		if (s->children[i].pid > 0)
			return true;
	}
	return false;
}

/* leave_dead has nobody replaced from the child |first| on. */
static void leave_dead(struct supervisor *s, size_t first)
{
	for (size_t i = first; i < s->count; i++) {
		loop_timer_cancel(s->children[i].timer);
		s->children[i].is_due = false;
	}
}

/* stop asks all that are left to end at once. */
static void stop(struct supervisor *s)
{
	s->state = STATE_STOPS;
	leave_dead(s, PUSH);
	post_all(s, PUSH, MESSAGE_STOP);
	loop_timer_set(s->timer, STOP_WAIT_MS);
}

/* go_on takes the next step to the end when it is due. */
static void go_on(struct supervisor *s)
{
	if (s->state == STATE_DRAINS && !has_workers(s))
		stop(s);
	if (s->state == STATE_STOPS && !has_workers(s) &&
	    s->children[PUSH].pid <= 0) {
		s->state = STATE_OVER;
		loop_stop(s->loop);
	}
}

/* on_late: somebody did not do what was asked. */
static void on_late(void *arg)
{
	struct supervisor *s = arg;

	if (s->state == STATE_BEGINS) {
		log_error(&s->log, "the push process does not say what is "
		                   "offered: nothing is, for now");
		begin_workers(s);
		return;
	}
	for (size_t i = 0; i < s->count; i++) {
		if (i >= FIRST_WORKER || s->state == STATE_STOPS)
			kill_child(&s->children[i]);
	}
}

static void on_restart(void *arg)
{
	struct child *c = arg;

	c->is_due = true;
	loop_stop(c->supervisor->loop);
}

/* say_end logs how |c| ended. */
static void say_end(const struct child *c, int status)
{
	const struct supervisor *s = c->supervisor;

	if (WIFSIGNALED(status))
		log_error(&s->log, "%s %u pid=%d died: signal %d", role_of(c),
		          (unsigned)c->id, (int)c->pid, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 || s->state < STATE_DRAINS)
		log_error(&s->log, "%s %u pid=%d ended: status %d", role_of(c),
		          (unsigned)c->id, (int)c->pid, WEXITSTATUS(status));
}

/* is_replaced: workers that drain have registrations for the push process. */
static bool is_replaced(const struct child *c)
{
	const struct supervisor *s = c->supervisor;

	return s->state < STATE_DRAINS ||
	       (s->state == STATE_DRAINS && c->id == PUSH && has_workers(s));
}

static void on_end(struct child *c, int status)
{
	struct supervisor *s = c->supervisor;
	uint64_t lived = loop_now_ms(s->loop) - c->since_ms;
	char labels[32];

	say_end(c, status);
	channel_free(&c->channel);
	c->pid = 0;
	c->is_ready = false;
	c->is_reloading = false;
	on_reloaded(s);
	if (!is_replaced(c)) {
		go_on(s);
		return;
	}
	(void)snprintf(labels, sizeof(labels), "role=\"%s\"", role_of(c));
	metric_add_labelled(METRIC_PROCESS_RESTARTS, labels, 1);
	if (lived >= LIVED_WELL_MS)
		backoff_reset(&c->backoff);
	loop_timer_set(c->timer,
	               backoff_next(&c->backoff, rand_below(UINT32_MAX)));
	if (c->id == PUSH)
		begin_workers(s);
}

static void on_child(int signo, void *arg)
{
	struct supervisor *s = arg;
	int status;
	pid_t pid;

	(void)signo;
	/* All there are: in a container main may inherit others' children. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < s->count; i++) {
			if (s->children[i].pid == pid) {
				on_end(&s->children[i], status);
				break;
			}
		}
	}
}

/* Signals. */

static void on_terminate(int signo, void *arg)
{
	struct supervisor *s = arg;

	log_info(&s->log, "%s", signo == SIGINT ? "SIGINT" : "SIGTERM");
	notify_stopping();
	if (s->state >= STATE_DRAINS) {
		stop(s);
	} else {
		s->state = STATE_DRAINS;
		leave_dead(s, FIRST_WORKER);
		ports_close(s->ports);
		post_all(s, FIRST_WORKER, MESSAGE_DRAIN);
		loop_timer_set(s->timer,
		               (uint64_t)s->conf->process_drain_s * 1000 +
		                       STOP_WAIT_MS);
	}
	go_on(s);
}

static void on_reload(int signo, void *arg)
{
	struct supervisor *s = arg;

	(void)signo;
	if (s->state >= STATE_DRAINS)
		return;
	notify_reloading();
	log_info(&s->log, "SIGHUP: reading certificates and the credential for "
	                  "APNs again");
	if (worker_reload(s->worker) == ERR_OK) {
		for (size_t i = FIRST_WORKER; i < s->count; i++)
			s->children[i].is_reloading =
				s->children[i].channel != NULL;
		post_all(s, FIRST_WORKER, MESSAGE_RELOAD);
		s->is_reloading = true;
		on_reloaded(s);
	} else {
		say_serving(s);
	}
	if (s->children[PUSH].channel != NULL)
		channel_post(s->children[PUSH].channel, MESSAGE_RELOAD, 0);
}

/* on_rotation: a session that one worker began is resumed by each other. */
static void on_rotation(void *arg)
{
	struct message m = { .type = MESSAGE_TICKETS };
	struct supervisor *s = arg;

	worker_rotate_tickets(s->worker);
	m.u.secret = worker_tickets(s->worker);
	tell_workers(s, &m);
	loop_timer_set(s->rotation, TLS_TICKETS_MS);
}

static void log_metric(void *arg, const char *name, int64_t value)
{
	const struct supervisor *s = arg;

	if (value != 0)
		log_info(&s->log, "metric name=%s value=%lld", name,
		         (long long)value);
}

static void on_dump(int signo, void *arg)
{
	struct supervisor *s = arg;

	(void)signo;
	log_info(&s->log, "SIGUSR1: every metric that is not 0");
	metric_walk(log_metric, s);
}

/* Processes. */

/* is_orphan: main died before it could be seen to. */
static bool is_orphan(pid_t main_pid)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != main_pid;
}

/* shed lets go of what belongs to main and to other processes. The loop is
 * main's until it is told. */
static void shed(struct supervisor *s)
{
	loop_forked(s->loop);
	for (size_t i = 0; i < s->count; i++) {
		channel_free(&s->children[i].channel);
		loop_timer_free(&s->children[i].timer);
	}
	loop_timer_free(&s->timer);
	loop_timer_free(&s->rotation);
	watchdog_free(&s->watchdog);
	loop_free(&s->loop);
	/* Main says when to end; a terminal asks all of a group. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

static int be_worker(struct supervisor *s, uint32_t id,
                     const struct process_start *start, struct err_detail *why)
{
	struct worker *w = s->worker;
	char title[64];

	(void)snprintf(title, sizeof(title), "imapbell: worker %u",
	               (unsigned)id);
	title_set(title);
	s->worker = NULL;
	worker_number(w, id, s->conf->process_workers);
	ports_give(s->ports, id - FIRST_WORKER, &s->listeners);
	return process_worker(start, w, &s->listeners, &s->offer, why);
}

static int be_push(struct supervisor *s, const struct process_start *start,
                   struct err_detail *why)
{
	title_set("imapbell: push");
	worker_free(&s->worker); /* with the listeners' keys */
	ports_close(s->ports);
	return process_push(start, why);
}

static void supervisor_done(struct supervisor *s)
{
	worker_free(&s->worker);
	listeners_done(&s->listeners);
	ports_free(&s->ports);
	str_free(&s->topic);
	mem_wipe(s->key, sizeof(s->key));
	free(s->children);
}

/* become is the life of a forked process, from its beginning. */
static void become(struct supervisor *s, const struct child *c, int fd,
                   const sigset_t *mask) __attribute__((noreturn));

static void become(struct supervisor *s, const struct child *c, int fd,
                   const sigset_t *mask)
{
	const struct process_start start = {
		.conf = s->conf,
		.fd = fd,
		.key = str_new(s->key, sizeof(s->key)),
	};
	struct log_ctx log = s->log;
	struct err_detail why = { "" };
	uint32_t id = c->id;
	pid_t main_pid = s->pid;
	int rc = ERR_OK;

	metric_be(id + 1);
	shed(s);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	if (!is_orphan(main_pid))
		rc = id == PUSH ? be_push(s, &start, &why)
		                : be_worker(s, id, &start, &why);
	if (rc != ERR_OK)
		log_error(&log, "%s", why.text);
	supervisor_done(s);
	conf_done(s->conf);
	title_done();
	exit(rc == ERR_OK ? EX_OK : EX_SOFTWARE);
}

/* spawn forks |c|. What keeps it from that may be over soon. */
static void spawn(struct supervisor *s, struct child *c)
{
	struct err_detail why;
	sigset_t all;
	sigset_t mask;
	int fds[2];

	c->is_due = false;
	c->since_ms = loop_now_ms(s->loop);
	if (channel_pair(fds, &why) != ERR_OK)
		goto fail;
	/* A signal that the child gets while its loop is main's would be told
	 * to main. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &mask);
	c->pid = fork();
	if (c->pid == 0) {
		(void)close(fds[0]);
		become(s, c, fds[1], &mask);
	}
	(void)err_set(&why, 0, "fork: %s", strerror(errno));
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)close(fds[1]);
	if (c->pid > 0) {
		c->channel = channel_new(s->loop, fds[0], &events, c);
		return;
	}
	(void)close(fds[0]);
fail:
	c->pid = 0;
	log_error(&s->log, "%s %u: %s", role_of(c), (unsigned)c->id, why.text);
	loop_timer_set(c->timer,
	               backoff_next(&c->backoff, rand_below(UINT32_MAX)));
}

/* spawn_due forks those that are wanted, and makes them known. */
static void spawn_due(struct supervisor *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct child *c = &s->children[i];

		if (!c->is_due)
			continue;
		spawn(s, c);
		if (i != PUSH) {
			introduce(s, c);
			continue;
		}
		for (size_t j = FIRST_WORKER; j < s->count; j++)
			introduce(s, &s->children[j]);
	}
}

static void supervise(struct supervisor *s)
{
	loop_on_signal(s->loop, SIGCHLD, on_child, s);
	loop_on_signal(s->loop, SIGTERM, on_terminate, s);
	loop_on_signal(s->loop, SIGINT, on_terminate, s);
	loop_on_signal(s->loop, SIGHUP, on_reload, s);
	loop_on_signal(s->loop, SIGUSR1, on_dump, s);
	s->children[PUSH].is_due = true;
	loop_timer_set(s->timer, OFFER_WAIT_MS);
	loop_timer_set(s->rotation, TLS_TICKETS_MS);
	while (s->state != STATE_OVER) {
		spawn_due(s);
		loop_run(s->loop);
	}
}

static void make_children(struct supervisor *s)
{
	s->count = FIRST_WORKER + s->conf->process_workers;
	s->children = xcalloc(s->count, sizeof(*s->children));
	for (size_t i = 0; i < s->count; i++) {
		struct child *c = &s->children[i];

		c->supervisor = s;
		c->id = (uint32_t)i;
		c->timer = loop_timer_new(s->loop, on_restart, c);
		backoff_init(&c->backoff, RESTART_MIN_MS, RESTART_MAX_MS);
	}
}

/* divide gives each worker its part of what all may have. */
static void divide(struct conf *c)
{
	unsigned n = c->process_workers;

	c->limits_sessions = (c->limits_sessions + n - 1) / n;
}

static int prepare(struct supervisor *s, struct err_detail *detail)
{
	struct conf *c = s->conf;
	int rc = worker_load(c, &s->worker, detail);

	if (rc == ERR_OK)
		rc = listeners_read(c, &s->listeners, detail);
	if (rc == ERR_OK)
		rc = ports_open(&s->listeners, c->process_workers, &s->ports,
		                detail);
	/* Main, push, workers. */
	if (rc == ERR_OK && metric_share(2 + c->process_workers) != ERR_OK)
		rc = err_set(detail, ERR_UNAVAILABLE,
		             "no memory can be shared with processes");
	return rc;
}

int supervisor_run(struct conf *c, struct err_detail *detail)
{
	struct supervisor s = {
		.log = { LOG_ROLE, 0 },
		.conf = c,
		.pid = getpid(),
	};
	int rc = prepare(&s, detail);

	if (rc != ERR_OK)
		goto out;
	limits_no_core();
	divide(c);
	rand_bytes(s.key, sizeof(s.key));
	s.offer.mailboxes_max = c->push_mailboxes_per_device;
	s.loop = loop_new();
	s.timer = loop_timer_new(s.loop, on_late, &s);
	s.rotation = loop_timer_new(s.loop, on_rotation, &s);
	s.watchdog = watchdog_new(s.loop);
	make_children(&s);
	title_set("imapbell: main");
	supervise(&s);
	for (size_t i = 0; i < s.count; i++) {
		channel_free(&s.children[i].channel);
		loop_timer_free(&s.children[i].timer);
	}
	loop_timer_free(&s.timer);
	loop_timer_free(&s.rotation);
	watchdog_free(&s.watchdog);
	loop_free(&s.loop);
out:
	supervisor_done(&s);
	metric_unshare();
	return rc;
}
