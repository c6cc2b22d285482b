/* SPDX-License-Identifier: ISC */
/*
 * sandbox, by trying: each attempt is made in a process of its own, outside,
 * where it must work, and inside, where it must not. An attempt returns whether
 * it worked; one that ends its process was refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/names.h"
#include "process/sandbox_impl.h"
#include "role/rights.h"
#include "store/sqlite.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

/* tls/cert.pem is a worker's, state/ the push process', other/ nobody's. */
static char root[] = "/tmp/imapbell-sandbox-XXXXXX";
static char tls[64], state[64], other[64];
static char certificate[96], database[96], seal_key[96], apns_key[96];
static char unknown[96];

/* Where there is no Landlock, no seccomp, attempts at what they guard are left
 * out. */
static bool has_files, has_calls;

static void make_file(char *path, size_t size, const char *folder,
                      const char *name)
{
	FILE *f;

	(void)snprintf(path, size, "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("content", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void make_folder(char *path, size_t size, const char *name)
{
	(void)snprintf(path, size, "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int enter(enum sandbox_role role, struct err_detail *why)
{
	const char *worker[] = { tls };
	const char *push[] = { state };
	struct sandbox_paths paths = { 0 };
	const struct rights same = { 0 };

	if (rights_drop(&same, why) != ERR_OK)
		return ERR_INVALID;
	if (role == SANDBOX_WORKER)
		paths = (struct sandbox_paths){ .read = worker,
			                        .read_count = 1 };
	if (role == SANDBOX_PUSH)
		paths = (struct sandbox_paths){ .write = push,
			                        .write_count = 1 };
	return sandbox_enter(role, &paths, why);
}

/* In a process of its own. */

typedef bool attempt_fn(void);

enum { WORKED, REFUSED, FAILED };

/* ended waits for |pid|. A process that was ended for its attempt was refused.
 */
static int ended(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? REFUSED : FAILED;
	return WEXITSTATUS(status);
}

static int outside(attempt_fn *fn)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn() ? WORKED : REFUSED);
	return ended(pid);
}

static int inside(enum sandbox_role role, attempt_fn *fn)
{
	struct err_detail why;
	pid_t pid = fork();

	if (pid == 0) {
		int rc = enter(role, &why);

		if (rc != ERR_OK && rc != ERR_UNAVAILABLE)
			_exit(FAILED);
		_exit(fn() ? WORKED : REFUSED);
	}
	return ended(pid);
}

static bool can_build_files(void)
{
	const struct sandbox_paths none = { 0 };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       sandbox_files(SANDBOX_WORKER, &none, NULL) == ERR_OK;
}

static bool can_build_calls(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       sandbox_calls(SANDBOX_WORKER, NULL) == ERR_OK;
}

/* Attempts at files. */

static bool can_read(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &byte, 1) == 1;
}

static bool read_certificate(void)
{
	return can_read(certificate);
}

static bool read_database(void)
{
	return can_read(database);
}

static bool read_seal_key(void)
{
	return can_read(seal_key);
}

static bool read_apns_key(void)
{
	return can_read(apns_key);
}

static bool read_accounts(void)
{
	return can_read("/etc/passwd");
}

/* A way around the name: the descriptor of a path, opened once more. */
static bool read_by_descriptor(void)
{
	char path[64];
	int fd = open(database, O_PATH | O_CLOEXEC);

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd >= 0 && can_read(path);
}

static bool read_from_folder(void)
{
	int folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(folder, "imapbell.db", O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

static bool list_folder(void)
{
	return open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0;
}

static bool write_here(const char *folder)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/new-%d", folder, (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)unlink(path);
	return fd >= 0;
}

static bool make_in_tls(void)
{
	return write_here(tls);
}

static bool make_in_other(void)
{
	return write_here(other);
}

static bool make_in_state(void)
{
	return write_here(state);
}

static bool make_without_name(void)
{
	return open(tls, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600) >= 0;
}

static bool open_to_write(void)
{
	return open(certificate, O_WRONLY | O_CLOEXEC) >= 0;
}

static bool cut_short(void)
{
	return truncate(unknown, 7) == 0;
}

static bool rename_it(void)
{
	return rename(certificate, certificate) == 0;
}

static bool change_mode(void)
{
	return chmod(certificate, 0600) == 0;
}

/* Attempts at the machine and at other processes. */

static bool run_program(void)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	(void)execve("/bin/true", argv, NULL);
	return false; /* /bin/true ends with 0: WORKED */
}

static bool fork_it(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool trace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool look_into_memory(void)
{
	char from = 'x';
	char to;
	struct iovec here = { &to, 1 };
	struct iovec there = { &from, 1 };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
}

static bool signal_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool signal_group(void)
{
	return kill(0, 0) == 0;
}

static bool open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0;
}

static bool open_packet(void)
{
	return socket(AF_PACKET, SOCK_DGRAM, 0) >= 0;
}

static bool open_crypto(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0) >= 0;
}

