/* SPDX-License-Identifier: ISC */
/*
 * sqlite_lock - a lock of fcntl(2) on an empty file: the system knows who holds
 * it, and lets go of it when that process ends, however it does.
 */
#include "store/sqlite_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* An upgrade waits no longer than this for nothing. */
enum { LOCK_POLL_MS = 20 };

static const struct log_ctx lock_log = { .area = LOG_STORE };

void sqlite_lock_init(struct sqlite_lock *l, const char *database)
{
	*l = (struct sqlite_lock){ .fd = -1 };
	if (asprintf(&l->path, "%s-lock", database) < 0)
		abort();
}

void sqlite_lock_done(struct sqlite_lock *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	l->fd = -1;
	free(l->path);
	l->path = NULL;
}

void sqlite_lock_leave(struct sqlite_lock *l)
{
	atomic_store(&l->is_unwanted, true);
}

/* try_once returns whether it is held now. What cannot be locked at all is held
 * by nobody. */
static bool try_once(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_SETLK, &lock) == 0 ||
	       (errno != EAGAIN && errno != EACCES);
}

/* holder_of is the process id of who holds it; 0: unknown, as of one in another
 * container or on another machine, or nobody any more. */
static pid_t holder_of(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK ||
	    lock.l_pid < 0)
		return 0;
	return lock.l_pid;
}

/* tell says that it waits, and for whom if that is known. */
static void tell(const char *path, pid_t holder)
{
	if (holder > 0)
		log_warn(&lock_log,
		         "waits for pid %d, which has the database (%s)",
		         (int)holder, path);
	else
		log_warn(&lock_log,
		         "waits for another process, which has the database "
		         "(%s)",
		         path);
}

static void rest(void)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };

	(void)nanosleep(&pause, NULL);
}

int sqlite_lock_take(struct sqlite_lock *l, struct err_detail *why)
{
	bool has_told = false;
	int fd;

	if (l->fd >= 0)
		return ERR_OK;
	fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0) {
		log_debug(&lock_log, "%s: no lock", l->path);
		return ERR_OK;
	}
	while (!try_once(fd)) {
		if (atomic_load(&l->is_unwanted)) {
			(void)close(fd);
			return err_set(why, ERR_UNAVAILABLE,
			               "%s: in use by another process",
			               l->path);
		}
		if (!has_told)
			tell(l->path, holder_of(fd));
		has_told = true;
		rest();
	}
	if (has_told)
		log_info(&lock_log, "has the database now");
	l->fd = fd;
	return ERR_OK;
}
