/* SPDX-License-Identifier: ISC */
/*
 * children, with processes that are not as they should be. What is logged goes
 * to a file.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"
#include "process/children.h"
#include "unit/unit.h"

enum { PAUSE_MS = 10, PATIENCE_MS = 100 };

struct world {
	struct loop *loop;
	struct children *children;
	struct child *child;
	struct loop_timer *pulse;
	int pauses;
	int pauses_max;
	int reloads;  /* that it says it ended */
	bool no_rest; /* one reload follows the other */
	bool is_ended;
};

/* In the forked process. */

struct life {
	struct loop *loop;
	struct channel *main;
};

static void answer(void *arg, const struct message *m, int fd)
{
	struct life *l = arg;

	(void)fd;
	if (m->type == MESSAGE_PING)
		channel_post(l->main, MESSAGE_PONG, 0);
	else if (m->type == MESSAGE_DRAIN)
		channel_post(l->main, MESSAGE_RELOADED, 0);
	else if (m->type == MESSAGE_STOP)
		loop_stop(l->loop);
}

static void on_end(void *arg, int rc)
{
	struct life *l = arg;

	(void)rc;
	loop_stop(l->loop);
}

/* live_on answers, but ends a reload only when it is to drain. */
static int live_on(void *arg, const struct child *c, int fd,
                   struct err_detail *detail)
{
	static const struct channel_events events = { .message = answer,
		                                      .ended = on_end };
	struct life l = { .loop = loop_new() };

	(void)arg;
	(void)c;
	(void)detail;
	l.main = channel_new(l.loop, fd, &events, &l);
	loop_run(l.loop);
	channel_free(&l.main);
	loop_free(&l.loop);
	return ERR_OK;
}

/* rave says what is no message, and waits. */
static int rave(void *arg, const struct child *c, int fd,
                struct err_detail *detail)
{
	(void)arg;
	(void)c;
	(void)detail;
	(void)send(fd, "nonsense", 8, 0);
	(void)pause();
	return ERR_OK;
}

/* Here. */

static bool hear(void *arg, struct child *c, const struct message *m)
{
	struct world *w = arg;

	if (m->type != MESSAGE_RELOADED)
		return false;
	c->is_reloading = w->no_rest;
	w->reloads++;
	return true;
}

static const struct child_kind lives = { .name = "life",
	                                 .live = live_on,
	                                 .message = hear };
static const struct child_kind raves = { .name = "rave",
	                                 .live = rave,
	                                 .message = hear };

static void shed(void *arg)
{
	struct world *w = arg;

	loop_timer_free(&w->pulse);
	loop_free(&w->loop);
}

static void done(void *arg)
{
	(void)arg;
}

static void forked(void *arg, struct child *c)
{
	(void)arg;
	(void)c;
}

static void ended(void *arg, struct child *c)
{
	struct world *w = arg;

	(void)c;
	w->is_ended = true;
	loop_stop(w->loop);
}

static const struct children_opts opts = { shed, done, forked, ended };

static void on_sigchld(int signo, void *arg)
{
	struct world *w = arg;

	(void)signo;
	children_reap(w->children);
}

static void on_pulse(void *arg)
{
	struct world *w = arg;

	(void)children_ask(w->children, PAUSE_MS, PATIENCE_MS);
	if (w->no_rest)
		child_post(w->child, MESSAGE_DRAIN);
	if (++w->pauses >= w->pauses_max)
		loop_stop(w->loop);
	else
		loop_timer_set(w->pulse, PAUSE_MS);
}

static void begin(struct world *w, const struct child_kind *kind)
{
	*w = (struct world){ .pauses_max = 1000 };
	assert_ok(metric_share(2));
	w->loop = loop_new();
	w->pulse = loop_timer_new(w->loop, on_pulse, w);
	w->children = children_new(w->loop, &opts, w);
	children_add(w->children, kind, 1);
	w->child = children_find(w->children, 0);
	loop_on_signal(w->loop, SIGCHLD, on_sigchld, w);
	child_want(w->child);
	children_fork(w->children);
	assert_true(w->child->pid > 0);
	child_leave(w->child);
}

/* finish waits for the end of who was told to. */
static void finish(struct world *w)
{
	if (!w->is_ended)
		child_post(w->child, MESSAGE_STOP);
	while (!w->is_ended)
		loop_run(w->loop);
	children_free(&w->children);
	loop_timer_free(&w->pulse);
	loop_free(&w->loop);
	metric_unshare();
}

static void who_answers_is_not_ended(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &lives);
	w.pauses_max = 3 * PATIENCE_MS / PAUSE_MS;
	loop_timer_set(w.pulse, PAUSE_MS);
	loop_run(w.loop);
	assert_false(w.is_ended);
	finish(&w);
}

/* A worker that was taken over could keep all reloads off otherwise. */
static void who_answers_but_does_not_reload_is_ended(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &lives);
	w.child->is_reloading = true;
	loop_timer_set(w.pulse, PAUSE_MS);
	loop_run(w.loop);
	assert_true(w.is_ended);
	assert_true(w.pauses >= PATIENCE_MS / PAUSE_MS);
	finish(&w);
}

static void on_reload_over(void *arg)
{
	struct world *w = arg;

	child_post(w->child, MESSAGE_DRAIN);
}

static void who_reloads_in_time_is_not_ended(void **state)
{
	struct loop_timer *timer;
	struct world w;

	(void)state;
	begin(&w, &lives);
	w.child->is_reloading = true;
	w.pauses_max = 3 * PATIENCE_MS / PAUSE_MS;
	timer = loop_timer_new(w.loop, on_reload_over, &w);
	loop_timer_set(timer, PATIENCE_MS / 2);
	loop_timer_set(w.pulse, PAUSE_MS);
	loop_run(w.loop);
	assert_int_equal(w.reloads, 1);
	assert_false(w.is_ended);
	loop_timer_free(&timer);
	finish(&w);
}

/* The end of a reload may be the beginning of the next that was asked for. */
static void who_ends_each_of_many_reloads_is_not_ended(void **state)
{
	struct world w;

	(void)state;
	begin(&w, &lives);
	w.no_rest = true;
	w.child->is_reloading = true;
	w.pauses_max = 3 * PATIENCE_MS / PAUSE_MS;
	loop_timer_set(w.pulse, PAUSE_MS);
	loop_run(w.loop);
	assert_true(w.reloads > 1);
	assert_false(w.is_ended);
	finish(&w);
}

/* logged: |text| is in |file|. */
static bool logged(int file, const char *text)
{
	char line[4096] = "";

	return pread(file, line, sizeof(line) - 1, 0) > 0 &&
	       strstr(line, text) != NULL;
}

/* The operator is told why, and not by what signal alone. */
static void who_says_no_message_is_ended_and_named(void **state)
{
	int file = memfd_create("stderr", MFD_CLOEXEC);
	int real = dup(STDERR_FILENO);
	struct world w;
	bool said;

	(void)state;
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	begin(&w, &raves);
	while (!w.is_ended)
		loop_run(w.loop);
	finish(&w);
	said = logged(file, "rave 1 pid=") &&
	       logged(file, "says what makes no sense");
	assert_true(dup2(real, STDERR_FILENO) >= 0);
	(void)close(real);
	(void)close(file);
	assert_true(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_answers_is_not_ended),
		cmocka_unit_test(who_answers_but_does_not_reload_is_ended),
		cmocka_unit_test(who_reloads_in_time_is_not_ended),
		cmocka_unit_test(who_ends_each_of_many_reloads_is_not_ended),
		cmocka_unit_test(who_says_no_message_is_ended_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
