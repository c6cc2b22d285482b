/* SPDX-License-Identifier: ISC */
/*
 * service - the registry for those who know login names: who a user is, who
 * may be rung, and when a password is worth keeping.
 */
#include "push/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/route.h"

enum { DOMAIN_MAX = 255, BLOB_MAX = 64 * 1024 };

struct list {
	struct str *items;
	size_t count;
};

/* A question that was not answered yet. */
struct call {
	TAILQ_ENTRY(call) entry;
	struct service *service;
	service_done_fn *done; /* of a registration, or */
	service_lookup_fn *looked_up;
	void *arg;
	bool *proved; /* the answer of a lookup */
	size_t count;
};

TAILQ_HEAD(call_list, call);

struct service {
	struct log_ctx log;
	struct loop *loop;
	struct ledger *ledger;
	struct registry *registry;
	const struct seal *seal;
	bool enabled;
	struct str topic;   /* one of |topics|; none: NULL */
	struct list topics; /* all there were: sessions have borrowed them */
	bool lowercase;
	struct str default_domain;
	struct list allow;
	struct list deny;
	bool names_only;
	struct call_list calls;
};

/* Users. */

/* user_of writes the name under which the registry knows a login to |out|,
 * which it begins. Results: 0; ERR_LIMIT, longer than any login. */
static int user_of(const struct service *s, struct str login_name,
                   struct buf *out)
{
	int rc;

	buf_init(out, IMAP_USER_MAX + 1 + DOMAIN_MAX);
	if (login_name.len > IMAP_USER_MAX)
		return ERR_LIMIT;
	rc = buf_add(out, login_name);
	if (rc == ERR_OK && s->default_domain.len > 0 &&
	    str_find(login_name, '@') == SIZE_MAX) {
		rc = buf_append(out, "@", 1);
		if (rc == ERR_OK)
			rc = buf_add(out, s->default_domain);
	}
	for (size_t i = 0; rc == ERR_OK && s->lowercase && i < out->len; i++)
		out->data[i] = str_lower(out->data[i]);
	return rc;
}

/* names: an entry of a list is this user or the user's domain, which may be
 * written with its @. */
static bool names(const struct service *s, struct str item, struct str user)
{
	struct str domain = route_domain(user);

	if (s->lowercase ? str_ieq(item, user) : str_eq(item, user))
		return true;
	(void)str_byte(&item, '@');
	return domain.len > 0 && str_ieq(item, domain);
}

static bool is_listed(const struct service *s, const struct list *list,
                      struct str user)
{
	for (size_t i = 0; i < list->count; i++) {
		if (names(s, list->items[i], user))
			return true;
	}
	return false;
}

static bool is_allowed(const struct service *s, struct str user)
{
	return !is_listed(s, &s->deny, user) &&
	       (s->allow.count == 0 || is_listed(s, &s->allow, user));
}

bool service_offers(const struct service *s)
{
	return s->enabled && s->topic.data != NULL;
}

bool service_offer(const struct service *s, struct str login_name,
                   struct str *topic_r)
{
	struct buf user;
	bool offer;

	if (!service_offers(s))
		return false;
	offer = user_of(s, login_name, &user) == ERR_OK &&
	        is_allowed(s, buf_str(&user));
	buf_reset(&user);
	if (offer)
		*topic_r = s->topic;
	return offer;
}

size_t service_mailboxes_max(const struct service *s)
{
	return registry_mailboxes_max(s->registry);
}

/* Logins. */

/* is_known: the sealed login of |user| is this one and was not refused. */
static bool is_known(const struct service *s, struct str user,
                     const struct imap_login *login)
{
	struct imap_login known = { 0 };
	struct store_login row;
	bool same;

	if (registry_login(s->registry, user, &row) != ERR_OK || row.rejected ||
	    seal_open(s->seal, user, row.blob, &known) != ERR_OK)
		return false;
	same = str_eq(known.user, login->user) &&
	       secret_eq(known.password, login->password);
	imap_login_done(&known);
	return same;
}

