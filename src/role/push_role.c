/* SPDX-License-Identifier: ISC */
/* push_role - see push_role.h. */
#include "role/push_role.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "apns/apns.h"
#include "base/mem.h"
#include "push/ledger.h"
#include "push/notifier.h"
#include "push/queue.h"
#include "push/registry.h"
#include "push/seal.h"
#include "role/sender.h"
#include "store/sqlite.h"
#include "watch/watch.h"

/* Phones are not told that push is over before its credential has been expired
 * for this long: it may only be late. */
#define EXPIRED_GRACE_MS ((int64_t)24 * 3600 * 1000)

struct push_role {
	struct log_ctx log;
	struct apns *apns; /* NULL: nothing can be sent */
	struct seal *seal; /* NULL: nobody can be watched */
	struct str topic;  /* none: nothing is offered */
	struct ledger *ledger;
	struct registry *registry;
	struct queue *queue;
	struct notifier *notifier;
	struct watch *watch;
	struct service *service;
};

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

/*
 * load_apns makes the transport and finds the topic. With a topic but no
 * transport (a bad apns.ca) the capability is shown and pushes wait.
 */
static int load_apns(const struct conf *c, struct loop *loop,
                     struct resolver *resolver, struct apns **apns_r,
                     struct str *topic_r, struct err_detail *detail)
{
	const struct apns_opts opts = sender_opts(c);
	struct sender sender;
	struct err_detail why;
	int rc;

	rc = sender_load(c, &sender, detail);
	if (rc != ERR_OK)
		return rc;
	if (sender_warning(&sender, now_ms(), &why))
		log_warn(&(struct log_ctx){ LOG_APNS, 0 },
		         "apns.certificate %s: %s", c->apns_certificate,
		         why.text);
	rc = apns_new(loop, resolver, &opts,
	              sender_is_dry_run(c) ? NULL : &sender.credential, apns_r,
	              &why);
	if (rc != ERR_OK)
		(void)err_set(detail, rc, "apns: %s", why.text);
	if (sender_is_dry_run(c) ||
	    sender.credential.not_after_ms + EXPIRED_GRACE_MS >= now_ms())
		*topic_r = str_dup(sender.topic);
	sender_done(&sender);
	return rc;
}

/* make_state makes the state directory, if only that one is missing; the store
 * says so if it cannot be used. */
static void make_state(const struct conf *c)
{
	(void)mkdir(c->state_dir, 0700);
}

static int check_seal(const struct conf *c, struct err_detail *detail)
{
	struct seal *seal;
	struct err_detail why;
	int rc = seal_load(c->watch_key_file, false, &seal, &why);

	if (rc == ERR_OK)
		seal_free(&seal);
	else if (rc != ERR_NOT_FOUND) /* else it will be made */
		return err_set(detail, rc, "watch.key_file: %s", why.text);
	return ERR_OK;
}

static int check_apns(const struct conf *c, struct err_detail *detail)
{
	struct loop *loop = loop_new();
	struct apns *apns = NULL;
	struct str topic = STR_NULL;
	/* Nothing is dialled before it is needed, so none is resolved. */
	int rc = load_apns(c, loop, NULL, &apns, &topic, detail);

	if (apns != NULL)
		apns_free(&apns);
	str_free(&topic);
	loop_free(&loop);
	return rc;
}

int push_role_check(const struct conf *c, struct err_detail *detail)
{
	struct err_detail why;
	int rc;

	if (!c->push_enabled)
		return ERR_OK;
	if (!sender_is_absent(c)) {
		rc = check_apns(c, detail);
		if (rc != ERR_OK)
			return rc;
	}
	rc = store_sqlite_check(c->store_path, &why);
	if (rc != ERR_OK)
		return err_set(detail, rc, "store.path: %s", why.text);
	return check_seal(c, detail);
}

static void on_loaded(void *arg, int rc)
{
	struct push_role *r = arg;

	/* The ledger itself says what is wrong. */
	log_debug(&r->log, "store read: %s", err_text(rc));
}

