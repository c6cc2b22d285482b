/* SPDX-License-Identifier: ISC */
/*
 * sessions - two lists, the oldest first: all, and those not logged in; these
 * by their address, too, so that a stranger costs the same however many there
 * are. When it gets tight the oldest that has not even tried to log in goes: an
 * attacker has to be quick to keep others out, who need a second. Where all of
 * them try, the oldest goes nevertheless, but not for one of its own address:
 * the wait for a refusal would cost a guesser nothing.
 */
#include "proxy/sessions.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "proxy/session.h"

TAILQ_HEAD(session_list, session);

/* Those from one address who are not logged in; exists while there are any. */
struct sessions_host {
	UT_hash_handle hh;
	struct str name;             /* owned */
	struct session_list pending; /* by |of_host|, the oldest first */
	unsigned count;
};

struct sessions {
	struct log_ctx log;
	const struct session_env *env;
	struct session_list all;
	struct session_list pending;
	struct sessions_host *hosts;
	struct session_list closed; /* by |link|; waits for the sweeper */
	size_t count;               /* closed ones too */
	uint64_t next_id;
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
	all->next_id = env->opts->id_first > 0 ? env->opts->id_first : 1;
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

/* Of an IPv6 address what belongs to one customer at least: RFC 6177. */
enum { HOST_IPV6_LEN = 64 / 8 };

/* host_name is a session's peer address without the port, as octets; empty if
 * the peer was gone before we looked. */
static struct str host_name(const struct session *s)
{
	size_t len = address_len(&s->client_addr);

	return str_new((const char *)s->client_addr.bytes,
	               len > HOST_IPV6_LEN ? HOST_IPV6_LEN : len);
}

static struct sessions_host *host_find(const struct sessions *all,
                                       struct str name)
{
	struct sessions_host *h;

	HASH_FIND(hh, all->hosts, name.data, name.len, h);
	return h;
}

/* host_join counts |s| among those of its address. */
static void host_join(struct sessions *all, struct session *s)
{
	struct str name = host_name(s);
	struct sessions_host *h = host_find(all, name);

	if (h == NULL) {
		h = xcalloc(1, sizeof(*h));
		h->name = str_dup(name);
		TAILQ_INIT(&h->pending);
		HASH_ADD_KEYPTR(hh, all->hosts, h->name.data, h->name.len, h);
	}
	TAILQ_INSERT_TAIL(&h->pending, s, of_host);
	h->count++;
	s->host = h;
}

static void host_leave(struct sessions *all, struct session *s)
{
	struct sessions_host *h = s->host;

	s->host = NULL;
	TAILQ_REMOVE(&h->pending, s, of_host);
	if (--h->count > 0)
		return;
	HASH_DEL(all->hosts, h);
	str_free(&h->name);
	free(h);
}

/* is_waiting: nothing of its login is under way. */
static bool is_waiting(const struct session *s)
{
	return s->state == SESSION_OPENING || s->state == SESSION_PRELOGIN;
}

/* evict closes |s|; NULL: there was nobody who could go. */
static bool evict(struct session *s)
{
	if (s == NULL)
		return false;
	session_bye(s, "Too many connections.");
	return true;
}

/* make_room lets the oldest go who did not log in. */
static bool make_room(struct sessions *all)
{
	struct session *s;

	TAILQ_FOREACH(s, &all->pending, pending)
		if (is_waiting(s))
			break;
	return evict(s != NULL ? s : TAILQ_FIRST(&all->pending));
}

/* host_admits: one more of address |name| may come, perhaps for another that
 * goes. */
static bool host_admits(struct sessions *all, struct str name)
{
	struct sessions_host *h = host_find(all, name);
	struct session *s;

	if (h == NULL || h->count < all->env->opts->logins_pending_per_address)
		return true;
	TAILQ_FOREACH(s, &h->pending, of_host)
		if (is_waiting(s))
			break;
	return evict(s);
}

void sessions_accept(struct sessions *all, int fd, const struct door *door,
                     const struct proxy_header *said)
{
	const struct proxy_opts *opts = all->env->opts;
	char peer[ADDRESS_TEXT_MAX];
	struct session *s;

	if (all->count >= opts->sessions_max && !make_room(all)) {
		log_warn(&all->log, "refused a client: sessions=%zu",
		         all->count);
		(void)close(fd);
		return;
	}
	s = session_new(all->env, fd, all->next_id, door, said);
	all->next_id +=
		all->env->opts->id_step > 0 ? all->env->opts->id_step : 1;
	all->count++;
	TAILQ_INSERT_TAIL(&all->all, s, link);
	if (!host_admits(all, host_name(s))) {
		address_print(&s->client_addr, peer, sizeof(peer));
		log_warn(&all->log, "refused a client: logins pending from %s",
		         peer);
		session_close(s, "too many logins pending");
		return;
	}
	TAILQ_INSERT_TAIL(&all->pending, s, pending);
	host_join(all, s);
}

void sessions_logged_in(struct sessions *all, struct session *s)
{
	if (s->host == NULL)
		return;
	host_leave(all, s);
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
