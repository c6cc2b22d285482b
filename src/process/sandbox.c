/* SPDX-License-Identifier: ISC */
/* sandbox - see sandbox.h. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "process/sandbox_impl.h"

#ifdef __SANITIZE_ADDRESS__
#	define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer) ||    \
		__has_feature(memory_sanitizer) || \
		__has_feature(thread_sanitizer)
#		define SANDBOX_SANITIZED 1
#	endif
#endif
#ifndef SANDBOX_SANITIZED
#	define SANDBOX_SANITIZED 0
#endif

bool sandbox_is_possible(void)
{
	return !SANDBOX_SANITIZED;
}

/* has_threads: a wall that is built by one thread is not one for the others,
 * whose memory is the same. A folder has a link for each one in it. */
static bool has_threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 && st.st_nlink > 3;
}

int sandbox_enter(enum sandbox_role role, const struct sandbox_paths *paths,
                  struct err_detail *detail)
{
	struct err_detail files = { "" };
	struct err_detail calls = { "" };
	int rc;

	if (!sandbox_is_possible())
		return err_set(detail, ERR_UNAVAILABLE,
		               "built with a sanitizer, which needs more");
	if (has_threads())
		return err_set(detail, ERR_INVALID, "threads run already");
	rc = role == SANDBOX_SINGLE ? ERR_OK
	                            : sandbox_files(role, paths, &files);
	/* Last, since it refuses what the others need. */
	if (sandbox_calls(role, &calls) == ERR_OK && rc == ERR_OK)
		return ERR_OK;
	return err_set(detail, ERR_UNAVAILABLE, "%s%s%s", files.text,
	               files.text[0] != 0 && calls.text[0] != 0 ? "; " : "",
	               calls.text);
}

/* close_from_to closes the descriptors |first| to |last|. */
static void close_from_to(unsigned first, unsigned last)
{
	struct rlimit files;

	if (first > last)
		return;
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return;
#endif
	/* There may be more if the limit was lowered; not by us. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && last >= files.rlim_cur)
		last = (unsigned)files.rlim_cur - 1;
	for (unsigned fd = first; fd <= last; fd++)
		(void)close((int)fd);
}

/* next_kept is the lowest of |fd| and |keep| that is |from| or above, or -1. */
static int next_kept(int fd, const int *keep, size_t count, int from)
{
	int lowest = fd >= from ? fd : -1;

	for (size_t i = 0; i < count; i++) {
		if (keep[i] >= from && (lowest < 0 || keep[i] < lowest))
			lowest = keep[i];
	}
	return lowest;
}

void sandbox_close_others(int fd, const int *keep, size_t count)
{
	int from = STDERR_FILENO + 1;
	int kept;

	while ((kept = next_kept(fd, keep, count, from)) >= 0) {
		close_from_to((unsigned)from, (unsigned)kept - 1);
		from = kept + 1;
	}
	close_from_to((unsigned)from, ~0U);
	log_reopen();
}
