/* SPDX-License-Identifier: ISC */
/*
 * register - one registration at a time, while the client is not read: look
 * up what is proved, ask STATUS for the rest, store, answer. Each step has a
 * deadline, since anything but an OK costs the phone 23 hours of silence.
 */
#include "proxy/register.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "imap/mailbox.h"
#include "imap/xaps.h"
#include "proxy/client.h"
#include "proxy/session.h"

/* STATUS is waited for this long, from our write. */
#define REGISTER_ASK_MS ((uint64_t)2 * 1000)

/* The push side answers at once, even when its disk does not. */
#define REGISTER_SERVICE_MS ((uint64_t)5 * 1000)

/* One write of all STATUS commands; names have 1,000 octets at most. */
#define REGISTER_ASK_BYTES ((size_t)256 * 1024)

/* Open STATUS commands on one session, late ones too. */
#define REGISTER_ASKS_MAX 512

#define REGISTER_REPLY_MAX ((size_t)256 * 1024)

enum register_stage {
	REGISTER_LOOKUP, /* the push side is asked what is proved */
	REGISTER_ASK,    /* the backend is asked for the rest */
	REGISTER_STORE,  /* the push side stores it */
	REGISTER_STAGES
};

/* A completion that the push side owes; outlives the registration if that
 * does not wait. */
struct register_call {
	struct session *session; /* NULL: not waited for */
};

struct registration {
	enum register_stage stage;
	struct imap_xaps command;
	struct str tag;
	size_t count; /* of command.mailboxes, what is taken */
	struct service_mailbox *mailboxes;
	bool *refused;
	size_t open; /* STATUS not answered yet */
	struct register_call *call;
	struct loop_timer *timer;
};

bool register_is_passed(const struct session *s)
{
	return !s->env->opts->push_enabled;
}

bool register_is_offered(const struct session *s)
{
	return s->is_offered;
}

bool register_is_waiting(const struct session *s)
{
	return !asks_is_empty(&s->asks);
}

static void registration_free(struct session *s)
{
	struct registration *r = s->registration;

	if (r == NULL)
		return;
	if (r->call != NULL)
		r->call->session = NULL;
	asks_give_up(&s->asks);
	loop_timer_free(&r->timer);
	imap_xaps_done(&r->command);
	str_free(&r->tag);
	free(r->mailboxes);
	free(r->refused);
	free(r);
	s->registration = NULL;
}

void register_end(struct session *s)
{
	registration_free(s);
	asks_done(&s->asks);
}

/* expect makes the argument for a completion. */
static struct register_call *expect(struct session *s)
{
	struct register_call *call = xcalloc(1, sizeof(*call));

	call->session = s;
	s->registration->call = call;
	return call;
}

/* expected frees |call| and returns who still waits for it, or NULL. */
static struct session *expected(struct register_call *call)
{
	struct session *s = call->session;

	free(call);
	if (s == NULL)
		return NULL;
	s->registration->call = NULL;
	return s->state == SESSION_CLOSING ? NULL : s;
}

/* echoed fills |list| with what is echoed and returns how many. A mailbox that
 * the backend refused for good is left out; INBOX never is. */
static size_t echoed(const struct registration *r, struct service_mailbox *list)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		if (!r->refused[i] ||
		    imap_mailbox_is_inbox(r->mailboxes[i].name))
			list[n++] = r->mailboxes[i];
	return n;
}

/* answer ends the registration with its OK; |stored| 0: it is on disk. */
static void answer(struct session *s, int stored)
{
	struct registration *r = s->registration;
	struct service_mailbox *list = xcalloc(r->count, sizeof(*list));
	struct str *names = xcalloc(r->count, sizeof(*names));
	size_t n = echoed(r, list);
	size_t unproved = 0;
	struct log_text token;
	struct log_text user;
	struct buf lines;
	int rc;

	for (size_t i = 0; i < n; i++) {
		names[i] = list[i].name;
		unproved += !list[i].proved;
	}
	buf_init(&lines, REGISTER_REPLY_MAX);
	rc = imap_xaps_reply(&r->command, r->tag, s->topic, names, n, &lines);
	log_info(&s->log,
	         "registration user=\"%s\" device=%s version=%u mailboxes=%zu"
	         " echoed=%zu unproved=%zu",
	         log_safe(s->user, &user),
	         log_token(r->command.device_token, &token),
	         imap_xaps_version(&r->command), r->count, n, unproved);
	metric_add(stored == ERR_OK ? METRIC_REGISTRATION_COMMANDS_OK
	                            : METRIC_REGISTRATION_COMMANDS_MEMORY,
	           1);
	registration_free(s);
	session_set_input(s, INPUT_COMMAND);
	if (rc != 0)
		session_close(s, "registration reply too long");
	else
		session_answer(s, buf_str(&lines));
	buf_reset(&lines);
	free(names);
	free(list);
	session_update(s);
}

static void on_stored(void *arg, int rc)
{
	struct session *s = expected(arg);

	if (s == NULL)
		return;
	log_debug(&s->log, "registration stored: %s", err_text(rc));
	answer(s, rc);
}

