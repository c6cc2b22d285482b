/* SPDX-License-Identifier: ISC */
/*
 * service_remote - every request waits in one list until it is answered, in the
 * order in which they came. When the push
 * process goes away what was said is to be said again: it takes the same
 * registration twice without harm.
 *
 * A password leaves this process only when it is asked for: what is said first
 * has a digest.
 */
#include "process/service_remote.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "process/channel.h"
#include "push/seal.h"

enum {
	/* Said and not answered: the push process has as many in memory. */
	REQUESTS_SAID_MAX = 128,
	/* Kept while it is away; beyond that the oldest go. */
	REQUESTS_MAX = 10000,
	/* A password is of no use to a push process that stays away so long:
	 * the user will log in again. */
	LOGIN_KEPT_MS = 10 * 1000,
	LOGIN_CHECK_MS = 2 * 1000,
};

#define REQUESTS_BYTES_MAX ((size_t)16 * 1024 * 1024)

enum request_state { REQUEST_WAITS, REQUEST_SAID };

/* What was asked. */
struct request {
	TAILQ_ENTRY(request) entry;
	struct service_remote *service;
	enum request_state state;
	struct message message;  /* its texts lie in |text| */
	struct buf text;         /* the message as it is encoded, no login */
	size_t bytes;            /* that it takes */
	struct imap_login login; /* empty: none that may be kept */
	uint64_t since_ms;
	bool is_wanted; /* the login */
	bool is_over;   /* to be freed where nobody walks the list */
	/* Who waits; both NULL: nobody. */
	service_lookup_fn *looked_up;
	service_done_fn *done;
	void *arg;
};

TAILQ_HEAD(request_list, request);

struct service_remote {
	struct service base;
	struct log_ctx log;
	struct loop *loop;
	struct audience audience;
	size_t mailboxes_max;
	bool keeps_logins;
	struct str key;
	struct channel *channel; /* NULL: the push process is away */
	struct request_list requests;
	size_t count;
	size_t registrations; /* of |count| */
	size_t said;
	size_t bytes;
	uint32_t last_id;
	struct loop_timer *timer;
	bool is_timed;     /* |timer| is set: a login may be kept */
	loop_fn *settled;  /* NULL: nobody waits for that */
	void *settled_arg; /* of |settled| */
};

static struct service_remote *remote(struct service *s)
{
	return (struct service_remote *)s;
}

static const struct service_remote *const_remote(const struct service *s)
{
	return (const struct service_remote *)s;
}

/* The offer. */

static bool remote_offers(const struct service *s)
{
	return audience_offers(&const_remote(s)->audience);
}

static bool remote_offer(const struct service *s, struct str login_name,
                         struct str *topic_r)
{
	return audience_offer(&const_remote(s)->audience, login_name, topic_r);
}

static size_t remote_mailboxes_max(const struct service *s)
{
	return const_remote(s)->mailboxes_max;
}

static bool remote_keeps_logins(const struct service *s)
{
	return remote_offers(s) && const_remote(s)->keeps_logins;
}

void service_remote_set_lists(struct service *service,
                              const struct audience_opts *opts)
{
	audience_set_lists(&remote(service)->audience, opts);
}

void service_remote_offer(struct service *service,
                          const struct message_offer *offer)
{
	struct service_remote *s = remote(service);

	audience_set_topic(&s->audience,
	                   offer->topic.len > 0 ? offer->topic : STR_NULL);
	s->mailboxes_max = offer->mailboxes_max;
	s->keeps_logins = offer->keeps_logins;
}

/* Requests. */

static void request_free(struct request *r)
{
	struct service_remote *s = r->service;

	TAILQ_REMOVE(&s->requests, r, entry);
	s->count--;
	s->registrations -= r->message.type == MESSAGE_REGISTER;
	s->said -= r->state == REQUEST_SAID;
	s->bytes -= r->bytes;
	message_done(&r->message);
	buf_reset(&r->text);
	imap_login_done(&r->login);
	free(r);
}

/* answer tells who waits, if anybody does. A lookup without an answer finds
 * nothing proved. */
