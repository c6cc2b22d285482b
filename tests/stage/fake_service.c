/* SPDX-License-Identifier: ISC */
#include "stage/fake_service.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"

struct call {
	STAILQ_ENTRY(call) link;
	service_lookup_fn *lookup; /* or */
	service_done_fn *done;
	void *arg;
	bool *proved;
	size_t count;
};

struct fake {
	struct service base;
	struct loop *loop;
	const char *topic;
	const char *proved[8];
	size_t proved_count;
	size_t mailboxes_max;
	bool held;
	bool no_logins;
	STAILQ_HEAD(, call) calls;
	struct buf said;
};

static struct fake *fake_of(struct service *s)
{
	return (struct fake *)s;
}

static void say(struct fake *s, struct str words)
{
	int rc = buf_add(&s->said, words);

	assert(rc == 0);
}

static void say_number(struct fake *s, uint32_t n)
{
	int rc = buf_printf(&s->said, "/%u", (unsigned)n);

	assert(rc == 0);
}

void fake_service_limit(struct service *service, size_t mailboxes_max)
{
	struct fake *s = fake_of(service);

	s->mailboxes_max = mailboxes_max;
}

static size_t on_mailboxes_max(const struct service *service)
{
	const struct fake *s = (const struct fake *)service;

	return s->mailboxes_max;
}

static void finish(struct fake *s)
{
	struct call *call = STAILQ_FIRST(&s->calls);

	STAILQ_REMOVE_HEAD(&s->calls, link);
	if (call->lookup != NULL)
		call->lookup(call->arg, call->proved, call->count);
	else
		call->done(call->arg, 0);
	free(call->proved);
	free(call);
}

static void on_later(void *arg)
{
	struct fake *s = arg;

	while (!s->held && !STAILQ_EMPTY(&s->calls))
		finish(s);
}

static void on_free(struct service *service)
{
	struct fake *s = fake_of(service);

	loop_defer_cancel(s->loop, on_later, s);
	while (!STAILQ_EMPTY(&s->calls))
		finish(s);
	buf_reset(&s->said);
	free(s);
}

void fake_service_prove(struct service *service, const char *mailbox)
{
	struct fake *s = fake_of(service);

	s->proved[s->proved_count++] = mailbox;
}

void fake_service_hold(struct service *service)
{
	struct fake *s = fake_of(service);

	s->held = true;
}

void fake_service_release(struct service *service)
{
	struct fake *s = fake_of(service);

	s->held = false;
	loop_defer(s->loop, on_later, s);
}

void fake_service_no_logins(struct service *service)
{
	struct fake *s = fake_of(service);

	s->no_logins = true;
}

static bool on_keeps_logins(const struct service *service)
{
	const struct fake *s = (const struct fake *)service;

	return !s->no_logins;
}

void fake_service_topic(struct service *service, const char *topic)
{
	struct fake *s = fake_of(service);

	s->topic = topic;
}

struct str fake_service_said(const struct service *service)
{
	const struct fake *s = (const struct fake *)service;

	return buf_str(&s->said);
}

static bool on_offers(const struct service *service)
{
	const struct fake *s = (const struct fake *)service;

	return s->topic != NULL;
}

static bool on_offer(const struct service *service, struct str login_name,
                     struct str *topic_r)
{
	const struct fake *s = (const struct fake *)service;

	if (s->topic == NULL || str_eq(login_name, STR("denied")))
		return false;
	*topic_r = str_of(s->topic);
	return true;
}

static void on_logged_in(struct service *service,
                         const struct imap_login *login)
{
	struct fake *s = fake_of(service);
	say(s, STR("logged-in "));
	say(s, login->user);
	say(s, STR("\n"));
}

static struct call *call_new(struct fake *s, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->arg = arg;
	STAILQ_INSERT_TAIL(&s->calls, call, link);
	loop_defer(s->loop, on_later, s);
	return call;
}

static void on_lookup(struct service *service, struct str login_name,
                      const struct str *names, size_t count,
                      service_lookup_fn *done, void *arg)
{
	struct fake *s = fake_of(service);
	struct call *call = call_new(s, arg);

	say(s, STR("lookup "));
	say(s, login_name);
	call->lookup = done;
	call->count = count;
	call->proved = xcalloc(count, sizeof(*call->proved));
	for (size_t i = 0; i < count; i++) {
		say(s, STR(" "));
		say(s, names[i]);
		for (size_t j = 0; j < s->proved_count; j++)
			call->proved[i] |=
				str_eq(names[i], str_of(s->proved[j]));
	}
	say(s, STR("\n"));
}

static void on_register(struct service *service,
                        const struct service_registration *registration,
                        service_done_fn *done, void *arg)
{
	struct fake *s = fake_of(service);
	struct call *call = call_new(s, arg);

	call->done = done;
	say(s, STR("register "));
	say(s, registration->login_name);
	say(s,
	    registration->login != NULL ? STR(" login=yes") : STR(" login=no"));
	for (size_t i = 0; i < registration->mailbox_count; i++) {
		const struct service_mailbox *m = &registration->mailboxes[i];

		say(s, STR(" "));
		say(s, m->name);
		say(s, m->proved ? STR(":proved") : STR(":unproved"));
		if (m->has_status) {
			say_number(s, m->uidvalidity);
			say_number(s, m->uidnext);
			say_number(s, m->messages);
			say_number(s, m->unseen);
		}
	}
	say(s, STR("\n"));
}

static const struct service_ops ops = {
	.free = on_free,
	.offers = on_offers,
	.mailboxes_max = on_mailboxes_max,
	.offer = on_offer,
	.keeps_logins = on_keeps_logins,
	.logged_in = on_logged_in,
	.lookup = on_lookup,
	.put = on_register,
};

struct service *fake_service_new(struct loop *loop)
{
	struct fake *s = xcalloc(1, sizeof(*s));

	s->base.ops = &ops;
	s->loop = loop;
	s->topic = FAKE_TOPIC;
	s->mailboxes_max = 64;
	STAILQ_INIT(&s->calls);
	buf_init(&s->said, (size_t)1024 * 1024);
	return &s->base;
}
