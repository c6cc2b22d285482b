/* SPDX-License-Identifier: ISC */
/* limits - see limits.h. */
#include "role/limits.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Listeners, the store's files, APNs, probes, the log and some air. */
enum { LIMITS_OTHER = 64 };

static const struct log_ctx limits_log = { LOG_ROLE, 0 };

void limits_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		log_warn(&limits_log, "a crash may leave a core: %s",
		         strerror(errno));
}

/* raise_files asks for |wanted| descriptors and returns how many there are. */
static rlim_t raise_files(rlim_t wanted)
{
	struct rlimit now;
	struct rlimit more;

	if (getrlimit(RLIMIT_NOFILE, &now) != 0)
		return wanted;
	if (now.rlim_cur >= wanted)
		return now.rlim_cur;
	more.rlim_cur = wanted;
	more.rlim_max = now.rlim_max > wanted ? now.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &more) == 0)
		return wanted;
	more.rlim_cur = more.rlim_max = now.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &more) == 0 ? now.rlim_max
	                                            : now.rlim_cur;
}

/* share is |part| scaled from |whole| to |room|, at least 1. */
static unsigned share(rlim_t part, rlim_t whole, rlim_t room)
{
	rlim_t n = part * room / whole;

	return n > 0 ? (unsigned)n : 1;
}

/* part_of is what one process has of all sessions. */
static unsigned part_of(const struct conf *c)
{
	unsigned n = c->process_workers > 0 ? c->process_workers : 1;

	return (c->limits_sessions + n - 1) / n;
}

struct limits limits_fit(const struct conf *c, enum limits_whom whom)
{
	struct limits l = { part_of(c), c->watch_connections_max };
	/* A session has a client and a backend, a watcher only a backend. */
	rlim_t clients =
		(whom & LIMITS_CLIENTS) != 0 ? 2 * (rlim_t)l.sessions : 0;
	rlim_t watchers = (whom & LIMITS_WATCHERS) != 0 ? l.watchers : 0;
	rlim_t whole = clients + watchers;
	rlim_t files = raise_files(whole + LIMITS_OTHER);
	rlim_t room = files > LIMITS_OTHER ? files - LIMITS_OTHER : 0;

	if (room >= whole)
		return l;
	if (clients > 0)
		l.sessions = share(l.sessions, whole, room);
	if (watchers > 0)
		l.watchers = share(l.watchers, whole, room);
	log_warn(&limits_log,
	         "descriptors=%llu are allowed, too few: limits.sessions "
	         "lowered to %u, watch.connections_max to %u",
	         (unsigned long long)files, l.sessions, l.watchers);
	return l;
}
