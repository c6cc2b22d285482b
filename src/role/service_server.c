/* SPDX-License-Identifier: ISC */
/*
 * service_server - one line of requests for each worker. A worker of ours says
 * at most so many before the first is answered (service_remote), and of
 * registrations no more than phones can send through it.
 */
#include "role/service_server.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ratelimit.h"
#include "push/service_local.h"
#include "role/channel.h"

enum {
	/* Those of ours have 128. */
	OPEN_MAX_REQUESTS = 256,
	/* After a restart all phones may come at once. */
	REQUESTS_PER_SECOND = 2000,
	REQUESTS_BURST = 20000,
};

struct client;

/* A request that the service has not answered. */
struct call {
	LIST_ENTRY(call) entry;
	struct client *client; /* NULL: gone */
	uint32_t id;
};

struct client {
	TAILQ_ENTRY(client) entry;
	struct service_server *server;
	struct channel *channel;
	struct loop_timer *rest; /* set while it has to wait */
	struct ratelimit rate;
	uint32_t id;
	LIST_HEAD(, call) calls;
	size_t open;
};

struct service_server {
	struct log_ctx log;
	struct loop *loop;
	struct service *service;
	struct str key;
	service_culprit_fn *culprit;
	void *arg;
	TAILQ_HEAD(, client) clients;
};

/* client_free leaves its calls to the service, which answers them to nobody. */
static void client_free(struct client *c)
{
	struct call *call;

	while ((call = LIST_FIRST(&c->calls)) != NULL) {
		LIST_REMOVE(call, entry);
		call->client = NULL;
	}
	TAILQ_REMOVE(&c->server->clients, c, entry);
	channel_free(&c->channel);
	loop_timer_free(&c->rest);
	free(c);
}

/* accuse ends the channel of a worker that is not as it should be. */
static void accuse(struct client *c, const char *why)
{
	struct service_server *s = c->server;
	uint32_t id = c->id;

	log_error(&s->log, "worker %u says what makes no sense (%s)",
	          (unsigned)id, why);
	client_free(c);
	s->culprit(s->arg, id);
}

static struct call *call_new(struct client *c, uint32_t id)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->client = c;
	call->id = id;
	LIST_INSERT_HEAD(&c->calls, call, entry);
	c->open++;
	return call;
}

/* call_end returns whose |call| it was, or NULL, and frees it. */
static struct client *call_end(struct call *call, struct message *answer)
{
	struct client *c = call->client;

	answer->id = call->id;
	if (c != NULL) {
		LIST_REMOVE(call, entry);
		c->open--;
	}
	free(call);
	return c;
}

/* reply sends |m|. A worker that does not take its answers hangs. */
static void reply(struct client *c, const struct message *m)
{
	if (channel_send(c->channel, m) != ERR_OK)
		accuse(c, "it takes no answers");
}

static void on_looked_up(void *arg, const bool *proved, size_t count)
{
	struct message m = { .type = MESSAGE_LOOKED_UP };
	struct client *c = call_end(arg, &m);
	char flags[IMAP_XAPS_MAILBOXES_MAX];

	if (c == NULL)
		return;
	for (size_t i = 0; i < count; i++)
		flags[i] = proved[i] ? '\1' : '\0';
	m.u.proved = str_new(flags, count);
	reply(c, &m);
}

static void on_stored(void *arg, int rc)
{
	struct message m = { .type = MESSAGE_DONE };
	struct client *c = call_end(arg, &m);

	if (c == NULL)
		return;
	m.u.kept = rc == ERR_OK;
	reply(c, &m);
}

static void reply_with(struct client *c, enum message_type type, uint32_t id)
{
	struct message m = { .type = type, .id = id };

	if (type == MESSAGE_DONE)
		m.u.kept = true;
	reply(c, &m);
}

static void lookup(struct client *c, const struct message *m)
{
	const struct message_lookup *l = &m->u.lookup;

	service_lookup(c->server->service, l->login_name, l->names, l->count,
	               on_looked_up, call_new(c, m->id));
}

/* wants: the login of which |login| is the digest is to be said as well. */
static bool wants(const struct service_server *s, struct str login_name,
                  bool registers, const struct message_login *login)
{
	return login->digest.len > 0 &&
	       service_local_wants_login(s->service, login_name, registers,
	                                 s->key, login->digest);
}

