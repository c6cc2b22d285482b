/* SPDX-License-Identifier: ISC */
/*
 * service_local - who a user is, who may be rung, and when a password is worth
 * keeping.
 */
#include "push/service_local.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/mem.h"

enum { BLOB_MAX = 64 * 1024 };

/* A question that was not answered yet. */
struct call {
	TAILQ_ENTRY(call) entry;
	struct service_local *service;
	service_done_fn *done; /* of a registration, or */
	service_lookup_fn *looked_up;
	void *arg;
	bool *proved; /* the answer of a lookup */
	size_t count;
};

TAILQ_HEAD(call_list, call);

struct service_local {
	struct service base;
	struct loop *loop;
	struct ledger *ledger;
	struct registry *registry;
	const struct seal *seal;
	struct audience audience;
	bool names_only;
	struct call_list calls;
};

static struct service_local *local(struct service *s)
{
	return (struct service_local *)s;
}

static const struct service_local *const_local(const struct service *s)
{
	return (const struct service_local *)s;
}

static bool local_offers(const struct service *s)
{
	return audience_offers(&const_local(s)->audience);
}

static bool local_offer(const struct service *s, struct str login_name,
                        struct str *topic_r)
{
	return audience_offer(&const_local(s)->audience, login_name, topic_r);
}

static size_t local_mailboxes_max(const struct service *s)
{
	return registry_mailboxes_max(const_local(s)->registry);
}

/* Logins. */

/* is_known: the sealed login of |user| is this one and was not refused. */
static bool is_known(const struct service_local *s, struct str user,
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
static void keep_login(struct service_local *s, struct str user,
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
static void keep_name(struct service_local *s, struct str user, struct str name,
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

static bool local_keeps_logins(const struct service *s)
{
	return local_offers(s) && const_local(s)->seal != NULL;
}

/* may_keep: logins of |user|, who |registers| now or did before, are of use. */
static bool may_keep(const struct service_local *s, struct str user,
                     bool registers)
{
	return audience_allows(&s->audience, user) &&
	       (registers || registry_has(s->registry, user));
}

static void local_logged_in(struct service *service,
                            const struct imap_login *login)
{
	struct service_local *s = local(service);
	struct buf user;

	if (!local_offers(service) || imap_login_is_other(login))
		return;
	if (audience_user(&s->audience, login->user, &user) != ERR_OK ||
	    !may_keep(s, buf_str(&user), false))
		goto out;
	if (s->names_only)
		keep_name(s, buf_str(&user), login->user, true);
	else
		keep_login(s, buf_str(&user), login);
out:
	buf_reset(&user);
}

/* has_digest: the sealed login of |user| has it and was not refused. */
static bool has_digest(const struct service_local *s, struct str user,
                       struct str key, struct str digest)
{
	struct imap_login known = { 0 };
	struct store_login row;
	bool has;

	if (registry_login(s->registry, user, &row) != ERR_OK || row.rejected ||
	    seal_open(s->seal, user, row.blob, &known) != ERR_OK)
		return false;
	has = seal_has_digest(key, &known, digest);
	imap_login_done(&known);
	return has;
}

bool service_local_wants_login(const struct service *service,
                               struct str login_name, bool registers,
                               struct str key, struct str digest)
{
	const struct service_local *s = const_local(service);
	struct buf user;
	bool wants;

	if (!local_keeps_logins(service))
		return false;
	wants = audience_user(&s->audience, login_name, &user) == ERR_OK &&
	        may_keep(s, buf_str(&user), registers) &&
	        !has_digest(s, buf_str(&user), key, digest);
	buf_reset(&user);
	return wants;
}

/* Questions. */

static struct call *new_call(struct service_local *s, void *arg)
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

static void local_lookup(struct service *service, struct str login_name,
                         const struct str *names, size_t count,
                         service_lookup_fn *done, void *arg)
{
	struct service_local *s = local(service);
	struct call *call = new_call(s, arg);
	struct buf user;

	call->looked_up = done;
	call->proved = xcalloc(count, sizeof(*call->proved));
	call->count = count;
	if (audience_user(&s->audience, login_name, &user) == ERR_OK) {
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
static void put_registration(struct service_local *s, struct str user,
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
static void put_baselines(struct service_local *s, struct str user,
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

static void local_put(struct service *service,
                      const struct service_registration *registration,
                      service_done_fn *done, void *arg)
{
	struct service_local *s = local(service);
	struct call *call = new_call(s, arg);
	struct buf user;

	call->done = done;
	if (audience_user(&s->audience, registration->login_name, &user) ==
	    ERR_OK) {
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

/* abandon answers a question that the end of the service leaves open. The
 * ledger still holds a registration's call: it answers nobody then. */
static void abandon(struct service_local *s, struct call *call)
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
static void abandon_all(struct service_local *s)
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

static void local_free(struct service *service)
{
	struct service_local *s = local(service);

	abandon_all(s);
	audience_done(&s->audience);
	free(s);
}

static const struct service_ops local_ops = {
	.free = local_free,
	.offers = local_offers,
	.mailboxes_max = local_mailboxes_max,
	.offer = local_offer,
	.keeps_logins = local_keeps_logins,
	.logged_in = local_logged_in,
	.lookup = local_lookup,
	.put = local_put,
};

struct service *service_local_new(struct loop *loop, struct ledger *ledger,
                                  struct registry *registry,
                                  const struct seal *seal,
                                  const struct service_local_opts *opts)
{
	struct service_local *s = xcalloc(1, sizeof(*s));

	s->base.ops = &local_ops;
	s->loop = loop;
	s->ledger = ledger;
	s->registry = registry;
	s->seal = seal;
	s->names_only = opts->names_only;
	audience_init(&s->audience, &opts->audience);
	TAILQ_INIT(&s->calls);
	return &s->base;
}

void service_local_set_lists(struct service *service,
                             const struct audience_opts *opts)
{
	audience_set_lists(&local(service)->audience, opts);
}

void service_local_set_topic(struct service *s, const char *topic)
{
	audience_set_topic(&local(s)->audience, str_of(topic));
}

void service_local_set_seal(struct service *s, const struct seal *seal)
{
	local(s)->seal = seal;
}

struct str service_local_topic(const struct service *s)
{
	return const_local(s)->audience.topic;
}
