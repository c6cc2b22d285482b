/* SPDX-License-Identifier: ISC */
/* worker - see worker.h. */
#include "role/worker.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "conf/url.h"
#include "proxy/proxy.h"
#include "role/identity.h"
#include "role/target.h"

static const struct log_ctx worker_log = { LOG_TLS, 0 };

struct worker {
	const struct conf *conf;
	struct identity identity;
	struct target backend;
	struct str *hide; /* capability.hide; the strings are |conf|'s */
	struct proxy *proxy;
};

int worker_load(const struct conf *c, struct worker **w_r,
                struct err_detail *detail)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	struct err_detail why;
	int rc;

	w->conf = c;
	w->hide = conf_strs(&c->capability_hide);
	rc = identity_load(c, &w->identity, detail);
	if (rc == ERR_OK)
		rc = target_load(c, &w->backend, detail);
	if (rc != ERR_OK) {
		worker_free(&w);
		return rc;
	}
	if (identity_warning(&w->identity, (int64_t)time(NULL) * 1000, &why))
		log_warn(&worker_log, "tls.certificate %s: %s",
		         c->tls_certificate, why.text);
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

static enum proxy_security security_of(enum conf_scheme scheme)
{
	if (scheme == CONF_IMAPS)
		return PROXY_TLS;
	return scheme == CONF_IMAP_STARTTLS ? PROXY_STARTTLS : PROXY_PLAIN;
}

/* The listeners as proxy wants them; |hosts| holds their names. */
static int read_listen(const struct conf *c, struct proxy_listen *listen,
                       struct str *hosts, struct err_detail *detail)
{
	for (size_t i = 0; i < c->listen.count; i++) {
		struct conf_url url;
		int rc = conf_url_parse(str_of(c->listen.list[i].url), &url,
		                        detail);

		if (rc != ERR_OK)
			return rc;
		hosts[i] = str_dup(url.host);
		listen[i] = (struct proxy_listen){
			.host = hosts[i].data,
			.port = url.port,
			.security = security_of(url.scheme),
		};
	}
	return ERR_OK;
}

static int start_proxy(struct worker *w, struct loop *loop,
                       struct resolver *resolver, struct service *service,
                       const struct proxy_listen *listen,
                       struct err_detail *detail)
{
	const struct conf *c = w->conf;
	const struct proxy_opts opts = {
		.listen = listen,
		.listen_count = c->listen.count,
		.tls = w->identity.tls,
		.backend = w->backend.dial,
		.push_enabled = c->push_enabled,
		.hide = w->hide,
		.hide_count = c->capability_hide.count,
		.sessions_max = c->limits_sessions,
		.logins_pending_per_address =
			c->limits_logins_pending_per_address,
		.login_failures = c->limits_login_failures,
		.login_s = c->timeouts_login_s,
		.idle_s = c->timeouts_idle_s,
		.trace_user = c->trace_user,
	};

	return proxy_new(loop, resolver, service, &opts, &w->proxy, detail);
}

int worker_start(struct worker *w, struct loop *loop, struct resolver *resolver,
                 struct service *service, struct err_detail *detail)
{
	size_t count = w->conf->listen.count;
	struct proxy_listen *listen = xcalloc(count, sizeof(*listen));
	struct str *hosts = xcalloc(count, sizeof(*hosts));
	int rc = read_listen(w->conf, listen, hosts, detail);

	if (rc == ERR_OK)
		rc = start_proxy(w, loop, resolver, service, listen, detail);
	for (size_t i = 0; i < count; i++)
		str_free(&hosts[i]);
	free(hosts);
	free(listen);
	return rc;
}

void worker_drain(struct worker *w, loop_fn *empty, void *arg)
{
	proxy_drain(w->proxy, (uint64_t)w->conf->process_drain_s * 1000, empty,
	            arg);
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	if (w == NULL)
		return;
	proxy_free(&w->proxy);
	target_done(&w->backend);
	identity_done(&w->identity);
	free(w->hide);
	free(w);
	*worker = NULL;
}