static void store(struct session *s)
{
	struct registration *r = s->registration;
	struct service_mailbox *list = xcalloc(r->count, sizeof(*list));
	struct service_registration registration = {
		.login_name = s->user,
		.login = s->kept,
		.command = &r->command,
		.topic = s->topic,
		.mailboxes = list,
		.mailbox_count = echoed(r, list),
	};

	r->stage = REGISTER_STORE;
	loop_timer_set(r->timer, REGISTER_SERVICE_MS);
	service_register(s->env->service, &registration, on_stored, expect(s));
	free(list);
}

/* ask_rest asks for every mailbox that is not proved, in one write. */
static void ask_rest(struct session *s)
{
	struct registration *r = s->registration;
	struct buf commands;
	int rc = 0;

	buf_init(&commands, REGISTER_ASK_BYTES);
	for (size_t i = 0; rc == 0 && i < r->count; i++) {
		if (r->mailboxes[i].proved ||
		    s->asks.count >= REGISTER_ASKS_MAX)
			continue;
		rc = asks_add(&s->asks, r->mailboxes[i].name, i, &commands);
		r->open += rc == 0;
	}
	r->stage = REGISTER_ASK;
	loop_timer_set(r->timer, REGISTER_ASK_MS);
	session_to_backend(s, buf_str(&commands));
	buf_reset(&commands);
	if (s->state != SESSION_CLOSING && r->open == 0)
		store(s);
}

static void on_lookup(void *arg, const bool *proved, size_t count)
{
	struct session *s = expected(arg);
	struct registration *r;

	if (s == NULL)
		return;
	r = s->registration;
	for (size_t i = 0; i < r->count && i < count; i++)
		r->mailboxes[i].proved = proved[i];
	ask_rest(s);
	session_update(s);
}

bool register_on_status(struct session *s, struct str response)
{
	return asks_status(&s->asks, response);
}

/* on_asked: the backend answered one of our STATUS commands in time. What it
 * refuses for now is unproved, as if it had not answered. */
static void on_asked(struct session *s, const struct ask *ask,
                     const struct imap_response *reply)
{
	bool is_ok = reply->status == IMAP_STATUS_OK;
	struct registration *r = s->registration;
	struct service_mailbox *m = &r->mailboxes[ask->index];

	m->proved = is_ok;
	r->refused[ask->index] = !is_ok && imap_response_is_final(reply);
	m->has_status = is_ok && ask->has_status;
	m->uidvalidity = ask->status.uidvalidity;
	m->uidnext = ask->status.uidnext;
	m->messages = ask->status.messages;
	m->unseen = ask->status.unseen;
	r->open--;
	if (r->open == 0)
		store(s);
}

bool register_on_tagged(struct session *s, const struct imap_response *r)
{
	struct ask *ask = asks_take(&s->asks, r);

	if (ask == NULL)
		return false;
	if (!ask->is_late)
		on_asked(s, ask, r);
	ask_free(&ask);
	return true;
}

/* on_timer: whoever was asked takes too long; on without it. */
static void on_timer(void *arg)
{
	struct session *s = arg;
	struct registration *r = s->registration;

	if (s->state == SESSION_CLOSING)
		return;
	if (r->call != NULL) {
		log_warn(&s->log, "registration: the push side is slow");
		r->call->session = NULL;
		r->call = NULL;
	}
	switch (r->stage) {
	case REGISTER_LOOKUP:
		ask_rest(s);
		break;
	case REGISTER_ASK:
		asks_give_up(&s->asks);
		store(s);
		break;
	case REGISTER_STORE:
		answer(s, ERR_TIMEOUT);
		break;
	case REGISTER_STAGES:
		break;
	}
	session_update(s);
}

/* taken is how many mailboxes of the command count: INBOX comes first, and is
 * all that a device with version 1 knows. */
static size_t taken(const struct session *s, const struct imap_xaps *command)
{
	size_t max = service_mailboxes_max(s->env->service);

	if (imap_xaps_version(command) < 2)
		max = 1;
	return command->mailbox_count < max ? command->mailbox_count : max;
}

/* registration_begin takes over |command|. */
static void registration_begin(struct session *s, struct str tag,
                               const struct imap_xaps *command)
{
	struct registration *r = xcalloc(1, sizeof(*r));

	r->command = *command;
	r->tag = str_dup(tag);
	r->count = taken(s, command);
	r->mailboxes = xcalloc(r->count, sizeof(*r->mailboxes));
	r->refused = xcalloc(r->count, sizeof(*r->refused));
	for (size_t i = 0; i < r->count; i++)
		r->mailboxes[i].name = r->command.mailboxes[i];
	r->timer = loop_timer_new(s->env->loop, on_timer, s);
	s->registration = r;
	session_set_input(s, INPUT_BUSY);
	loop_timer_set(r->timer, REGISTER_SERVICE_MS);
	service_lookup(s->env->service, s->user, r->command.mailboxes, r->count,
	               on_lookup, expect(s));
}

void register_command(struct session *s, struct str command)
{
	struct imap_xaps parsed;
	struct err_detail why;
	struct err_detail text;
	struct str tag = client_tag(command);

	if (imap_xaps_parse(command, &parsed, &why) != 0) {
		metric_add(METRIC_REGISTRATION_COMMANDS_BAD, 1);
		(void)err_set(&text, ERR_PARSE, "BAD %s", why.text);
		session_reply(s, tag, STR_NULL, text.text);
		return;
	}
	registration_begin(s, tag, &parsed);
}
