/* SPDX-License-Identifier: ISC */
/* namer - see namer.h. */
#include "process/namer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "net/names.h"
#include "process/confine.h"
#include "process/forked.h"
#include "process/title.h"

static void be_names(const struct forked_start *start, struct worker *w, int fd,
                     pid_t parent) __attribute__((noreturn));

static void be_names(const struct forked_start *start, struct worker *w, int fd,
                     pid_t parent)
{
	const struct log_ctx log = { LOG_ROLE, 0 };
	struct err_detail why;

	title_set("imapbell: names");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker_free(&w); /* with the listeners' keys */
	mem_wipe(mem_unconst(start->key.data), start->key.len);
	metric_unshare();
	sandbox_close_others(fd, NULL, 0);
	if (rights_drop(start->rights, &why) != ERR_OK) {
		log_error(&log, "%s", why.text);
		_exit(EX_OSERR);
	}
	confine(start->conf, SANDBOX_NAMES);
	if (getppid() == parent)
		names_serve(fd);
	_exit(EX_OK);
}

/* hold_child (SIG_BLOCK) keeps the news that a child is gone until there is
 * somebody to be told (SIG_UNBLOCK). */
static void hold_child(int how)
{
	sigset_t child;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(how, &child, NULL);
}

int namer_begin(const struct forked_start *start, struct worker *w, int *fd_r,
                struct err_detail *detail)
{
	pid_t parent = getpid();
	pid_t pid;
	int fds[2];
	int number;

	*fd_r = -1;
	if (!confine_is_on(start->conf))
		return ERR_OK;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return err_set(detail, ERR_UNAVAILABLE,
		               "no process for names: %s", strerror(errno));
	hold_child(SIG_BLOCK);
	pid = fork();
	if (pid == 0)
		be_names(start, w, fds[1], parent);
	number = errno;
	(void)close(fds[1]);
	if (pid > 0) {
		*fd_r = fds[0];
		return ERR_OK;
	}
	(void)close(fds[0]);
	return err_set(detail, ERR_UNAVAILABLE, "no process for names: %s",
	               strerror(number));
}

void namer_watch(int fd, struct loop *loop, loop_signal_fn *gone, void *arg)
{
	if (fd < 0)
		return;
	loop_on_signal(loop, SIGCHLD, gone, arg);
	hold_child(SIG_UNBLOCK);
}