static void answer(struct request *r, struct str proved, int rc)
{
	service_lookup_fn *looked_up = r->looked_up;
	service_done_fn *done = r->done;
	size_t count = r->message.u.lookup.count;
	bool *flags;

	r->looked_up = NULL;
	r->done = NULL;
	if (looked_up != NULL) {
		flags = xcalloc(count, sizeof(*flags));
		for (size_t i = 0; i < count && i < proved.len; i++)
			flags[i] = proved.data[i] != '\0';
		looked_up(r->arg, flags, count);
		free(flags);
	} else if (done != NULL) {
		done(r->arg, rc);
	}
}

/* say sends |r|, with the login if it is wanted and still here. */
static int say(struct service_remote *s, struct request *r)
{
	char digest[SEAL_DIGEST_BYTES];
	struct message_login login = { 0 };
	bool has_login = imap_login_has_password(&r->login);

	if (has_login && r->is_wanted) {
		login.whole = &r->login;
	} else if (has_login) {
		seal_digest(s->key, &r->login, digest);
		login.digest = str_new(digest, sizeof(digest));
	}
	if (r->message.type == MESSAGE_REGISTER)
		r->message.u.registration.login = login;
	else if (r->message.type == MESSAGE_LOGGED_IN)
		r->message.u.logged_in.login = login;
	return channel_send(s->channel, &r->message);
}