/* Other protocols over the internet, whose code the kernel may load for who
 * asks. */
static bool open_mptcp(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP) >= 0;
}

static bool open_udplite(void)
{
	return socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE) >= 0;
}

static bool listen_more(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

static bool make_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool make_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool turn_to_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

/* A filter stays with a listening socket when the worker is replaced. */
static bool filter_socket(void)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = { 1, &drop_all };
	int fds[2];

	return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds) == 0 &&
	       setsockopt(fds[0], SOL_SOCKET, SO_ATTACH_FILTER, &program,
	                  sizeof(program)) == 0;
}

/* As that which has the counters of all. */
static bool unprotect(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ) == 0 &&
	       mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0;
}

static bool make_memory_file(void)
{
	return memfd_create("code", 0) >= 0;
}

static bool allow_dumps(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool take_user(void)
{
	return setuid(getuid()) == 0;
}

static bool have_internet(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ||
	       socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

enum wall { FILES, CALLS };

struct attempt {
	const char *name;
	attempt_fn *fn;
	enum wall wall;    /* the one that refuses it */
	bool is_uncertain; /* not everyone may, outside either */
};

/* A name and the function: FILES, CALLS; MAY_FAIL outside. */
#define TRY(fn, wall)                \
	{                            \
#		fn, fn, wall, false \
	}
#define MAY_FAIL(fn, wall)          \
	{                           \
#		fn, fn, wall, true \
	}

/* None of our processes does this. */
#define NONE_MAY                                                              \
	TRY(run_program, CALLS), TRY(fork_it, CALLS), TRY(trace, CALLS),      \
		MAY_FAIL(look_into_memory, CALLS), TRY(signal_parent, CALLS), \
		TRY(signal_group, CALLS), MAY_FAIL(open_netlink, CALLS),      \
		MAY_FAIL(open_packet, CALLS), MAY_FAIL(open_crypto, CALLS),   \
		MAY_FAIL(open_mptcp, CALLS), MAY_FAIL(open_udplite, CALLS),   \
		TRY(listen_more, CALLS), MAY_FAIL(make_namespace, CALLS),     \
		TRY(make_code, CALLS), TRY(turn_to_code, CALLS),              \
		TRY(make_memory_file, CALLS), TRY(allow_dumps, CALLS),        \
		TRY(take_user, CALLS), TRY(make_in_other, FILES),             \
		TRY(change_mode, CALLS)

static const struct attempt workers[] = {
	NONE_MAY,
	TRY(filter_socket, CALLS),
	TRY(read_database, FILES),
	TRY(read_seal_key, FILES),
	TRY(read_apns_key, FILES),
	TRY(read_accounts, FILES),
	TRY(read_by_descriptor, FILES),
	TRY(read_from_folder, FILES),
	TRY(list_folder, FILES),
	TRY(make_in_tls, CALLS),
	TRY(make_in_state, CALLS),
	MAY_FAIL(make_without_name, CALLS),
	TRY(open_to_write, CALLS),
	TRY(cut_short, CALLS),
	TRY(rename_it, CALLS),
};

static const struct attempt names[] = {
	NONE_MAY,
	TRY(read_database, FILES),
	TRY(read_seal_key, FILES),
	TRY(read_certificate, FILES),
	TRY(make_in_tls, CALLS),
	TRY(open_to_write, CALLS),
};

static const struct attempt pushes[] = {
	NONE_MAY,
	TRY(filter_socket, CALLS),
	TRY(read_certificate, FILES),
	TRY(read_apns_key, FILES),
	TRY(read_accounts, FILES),
	TRY(make_in_tls, FILES),
	TRY(open_to_write, FILES),
	TRY(cut_short, CALLS),
};

/* It accepts on what it has. */
static const struct attempt statuses[] = {
	NONE_MAY,
	TRY(filter_socket, CALLS),
	TRY(read_database, FILES),
	TRY(read_seal_key, FILES),
	TRY(read_apns_key, FILES),
	TRY(read_certificate, FILES),
	TRY(read_accounts, FILES),
	TRY(list_folder, FILES),
	TRY(make_in_tls, CALLS),
	TRY(make_in_state, CALLS),
	TRY(open_to_write, CALLS),
	TRY(cut_short, CALLS),
	TRY(rename_it, CALLS),
	TRY(have_internet, CALLS),
	TRY(unprotect, CALLS),
};

static void need_sandbox(void)
{
	if (!sandbox_is_possible()) {
		print_message("a build with a sanitizer has no sandbox\n");
		skip();
	}
}

/* has_wall tells whether attempts at what |wall| guards can be refused. */
static bool has_wall(enum wall wall)
{
	return wall == FILES ? has_files : has_calls;
}

/* need_walls says what is not tested here. */
static void need_walls(void)
{
	need_sandbox();
	if (!has_files)
		print_message("no Landlock here: reading is not tested\n");
	if (!has_calls)
		print_message("no seccomp here: calls are not tested\n");
	if (!has_files && !has_calls)
		skip();
}

static void expect_refused(enum sandbox_role role, const struct attempt *list,
                           size_t count)
{
	need_walls();
	for (size_t i = 0; i < count; i++) {
		const struct attempt *a = &list[i];

		if (!has_wall(a->wall))
			continue;
		if (outside(a->fn) != WORKED && !a->is_uncertain)
			fail_msg("%s fails outside", a->name);
		if (inside(role, a->fn) != REFUSED)
			fail_msg("%s works inside", a->name);
	}
}

static void a_worker_is_refused(void **arg)
{
	(void)arg;
	expect_refused(SANDBOX_WORKER, workers,
	               sizeof(workers) / sizeof(workers[0]));
}

static void who_looks_names_up_is_refused(void **arg)
{
	(void)arg;
	expect_refused(SANDBOX_NAMES, names, sizeof(names) / sizeof(names[0]));
}

static void who_shows_the_status_is_refused(void **arg)
{
	(void)arg;
	expect_refused(SANDBOX_STATUS, statuses,
	               sizeof(statuses) / sizeof(statuses[0]));
}

static void the_push_process_is_refused(void **arg)
{
	(void)arg;
	expect_refused(SANDBOX_PUSH, pushes,
	               sizeof(pushes) / sizeof(pushes[0]));
}

/* What each of them does. */

static void *nothing(void *arg)
{
	return arg;
}

static bool start_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, nothing, NULL) == 0 &&
	       pthread_join(thread, NULL) == 0;
}

