/* SPDX-License-Identifier: ISC */
/*
 * sandbox_calls - seccomp, by libseccomp. What is not listed answers ENOSYS, as
 * an older kernel would: libraries have another way then, and a log line tells
 * it from a right that is missing. What has no place in any of our processes
 * ends it, so that main says so and an attempt does not go unnoticed.
 */
#include "process/sandbox_impl.h"

#ifdef HAVE_SECCOMP

#	include <errno.h>
#	include <fcntl.h>
#	include <linux/sched.h>
#	include <net/if.h>
#	include <netinet/in.h>
#	include <netinet/tcp.h>
#	include <seccomp.h>
#	include <stdint.h>
#	include <string.h>
#	include <sys/ioctl.h>
#	include <sys/mman.h>
#	include <sys/prctl.h>
#	include <sys/socket.h>
#	include <unistd.h>

#	include "base/log.h"

#	ifndef PR_SET_VMA
#		define PR_SET_VMA 0x53564d41
#	endif

#	define WORKER (1U << SANDBOX_WORKER)
#	define NAMES (1U << SANDBOX_NAMES)
#	define PUSH (1U << SANDBOX_PUSH)
#	define SINGLE (1U << SANDBOX_SINGLE)
#	define STATUS (1U << SANDBOX_STATUS)
#	define ALL (WORKER | NAMES | PUSH | SINGLE | STATUS)
#	define ACCEPTS (WORKER | SINGLE | STATUS)
#	define DIALS (ALL & ~STATUS)
#	define KEEPS (PUSH | SINGLE) /* the database */
#	define LOOKS_UP (NAMES | SINGLE)

static const struct log_ctx calls_log = { LOG_ROLE, 0 };

#	define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct call {
	int number; /* negative: not on this machine */
	unsigned roles;
};

