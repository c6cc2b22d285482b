/* SPDX-License-Identifier: ISC */
/* worker - see worker.h. */
#include "role/worker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/tls_tickets.h"
#include "proxy/proxy.h"
#include "role/identity.h"
#include "role/limits.h"
#include "role/listeners.h"
#include "role/target.h"

enum {
	FRESH_S = 300,
	/* /readyz says what was so within a minute, a probe that takes its time
	 * included. */
	FRESH_ASKED_S = 40,
};

static const struct log_ctx worker_log = { LOG_TLS, 0 };

struct worker {
	const struct conf *conf;
	struct tls_tickets tickets;
	struct identity identity;
	struct targets backends;
	struct str *hide; /* capability.hide; the strings are |conf|'s */
	struct proxy *proxy;
	unsigned number; /* of |count| workers, from 1; 0: the only one */
	unsigned count;
};

/* warn tells of certificates that are used although they are unusual. */
static void warn(const struct identity *identity)
{
	int64_t now_ms = (int64_t)time(NULL) * 1000;
	struct err_detail why;

	for (size_t i = 0; i < identity->count; i++)
		if (identity_warning(&identity->parts[i], now_ms, &why))
			log_warn(&worker_log, "tls.certificate %s: %s",
			         identity->parts[i].path, why.text);
}

int worker_load(const struct conf *c, struct worker **w_r,
                struct err_detail *detail)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	int rc;

	w->conf = c;
	tls_tickets_init(&w->tickets);
	w->hide = conf_strs(&c->capability_hide);
	rc = identity_load(c, NULL, &w->tickets, &w->identity, detail);
	if (rc == ERR_OK)
		rc = targets_load(c, NULL, &w->backends, detail);
	if (rc != ERR_OK) {
		worker_free(&w);
		return rc;
	}
	warn(&w->identity);
	*w_r = w;
	return ERR_OK;
}

int worker_check(const struct conf *c, struct err_detail *detail)
{
	struct worker *w;
	int rc = worker_load(c, &w, detail);

	if (rc == ERR_OK)
		worker_free(&w);
	return rc;
}

static struct proxy_opts opts_of(const struct worker *w,
                                 const struct limits *limits)
{
	const struct conf *c = w->conf;

	return (struct proxy_opts){
		.tls = w->identity.tls,
		.routes = &w->backends.routes,
		.push_enabled = c->push_enabled,
		.hide = w->hide,
		.hide_count = c->capability_hide.count,
		.sessions_max = limits->sessions,
		.logins_pending_per_address =
			c->limits_logins_pending_per_address,
		.login_failures = c->limits_login_failures,
		.login_s = c->timeouts_login_s,
		.idle_s = c->timeouts_idle_s,
		.fresh_s = c->status_listen != NULL ? FRESH_ASKED_S : FRESH_S,
		.trace_user = c->trace_user,
		.id_first = w->number,
		.id_step = w->count,
	};
}

int worker_start(struct worker *w, struct loop *loop, struct resolver *resolver,
                 struct service *service, const struct listeners *l,
                 const struct limits *limits, struct err_detail *detail)
{
	struct proxy_opts opts = opts_of(w, limits);

	opts.listen = l->list;
	opts.listen_count = l->count;
	return proxy_new(loop, resolver, service, &opts, &w->proxy, detail);
}

void worker_reload(struct worker *w, const struct files *f,
                   const struct limits *limits)
{
	struct identity old = { 0 };
	struct identity fresh;
	struct err_detail why;
	struct proxy_opts opts;

	if (identity_load(w->conf, f, &w->tickets, &fresh, &why) == ERR_OK) {
		old = w->identity;
		w->identity = fresh;
	} else {
		log_error(&worker_log, "the certificates in use stay: %s",
		          why.text);
	}
	opts = opts_of(w, limits);
	if (w->proxy != NULL)
		proxy_set_opts(w->proxy, &opts);
	identity_done(&old);
}

void worker_say_reloaded(const struct worker *w)
{
	if (w->identity.count == 0)
		return;
	log_info(&worker_log, "certificates are read again count=%zu",
	         w->identity.count);
	warn(&w->identity);
}

void worker_rotate_tickets(struct worker *w)
{
	tls_tickets_rotate(&w->tickets);
}

struct str worker_tickets(const struct worker *w)
{
	return str_new(&w->tickets, sizeof(w->tickets));
}

void worker_set_tickets(struct worker *w, struct str tickets)
{
	if (tickets.len == sizeof(w->tickets))
		memcpy(&w->tickets, tickets.data, tickets.len);
}

void worker_number(struct worker *w, unsigned number, unsigned count)
{
	w->number = number;
	w->count = count;
}

void worker_drain(struct worker *w, bool is_patient, loop_fn *empty, void *arg)
{
	uint64_t drain_ms = (uint64_t)w->conf->process_drain_s * 1000;

	proxy_drain(w->proxy, is_patient ? 0 : drain_ms, empty, arg);
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	if (w == NULL)
		return;
	proxy_free(&w->proxy);
	targets_done(&w->backends);
	identity_done(&w->identity);
	tls_tickets_done(&w->tickets);
	free(w->hide);
	free(w);
	*worker = NULL;
}
