/* SPDX-License-Identifier: ISC */
/*
 * upgrade - up to three mains in a row know of each other: the elder, whom this
 * one replaced and who still has sessions; this one; and the heir, who replaces
 * it. Whoever serves has the push process, which the workers of all before it
 * are introduced to, from main to main. A main does not end before its elder.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "process/channel.h"
#include "process/heir.h"
#include "process/notify.h"
#include "process/ports.h"
#include "process/supervisor_impl.h"
#include "process/title.h"
#include "role/inherited.h"
#include "role/worker.h"

static bool has_heir(const struct supervisor *s)
{
	return s->heir != NULL && heir_serves(s->heir);
}

/* has_elder: there is one, and it understands this one. */
static bool has_elder(const struct supervisor *s)
{
	return s->elder != NULL && s->elder_version == MESSAGE_VERSION;
}

static void post_elder(struct supervisor *s, enum message_type type,
                       uint32_t id)
{
	if (has_elder(s))
		channel_post(s->elder, type, id);
}

/* tell_push hands the end |fd| of a channel to the push process that serves
 * the worker with process id |pid|. */
static void tell_push(struct supervisor *s, uint32_t pid, int fd)
{
	const struct message m = { .type = MESSAGE_PEER, .id = pid };

	if (has_heir(s))
		heir_tell(s->heir, &m, fd);
	else
		child_tell(supervisor_push(s), &m, fd);
}