/* clang-format off */
static const struct call calls[] = {
	/* bytes, and waiting for them */
	{ SCMP_SYS(read), ALL },
	{ SCMP_SYS(readv), ALL },
	{ SCMP_SYS(pread64), ALL },
	{ SCMP_SYS(write), ALL },
	{ SCMP_SYS(writev), ALL },
	{ SCMP_SYS(close), ALL },
	{ SCMP_SYS(close_range), ALL },
	{ SCMP_SYS(dup), ALL },
	{ SCMP_SYS(dup2), ALL },
	{ SCMP_SYS(dup3), ALL },
	{ SCMP_SYS(lseek), ALL },
	{ SCMP_SYS(_llseek), ALL },
	{ SCMP_SYS(pipe), ALL },
	{ SCMP_SYS(pipe2), ALL },
	{ SCMP_SYS(poll), ALL },
	{ SCMP_SYS(ppoll), ALL },
	{ SCMP_SYS(ppoll_time64), ALL },
	{ SCMP_SYS(select), ALL },
	{ SCMP_SYS(_newselect), ALL },
	{ SCMP_SYS(pselect6), ALL },
	{ SCMP_SYS(pselect6_time64), ALL },
	{ SCMP_SYS(epoll_create1), ALL },
	{ SCMP_SYS(epoll_create), ALL },
	{ SCMP_SYS(epoll_ctl), ALL },
	{ SCMP_SYS(epoll_wait), ALL },
	{ SCMP_SYS(epoll_pwait), ALL },
	{ SCMP_SYS(epoll_pwait2), ALL },
	{ SCMP_SYS(eventfd2), ALL },
	{ SCMP_SYS(timerfd_create), ALL },
	{ SCMP_SYS(timerfd_settime), ALL },
	{ SCMP_SYS(timerfd_settime64), ALL },

	/* sockets; which families, see below */
	{ SCMP_SYS(accept), ACCEPTS },
	{ SCMP_SYS(accept4), ACCEPTS },
	{ SCMP_SYS(connect), ALL },
	{ SCMP_SYS(getsockname), ALL },
	{ SCMP_SYS(getpeername), ALL },
	{ SCMP_SYS(getsockopt), ALL },
	{ SCMP_SYS(setsockopt), LOOKS_UP },
	{ SCMP_SYS(send), ALL },
	{ SCMP_SYS(sendto), ALL },
	{ SCMP_SYS(sendmsg), ALL },
	{ SCMP_SYS(sendmmsg), ALL },
	{ SCMP_SYS(recv), ALL },
	{ SCMP_SYS(recvfrom), ALL },
	{ SCMP_SYS(recvmsg), ALL },
	{ SCMP_SYS(recvmmsg), ALL },
	{ SCMP_SYS(recvmmsg_time64), ALL },
	{ SCMP_SYS(shutdown), ALL },

	/* files: looking at them tells no content */
	{ SCMP_SYS(stat), ALL },
	{ SCMP_SYS(stat64), ALL },
	{ SCMP_SYS(lstat), ALL },
	{ SCMP_SYS(lstat64), ALL },
	{ SCMP_SYS(fstat), ALL },
	{ SCMP_SYS(fstat64), ALL },
	{ SCMP_SYS(newfstatat), ALL },
	{ SCMP_SYS(fstatat64), ALL },
	{ SCMP_SYS(statx), ALL },
	{ SCMP_SYS(fstatfs), ALL },
	{ SCMP_SYS(fstatfs64), ALL },
	{ SCMP_SYS(access), ALL },
	{ SCMP_SYS(faccessat), ALL },
	{ SCMP_SYS(faccessat2), ALL },
	{ SCMP_SYS(readlink), ALL },
	{ SCMP_SYS(readlinkat), ALL },
	{ SCMP_SYS(getcwd), ALL },
	{ SCMP_SYS(getdents64), ALL },

	/* files: the database, and the key that is made */
	{ SCMP_SYS(open), KEEPS },
	{ SCMP_SYS(openat), KEEPS },
	{ SCMP_SYS(pwrite64), KEEPS },
	{ SCMP_SYS(fsync), KEEPS },
	{ SCMP_SYS(fdatasync), KEEPS },
	{ SCMP_SYS(ftruncate), KEEPS },
	{ SCMP_SYS(ftruncate64), KEEPS },
	{ SCMP_SYS(fallocate), KEEPS },
	{ SCMP_SYS(fadvise64), KEEPS },
	{ SCMP_SYS(fchmod), KEEPS },
	{ SCMP_SYS(fchown), KEEPS },
	{ SCMP_SYS(mkdir), KEEPS },
	{ SCMP_SYS(mkdirat), KEEPS },
	{ SCMP_SYS(rename), KEEPS },
	{ SCMP_SYS(renameat), KEEPS },
	{ SCMP_SYS(renameat2), KEEPS },
	{ SCMP_SYS(link), KEEPS },
	{ SCMP_SYS(linkat), KEEPS },
	{ SCMP_SYS(unlink), KEEPS },
	{ SCMP_SYS(unlinkat), KEEPS },
	{ SCMP_SYS(umask), KEEPS },

	/* memory */
	{ SCMP_SYS(brk), ALL },
	{ SCMP_SYS(madvise), ALL },
	{ SCMP_SYS(mlock), ALL },
	{ SCMP_SYS(munlock), ALL },
	{ SCMP_SYS(mremap), ALL },
	{ SCMP_SYS(munmap), ALL },

	/* threads, signals */
	{ SCMP_SYS(exit), ALL },
	{ SCMP_SYS(exit_group), ALL },
	{ SCMP_SYS(futex), ALL },
	{ SCMP_SYS(futex_time64), ALL },
	{ SCMP_SYS(membarrier), ALL },
	{ SCMP_SYS(restart_syscall), ALL },
	{ SCMP_SYS(rseq), ALL },
	{ SCMP_SYS(set_robust_list), ALL },
	{ SCMP_SYS(set_tid_address), ALL },
	{ SCMP_SYS(sched_getaffinity), ALL },
	{ SCMP_SYS(sched_yield), ALL },
	{ SCMP_SYS(rt_sigaction), ALL },
	{ SCMP_SYS(rt_sigpending), ALL },
	{ SCMP_SYS(rt_sigprocmask), ALL },
	{ SCMP_SYS(rt_sigreturn), ALL },
	{ SCMP_SYS(rt_sigsuspend), ALL },
	{ SCMP_SYS(rt_sigtimedwait), ALL },
	{ SCMP_SYS(sigaltstack), ALL },
	{ SCMP_SYS(sigreturn), ALL },

	/* time, chance, who we are */
	{ SCMP_SYS(clock_getres), ALL },
	{ SCMP_SYS(clock_getres_time64), ALL },
	{ SCMP_SYS(clock_gettime), ALL },
	{ SCMP_SYS(clock_gettime64), ALL },
	{ SCMP_SYS(clock_nanosleep), ALL },
	{ SCMP_SYS(clock_nanosleep_time64), ALL },
	{ SCMP_SYS(gettimeofday), ALL },
	{ SCMP_SYS(nanosleep), ALL },
	{ SCMP_SYS(time), ALL },
	{ SCMP_SYS(getrandom), ALL },
	{ SCMP_SYS(getrlimit), ALL },
	{ SCMP_SYS(ugetrlimit), ALL },
	{ SCMP_SYS(getrusage), ALL },
	{ SCMP_SYS(sysinfo), ALL },
	{ SCMP_SYS(uname), ALL },
	{ SCMP_SYS(getpid), ALL },
	{ SCMP_SYS(getppid), ALL },
	{ SCMP_SYS(gettid), ALL },
	{ SCMP_SYS(getuid), ALL },
	{ SCMP_SYS(getuid32), ALL },
	{ SCMP_SYS(geteuid), ALL },
	{ SCMP_SYS(geteuid32), ALL },
	{ SCMP_SYS(getgid), ALL },
	{ SCMP_SYS(getgid32), ALL },
	{ SCMP_SYS(getegid), ALL },
	{ SCMP_SYS(getegid32), ALL },
};

