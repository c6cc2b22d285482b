/* SPDX-License-Identifier: ISC */
/*
 * sessions - two lists, the oldest first: all, and those not logged in. When
 * it gets tight the oldest that has not even tried to log in goes: an attacker
 * has to be quick to keep others out, who need a second.
 */
#include "proxy/sessions.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/mem.h"
#include "proxy/session.h"

TAILQ_HEAD(session_list, session);

struct sessions {
	struct log_ctx log;
	const struct session_env *env;
	struct session_list all;
	struct session_list pending;
	struct session_list closed; /* by |link|; waits for the sweeper */
	size_t count;               /* closed ones too */
	uint64_t last_id;
	loop_fn *empty;
	void *empty_arg;
};

/* sweep frees what was closed in an earlier turn, when nothing on the stack
 * knows it any more. */
static void sweep(void *arg)
{
	struct sessions *all = arg;
	struct session *s;
	loop_fn *empty = all->empty;

	while ((s = TAILQ_FIRST(&all->closed)) != NULL) {
		TAILQ_REMOVE(&all->closed, s, link);
		all->count--;
		session_free(&s);
	}
	if (empty != NULL && all->count == 0) {
		all->empty = NULL;
		empty(all->empty_arg);
	}
}

struct sessions *sessions_new(const struct session_env *env)
{
	struct sessions *all = xcalloc(1, sizeof(*all));

	all->log = (struct log_ctx){ .area = LOG_PROXY };
	all->env = env;
	TAILQ_INIT(&all->all);
	TAILQ_INIT(&all->pending);
	TAILQ_INIT(&all->closed);
	return all;
}

void sessions_free(struct sessions **allp)
{
	struct sessions *all = *allp;
	struct session *s;

	if (all == NULL)
		return;
	all->empty = NULL;
	while ((s = TAILQ_FIRST(&all->all)) != NULL)
		session_close(s, "stopped");
	loop_defer_cancel(all->env->loop, sweep, all);
	sweep(all);
	free(all);
	*allp = NULL;
}

/* host_of is a session's peer address without the port. */
static struct str host_of(const struct session *s)
{
	struct str peer = str_of(stream_peer(s->client));

	while (peer.len > 0 && peer.data[peer.len - 1] != ':')
		peer.len--;
	return peer;
}

/* is_waiting: nothing of its login is under way. */
static bool is_waiting(const struct session *s)
{
	return s->state == SESSION_OPENING || s->state == SESSION_PRELOGIN;
}

/* evict_oldest closes the oldest who did not log in, of |host| only if that is
 * not empty. Returns whether there was one. */
static bool evict_oldest(struct sessions *all, struct str host)
{
	struct session *s;

	TAILQ_FOREACH(s, &all->pending, pending)
		if (is_waiting(s) &&
		    (host.len == 0 || str_eq(host_of(s), host)))
			break;
	if (s == NULL)
		return false;
	session_bye(s, "Too many connections.");
	return true;
}

static unsigned pending_of(const struct sessions *all, struct str host)
{
	struct session *s;
	unsigned n = 0;

	TAILQ_FOREACH(s, &all->pending, pending)
		n += str_eq(host_of(s), host);
	return n;
}

void sessions_accept(struct sessions *all, int fd, struct tls_ctx *tls,
                     const char *listener)
{
	const struct proxy_opts *opts = all->env->opts;
	struct session *s;

	if (all->count >= opts->sessions_max && !evict_oldest(all, STR_NULL)) {
		log_warn(&all->log, "refused a client: sessions=%zu",
		         all->count);
		(void)close(fd);
		return;
	}
	s = session_new(all->env, fd, tls, ++all->last_id, listener);
	all->count++;
	if (pending_of(all, host_of(s)) >= opts->logins_pending_per_address &&
	    !evict_oldest(all, host_of(s))) {
		log_warn(&all->log, "refused a client: logins pending from %s",
		         stream_peer(s->client));
		TAILQ_INSERT_TAIL(&all->all, s, link);
		session_close(s, "too many logins pending");
		return;
	}
	TAILQ_INSERT_TAIL(&all->all, s, link);
	TAILQ_INSERT_TAIL(&all->pending, s, pending);
	s->is_pending = true;
}

void sessions_logged_in(struct sessions *all, struct session *s)
{
	if (!s->is_pending)
		return;
	s->is_pending = false;
	TAILQ_REMOVE(&all->pending, s, pending);
}

void sessions_closed(struct sessions *all, struct session *s)
{
	sessions_logged_in(all, s);
	TAILQ_REMOVE(&all->all, s, link);
	if (TAILQ_EMPTY(&all->closed))
		loop_defer(all->env->loop, sweep, all);
	TAILQ_INSERT_TAIL(&all->closed, s, link);
}

size_t sessions_count(const struct sessions *all)
{
	return all->count;
}

void sessions_drain(struct sessions *all, bool everyone)
{
	struct session *s = TAILQ_FIRST(&all->all);

	while (s != NULL) {
		struct session *next = TAILQ_NEXT(s, link);

		if (everyone || is_waiting(s))
			session_bye(s, "Server is going down.");
		s = next;
	}
}

void sessions_on_empty(struct sessions *all, loop_fn *empty, void *arg)
{
	all->empty = empty;
	all->empty_arg = arg;
	if (all->count == 0)
		loop_defer(all->env->loop, sweep, all);
}