static bool signal_itself(void)
{
	return raise(0) == 0;
}

static int listening = -1;

static bool reach_and_accept(void)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return getsockname(listening, (struct sockaddr *)&addr, &len) == 0 &&
	       connect(fd, (struct sockaddr *)&addr, len) == 0 &&
	       accept4(listening, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

static bool set_option(int fd, int level, int option)
{
	const int value = 5;

	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

/* As each connection is set. */
static bool set_options(void)
{
	const struct linger now = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return set_option(fd, IPPROTO_TCP, TCP_NODELAY) &&
	       set_option(fd, SOL_SOCKET, SO_KEEPALIVE) &&
	       set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE) &&
	       set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL) &&
	       set_option(fd, IPPROTO_TCP, TCP_KEEPCNT) &&
	       set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) &&
	       setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0;
}

static bool accept_one(void)
{
	return accept4(listening, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

static bool use_database(void)
{
	char path[96];
	struct err_detail why;

	(void)snprintf(path, sizeof(path), "%s/new.db", state);
	return store_sqlite_check(path, &why) == ERR_OK;
}

static bool has_no_core(void)
{
	struct rlimit core;

	return getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 &&
	       prctl(PR_GET_DUMPABLE) == 0;
}

static void expect_work(enum sandbox_role role, const char *name,
                        attempt_fn *fn)
{
	if (inside(role, fn) != WORKED)
		fail_msg("%s is refused", name);
}

#define WORKS(role, fn) expect_work(role, #fn, fn)

static void a_worker_serves(void **arg)
{
	int fds[2];

	(void)arg;
	need_sandbox();
	testnet_pair(fds);
	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_ok(listen(listening, 5));
	WORKS(SANDBOX_WORKER, read_certificate);
	WORKS(SANDBOX_WORKER, reach_and_accept);
	WORKS(SANDBOX_WORKER, set_options);
	WORKS(SANDBOX_WORKER, start_thread);
	WORKS(SANDBOX_WORKER, signal_itself);
	WORKS(SANDBOX_WORKER, has_no_core);
	(void)close(listening);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void the_status_is_shown(void **arg)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int visitor;

	(void)arg;
	need_sandbox();
	listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	visitor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_ok(listen(listening, 5));
	assert_ok(getsockname(listening, (struct sockaddr *)&addr, &len));
	assert_ok(connect(visitor, (struct sockaddr *)&addr, len));
	WORKS(SANDBOX_STATUS, accept_one);
	WORKS(SANDBOX_STATUS, signal_itself);
	WORKS(SANDBOX_STATUS, has_no_core);
	(void)close(visitor);
	(void)close(listening);
}

static void the_push_process_serves(void **arg)
{
	(void)arg;
	need_sandbox();
	WORKS(SANDBOX_PUSH, use_database);
	WORKS(SANDBOX_PUSH, read_database);
	WORKS(SANDBOX_PUSH, make_in_state);
	WORKS(SANDBOX_PUSH, set_options);
	WORKS(SANDBOX_PUSH, start_thread);
	WORKS(SANDBOX_PUSH, has_no_core);
}

static bool shake_hands(void)
{
	struct err_detail why;
	struct pair p;
	int rc;

	pair_init(&p, TLS13);
	rc = enter(SANDBOX_WORKER, &why);
	testnet_run(&p.net, pair_is_open, &p);
	return rc == ERR_OK || rc == ERR_UNAVAILABLE;
}

static void a_worker_speaks_tls(void **arg)
{
	(void)arg;
	need_sandbox();
	assert_int_equal(outside(shake_hands), WORKED);
}

static void names_are_looked_up_for_a_worker(void **arg)
{
	struct names_answer a;
	struct err_detail why;
	int fds[2];
	pid_t pid;

	(void)arg;
	need_sandbox();
	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		if (enter(SANDBOX_NAMES, &why) == ERR_INVALID)
			_exit(FAILED);
		names_serve(fds[1]);
		_exit(WORKED);
	}
	(void)close(fds[1]);
	names_ask(fds[0], "localhost", &a);
	assert_int_equal(a.gai, 0);
	assert_true(a.count > 0);
	names_ask(fds[0], "no-such-host.invalid", &a);
	assert_int_not_equal(a.gai, 0);
	(void)close(fds[0]);
	assert_int_equal(ended(pid), WORKED);
}

/* A worker may be anyone's: what is no name ends the other process. */
static void what_is_no_name_is_not_looked_up(void **arg)
{
	struct names_answer a;
	int fds[2];
	pid_t pid;

	(void)arg;
	assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		names_serve(fds[1]);
		_exit(WORKED);
	}
	(void)close(fds[1]);
	assert_int_equal(send(fds[0], "a\0b", 4, 0), 4);
	assert_int_equal(ended(pid), WORKED);
	names_ask(fds[0], "localhost", &a);
	assert_int_equal(a.gai, EAI_AGAIN);
	(void)close(fds[0]);
}