void upgrade_introduce(struct supervisor *s, struct child *worker)
{
	struct message m = { .type = MESSAGE_PEER };
	struct err_detail why;
	int fds[2];

	if (worker->channel == NULL ||
	    (!has_heir(s) && supervisor_push(s)->channel == NULL))
		return;
	if (channel_pair(fds, &why) != ERR_OK) {
		log_error(&s->log, "worker %u gets no push: %s",
		          (unsigned)worker->number, why.text);
		return;
	}
	tell_push(s, (uint32_t)worker->pid, fds[0]);
	child_tell(worker, &m, fds[1]);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void introduce_all(struct supervisor *s)
{
	struct child *c = NULL;

	while ((c = supervisor_next_worker(s, c)) != NULL)
		upgrade_introduce(s, c);
	post_elder(s, MESSAGE_INTRODUCE, 0);
}

/* The heir. */

static void on_heir_serves(void *arg, pid_t pid)
{
	struct supervisor *s = arg;
	struct child *push = supervisor_push(s);

	log_info(&s->log,
	         "upgrade: pid=%d serves, this one ends with its last session",
	         (int)pid);
	if (s->leads)
		notify_main(pid);
	s->leads = false;
	watchdog_free(&s->watchdog);
	heir_post(s->heir, MESSAGE_LEAD);
	/* What it has locked is waited for. */
	child_leave(push);
	child_post(push, MESSAGE_STOP);
	supervisor_hide_status(s);
	if (s->state == STATE_SERVES)
		supervisor_drain(s, true);
	introduce_all(s);
	supervisor_go_on(s);
}

static void on_heir_message(void *arg, const struct message *m)
{
	struct supervisor *s = arg;

	switch (m->type) {
	case MESSAGE_OFFER:
		supervisor_offer(s, m);
		break;
	case MESSAGE_CULPRIT:
		supervisor_accuse(s, m->id);
		break;
	case MESSAGE_INTRODUCE:
		introduce_all(s);
		break;
	case MESSAGE_DRAIN:
		if (s->is_patient)
			supervisor_drain(s, false);
		break;
	case MESSAGE_STOP:
		supervisor_stop(s);
		break;
	default:
		log_warn(&s->log, "upgrade: %s is not understood",
		         message_name(m->type));
	}
	supervisor_go_on(s);
}

static void on_heir_ended(void *arg)
{
	struct supervisor *s = arg;

	heir_free(&s->heir);
}

static const struct heir_events heir_events = {
	.serves = on_heir_serves,
	.message = on_heir_message,
	.ended = on_heir_ended,
};

void upgrade_tickets(struct supervisor *s)
{
	struct message m = { .type = MESSAGE_TICKETS };

	if (s->heir == NULL || has_heir(s))
		return;
	m.u.secret = worker_tickets(s->worker);
	heir_tell(s->heir, &m, -1);
}

/* obstacle is why there is no upgrade now, or NULL. */
static const char *obstacle(const struct supervisor *s)
{
	if (s->heir != NULL)
		return "there is one already";
	if (s->state != STATE_SERVES || !s->said_ready)
		return "this one does not serve";
	if (getpid() == 1)
		return "this is process 1 of a container, with which all end";
	return NULL;
}

void upgrade_begin(struct supervisor *s)
{
	struct message m = { .type = MESSAGE_KEY };
	const char *why_not = obstacle(s);
	struct err_detail why;
	size_t count;
	int *fds;
	int rc;

	if (why_not != NULL) {
		log_warn(&s->log, "SIGUSR2: no upgrade: %s", why_not);
		return;
	}
	log_info(&s->log, "SIGUSR2: upgrade: %s is started", title_argv()[0]);
	fds = ports_list(s->ports, &count);
	fds = xrealloc(fds, count + s->status.fd_count, sizeof(*fds));
	for (size_t i = 0; i < s->status.fd_count; i++)
		fds[count++] = s->status.fds[i];
	rc = heir_new(s->loop, title_argv(), fds, count, &heir_events, s,
	              &s->heir, &why);
	free(fds);
	if (rc != ERR_OK) {
		log_error(&s->log, "upgrade: %s: this one goes on", why.text);
		return;
	}
	upgrade_tickets(s);
	m.u.secret = str_new(s->key, sizeof(s->key));
	heir_tell(s->heir, &m, -1);
}

void upgrade_reload(struct supervisor *s)
{
	if (s->heir != NULL && !has_heir(s))
		heir_reload(s->heir);
}

/* The elder. */

void upgrade_accuse(struct supervisor *s, uint32_t pid)
{
	post_elder(s, MESSAGE_CULPRIT, pid);
}

void upgrade_offer(struct supervisor *s)
{
	const struct message m = { .type = MESSAGE_OFFER, .u.offer = s->offer };

	if (has_elder(s) && channel_tell(s->elder, &m, -1) != ERR_OK)
		log_error(&s->log, "what is offered is too long to be told");
}

void upgrade_push_came(struct supervisor *s)
{
	post_elder(s, MESSAGE_INTRODUCE, 0);
}

/* hear_secret: TLS sessions go on as they were, and digests of logins are made
 * with one key. */
static void hear_secret(struct supervisor *s, const struct message *m)
{
	if (m->type == MESSAGE_TICKETS) {
		worker_set_tickets(s->worker, m->u.secret);
		supervisor_tell_workers(s, m);
	} else if (m->u.secret.len == sizeof(s->key) &&
	           s->state == STATE_INHERITS) {
		memcpy(s->key, m->u.secret.data, sizeof(s->key));
		supervisor_begin(s);
	}
}

static void on_elder_message(void *arg, const struct message *m, int fd)
{
	struct supervisor *s = arg;

	if (m->type == MESSAGE_PEER && fd >= 0)
		tell_push(s, m->id, fd);
	else if (m->type == MESSAGE_TICKETS || m->type == MESSAGE_KEY)
		hear_secret(s, m);
	else if (m->type == MESSAGE_LEAD)
		supervisor_lead(s);
	if (fd >= 0)
		(void)close(fd);
}

static void on_elder_ended(void *arg, int rc)
{
	struct supervisor *s = arg;

	channel_free(&s->elder);
	if (!s->said_ready) {
		log_error(&s->log, "upgrade: who started this one is gone (%s)",
		          err_text(rc));
		supervisor_stop(s);
	} else if (!s->leads && s->heir == NULL) {
		supervisor_lead(s);
	}
	supervisor_go_on(s);
}

static const struct channel_events elder_events = {
	.message = on_elder_message,
	.ended = on_elder_ended,
};

void upgrade_inherit(struct supervisor *s, int fd, struct str version)
{
	uint64_t number = 0;

	if (fd < 0) {
		supervisor_lead(s);
		supervisor_begin(s);
		return;
	}
	s->elder = channel_new(s->loop, fd, &elder_events, s);
	(void)!str_number(&version, UINT8_MAX, &number);
	s->elder_version = (uint8_t)number;
	if (number == MESSAGE_VERSION) {
		s->state = STATE_INHERITS;
		return;
	}
	log_warn(&s->log, "upgrade: who started this one speaks another "
	                  "language: TLS sessions begin anew, and what phones "
	                  "register through its sessions stays with it");
	channel_pause(s->elder);
	supervisor_begin(s);
}

/* discard takes what came and is not read: what is closed with some of that in
 * it takes along what was said last. */
static void discard(int fd)
{
	char octets[256];

	while (recv(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		;
}

void upgrade_ready(struct supervisor *s)
{
	const struct message m = { .type = MESSAGE_READY,
		                   .version = s->elder_version };

	if (channel_tell(s->elder, &m, -1) == ERR_OK && has_elder(s))
		return;
	/* It has no more to say that this one understands. */
	discard(channel_fd(s->elder));
	channel_free(&s->elder);
	supervisor_lead(s);
}

void upgrade_ended(struct supervisor *s, bool stops)
{
	post_elder(s, stops ? MESSAGE_STOP : MESSAGE_DRAIN, 0);
	if (s->heir == NULL || has_heir(s))
		return;
	log_warn(&s->log, "upgrade: it is ended as well");
	heir_kill(s->heir);
	heir_free(&s->heir);
}

void upgrade_abandon(struct supervisor *s)
{
	if (s->elder != NULL)
		log_error(&s->log,
		          "upgrade: who started this one does not end");
	channel_free(&s->elder);
}

void upgrade_free(struct supervisor *s)
{
	channel_free(&s->elder);
	heir_free(&s->heir);
}
