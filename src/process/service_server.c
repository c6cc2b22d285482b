/* SPDX-License-Identifier: ISC */
/*
 * service_server - one line of requests for each worker. A worker of ours says
 * at most so many before the first is answered (service_remote), and of
 * registrations no more than phones can send through it. To one that was taken
 * over the answer to a digest tells whether a guessed password is the one that
 * is kept, so that for each user there are few.
 */
#include "process/service_server.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ratelimit.h"
#include "process/channel.h"
#include "push/service_local.h"

enum {
	/* Those of ours have 128. */
	OPEN_MAX_REQUESTS = 256,
	/* After a restart all phones may come at once. A long request counts
	 * as several. */
	REQUESTS_PER_SECOND = 2000,
	REQUESTS_BURST = 20000,
	REQUEST_BYTES = 4 * 1024,
	/* Those that stay: this is what fills a disk. */
	REGISTRATIONS_PER_SECOND = 100,
	REGISTRATIONS_BURST = 20000,
	/* Users whose names share a slot share its questions. */
	QUESTIONS_MAX = 20,
	QUESTIONS_MS = 10 * 60 * 1000,
	QUESTION_SLOTS = 16 * 1024,
};

/* Of requests that are not answered. */
#define OPEN_MAX_BYTES ((size_t)8 * 1024 * 1024)

struct client;

/* A request that the service has not answered. */
struct call {
	LIST_ENTRY(call) entry;
	struct client *client; /* NULL: gone */
	uint32_t id;
	size_t bytes;
};

struct client {
	TAILQ_ENTRY(client) entry;
	struct service_server *server;
	struct channel *channel;
	struct loop_timer *timer; /* set while it rests */
	struct ratelimit requests;
	struct ratelimit registrations;
	uint32_t pid;
	LIST_HEAD(, call) calls;
	size_t open;
	size_t open_bytes;
	bool rests; /* it asked too much */
};

/* How often it was asked whether a digest is right. */
struct slot {
	uint64_t since_ms;
	unsigned questions;
};

struct service_server {
	struct log_ctx log;
	struct loop *loop;
	struct service *service;
	struct str key;
	service_culprit_fn *culprit;
	void *arg;
	struct slot *slots;
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
	loop_timer_free(&c->timer);
	free(c);
}

/* accuse ends the channel of a worker that is not as it should be. */
static void accuse(struct client *c, const char *why)
{
	struct service_server *s = c->server;
	uint32_t pid = c->pid;

	log_error(&s->log, "worker pid=%u says what makes no sense (%s)",
	          (unsigned)pid, why);
	client_free(c);
	s->culprit(s->arg, pid);
}

/* listen_to hears |c| unless it has to wait. */
static void listen_to(struct client *c)
{
	if (c->rests || c->open_bytes > OPEN_MAX_BYTES)
		channel_pause(c->channel);
	else
		channel_resume(c->channel);
}

static struct call *call_new(struct client *c, const struct message *m)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->client = c;
	call->id = m->id;
	call->bytes = m->bytes;
	LIST_INSERT_HEAD(&c->calls, call, entry);
	c->open++;
	c->open_bytes += call->bytes;
	listen_to(c);
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
		c->open_bytes -= call->bytes;
		listen_to(c);
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
	               on_looked_up, call_new(c, m));
}

/* may_ask counts a question about the login of |login_name|. */
static bool may_ask(struct service_server *s, struct str login_name)
{
	uint64_t now = loop_now_ms(s->loop);
	struct slot *slot;
	unsigned hash;

	HASH_FUNCTION(login_name.data, login_name.len, hash);
	slot = &s->slots[hash % QUESTION_SLOTS];
	if (slot->questions == 0 || now - slot->since_ms >= QUESTIONS_MS)
		*slot = (struct slot){ .since_ms = now };
	if (slot->questions >= QUESTIONS_MAX)
		return false;
	slot->questions++;
	return true;
}

/* wants: the login of which |login| is the digest is to be said as well. Who
 * has asked too often is not told whether it is the one that is kept. */
static bool wants(struct service_server *s, struct str login_name,
                  bool registers, const struct message_login *login)
{
	struct str digest = login->digest;

	if (digest.len == 0)
		return false;
	if (!may_ask(s, login_name))
		digest = STR_NULL;
	return service_local_wants_login(s->service, login_name, registers,
	                                 s->key, digest);
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
	service_register(c->server->service, &wish, on_stored, call_new(c, m));
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

/* rest has |c| wait if it has asked too much. */
static void rest(struct client *c)
{
	uint64_t now = loop_now_ms(c->server->loop);
	uint64_t wait = ratelimit_wait_ms(&c->requests, now);
	uint64_t other = ratelimit_wait_ms(&c->registrations, now);

	if (other > wait)
		wait = other;
	c->rests = wait > 0;
	if (c->rests)
		loop_timer_set(c->timer, wait);
	listen_to(c);
}

static void on_rested(void *arg)
{
	rest(arg);
}

/* count takes from what |c| may ask for |m|. */
static void count(struct client *c, const struct message *m)
{
	uint64_t now = loop_now_ms(c->server->loop);

	for (size_t i = 0; i <= m->bytes / REQUEST_BYTES; i++)
		(void)ratelimit_take(&c->requests, now);
	if (m->type == MESSAGE_REGISTER)
		(void)ratelimit_take(&c->registrations, now);
	rest(c);
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
	count(c, m);
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

void service_server_add(struct service_server *s, uint32_t pid, int fd)
{
	uint64_t now = loop_now_ms(s->loop);
	struct client *c;

	TAILQ_FOREACH(c, &s->clients, entry)
		if (c->pid == pid)
			break;
	if (c != NULL)
		client_free(c);
	c = xcalloc(1, sizeof(*c));
	c->server = s;
	c->pid = pid;
	c->timer = loop_timer_new(s->loop, on_rested, c);
	c->channel = channel_new(s->loop, fd, &events, c);
	ratelimit_init(&c->requests, REQUESTS_PER_SECOND, REQUESTS_BURST, now);
	ratelimit_init(&c->registrations, REGISTRATIONS_PER_SECOND,
	               REGISTRATIONS_BURST, now);
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
	s->slots = xcalloc(QUESTION_SLOTS, sizeof(*s->slots));
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
	free(s->slots);
	free(s);
}