static void *hold(void *arg)
{
	(void)pthread_mutex_lock(arg);
	return NULL;
}

static bool enter_with_thread(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct err_detail why;
	pthread_t thread;

	(void)pthread_mutex_lock(&lock);
	(void)pthread_create(&thread, NULL, hold, &lock);
	return enter(SANDBOX_WORKER, &why) != ERR_INVALID;
}

static void threads_come_later(void **arg)
{
	(void)arg;
	need_sandbox();
	assert_int_equal(outside(enter_with_thread), REFUSED);
}

static bool close_all_but_three(void)
{
	int keep[] = { 41, 17 };
	bool is_right = dup2(STDERR_FILENO, 17) == 17 &&
	                dup2(STDERR_FILENO, 18) == 18 &&
	                dup2(STDERR_FILENO, 23) == 23 &&
	                dup2(STDERR_FILENO, 41) == 41 &&
	                dup2(STDERR_FILENO, 900) == 900;

	sandbox_close_others(23, keep, 2);
	return is_right && fcntl(STDERR_FILENO, F_GETFD) >= 0 &&
	       fcntl(17, F_GETFD) >= 0 && fcntl(18, F_GETFD) < 0 &&
	       fcntl(23, F_GETFD) >= 0 && fcntl(41, F_GETFD) >= 0 &&
	       fcntl(900, F_GETFD) < 0;
}