/* keep_login seals what is new. */
static void keep_login(struct service *s, struct str user,
                       const struct imap_login *login)
{
	struct buf blob;

	if (s->seal == NULL || !imap_login_has_password(login) ||
	    imap_login_is_other(login) || is_known(s, user, login))
		return;
	buf_init(&blob, BLOB_MAX);
	if (seal_close(s->seal, user, login, &blob) == ERR_OK)
		registry_login_put(s->registry, user, buf_str(&blob));
	buf_reset(&blob);
}

/* keep_name notes |name|, by which the backend knows |user|, unless that is
 * what is kept. A refusal of it is over when they have just |logged_in|. */
static void keep_name(struct service *s, struct str user, struct str name,
                      bool logged_in)
{
	struct store_login row;
	struct str known;
	struct buf blob;

	if (registry_login(s->registry, user, &row) == ERR_OK &&
	    seal_name_open(row.blob, &known) == ERR_OK && str_eq(known, name) &&
	    !(row.rejected && logged_in))
		return;
	buf_init(&blob, BLOB_MAX);
	if (seal_name(name, &blob) == ERR_OK)
		registry_login_put(s->registry, user, buf_str(&blob));
	buf_reset(&blob);
}

bool service_keeps_logins(const struct service *s)
{
	return service_offers(s) && s->seal != NULL;
}

void service_logged_in(struct service *s, const struct imap_login *login)
{
	struct buf user;

	if (!service_offers(s) || imap_login_is_other(login))
		return;
	if (user_of(s, login->user, &user) != ERR_OK ||
	    !is_allowed(s, buf_str(&user)) ||
	    !registry_has(s->registry, buf_str(&user)))
		goto out;
	if (s->names_only)
		keep_name(s, buf_str(&user), login->user, true);
	else
		keep_login(s, buf_str(&user), login);
out:
	buf_reset(&user);
}

/* Questions. */

static struct call *new_call(struct service *s, void *arg)
{
	struct call *call = xcalloc(1, sizeof(*call));

	call->service = s;
	call->arg = arg;
	TAILQ_INSERT_TAIL(&s->calls, call, entry);
	return call;
}

/* answer makes the call and frees it. */
static void answer(struct call *call, int rc)
{
	if (call->service != NULL)
		TAILQ_REMOVE(&call->service->calls, call, entry);
	if (call->looked_up != NULL)
		call->looked_up(call->arg, call->proved, call->count);
	else if (call->done != NULL)
		call->done(call->arg, rc);
	free(call->proved);
	free(call);
}

static void on_looked_up(void *arg)
{
	answer(arg, ERR_OK);
}

void service_lookup(struct service *s, struct str login_name,
                    const struct str *names, size_t count,
                    service_lookup_fn *done, void *arg)
{
	struct call *call = new_call(s, arg);
	struct buf user;

	call->looked_up = done;
	call->proved = xcalloc(count, sizeof(*call->proved));
	call->count = count;
	if (user_of(s, login_name, &user) == ERR_OK) {
		for (size_t i = 0; i < count; i++)
			call->proved[i] = registry_is_proved(
				s->registry, buf_str(&user), names[i]);
	}
	buf_reset(&user);
	loop_defer(s->loop, on_looked_up, call);
}

static void on_flushed(void *arg, int rc)
{
	answer(arg, rc);
}

/* put_registration stores what the device wishes. */
static void put_registration(struct service *s, struct str user,
                             const struct service_registration *reg)
{
	const struct imap_xaps *command = reg->command;
	struct store_mailbox *boxes =
		xcalloc(reg->mailbox_count, sizeof(*boxes));
	const struct store_registration wish = {
		.user = user,
		.account_id = command->account_id,
		.device_token = command->device_token,
		.subtopic = command->subtopic,
		.topic = reg->topic,
		.version = imap_xaps_version(command),
		.mailboxes = boxes,
		.mailbox_count = reg->mailbox_count,
	};

	for (size_t i = 0; i < reg->mailbox_count; i++) {
		boxes[i].name = reg->mailboxes[i].name;
		boxes[i].proved = reg->mailboxes[i].proved;
	}
	(void)registry_put(s->registry, &wish);
	free(boxes);
}

/* put_baselines stores from where "new" counts, for mailboxes of which nothing
 * is known yet. */
