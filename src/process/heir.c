/* SPDX-License-Identifier: ISC */
/*
 * heir - forked twice, so that it is no child of ours: a service manager is
 * told when it ends, as it was of us.
 */
#include "process/heir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "process/channel.h"

enum {
	FIRST_FD = 3, /* as sd_listen_fds(3) wants it */
	READY_MS = 60 * 1000,
};

enum heir_state { HEIR_COMES, HEIR_SERVES };

struct heir {
	struct log_ctx log;
	struct loop *loop;
	struct loop_timer *patience;
	struct channel *channel;
	const struct heir_events *events;
	void *arg;
	enum heir_state state;
	pid_t pid;
	bool is_stale; /* what it has read */
};

/* What is to be started. */
struct start {
	char *const *argv;
	int *fds; /* the last is the channel */
	size_t count;
	int pipe; /* the pid goes here, then errno if it fails */
};

/* In the forked process. */

/* place puts descriptors where they are looked for; no other is of use any
 * more. Results: 0, or errno. */
static int place(struct start *s)
{
	int free_fd = FIRST_FD + (int)s->count;

	s->pipe = fcntl(s->pipe, F_DUPFD_CLOEXEC, free_fd);
	for (size_t i = 0; i < s->count; i++) {
		s->fds[i] = fcntl(s->fds[i], F_DUPFD_CLOEXEC, free_fd);
		if (s->fds[i] < 0)
			return errno;
	}
	for (size_t i = 0; i < s->count; i++)
		if (dup2(s->fds[i], FIRST_FD + (int)i) < 0)
			return errno;
	return 0;
}

static void set_number(const char *name, long number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%ld", number);
	(void)setenv(name, text, 1);
}

/* describe tells of the descriptors. Only the last has a name. */
static void describe(size_t count)
{
	size_t size = count + sizeof(HEIR_CHANNEL) + 16;
	char *names = xcalloc(size, 1);

	memset(names, ':', count - 1);
	(void)snprintf(names + count - 1, size - count + 1, "%s%d",
	               HEIR_CHANNEL, MESSAGE_VERSION);
	(void)setenv("LISTEN_FDNAMES", names, 1);
	free(names);
	set_number("LISTEN_FDS", (long)count);
	set_number("LISTEN_PID", (long)getpid());
	if (getenv("WATCHDOG_PID") != NULL)
		set_number("WATCHDOG_PID", (long)getpid());
}

static void tell_number(int fd, int number)
{
	(void)!write(fd, &number, sizeof(number));
}

/* become is the program, or the reason why not. */
static void become(struct start *s, const sigset_t *mask)
	__attribute__((noreturn));

static void become(struct start *s, const sigset_t *mask)
{
	int error;

	tell_number(s->pipe, (int)getpid());
	error = place(s);
	if (error == 0) {
		describe(s->count);
		(void)sigprocmask(SIG_SETMASK, mask, NULL);
		(void)execvp(s->argv[0], s->argv);
		error = errno;
	}
	tell_number(s->pipe, error);
	_exit(0);
}

/* Here. */

/* read_number reads what tell_number wrote; 0: nothing was. */
static int read_number(int fd)
{
	int number;

	return read(fd, &number, sizeof(number)) == (ssize_t)sizeof(number)
	               ? number
	               : 0;
}

/* fork_twice waits for the first, which is there for a moment only. Results:
 * 0, or errno. */
static int fork_twice(struct start *s)
{
	sigset_t all;
	sigset_t mask;
	int error = 0;
	pid_t pid;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &mask);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0)
			become(s, &mask);
		_exit(0);
	}
	if (pid < 0)
		error = errno;
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return error;
}

/* launch starts it. Results: 0, with its pid; or errno. */
static int launch(struct start *s, pid_t *pid_r)
{
	int fds[2];
	int error;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return errno;
	s->pipe = fds[1];
	error = fork_twice(s);
	(void)close(fds[1]);
	if (error == 0) {
		*pid_r = (pid_t)read_number(fds[0]);
		error = *pid_r > 0 ? read_number(fds[0]) : EAGAIN;
	}
	(void)close(fds[0]);
	return error;
}