static void descriptors_that_are_not_kept_are_closed(void **arg)
{
	(void)arg;
	assert_int_equal(outside(close_all_but_three), WORKED);
}

static int set_up(void **arg)
{
	(void)arg;
	if (mkdtemp(root) == NULL)
		return -1;
	make_folder(tls, sizeof(tls), "tls");
	make_folder(state, sizeof(state), "state");
	make_folder(other, sizeof(other), "other");
	make_file(certificate, sizeof(certificate), tls, "cert.pem");
	make_file(database, sizeof(database), state, "imapbell.db");
	make_file(seal_key, sizeof(seal_key), state, "seal.key");
	make_file(apns_key, sizeof(apns_key), root, "apns.pem");
	make_file(unknown, sizeof(unknown), other, "file");
	has_files = outside(can_build_files) == WORKED;
	has_calls = outside(can_build_calls) == WORKED;
	return 0;
}

static int tear_down(void **arg)
{
	char command[64];

	(void)arg;
	(void)snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_is_refused),
		cmocka_unit_test(who_looks_names_up_is_refused),
		cmocka_unit_test(the_push_process_is_refused),
		cmocka_unit_test(who_shows_the_status_is_refused),
		cmocka_unit_test(a_worker_serves),
		cmocka_unit_test(a_worker_speaks_tls),
		cmocka_unit_test(the_push_process_serves),
		cmocka_unit_test(the_status_is_shown),
		cmocka_unit_test(names_are_looked_up_for_a_worker),
		cmocka_unit_test(what_is_no_name_is_not_looked_up),
		cmocka_unit_test(threads_come_later),
		cmocka_unit_test(descriptors_that_are_not_kept_are_closed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