/* Nothing that we or a library of ours would try. */
static const int deadly[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp), SCMP_SYS(pidfd_getfd), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(keyctl), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(chroot), SCMP_SYS(pivot_root), SCMP_SYS(mount),
	SCMP_SYS(umount2), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load), SCMP_SYS(setuid), SCMP_SYS(setresuid),
	SCMP_SYS(setgid), SCMP_SYS(setresgid),
};

/* The argument |index| of a call and what it must be. */
struct test {
	unsigned index;
	scmp_datum_t mask;
	scmp_datum_t value;
};

#define WORD ((scmp_datum_t)0xffffffff)

/* A call that is taken if all its tests hold; one call may have several. */
struct rule {
	int number;
	unsigned roles;
	struct test tests[3];
	size_t count;
};

#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* What would make a file or change one. */
#define OPEN_MASK (O_ACCMODE | O_CREAT | O_TRUNC)

/* Without the flags beside it; none is raw. */
#define TYPE ((scmp_datum_t)0xf)

/* The protocol by its number or as 0; others the kernel might have to load. */
#define OTHER_THAN(protocol) (WORD & ~(scmp_datum_t)(protocol))
#define SOCKET(roles, family, type, protocol)             \
	{ SCMP_SYS(socket), roles, { { 0, WORD, family }, \
	                             { 1, TYPE, type },   \
	                             { 2, OTHER_THAN(protocol), 0 } }, 3 }
#define FCNTL(command)                                            \
	{ SCMP_SYS(fcntl), ALL, { { 1, WORD, command } }, 1 },    \
	{ SCMP_SYS(fcntl64), ALL, { { 1, WORD, command } }, 1 }
#define IOCTL(request) \
	{ SCMP_SYS(ioctl), ALL, { { 1, WORD, request } }, 1 }
#define SET(level, option)                                   \
	{ SCMP_SYS(setsockopt), ALL & ~LOOKS_UP,             \
	  { { 1, WORD, level }, { 2, WORD, option } }, 2 }
#define PRCTL(option) \
	{ SCMP_SYS(prctl), ALL, { { 0, WORD, option } }, 1 }

/* Code comes from files, which none but the push process could write, and is
 * never made. */
#ifdef __s390__
/* Its arguments lie in memory, where no filter sees them. */
#define MMAP(call) { SCMP_SYS(call), ALL, { { 0 } }, 0 }
#else
#define MMAP(call)                                                             \
	{ SCMP_SYS(call), ALL, { { 2, PROT_EXEC, 0 } }, 1 },                   \
	{ SCMP_SYS(call), ALL, { { 2, PROT_EXEC | PROT_WRITE, PROT_EXEC },     \
	                         { 3, MAP_ANONYMOUS, 0 } }, 2 }
#endif

