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

void limits_fit(struct conf *c, enum limits_whom whom)
{
	/* A session has a client and a backend, a watcher only a backend. */
	rlim_t clients = (whom & LIMITS_CLIENTS) != 0
	                         ? 2 * (rlim_t)c->limits_sessions
	                         : 0;
	rlim_t watchers =
		(whom & LIMITS_WATCHERS) != 0 ? c->watch_connections_max : 0;
	rlim_t whole = clients + watchers;
	rlim_t files = raise_files(whole + LIMITS_OTHER);
	rlim_t room = files > LIMITS_OTHER ? files - LIMITS_OTHER : 0;

	if (room >= whole)
		return;
	if (clients > 0)
		c->limits_sessions = share(c->limits_sessions, whole, room);
	if (watchers > 0)
		c->watch_connections_max =
			share(c->watch_connections_max, whole, room);
	log_warn(&limits_log,
	         "descriptors=%llu are allowed, too few: limits.sessions "
	         "lowered to %u, watch.connections_max to %u",
	         (unsigned long long)files, c->limits_sessions,
	         c->watch_connections_max);
}
