/* SPDX-License-Identifier: ISC */
/* orders - see orders.h. */
#include "process/orders.h"

#include <signal.h>
#include <unistd.h>

#include "base/err.h"
#include "net/loop.h"
#include "net/stream.h"
#include "process/channel.h"
#include "process/forked.h"
#include "process/namer.h"

/* reload takes over what main has looked at. */
static void reload(struct orders *o)
{
	reload_apply(&o->news, o->conf);
	if (o->kind->reload != NULL)
		o->kind->reload(o->arg, &o->news.files);
	reload_done(&o->news);
	channel_post(o->main, MESSAGE_RELOADED, 0);
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct orders *o = arg;

	if (m->type == MESSAGE_PEER && fd >= 0 && o->kind->peer != NULL) {
		o->kind->peer(o->arg, m->id, fd);
		return;
	}
	if (fd >= 0)
		(void)close(fd);
	if (reload_hear(&o->news, m))
		return;
	if (m->type == MESSAGE_RELOAD)
		reload(o);
	else if (m->type == MESSAGE_STOP)
		loop_stop(o->loop);
	else if (m->type == MESSAGE_PING)
		channel_post(o->main, MESSAGE_PONG, 0);
	else if (o->kind->message != NULL)
		o->kind->message(o->arg, m);
}

/* on_ended: without main there is nobody to say when to end. */
static void on_ended(void *arg, int rc)
{
	const struct orders *o = arg;

	log_warn(&o->log, "main is gone (%s)", err_text(rc));
	loop_stop(o->loop);
}

/* on_child: who takes the place of this process can look names up again. */
static void on_child(int signo, void *arg)
{
	struct orders *o = arg;

	(void)signo;
	log_error(&o->log, "the process for names is gone");
	o->is_lost = true;
	loop_stop(o->loop);
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_ended,
};

void orders_init(struct orders *o, const struct forked_start *start, int names,
                 const struct orders_kind *kind, void *arg)
{
	*o = (struct orders){
		.loop = loop_new(),
		.log = { LOG_ROLE, 0 },
		.conf = start->conf,
		.kind = kind,
		.arg = arg,
	};
	namer_watch(names, o->loop, on_child, o);
	o->main = channel_new(o->loop, start->fd, &events, o);
}

int orders_obey(struct orders *o, struct err_detail *detail)
{
	loop_run(o->loop);
	if (!o->is_lost)
		return ERR_OK;
	return err_set(detail, ERR_UNAVAILABLE, "%s needs a process for names",
	               o->kind->who);
}

void orders_done(struct orders *o)
{
	reload_done(&o->news);
	channel_free(&o->main);
	streams_finish(o->loop);
	loop_free(&o->loop);
}
