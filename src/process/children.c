/* SPDX-License-Identifier: ISC */
/*
 * children - processes are forked between two runs of the loop, so that a child
 * begins with a short stack and ends as main does.
 */
#include "process/children.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rand.h"
#include "process/title.h"

enum {
	/* One that dies is replaced at once, one that dies again and again
	 * keeps the machine free for the others. */
	RESTART_MIN_MS = 50,
	RESTART_MAX_MS = 10 * 1000,
	LIVED_WELL_MS = 60 * 1000,
};

static const struct log_ctx children_log = { LOG_ROLE, 0 };

struct children {
	struct loop *loop;
	const struct children_opts *opts;
	void *arg;
	struct child **list;
	size_t count;
	pid_t main;
};

/* What main does in answer to signals, a child does not: main says when to end,
 * and a terminal asks all of a group. */
static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

/* The list. */

struct child *children_next(const struct children *all,
                            const struct child_kind *kind,
                            const struct child *c)
{
	size_t i = c != NULL ? c->id + 1 : 0;

	while (i < all->count && kind != NULL && all->list[i]->kind != kind)
		i++;
	return i < all->count ? all->list[i] : NULL;
}

struct child *children_find(const struct children *all, uint32_t id)
{
	return id < all->count ? all->list[id] : NULL;
}

bool children_live(const struct children *all, const struct child_kind *kind)
{
	struct child *c = NULL;

	while ((c = children_next(all, kind, c)) != NULL)
		if (c->pid > 0)
			return true;
	return false;
}

/* Talking. */

void child_tell(struct child *c, const struct message *m, int fd)
{
	if (c->channel != NULL && channel_tell(c->channel, m, fd) != ERR_OK)
		log_error(&children_log, "%s %u hangs", c->kind->name,
		          (unsigned)c->number);
}

void child_post(struct child *c, enum message_type type)
{
	if (c->channel != NULL)
		channel_post(c->channel, type, 0);
}

void child_kill(const struct child *c)
{
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL);
}

/* accuse ends |c| for what it says, or does not take. */
static void accuse(const struct child *c, const char *what, const char *why)
{
	log_error(&children_log, "%s %u pid=%d %s (%s): it is ended",
	          c->kind->name, (unsigned)c->number, (int)c->pid, what, why);
	child_kill(c);
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct child *c = arg;

	if (fd >= 0)
		(void)close(fd);
	if (m->type != MESSAGE_PONG && !c->kind->message(c->all->arg, c, m)) {
		accuse(c, "says what it should not", message_name(m->type));
		return;
	}
	/* Another reload waits for this one, and may have begun with its end:
	 * who does not end it hangs. */
	if (!c->is_reloading || m->type == MESSAGE_RELOADED)
		c->is_asked = false;
}

static void on_channel_ended(void *arg, int rc)
{
	struct child *c = arg;

	/* It ends, or is at its end: SIGCHLD tells. */
	if (rc != ERR_CLOSED)
		accuse(c, "says what makes no sense, or takes nothing",
		       err_text(rc));
	channel_free(&c->channel);
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_channel_ended,
};

/* Coming. */

static void make_due(struct child *c)
{
	c->is_due = true;
	loop_stop(c->all->loop);
}

static void on_restart(void *arg)
{
	make_due(arg);
}

void child_want(struct child *c)
{
	c->is_wanted = true;
	make_due(c);
}

void child_leave(struct child *c)
{
	c->is_wanted = false;
	c->is_due = false;
	loop_timer_cancel(c->timer);
}

/* is_orphan: main died before it could be seen to. */
static bool is_orphan(const struct children *all)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return getppid() != all->main;
}

/* let_go drops what the list holds of the loop's; what lives, lives on. */
static void let_go(struct children *all)
{
	for (size_t i = 0; i < all->count; i++) {
		channel_free(&all->list[i]->channel);
		loop_timer_free(&all->list[i]->timer);
	}
}

/* shed lets go of what belongs to main and to other processes. The loop is
 * main's until it is told. */
