/* SPDX-License-Identifier: ISC */
#include "stage/fake_service.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/mem.h"

struct call {
	STAILQ_ENTRY(call) link;
	struct service *service;
	service_lookup_fn *lookup; /* or */
	service_done_fn *done;
	void *arg;
	bool *proved;
	size_t count;
};

struct service {
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

static void say(struct service *s, struct str words)
{
	int rc = buf_add(&s->said, words);

	assert(rc == 0);
}

static void say_number(struct service *s, uint32_t n)
{
	int rc = buf_printf(&s->said, "/%u", (unsigned)n);

	assert(rc == 0);
}

struct service *fake_service_new(struct loop *loop)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->topic = FAKE_TOPIC;
	s->mailboxes_max = 64;
	STAILQ_INIT(&s->calls);
	buf_init(&s->said, (size_t)1024 * 1024);
	return s;
}

void fake_service_limit(struct service *s, size_t mailboxes_max)
{
	s->mailboxes_max = mailboxes_max;
}

size_t service_mailboxes_max(const struct service *s)
{
	return s->mailboxes_max;
}

static void finish(struct service *s)
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
	struct service *s = arg;

	while (!s->held && !STAILQ_EMPTY(&s->calls))
		finish(s);
}

void service_free(struct service **sp)
{
	struct service *s = *sp;

	if (s == NULL)
		return;
	loop_defer_cancel(s->loop, on_later, s);
	while (!STAILQ_EMPTY(&s->calls))
		finish(s);
	buf_reset(&s->said);
	free(s);
	*sp = NULL;
}

void fake_service_prove(struct service *s, const char *mailbox)
{
	s->proved[s->proved_count++] = mailbox;
}

void fake_service_hold(struct service *s)
{
	s->held = true;
}

void fake_service_release(struct service *s)
{
	s->held = false;
	loop_defer(s->loop, on_later, s);
}

void fake_service_no_logins(struct service *s)
{
	s->no_logins = true;
}

bool service_keeps_logins(const struct service *s)
{
	return !s->no_logins;
}

void fake_service_topic(struct service *s, const char *topic)
{
	s->topic = topic;
}

struct str fake_service_said(const struct service *s)
{
	return buf_str(&s->said);
}

bool service_offers(const struct service *s)
{
	return s->topic != NULL;
}

bool service_offer(const struct service *s, struct str login_name,
                   struct str *topic_r)
{
	if (s->topic == NULL || str_eq(login_name, STR("denied")))
		return false;
	*topic_r = str_of(s->topic);
	return true;
}

void service_logged_in(struct service *s, const struct imap_login *login)
{
	say(s, STR("logged-in "));
	say(s, login->user);
	say(s, STR("\n"));
}

static struct call *call_new(struct service *s, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->service = s;
	call->arg = arg;
	STAILQ_INSERT_TAIL(&s->calls, call, link);
	loop_defer(s->loop, on_later, s);
	return call;
}

void service_lookup(struct service *s, struct str login_name,
                    const struct str *names, size_t count,
                    service_lookup_fn *done, void *arg)
{
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

void service_register(struct service *s,
                      const struct service_registration *registration,
                      service_done_fn *done, void *arg)
{
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
