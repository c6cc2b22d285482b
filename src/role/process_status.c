/* SPDX-License-Identifier: ISC */
/* process_status - see process.h. It reads the counters of all, holds no
 * secret, opens nothing and dials nobody. */
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "role/channel.h"
#include "role/confine.h"
#include "role/process.h"
#include "role/reload.h"
#include "role/sandbox.h"

struct process {
	struct log_ctx log;
	struct conf *conf;
	struct reload news; /* that RELOAD will bring */
	struct loop *loop;
	struct channel *main;
};

/* reload takes over the log's options: there is nothing else. */
static void reload(struct process *p)
{
	reload_apply(&p->news, p->conf);
	reload_done(&p->news);
	channel_post(p->main, MESSAGE_RELOADED, 0);
}

static void on_message(void *arg, const struct message *m, int fd)
{
	struct process *p = arg;

	if (fd >= 0)
		(void)close(fd);
	if (reload_hear(&p->news, m))
		return;
	if (m->type == MESSAGE_RELOAD)
		reload(p);
	else if (m->type == MESSAGE_STOP)
		loop_stop(p->loop);
	else if (m->type == MESSAGE_PING)
		channel_post(p->main, MESSAGE_PONG, 0);
}

static void on_ended(void *arg, int rc)
{
	const struct process *p = arg;

	log_warn(&p->log, "main is gone (%s)", err_text(rc));
	loop_stop(p->loop);
}

static const struct channel_events events = {
	.message = on_message,
	.ended = on_ended,
};

/* close_others keeps the channel to main and the sockets that it serves. */
static void close_others(const struct process_start *start,
                         const struct status_role *r)
{
	int *keep = xcalloc(r->fd_count + 1, sizeof(*keep));

	keep[0] = start->fd;
	for (size_t i = 0; i < r->fd_count; i++)
		keep[i + 1] = r->fds[i];
	sandbox_close_others(keep, r->fd_count + 1);
	free(keep);
}

int process_status(const struct process_start *start, struct status_role *r,
                   struct err_detail *detail)
{
	struct process p = { .log = { LOG_ROLE, 0 }, .conf = start->conf };
	int rc = rights_drop(start->rights, detail);

	if (rc != ERR_OK)
		return rc;
	close_others(start, r);
	confine(start->conf, SANDBOX_STATUS);
	p.loop = loop_new();
	p.main = channel_new(p.loop, start->fd, &events, &p);
	/* Main, push, status, and the workers. */
	status_role_serve(r, p.loop, 3 + start->conf->process_workers);
	loop_run(p.loop);
	reload_done(&p.news);
	status_role_done(r);
	channel_free(&p.main);
	streams_finish(p.loop);
	loop_free(&p.loop);
	return ERR_OK;
}
