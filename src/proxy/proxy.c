/* SPDX-License-Identifier: ISC */
/* proxy - the wiring: listeners, what sessions share, and the drain. */
#include "proxy/proxy.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/listen.h"
#include "proxy/backend.h"
#include "proxy/session.h"
#include "proxy/sessions.h"

/* A listener and where it listens, as log lines name it. */
struct door {
	struct proxy *proxy;
	struct listener *listener;
	struct tls_ctx *tls; /* NULL: plain */
	struct err_detail url;
};

struct proxy {
	struct log_ctx log;
	struct proxy_opts opts;
	struct session_env env;
	struct backend *backend;
	struct sessions *sessions;
	struct door *doors;
	size_t door_count;
	struct loop_timer *drain; /* NULL unless draining */
};

static void on_accept(void *arg, int fd)
{
	struct door *door = arg;

	sessions_accept(door->proxy->sessions, fd, door->tls, door->url.text);
}

/* door_open listens at |where|. Results: as listener_open. */
static int door_open(struct proxy *p, struct door *door,
                     const struct proxy_listen *where,
                     struct err_detail *detail)
{
	bool is_v6 = str_find(str_of(where->host), ':') != SIZE_MAX;
	int rc;

	door->proxy = p;
	door->tls = where->tls ? p->opts.tls : NULL;
	rc = listener_open(p->env.loop, where->host, where->port, on_accept,
	                   door, &door->listener, detail);
	if (rc != 0)
		return rc;
	(void)err_set(&door->url, 0, "%s://%s%s%s:%u",
	              where->tls ? "imaps" : "imap", is_v6 ? "[" : "",
	              where->host, is_v6 ? "]" : "",
	              (unsigned)listener_port(door->listener));
	log_info(&p->log, "listening url=%s", door->url.text);
	return 0;
}

static void doors_close(struct proxy *p)
{
	for (size_t i = 0; i < p->door_count; i++)
		if (p->doors[i].listener != NULL)
			listener_free(&p->doors[i].listener);
}

int proxy_new(struct loop *loop, struct resolver *resolver,
              struct service *service, const struct proxy_opts *opts,
              struct proxy **p_r, struct err_detail *detail)
{
	struct proxy *p = xcalloc(1, sizeof(*p));
	int rc = 0;

	p->log = (struct log_ctx){ .area = LOG_PROXY };
	p->opts = *opts;
	p->backend = backend_new(loop, resolver, &opts->backend);
	p->env = (struct session_env){
		.loop = loop,
		.resolver = resolver,
		.service = service,
		.backend = p->backend,
		.opts = &p->opts,
	};
	p->sessions = sessions_new(&p->env);
	p->env.sessions = p->sessions;
	p->doors = xcalloc(opts->listen_count, sizeof(*p->doors));
	p->door_count = opts->listen_count;
	for (size_t i = 0; rc == 0 && i < opts->listen_count; i++)
		rc = door_open(p, &p->doors[i], &opts->listen[i], detail);
	if (rc != 0)
		proxy_free(&p);
	else
		*p_r = p;
	return rc;
}

static void on_drain_end(void *arg)
{
	struct proxy *p = arg;

	sessions_drain(p->sessions, true);
}

void proxy_drain(struct proxy *p, uint64_t drain_ms, loop_fn *empty, void *arg)
{
	doors_close(p);
	log_info(&p->log, "draining sessions=%zu", sessions_count(p->sessions));
	if (p->drain == NULL)
		p->drain = loop_timer_new(p->env.loop, on_drain_end, p);
	loop_timer_set(p->drain, drain_ms);
	sessions_drain(p->sessions, false);
	sessions_on_empty(p->sessions, empty, arg);
}

void proxy_free(struct proxy **pp)
{
	struct proxy *p = *pp;

	if (p == NULL)
		return;
	doors_close(p);
	if (p->drain != NULL)
		loop_timer_free(&p->drain);
	sessions_free(&p->sessions);
	backend_free(&p->backend);
	free(p->doors);
	free(p);
	*pp = NULL;
}