static void put_baselines(struct service *s, struct str user,
                          const struct service_registration *reg)
{
	size_t max = registry_mailboxes_max(s->registry);

	for (size_t i = 0; i < reg->mailbox_count && i < max; i++) {
		const struct service_mailbox *m = &reg->mailboxes[i];
		const struct store_state state = {
			.user = user,
			.mailbox = m->name,
			.uidvalidity = m->uidvalidity,
			.uidnext = m->uidnext,
			.messages = m->messages,
			.unseen = m->unseen,
		};

		if (m->has_status &&
		    ledger_state(s->ledger, user, m->name) == NULL)
			ledger_state_put(s->ledger, &state);
	}
}

void service_register(struct service *s,
                      const struct service_registration *registration,
                      service_done_fn *done, void *arg)
{
	struct call *call = new_call(s, arg);
	struct buf user;

	call->done = done;
	if (user_of(s, registration->login_name, &user) == ERR_OK) {
		put_registration(s, buf_str(&user), registration);
		put_baselines(s, buf_str(&user), registration);
		if (s->names_only)
			keep_name(s, buf_str(&user), registration->login_name,
			          false);
		else if (registration->login != NULL)
			keep_login(s, buf_str(&user), registration->login);
	}
	buf_reset(&user);
	ledger_flush(s->ledger, on_flushed, call);
}

/* Life. */

static struct list copy_list(const struct str *items, size_t count)
{
	struct list list = { xcalloc(count, sizeof(*items)), count };

	for (size_t i = 0; i < count; i++)
		list.items[i] = str_dup(items[i]);
	return list;
}

static void free_list(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		str_free(&list->items[i]);
	free(list->items);
	*list = (struct list){ 0 };
}

void service_set_topic(struct service *s, const char *topic)
{
	struct list *all = &s->topics;
	size_t i = 0;

	s->topic = STR_NULL;
	if (topic == NULL)
		return;
	while (i < all->count && !str_eq(all->items[i], str_of(topic)))
		i++;
	if (i == all->count) {
		all->items =
			xrealloc(all->items, ++all->count, sizeof(*all->items));
		all->items[i] = str_dup(str_of(topic));
	}
	s->topic = all->items[i];
}

void service_set_seal(struct service *s, const struct seal *seal)
{
	s->seal = seal;
}

struct service *service_new(struct loop *loop, struct ledger *ledger,
                            struct registry *registry, const struct seal *seal,
                            const struct service_opts *opts)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->log.area = LOG_PUSH;
	s->loop = loop;
	s->ledger = ledger;
	s->registry = registry;
	s->seal = seal;
	s->enabled = opts->enabled;
	service_set_topic(s, opts->topic);
	s->lowercase = opts->lowercase;
	if (opts->default_domain != NULL)
		s->default_domain = str_dup(str_of(opts->default_domain));
	s->allow = copy_list(opts->allow, opts->allow_count);
	s->deny = copy_list(opts->deny, opts->deny_count);
	s->names_only = opts->names_only;
	TAILQ_INIT(&s->calls);
	return s;
}

/* abandon answers a question that the end of the service leaves open. The
 * ledger still holds a registration's call: it answers nobody then. */
static void abandon(struct service *s, struct call *call)
{
	call->service = NULL;
	if (call->looked_up != NULL) {
		loop_defer_cancel(s->loop, on_looked_up, call);
		answer(call, ERR_OK);
		return;
	}
	call->done(call->arg, ERR_CANCELED);
	call->done = NULL;
}

/* abandon_all does that to each, also to those that are asked meanwhile. */
static void abandon_all(struct service *s)
{
	struct call *call;
	struct call *next;

	while (!TAILQ_EMPTY(&s->calls)) {
		call = TAILQ_FIRST(&s->calls);
		TAILQ_INIT(&s->calls);
		for (; call != NULL; call = next) {
			next = TAILQ_NEXT(call, entry);
			abandon(s, call);
		}
	}
}

void service_free(struct service **service)
{
	struct service *s = *service;

	if (s == NULL)
		return;
	abandon_all(s);
	free_list(&s->allow);
	free_list(&s->deny);
	free_list(&s->topics);
	str_free(&s->default_domain);
	free(s);
	*service = NULL;
}