static void shed(struct children *all)
{
	loop_forked(all->loop);
	let_go(all);
	all->opts->shed(all->arg);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

static void set_title(const struct child *c)
{
	char title[64];
	int len = snprintf(title, sizeof(title), "imapbell: %s", c->kind->name);

	if (c->kind->is_numbered)
		(void)snprintf(title + len, sizeof(title) - (size_t)len, " %u",
		               (unsigned)c->number);
	title_set(title);
}

/* become is the life of a forked process, from its beginning. */
static void become(const struct child *c, int fd, const sigset_t *mask)
	__attribute__((noreturn));

static void become(const struct child *c, int fd, const sigset_t *mask)
{
	struct children *all = c->all;
	const struct children_opts *opts = all->opts;
	void *arg = all->arg;
	struct err_detail why = { "" };
	int rc = ERR_OK;

	if (c->kind->sees_counters)
		metric_be_reader(c->id + 1);
	else
		metric_be(c->id + 1);
	shed(all);
	(void)sigprocmask(SIG_SETMASK, mask, NULL);
	set_title(c);
	if (!is_orphan(all))
		rc = c->kind->live(arg, c, fd, &why);
	if (rc != ERR_OK)
		log_error(&children_log, "%s", why.text);
	children_free(&all);
	opts->done(arg);
	exit(rc == ERR_OK ? EX_OK : EX_SOFTWARE);
}

static void restart_later(struct child *c)
{
	loop_timer_set(c->timer,
	               backoff_next(&c->backoff, rand_below(UINT32_MAX)));
}

/* spawn forks |c|. Results: 0; ERR_UNAVAILABLE: what keeps it from that may be
 * over soon. */
static int spawn(struct child *c, struct err_detail *why)
{
	sigset_t all;
	sigset_t mask;
	int fds[2];
	int rc = channel_pair(fds, why);

	if (rc != ERR_OK)
		return rc;
	/* A signal that the child gets while its loop is main's would be told
	 * to main. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &mask);
	c->pid = fork();
	if (c->pid == 0) {
		(void)close(fds[0]);
		become(c, fds[1], &mask);
	}
	if (c->pid < 0)
		rc = err_set(why, ERR_UNAVAILABLE, "fork: %s", strerror(errno));
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	(void)close(fds[1]);
	if (rc == ERR_OK)
		c->channel = channel_new(c->all->loop, fds[0], &events, c);
	else
		(void)close(fds[0]);
	return rc;
}

void children_fork(struct children *all)
{
	struct err_detail why;

	for (size_t i = 0; i < all->count; i++) {
		struct child *c = all->list[i];

		if (!c->is_due)
			continue;
		c->is_due = false;
		c->since_ms = loop_now_ms(all->loop);
		if (spawn(c, &why) == ERR_OK) {
			all->opts->forked(all->arg, c);
			continue;
		}
		c->pid = 0;
		log_error(&children_log, "%s %u: %s", c->kind->name,
		          (unsigned)c->number, why.text);
		restart_later(c);
	}
}

/* Going. */

/* ask returns false if |c| is still there long after it was ended. One that has
 * closed its channel does not answer either. */
static bool ask(struct child *c, uint64_t pause_ms, uint64_t patience_ms)
{
	if (!c->is_asked) {
		c->is_asked = true;
		c->silent_ms = 0;
		child_post(c, MESSAGE_PING);
		return true;
	}
	c->silent_ms += pause_ms;
	if (c->silent_ms >= patience_ms) {
		log_error(&children_log,
		          "%s %u pid=%d hangs for %llu s: it is ended",
		          c->kind->name, (unsigned)c->number, (int)c->pid,
		          (unsigned long long)(c->silent_ms / 1000));
		child_kill(c);
	}
	return c->silent_ms < 2 * patience_ms;
}

bool children_ask(struct children *all, uint64_t pause_ms, uint64_t patience_ms)
{
	bool all_turn = true;

	for (size_t i = 0; i < all->count; i++)
		if (all->list[i]->pid > 0)
			all_turn &= ask(all->list[i], pause_ms, patience_ms);
	return all_turn;
}

/* say_end logs how |c| ended, unless it is as it was asked to. */
static void say_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error(&children_log, "%s %u pid=%d died: signal %d",
		          c->kind->name, (unsigned)c->number, (int)c->pid,
		          WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0 || c->is_wanted)
		log_error(&children_log, "%s %u pid=%d ended: status %d",
		          c->kind->name, (unsigned)c->number, (int)c->pid,
		          WEXITSTATUS(status));
}

static void count_restarts(const struct child *c, uint64_t n)
{
	char labels[32];

	(void)snprintf(labels, sizeof(labels), "role=\"%s\"", c->kind->name);
	metric_add_labelled(METRIC_PROCESS_RESTARTS, labels, n);
}

/* replace has another come, soon if this one lived well. */
static void replace(struct child *c, uint64_t lived_ms)
{
	count_restarts(c, 1);
	if (lived_ms >= LIVED_WELL_MS)
		backoff_reset(&c->backoff);
	restart_later(c);
}

static void end(struct child *c, int status)
{
	struct children *all = c->all;

	say_end(c, status);
	channel_free(&c->channel);
	c->pid = 0;
	c->is_asked = false;
	c->is_ready = false;
	c->is_reloading = false;
	metric_gone(c->id + 1);
	if (c->is_wanted)
		replace(c, loop_now_ms(all->loop) - c->since_ms);
	all->opts->ended(all->arg, c);
}

void children_reap(struct children *all)
{
	int status;
	pid_t pid;

	/* All there are: in a container main may inherit others' children. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < all->count; i++) {
			if (all->list[i]->pid == pid) {
				end(all->list[i], status);
				break;
			}
		}
	}
}

/* Life. */

void children_add(struct children *all, const struct child_kind *kind,
                  size_t count)
{
	all->list =
		xrealloc(all->list, all->count + count, sizeof(struct child *));
	for (size_t i = 0; i < count; i++) {
		struct child *c = xcalloc(1, sizeof(*c));

		c->kind = kind;
		c->all = all;
		c->id = (uint32_t)all->count;
		c->number = (uint32_t)i + 1;
		c->timer = loop_timer_new(all->loop, on_restart, c);
		all->list[all->count++] = c;
		backoff_init(&c->backoff, RESTART_MIN_MS, RESTART_MAX_MS);
		/* What appears with its first count has no rate. */
		count_restarts(c, 0);
	}
}

struct children *children_new(struct loop *loop,
                              const struct children_opts *opts, void *arg)
{
	struct children *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->opts = opts;
	all->arg = arg;
	all->main = getpid();
	return all;
}

void children_free(struct children **children)
{
	struct children *all = *children;

	*children = NULL;
	if (all == NULL)
		return;
	let_go(all);
	for (size_t i = 0; i < all->count; i++)
		free(all->list[i]);
	free(all->list);
	free(all);
}
