/* SPDX-License-Identifier: ISC */
/* push_role - see push_role.h. */
#include "role/push_role.h"

#include <stdlib.h>

#include "base/mem.h"
#include "push/ledger.h"
#include "push/notifier.h"
#include "push/queue.h"
#include "push/registry.h"
#include "push/service_local.h"
#include "role/limits.h"
#include "role/logins.h"
#include "role/offer.h"
#include "role/whom.h"
#include "store/sqlite.h"
#include "watch/watch.h"

struct push_role {
	struct log_ctx log;
	struct loop *loop;
	struct resolver *resolver;
	const struct conf *conf;
	const struct routes *routes;
	unsigned watchers_max; /* towards one backend */
	struct offer *offer;
	struct logins *logins;
	struct ledger *ledger;
	struct registry *registry;
	struct queue *queue;
	struct notifier *notifier;
	struct watch *watch; /* NULL: nothing was ever offered */
	struct service *service;
	loop_fn *changed; /* NULL: nobody wants to know */
	void *arg;
};

int push_role_check(const struct conf *c, const struct rights *rights,
                    struct err_detail *detail)
{
	struct err_detail why;
	bool is_made;
	int rc;

	if (!c->push_enabled)
		return ERR_OK;
	is_made = rights_would_make_store(c);
	rc = offer_check(c, detail);
	if (rc != ERR_OK)
		return rc;
	rc = logins_check(c, NULL, detail);
	if (rc == ERR_OK)
		rc = rights_drop(rights, detail);
	if (rc == ERR_OK)
		rc = rights_check_state(c, rights, detail);
	if (rc != ERR_OK || is_made)
		return rc;
	rc = store_sqlite_check(c->store_path, &why);
	if (rc != ERR_OK)
		rc = err_set(detail, rc, "store.path: %s", why.text);
	return rc;
}

static void on_loaded(void *arg, int rc)
{
	struct push_role *r = arg;

	/* The ledger itself says what is wrong. */
	log_debug(&r->log, "store read: %s", err_text(rc));
}

static struct service *make_service(struct push_role *r)
{
	struct service_local_opts opts = {
		.audience = whom_load(r->conf, offer_topic(r->offer)),
		.names_only = logins_are_masters(r->conf),
	};
	struct service *service = service_local_new(
		r->loop, r->ledger, r->registry, logins_seal(r->logins), &opts);

	whom_done(&opts.audience);
	return service;
}

static struct watch_opts watch_opts_of(const struct push_role *r)
{
	const struct conf *c = r->conf;

	return (struct watch_opts){
		.routes = r->routes,
		.renew_s = c->watch_renew_s,
		.poll_s = c->watch_poll_s,
		.connections_max = r->watchers_max,
		.connect_rate = c->watch_connect_rate,
		.trace_user = c->trace_user,
		.wake = c->push_wake,
		.login = logins_opts(r->logins),
	};
}

static struct registry_opts registry_opts_of(const struct conf *c)
{
	return (struct registry_opts){
		.device_ttl_days = c->push_device_ttl_days,
		.devices_per_user = c->push_devices_per_user,
		.mailboxes_per_device = c->push_mailboxes_per_device,
	};
}

static struct notifier_opts notifier_opts_of(const struct conf *c)
{
	return (struct notifier_opts){
		.merge_ms = c->push_merge_ms,
		.merge_max_ms = c->push_merge_max_ms,
		.change_delay_ms = c->push_change_delay_ms,
		.change_max_ms = c->push_change_max_ms,
	};
}

static struct watch *make_watch(struct push_role *r)
{
	const struct watch_opts opts = watch_opts_of(r);

	return watch_new(r->loop, r->resolver, r->registry, r->notifier,
	                 r->queue, &opts);
}

static void tell(const struct push_role *r)
{
	if (r->changed != NULL)
		r->changed(r->arg);
}

void push_role_observe(struct push_role *r, loop_fn *fn, void *arg)
{
	r->changed = fn;
	r->arg = arg;
}

/* on_offer follows the offer: those who come are told, and once anything was
 * offered the users are watched, since a credential may come back. */
static void on_offer(void *arg)
{
	struct push_role *r = arg;
	const char *topic = offer_topic(r->offer);

	if (r->service != NULL)
		service_local_set_topic(r->service, topic);
	if (topic != NULL && r->watch == NULL)
		r->watch = make_watch(r);
	tell(r);
}

/* on_logins: there are some now, or others. */
static void on_logins(void *arg)
{
	struct push_role *r = arg;
	const struct watch_opts opts = watch_opts_of(r);

	if (r->service != NULL)
		service_local_set_seal(r->service, opts.login.seal);
	if (r->watch != NULL)
		watch_set_opts(r->watch, &opts);
	tell(r);
}

/* take_opts has each room take over its part of the configuration. */
static void take_opts(struct push_role *r)
{
	const struct registry_opts registry = registry_opts_of(r->conf);
	const struct notifier_opts notifier = notifier_opts_of(r->conf);
	struct audience_opts audience = whom_load(r->conf, NULL);

	registry_set_opts(r->registry, &registry);
	notifier_set_opts(r->notifier, &notifier);
	if (r->service != NULL)
		service_local_set_lists(r->service, &audience);
	whom_done(&audience);
}

void push_role_reload(struct push_role *r, const struct files *f,
                      const struct limits *limits)
{
	r->watchers_max = limits->watchers;
	take_opts(r);
	logins_reload(r->logins, f);
	on_logins(r);
	if (offer_reload(r->offer, f) != ERR_OK)
		return;
	on_offer(r);
	queue_mend(r->queue, offer_transport(r->offer));
}

struct push_role *push_role_new(struct loop *loop, struct resolver *resolver,
                                const struct conf *c, const struct files *f,
                                const struct routes *routes,
                                const struct limits *limits)
{
	const struct registry_opts registry = registry_opts_of(c);
	const struct notifier_opts notifier = notifier_opts_of(c);
	struct push_role *r = xcalloc(1, sizeof(*r));

	r->log.area = LOG_PUSH;
	r->loop = loop;
	r->resolver = resolver;
	r->conf = c;
	r->routes = routes;
	r->watchers_max = limits->watchers;
	r->offer = offer_new(loop, resolver, c, f, on_offer, r);
	r->logins = logins_new(loop, c, f, on_logins, r);
	r->ledger = ledger_new(loop, store_sqlite_open(loop, c->store_path),
	                       on_loaded, r);
	r->registry = registry_new(loop, r->ledger, &registry);
	r->queue = queue_new(loop, r->ledger, r->registry,
	                     offer_transport(r->offer));
	r->notifier =
		notifier_new(loop, r->ledger, r->registry, r->queue, &notifier);
	r->service = make_service(r);
	on_offer(r);
	return r;
}

struct service *push_role_service(struct push_role *r)
{
	return r->service;
}

void push_role_end(struct push_role *r)
{
	service_free(&r->service);
}

void push_role_free(struct push_role **role)
{
	struct push_role *r = *role;

	if (r == NULL)
		return;
	push_role_end(r);
	watch_free(&r->watch);
	offer_free(&r->offer); /* its last answers go to the queue */
	notifier_free(&r->notifier);
	queue_free(&r->queue);
	registry_free(&r->registry);
	ledger_free(&r->ledger);
	logins_free(&r->logins);
	free(r);
	*role = NULL;
}