/* Its channel. */

static void on_message(void *arg, const struct message *m, int fd)
{
	struct heir *h = arg;

	if (fd >= 0)
		(void)close(fd);
	if (h->state == HEIR_SERVES) {
		h->events->message(h->arg, m);
	} else if (m->type == MESSAGE_READY) {
		h->state = HEIR_SERVES;
		loop_timer_cancel(h->patience);
		if (h->is_stale)
			(void)kill(h->pid, SIGHUP);
		h->events->serves(h->arg, h->pid);
	}
}

static void on_channel_ended(void *arg, int rc)
{
	struct heir *h = arg;

	if (h->state == HEIR_COMES)
		log_error(&h->log,
		          "upgrade: pid=%d ended before it served (%s): this "
		          "one goes on",
		          (int)h->pid, err_text(rc));
	else
		log_warn(&h->log,
		         "upgrade: pid=%d is not heard any more: what phones "
		         "register through sessions of this one is kept in "
		         "memory",
		         (int)h->pid);
	if (h->state == HEIR_COMES)
		heir_kill(h);
	h->events->ended(h->arg);
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_channel_ended,
};

static void on_patience(void *arg)
{
	struct heir *h = arg;

	log_error(
		&h->log,
		"upgrade: pid=%d does not serve after %d s: it is ended, this "
		"one goes on",
		(int)h->pid, READY_MS / 1000);
	heir_kill(h);
	h->events->ended(h->arg);
}

bool heir_serves(const struct heir *h)
{
	return h->state == HEIR_SERVES;
}

/* heir_reload: a signal could still end it now. */
void heir_reload(struct heir *h)
{
	h->is_stale = true;
}

void heir_kill(const struct heir *h)
{
	(void)kill(h->pid, SIGKILL);
}

void heir_tell(struct heir *h, const struct message *m, int fd)
{
	if (channel_tell(h->channel, m, fd) != ERR_OK)
		log_error(&h->log, "upgrade: pid=%d is not told all",
		          (int)h->pid);
}

void heir_post(struct heir *h, enum message_type type)
{
	channel_post(h->channel, type, 0);
}

int heir_new(struct loop *loop, char *const *argv, const int *fds, size_t count,
             const struct heir_events *heir_events, void *arg,
             struct heir **h_r, struct err_detail *detail)
{
	struct start start = { .argv = argv, .count = count + 1 };
	struct heir *h;
	pid_t pid = 0;
	int pair[2];
	int error;
	int rc = channel_pair(pair, detail);

	if (rc != ERR_OK)
		return rc;
	start.fds = xcalloc(start.count, sizeof(*start.fds));
	if (count > 0)
		memcpy(start.fds, fds, count * sizeof(*fds));
	start.fds[count] = pair[1];
	error = launch(&start, &pid);
	free(start.fds);
	(void)close(pair[1]);
	if (error != 0) {
		(void)close(pair[0]);
		return err_set(detail, ERR_UNAVAILABLE, "%s: %s", argv[0],
		               strerror(error));
	}
	h = xcalloc(1, sizeof(*h));
	h->log.area = LOG_ROLE;
	h->loop = loop;
	h->events = heir_events;
	h->arg = arg;
	h->pid = pid;
	h->channel = channel_new(loop, pair[0], &events, h);
	h->patience = loop_timer_new(loop, on_patience, h);
	loop_timer_set(h->patience, READY_MS);
	*h_r = h;
	return ERR_OK;
}

void heir_free(struct heir **heir)
{
	struct heir *h = *heir;

	*heir = NULL;
	if (h == NULL)
		return;
	channel_free(&h->channel);
	loop_timer_free(&h->patience);
	free(h);
}
