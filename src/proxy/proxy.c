/* SPDX-License-Identifier: ISC */
/* proxy - the wiring: listeners, what sessions share, and the drain. */
#include "proxy/proxy.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "proxy/backends.h"
#include "proxy/door.h"
#include "proxy/session.h"
#include "proxy/sessions.h"

struct proxy {
	struct log_ctx log;
	struct proxy_opts opts;
	struct session_env env;
	struct backends *backends;
	struct sessions *sessions;
	struct door *doors;
	size_t door_count;
	struct loop_timer *drain; /* NULL unless draining */
};

static void doors_close(struct proxy *p)
{
	for (size_t i = 0; i < p->door_count; i++)
		door_close(&p->doors[i]);
}

int proxy_new(struct loop *loop, struct resolver *resolver,
              struct service *service, const struct proxy_opts *opts,
              struct proxy **p_r, struct err_detail *detail)
{
	struct proxy *p = xcalloc(1, sizeof(*p));
	int rc = 0;

	p->log = (struct log_ctx){ .area = LOG_PROXY };
	p->opts = *opts;
	p->backends = backends_new(loop, resolver, opts->routes,
	                           (uint64_t)opts->fresh_s * 1000);
	p->env = (struct session_env){
		.loop = loop,
		.resolver = resolver,
		.service = service,
		.backends = p->backends,
		.opts = &p->opts,
	};
	p->sessions = sessions_new(&p->env);
	p->env.sessions = p->sessions;
	p->doors = xcalloc(opts->listen_count, sizeof(*p->doors));
	p->door_count = opts->listen_count;
	for (size_t i = 0; rc == 0 && i < opts->listen_count; i++)
		rc = door_open(&p->doors[i], loop, p->sessions,
		               &opts->listen[i], detail);
	if (rc != 0)
		proxy_free(&p);
	else
		*p_r = p;
	return rc;
}

void proxy_set_opts(struct proxy *p, const struct proxy_opts *opts)
{
	unsigned id_step = p->opts.id_step;

	p->opts = *opts;
	p->opts.id_step = id_step;
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
	if (drain_ms > 0) {
		loop_timer_set(p->drain, drain_ms);
		sessions_drain(p->sessions, false);
	}
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
	backends_free(&p->backends);
	free(p->doors);
	free(p);
	*pp = NULL;
}
