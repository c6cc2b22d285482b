/* SPDX-License-Identifier: ISC */
/*
 * attempts - what somebody who took over a worker would try. LD_PRELOAD brings
 * it into an imapbell under test, which knows nothing of it: when a process has
 * accepted a connection, it does what test_rights.py wrote into a file that was
 * mapped before, and writes the errno there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASKED = 1, TRYING = 2, DONE = 3 };

/* As test_rights.py packs it. */
struct page {
	int32_t state;
	int32_t error; /* 0: it worked */
	int32_t pid;   /* of another process */
	char what[16];
	char path[256];
};

static struct page *page;

__attribute__((constructor)) static void map(void)
{
	const char *path = getenv("ATTEMPTS");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
	              fd, 0);
	(void)close(fd);
	if (memory != MAP_FAILED)
		page = memory;
}

/* Each returns 0 or more if it worked. */
typedef int attempt_fn(void);

static int read_file(void)
{
	char byte;
	int fd = open(page->path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || read(fd, &byte, 1) < 0 ? -1 : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int make_file(void)
{
	int fd =
		open(page->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(page->path);
	}
	return fd;
}

/* There is no such program: ENOENT says that it would have been run. */
static int run_program(void)
{
	char *argv[] = { NULL };

	return execve("/nonexistent", argv, argv);
}

static int fork_it(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : (int)waitpid(pid, NULL, 0);
}

static int trace(void)
{
	return (int)ptrace(PTRACE_SEIZE, page->pid, NULL, NULL);
}

static int look_into(void)
{
	char to;
	struct iovec here = { &to, 1 };
	struct iovec there = { page, 1 };

	return (int)process_vm_readv(page->pid, &here, 1, &there, 1, 0);
}

static int send_signal(void)
{
	return kill(page->pid, 0);
}

static int own_signal(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc = fcntl(fd, F_SETOWN, page->pid);

	(void)close(fd);
	return rc;
}

static int reach(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	memcpy(addr.sun_path, page->path, sizeof(addr.sun_path) - 1);
	rc = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	if (fd >= 0)
		(void)close(fd);
	return fd;
}

static int open_netlink(void)
{
	return open_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static int open_raw(void)
{
	return open_socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
}

static int listen_more(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = bind(fd, (struct sockaddr *)&addr, sizeof(addr));

	(void)close(fd);
	return rc;
}

static int be_root(void)
{
	return setuid(0);
}

static int make_memory_file(void)
{
	int fd = memfd_create("code", MFD_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd;
}

static int allow_dumps(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static const struct {
	const char *name;
	attempt_fn *fn;
} attempts[] = {
	{ "read", read_file },     { "make", make_file },
	{ "exec", run_program },   { "fork", fork_it },
	{ "trace", trace },        { "look", look_into },
	{ "signal", send_signal }, { "own", own_signal },
	{ "connect", reach },      { "netlink", open_netlink },
	{ "raw", open_raw },       { "listen", listen_more },
	{ "root", be_root },       { "memory", make_memory_file },
	{ "dump", allow_dumps },
};

static void attempt(void)
{
	int error = EINVAL;

	page->state = TRYING;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(attempts[i].name, page->what) == 0)
			error = attempts[i].fn() >= 0 ? 0 : errno;
	page->error = error;
	page->state = DONE;
}

typedef int accept_fn(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags);

/* Instead of libc's. */
__attribute__((visibility("default"))) int accept4(int fd, __SOCKADDR_ARG addr,
                                                   socklen_t *restrict len,
                                                   int flags)
{
	accept_fn *next;
	int accepted;

	*(void **)&next = dlsym(RTLD_NEXT, "accept4");
	accepted = next(fd, addr, len, flags);
	if (accepted >= 0 && page != NULL && page->state == ASKED)
		attempt();
	return accepted;
}