static void enter(struct client *c, const struct message *m)
{
	const struct message_registration *r = &m->u.registration;
	struct service_registration wish = r->wish;

	if (wants(c->server, wish.login_name, true, &r->login)) {
		reply_with(c, MESSAGE_WANTED, m->id);
		return;
	}
	wish.login = r->login.whole;
	service_register(c->server->service, &wish, on_stored,
	                 call_new(c, m->id));
}

static void logged_in(struct client *c, const struct message *m)
{
	const struct message_logged_in *l = &m->u.logged_in;
	const struct imap_login name_only = { .user = l->login_name };

	if (wants(c->server, l->login_name, false, &l->login)) {
		reply_with(c, MESSAGE_WANTED, m->id);
		return;
	}
	service_logged_in(c->server->service,
	                  l->login.whole != NULL ? l->login.whole : &name_only);
	reply_with(c, MESSAGE_DONE, m->id);
}

static void rest(struct client *c)
{
	uint64_t wait =
		ratelimit_wait_ms(&c->rate, loop_now_ms(c->server->loop));

	if (wait == 0)
		return;
	channel_pause(c->channel);
	loop_timer_set(c->rest, wait);
}

static void on_rest(void *arg)
{
	struct client *c = arg;

	channel_resume(c->channel);
}

static bool is_login_right(const struct message_login *login,
                           struct str login_name)
{
	return login->whole == NULL ||
	       (str_eq(login->whole->user, login_name) &&
	        !imap_login_is_other(login->whole));
}

/* is_fit: what one of our workers may say now. */
static bool is_fit(const struct client *c, const struct message *m)
{
	if (c->open >= OPEN_MAX_REQUESTS)
		return false;
	if (m->type == MESSAGE_REGISTER)
		return is_login_right(&m->u.registration.login,
		                      m->u.registration.wish.login_name);
	if (m->type == MESSAGE_LOGGED_IN)
		return is_login_right(&m->u.logged_in.login,
		                      m->u.logged_in.login_name);
	return m->type == MESSAGE_LOOKUP;
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct client *c = arg;

	if (fd >= 0)
		(void)close(fd);
	if (fd >= 0 || !is_fit(c, m)) {
		accuse(c, message_name(m->type));
		return;
	}
	(void)ratelimit_take(&c->rate, loop_now_ms(c->server->loop));
	rest(c);
	if (m->type == MESSAGE_LOOKUP)
		lookup(c, m);
	else if (m->type == MESSAGE_REGISTER)
		enter(c, m);
	else
		logged_in(c, m);
}

static void on_ended(void *arg, int rc)
{
	struct client *c = arg;

	if (rc == ERR_CLOSED)
		client_free(c);
	else
		accuse(c, err_text(rc));
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_ended,
};

void service_server_add(struct service_server *s, uint32_t id, int fd)
{
	struct client *c;

	TAILQ_FOREACH(c, &s->clients, entry)
		if (c->id == id)
			break;
	if (c != NULL)
		client_free(c);
	c = xcalloc(1, sizeof(*c));
	c->server = s;
	c->id = id;
	c->rest = loop_timer_new(s->loop, on_rest, c);
	c->channel = channel_new(s->loop, fd, &events, c);
	ratelimit_init(&c->rate, REQUESTS_PER_SECOND, REQUESTS_BURST,
	               loop_now_ms(s->loop));
	LIST_INIT(&c->calls);
	TAILQ_INSERT_TAIL(&s->clients, c, entry);
}

struct service_server *service_server_new(struct loop *loop,
                                          struct service *service,
                                          struct str key,
                                          service_culprit_fn *culprit,
                                          void *arg)
{
	struct service_server *s = xcalloc(1, sizeof(*s));

	s->log.area = LOG_PUSH;
	s->loop = loop;
	s->service = service;
	s->key = key;
	s->culprit = culprit;
	s->arg = arg;
	TAILQ_INIT(&s->clients);
	return s;
}

void service_server_free(struct service_server **server)
{
	struct service_server *s = *server;
	struct client *next;
	struct client *c;

	*server = NULL;
	if (s == NULL)
		return;
	for (c = TAILQ_FIRST(&s->clients); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		client_free(c);
	}
	free(s);
}