/* open_sealing brings the key, without which nobody can be watched. */
static void open_sealing(struct push_role *r, const struct conf *c)
{
	struct err_detail why;

	if (seal_load(c->watch_key_file, true, &r->seal, &why) != ERR_OK)
		log_error(&r->log,
		          "watch.key_file: %s: no login is kept, nobody is "
		          "watched",
		          why.text);
}

static void open_apns(struct push_role *r, const struct conf *c,
                      struct loop *loop, struct resolver *resolver)
{
	struct err_detail why;

	if (!c->push_enabled)
		return;
	if (sender_is_absent(c))
		log_warn(&r->log, "push is off: no apns.certificate");
	else if (load_apns(c, loop, resolver, &r->apns, &r->topic, &why) !=
	         ERR_OK)
		log_error(&r->log, "push is off: %s", why.text);
	else if (r->topic.data == NULL)
		log_error(&r->log,
		          "push is off: apns.certificate %s has expired",
		          c->apns_certificate);
	else
		log_info(&r->log, "push topic=%s apns=%s", r->topic.data,
		         c->apns_url);
}

static struct service *make_service(struct push_role *r, struct loop *loop,
                                    const struct conf *c)
{
	const struct conf_strings *allow = &c->push_allow;
	const struct conf_strings *deny = &c->push_deny;
	struct str *list = xcalloc(allow->count + deny->count, sizeof(*list));
	const struct service_opts opts = {
		.enabled = c->push_enabled,
		.topic = r->topic.data,
		.lowercase = c->users_lowercase,
		.default_domain = c->users_default_domain,
		.allow = list,
		.allow_count = allow->count,
		.deny = list + allow->count,
		.deny_count = deny->count,
	};
	struct service *service;

	for (size_t i = 0; i < allow->count; i++)
		list[i] = str_of(allow->list[i]);
	for (size_t i = 0; i < deny->count; i++)
		list[allow->count + i] = str_of(deny->list[i]);
	service = service_new(loop, r->ledger, r->registry, r->seal, &opts);
	free(list);
	return service;
}

static struct watch *make_watch(struct push_role *r, struct loop *loop,
                                struct resolver *resolver, const struct conf *c,
                                const struct target *backend)
{
	const struct watch_opts opts = {
		.backend = backend->dial,
		.renew_s = c->watch_renew_s,
		.poll_s = c->watch_poll_s,
		.connections_max = c->watch_connections_max,
		.connect_rate = c->watch_connect_rate,
		.trace_user = c->trace_user,
	};

	return watch_new(loop, resolver, r->registry, r->notifier, r->seal,
	                 &opts);
}

struct push_role *push_role_new(struct loop *loop, struct resolver *resolver,
                                const struct conf *c,
                                const struct target *backend)
{
	const struct registry_opts registry = {
		.device_ttl_days = c->push_device_ttl_days,
		.devices_per_user = c->push_devices_per_user,
		.mailboxes_per_device = c->push_mailboxes_per_device,
	};
	const struct notifier_opts notifier = {
		.merge_ms = c->push_merge_ms,
		.merge_max_ms = c->push_merge_max_ms,
		.change_delay_ms = c->push_change_delay_ms,
		.change_max_ms = c->push_change_max_ms,
	};
	struct push_role *r = xcalloc(1, sizeof(*r));

	r->log.area = LOG_PUSH;
	make_state(c);
	open_apns(r, c, loop, resolver);
	open_sealing(r, c);
	r->ledger = ledger_new(loop, store_sqlite_open(loop, c->store_path),
	                       on_loaded, r);
	r->registry = registry_new(loop, r->ledger, &registry);
	r->queue = queue_new(loop, r->ledger, r->registry,
	                     r->apns != NULL ? apns_transport(r->apns) : NULL);
	r->notifier =
		notifier_new(loop, r->ledger, r->registry, r->queue, &notifier);
	r->service = make_service(r, loop, c);
	if (r->topic.data != NULL)
		r->watch = make_watch(r, loop, resolver, c, backend);
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
	apns_free(&r->apns); /* its last answers go to the queue */
	notifier_free(&r->notifier);
	queue_free(&r->queue);
	registry_free(&r->registry);
	ledger_free(&r->ledger);
	seal_free(&r->seal);
	str_free(&r->topic);
	free(r);
	*role = NULL;
}