/* pump says what waits, as far as it may. */
static void pump(struct service_remote *s)
{
	struct request *r;
	struct request *next;

	for (r = TAILQ_FIRST(&s->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (s->said >= REQUESTS_SAID_MAX)
			return;
		if (r->state != REQUEST_WAITS)
			continue;
		if (r->is_over) {
			answer(r, STR_NULL, ERR_IO);
			request_free(r);
		} else if (say(s, r) == ERR_OK) {
			r->state = REQUEST_SAID;
			s->said++;
		} else {
			return;
		}
	}
}

/* settle_alone does what can be done without the push process. */
static void settle_alone(struct service_remote *s)
{
	struct request *r;
	struct request *next;

	for (r = TAILQ_FIRST(&s->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		answer(r, STR_NULL, ERR_IO);
		if (r->message.type == MESSAGE_LOOKUP || r->is_over)
			request_free(r);
	}
}

/* make_room ends the oldest when there are too many. What was said stays: the
 * push process has it, and counts it. */
static void make_room(struct service_remote *s)
{
	struct request *next;
	struct request *r;

	for (r = TAILQ_FIRST(&s->requests);
	     r != NULL &&
	     (s->count > REQUESTS_MAX || s->bytes > REQUESTS_BYTES_MAX);
	     r = next) {
		if (r->state == REQUEST_SAID) {
			next = TAILQ_NEXT(r, entry);
			continue;
		}
		log_error(&s->log,
		          "the push process is away for too long: the oldest "
		          "request is dropped");
		answer(r, STR_NULL, ERR_IO);
		next = TAILQ_NEXT(r, entry);
		request_free(r);
	}
}

/* settle tells who waits for it that no registration is left. */
static void settle(struct service_remote *s)
{
	loop_fn *settled = s->settled;

	if (settled == NULL || s->registrations > 0)
		return;
	s->settled = NULL;
	settled(s->settled_arg);
}

static void on_pump(void *arg)
{
	struct service_remote *s = arg;

	make_room(s);
	if (s->channel == NULL)
		settle_alone(s);
	else
		pump(s);
	settle(s);
}

/* wake has what waits looked at on a later turn. */
static void wake(struct service_remote *s)
{
	loop_defer_cancel(s->loop, on_pump, s);
	loop_defer(s->loop, on_pump, s);
}

/* look_again has logins looked at soon. What comes in the meantime does not put
 * that off. */
static void look_again(struct service_remote *s)
{
	if (!s->is_timed)
		loop_timer_set(s->timer, LOGIN_CHECK_MS);
	s->is_timed = true;
}

/* on_timer lets go of what is of no use any more: passwords, and the news that
 * somebody logged in. */
static void on_timer(void *arg)
{
	struct service_remote *s = arg;
	uint64_t now = loop_now_ms(s->loop);
	struct request *r;
	struct request *next;

	s->is_timed = false;
	for (r = TAILQ_FIRST(&s->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (now - r->since_ms < LOGIN_KEPT_MS)
			look_again(s);
		else if (r->message.type == MESSAGE_LOGGED_IN)
			request_free(r);
		else
			imap_login_done(&r->login);
	}
}

/* keep_text keeps |m| as it will be said. Only our own mistake makes a message
 * that cannot be: it is answered as if it was. */
static void keep_text(struct request *r, const struct message *m)
{
	buf_init(&r->text, MESSAGE_MAX);
	if (message_encode(m, &r->text) == ERR_OK &&
	    message_decode(buf_str(&r->text), &r->message) == ERR_OK)
		return;
	log_error(&r->service->log, "no message can be made of a request");
	r->is_over = true;
	buf_reset(&r->text);
	r->message = (struct message){ .type = m->type };
	if (m->type == MESSAGE_LOOKUP)
		r->message.u.lookup.count = m->u.lookup.count;
}

/* bytes_of is what |r| takes: what was decoded is more than the text. */
static size_t bytes_of(const struct request *r)
{
	const struct message *m = &r->message;
	size_t bytes = sizeof(*r) + r->text.cap;

	if (m->type == MESSAGE_LOOKUP)
		bytes += m->u.lookup.count * sizeof(struct str);
	else if (m->type == MESSAGE_REGISTER)
		bytes += m->u.registration.wish.mailbox_count *
		         sizeof(struct service_mailbox);
	return bytes;
}

/* request_new has |m|, whose texts are the asker's, said on a later turn. */
static struct request *request_new(struct service_remote *s, struct message *m,
                                   const struct imap_login *login, void *arg)
{
	struct request *r = xcalloc(1, sizeof(*r));

	r->service = s;
	r->arg = arg;
	r->since_ms = loop_now_ms(s->loop);
	m->id = ++s->last_id;
	keep_text(r, m);
	if (login != NULL && imap_login_has_password(login) && s->keeps_logins)
		r->login = (struct imap_login){
			.method = login->method,
			.user = str_dup(login->user),
			.authzid = str_dup(login->authzid),
			.password = secret_copy(login->password),
		};
	if (r->login.password != NULL || m->type == MESSAGE_LOGGED_IN)
		look_again(s);
	TAILQ_INSERT_TAIL(&s->requests, r, entry);
	s->count++;
	s->registrations += m->type == MESSAGE_REGISTER;
	r->bytes = bytes_of(r);
	s->bytes += r->bytes;
	wake(s);
	return r;
}

static void remote_logged_in(struct service *service,
                             const struct imap_login *login)
{
	struct message m = { .type = MESSAGE_LOGGED_IN };
	struct service_remote *s = remote(service);
	struct str topic;

	if (imap_login_is_other(login) ||
	    !remote_offer(service, login->user, &topic))
		return;
	m.u.logged_in.login_name = login->user;
	(void)request_new(s, &m, login, NULL);
}

static void remote_lookup(struct service *service, struct str login_name,
                          const struct str *names, size_t count,
                          service_lookup_fn *done, void *arg)
{
	struct message m = { .type = MESSAGE_LOOKUP };

	m.u.lookup.login_name = login_name;
	m.u.lookup.names = names;
	m.u.lookup.count = count;
	request_new(remote(service), &m, NULL, arg)->looked_up = done;
}

static bool is_same_device(const struct request *a, const struct request *b)
{
	const struct message_registration *x = &a->message.u.registration;
	const struct message_registration *y = &b->message.u.registration;

	return a->message.type == MESSAGE_REGISTER &&
	       b->message.type == MESSAGE_REGISTER &&
	       str_eq(x->wish.login_name, y->wish.login_name) &&
	       str_eq(x->command.account_id, y->command.account_id) &&
	       str_eq(x->command.device_token, y->command.device_token);
}

/* merge ends what the same device wished before |r|, unless somebody waits for
 * it: a phone that tries again and again takes no more room, and what is said a
 * second time does not come behind |r|. A password is known once only. */
static void merge(struct service_remote *s, struct request *r)
{
	struct request *old;
	struct request *next;

	for (old = TAILQ_FIRST(&s->requests); old != r; old = next) {
		next = TAILQ_NEXT(old, entry);
		if (old->done != NULL || !is_same_device(old, r))
			continue;
		old->is_over = true;
		if (imap_login_has_password(&r->login))
			continue;
		r->login = old->login;
		old->login = (struct imap_login){ 0 };
	}
}

static void remote_put(struct service *service,
                       const struct service_registration *registration,
                       service_done_fn *done, void *arg)
{
	struct message m = { .type = MESSAGE_REGISTER };
	struct service_remote *s = remote(service);
	struct request *r;

	m.u.registration.wish = *registration;
	m.u.registration.command = *registration->command;
	r = request_new(s, &m, registration->login, arg);
	r->done = done;
	merge(s, r);
}

/* The channel. */

/* repeat has all that was said and not answered said again. */
static void repeat(struct service_remote *s)
{
	struct request *r;

	TAILQ_FOREACH(r, &s->requests, entry) {
		r->state = REQUEST_WAITS;
		r->is_wanted = false;
	}
	s->said = 0;
	wake(s);
}

static struct request *find_said(struct service_remote *s, uint32_t id)
{
	struct request *r;

	TAILQ_FOREACH(r, &s->requests, entry)
		if (r->message.id == id)
			return r->state == REQUEST_SAID ? r : NULL;
	return NULL;
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct service_remote *s = arg;
	struct request *r = find_said(s, m->id);

	if (fd >= 0)
		(void)close(fd);
	if (r == NULL)
		return;
	if (m->type == MESSAGE_WANTED && !r->is_wanted && !r->is_over) {
		r->is_wanted = true;
		r->state = REQUEST_WAITS;
		s->said--;
	} else {
		answer(r, m->type == MESSAGE_LOOKED_UP ? m->u.proved : STR_NULL,
		       m->type == MESSAGE_DONE && m->u.kept ? ERR_OK : ERR_IO);
		request_free(r);
	}
	wake(s);
}

static void on_ready(void *arg)
{
	pump(arg);
}

static void on_ended(void *arg, int rc)
{
	struct service_remote *s = arg;

	log_warn(&s->log,
	         "the push process is away (%s): registrations wait for it",
	         err_text(rc));
	channel_free(&s->channel);
	repeat(s);
}

static const struct channel_events events = {
	.message = on_message,
	.ready = on_ready,
	.ended = on_ended,
};

void service_remote_connect(struct service *service, int fd)
{
	struct service_remote *s = remote(service);

	channel_free(&s->channel);
	s->channel = channel_new(s->loop, fd, &events, s);
	if (s->count > 0)
		log_info(&s->log, "the push process is back: requests=%zu",
		         s->count);
	repeat(s);
}

void service_remote_settle(struct service *service, loop_fn *fn, void *arg)
{
	struct service_remote *s = remote(service);

	s->settled = fn;
	s->settled_arg = arg;
	wake(s);
}

size_t service_remote_kept(const struct service *s)
{
	return const_remote(s)->count;
}

/* Life. */

static void remote_free(struct service *service)
{
	struct service_remote *s = remote(service);
	struct request *next;
	struct request *r;

	channel_free(&s->channel);
	for (r = TAILQ_FIRST(&s->requests); r != NULL; r = next) {
		answer(r, STR_NULL, ERR_CANCELED);
		next = TAILQ_NEXT(r, entry); /* also one that was added now */
		request_free(r);
	}
	loop_defer_cancel(s->loop, on_pump, s);
	loop_timer_free(&s->timer);
	audience_done(&s->audience);
	str_free(&s->key);
	free(s);
}

static const struct service_ops remote_ops = {
	.free = remote_free,
	.offers = remote_offers,
	.mailboxes_max = remote_mailboxes_max,
	.offer = remote_offer,
	.keeps_logins = remote_keeps_logins,
	.logged_in = remote_logged_in,
	.lookup = remote_lookup,
	.put = remote_put,
};

struct service *service_remote_new(struct loop *loop,
                                   const struct service_remote_opts *opts)
{
	struct service_remote *s = xcalloc(1, sizeof(*s));

	s->base.ops = &remote_ops;
	s->log.area = LOG_PUSH;
	s->loop = loop;
	s->key = str_dup(opts->key);
	s->timer = loop_timer_new(loop, on_timer, s);
	audience_init(&s->audience, &opts->audience);
	audience_set_topic(&s->audience, STR_NULL);
	TAILQ_INIT(&s->requests);
	return &s->base;
}