static const struct rule rules[] = {
	SOCKET(DIALS, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(DIALS, AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	/* Of syslog; services have others. */
	SOCKET(ALL, AF_UNIX, SOCK_DGRAM, 0),
	SOCKET(LOOKS_UP, AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(LOOKS_UP, AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(LOOKS_UP, AF_UNIX, SOCK_STREAM, 0),
	{ SCMP_SYS(socketpair), ALL, { { 0, WORD, AF_UNIX } }, 1 },
	{ SCMP_SYS(open), WORKER | NAMES, { { 1, OPEN_MASK, O_RDONLY } }, 1 },
	{ SCMP_SYS(openat), WORKER | NAMES, { { 2, OPEN_MASK, O_RDONLY } }, 1 },
	MMAP(mmap),
	MMAP(mmap2),
	{ SCMP_SYS(mprotect), ALL & ~STATUS, { { 2, PROT_EXEC, 0 } }, 1 },
	/* It sees the counters of all processes, which are no more to write. It
	 * has no threads, for whose memory this is needed. */
	{ SCMP_SYS(mprotect), STATUS, { { 2, PROT_EXEC | PROT_WRITE, 0 } }, 1 },
	/* A thread, not a process. clone3, whose flags cannot be seen, answers
	 * ENOSYS, and this is what libc tries then. */
	{ SCMP_SYS(clone), ALL, { { CLONE_FLAGS, CLONE_THREAD, CLONE_THREAD } },
	  1 },
	/* Not F_SETOWN, by which the kernel sends a signal to whom one names. */
	FCNTL(F_DUPFD),
	FCNTL(F_DUPFD_CLOEXEC),
	FCNTL(F_GETFD),
	FCNTL(F_SETFD),
	FCNTL(F_GETFL),
	FCNTL(F_SETFL),
	FCNTL(F_GETLK),
	FCNTL(F_SETLK),
	FCNTL(F_SETLKW),
	/* Not a filter, which would stay with a socket of which main has the
	 * other descriptor. */
	SET(SOL_SOCKET, SO_KEEPALIVE),
	SET(SOL_SOCKET, SO_LINGER),
	SET(IPPROTO_TCP, TCP_NODELAY),
	SET(IPPROTO_TCP, TCP_KEEPIDLE),
	SET(IPPROTO_TCP, TCP_KEEPINTVL),
	SET(IPPROTO_TCP, TCP_KEEPCNT),
	SET(IPPROTO_TCP, TCP_USER_TIMEOUT),
	IOCTL(FIONREAD),
	IOCTL(FIONBIO),
	IOCTL(TCGETS),
	IOCTL(SIOCGIFINDEX), /* of fe80::1%eth0 */
	PRCTL(PR_SET_NAME),
	PRCTL(PR_GET_NAME),
	PRCTL(PR_SET_VMA),
	PRCTL(PR_GET_DUMPABLE),
	{ SCMP_SYS(prlimit64), ALL, { { 0, WORD, 0 } }, 1 },
};

/* clang-format on */

/* add gives |action| to |number|, if all |count| |tests| hold. A call that this
 * machine has not cannot be made. */
static int add(scmp_filter_ctx ctx, uint32_t action, int number,
               const struct test *tests, size_t count)
{
	struct scmp_arg_cmp args[3];

	if (number < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		args[i] = SCMP_CMP(tests[i].index, SCMP_CMP_MASKED_EQ,
		                   tests[i].mask, tests[i].value);
	return seccomp_rule_add_array(ctx, action, number, (unsigned)count,
	                              args);
}

/* add_own: signals go to this process alone, as abort sends them. */
static int add_own(scmp_filter_ctx ctx)
{
	const struct test own = { 0, WORD, (scmp_datum_t)getpid() };
	int rc = add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(kill), &own, 1);

	if (rc == 0)
		rc = add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), &own, 1);
	return rc;
}

/* fill makes the filter of |role|. Returns 0 or a negative errno. */
static int fill(scmp_filter_ctx ctx, enum sandbox_role role)
{
	unsigned bit = 1U << role;
	int rc = add_own(ctx);

	for (size_t i = 0; i < COUNT(calls) && rc == 0; i++) {
		if ((calls[i].roles & bit) != 0)
			rc = add(ctx, SCMP_ACT_ALLOW, calls[i].number, NULL, 0);
	}
	for (size_t i = 0; i < COUNT(rules) && rc == 0; i++) {
		if ((rules[i].roles & bit) != 0)
			rc = add(ctx, SCMP_ACT_ALLOW, rules[i].number,
			         rules[i].tests, rules[i].count);
	}
	for (size_t i = 0; i < COUNT(deadly) && rc == 0; i++)
		rc = add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], NULL, 0);
	return rc;
}

int sandbox_calls(enum sandbox_role role, struct err_detail *detail)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = ctx != NULL ? fill(ctx, role) : -ENOMEM;

	/* The kernel's log has what is refused, if someone looks for it; it has
	 * what is deadly in any case. */
	if (rc == 0 && log_wants(&calls_log, LOG_LEVEL_DEBUG))
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0)
		return err_set(detail, ERR_UNAVAILABLE,
		               "seccomp fails, system calls are not "
		               "filtered: %s",
		               strerror(-rc));
	return ERR_OK;
}

#else

int sandbox_calls(enum sandbox_role role, struct err_detail *detail)
{
	(void)role;
	return err_set(detail, ERR_UNAVAILABLE,
	               "built without seccomp: system calls are not filtered");
}

#endif
