/* SPDX-License-Identifier: ISC */
/*
 * registry - rules on top of the ledger's rows: limits, age, what may be
 * forgotten, and who must be told. Rows are few per user and found by walking.
 */
#include "push/registry.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "imap/mailbox.h"
#include "push/wanted.h"

/* A device re-added to iOS keeps its token under a new account-id: such rows
 * pile up behind one token. */
enum { REGISTRATIONS_PER_DEVICE = 8 };

#define HOUR_MS ((int64_t)3600 * 1000)
#define DAY_MS (24 * HOUR_MS)

enum { SETTLE_HOURS = 25 }; /* iOS registers again after 23 h */

/* A user that the observer is told of on the next turn. */
struct changed {
	struct str user;
	UT_hash_handle hh;
};

struct registry {
	struct log_ctx log;
	struct loop *loop;
	struct ledger *ledger;
	struct registry_opts opts;
	registry_user_fn *observer; /* NULL: none */
	void *observer_arg;
	struct changed *changed; /* hash */
	bool loaded;
	struct loop_timer *sweep;
	uint64_t swept_ms; /* monotonic, of the last sweep */
	int64_t swept_wall_ms;
	bool deserted;             /* nobody had been seen lately then */
	unsigned int settle_hours; /* until the clock is believed */
};

/* Telling. */

static void on_turn(void *arg)
{
	struct registry *r = arg;
	struct changed *c = r->changed;
	struct changed *next;

	/* What is changed in a call waits for its turn. */
	HASH_CLEAR(hh, r->changed);
	for (; c != NULL; c = next) {
		next = c->hh.next;
		if (r->observer != NULL)
			r->observer(r->observer_arg, c->user);
		str_free(&c->user);
		free(c);
	}
}

/* touch has the observer told of |user|. */
static void touch(struct registry *r, struct str user)
{
	struct changed *c;

	if (r->observer == NULL)
		return;
	HASH_FIND(hh, r->changed, user.data, user.len, c);
	if (c != NULL)
		return;
	if (r->changed == NULL)
		loop_defer(r->loop, on_turn, r);
	c = xcalloc(1, sizeof(*c));
	c->user = str_dup(user);
	HASH_ADD_KEYPTR(hh, r->changed, c->user.data, c->user.len, c);
}

static void touch_all(struct registry *r)
{
	struct ledger_user *u;

	for (u = ledger_user_first(r->ledger); u != NULL;
	     u = ledger_user_next(u)) {
		if (ledger_registration_first(u) != NULL)
			touch(r, ledger_user_name(u));
	}
}

void registry_observe(struct registry *r, registry_user_fn *fn, void *arg)
{
	r->observer = fn;
	r->observer_arg = arg;
	if (r->loaded)
		touch_all(r);
}

size_t registry_wanted(const struct registry *r, struct str user,
                       registry_mailbox_fn *fn, void *arg)
{
	struct wanted w;
	size_t count;

	wanted_init(&w, r->ledger, user);
	for (size_t i = 0; i < w.count; i++)
		fn(arg, w.items[i].name, w.items[i].proved);
	count = w.count;
	wanted_done(&w);
	return count;
}

bool registry_is_proved(const struct registry *r, struct str user,
                        struct str mailbox)
{
	struct wanted w;
	bool proved;

	wanted_init(&w, r->ledger, user);
	proved = wanted_is_proved(&w, mailbox);
	wanted_done(&w);
	return proved;
}

bool registry_has(const struct registry *r, struct str user)
{
	return ledger_registration_first(ledger_user_find(r->ledger, user)) !=
	       NULL;
}

size_t registry_mailboxes_max(const struct registry *r)
{
	return r->opts.mailboxes_per_device;
}

/* Forgetting. */

static bool is_wanted(void *arg, const struct store_state *row)
{
	const struct wanted *w = arg;

	return wanted_has(w, row->mailbox);
}

/* prune forgets what nobody wants any more: who registers it again begins
 * with a new baseline. */
static void prune(struct registry *r, struct str user)
{
	struct wanted w;

	wanted_init(&w, r->ledger, user);
	ledger_states_keep(r->ledger, user, is_wanted, &w);
	if (!registry_has(r, user))
		ledger_login_remove(r->ledger, user);
	wanted_done(&w);
}

/* drop removes one registration and says so. */
static void drop(struct registry *r, const struct store_registration *reg,
                 const char *why)
{
	struct log_text token;
	struct log_text user;

	log_info(&r->log, "device removed user=%s device=%s why=%s",
	         log_safe(reg->user, &user),
	         log_token(reg->device_token, &token), why);
	ledger_registration_remove(r->ledger, reg->id);
}

static void remove_for(struct registry *r, uint64_t id, const char *why)
{
	const struct store_registration *reg =
		ledger_registration(r->ledger, id);
	struct str user;

	if (reg == NULL)
		return;
	user = str_dup(reg->user);
	drop(r, reg, why);
	prune(r, user);
	touch(r, user);
	ledger_flush(r->ledger, NULL, NULL);
	str_free(&user);
}

void registry_remove(struct registry *r, uint64_t id)
{
	remove_for(r, id, "gone");
}

/* Limits. */

/* device_seen_ms is when any registration of |token| was seen last. */
static int64_t device_seen_ms(const struct ledger_user *u, struct str token)
{
	const struct store_registration *reg = ledger_registration_first(u);
	int64_t seen = INT64_MIN;

	for (; reg != NULL; reg = ledger_registration_next(reg)) {
		if (str_eq(reg->device_token, token) &&
		    reg->last_seen_ms > seen)
			seen = reg->last_seen_ms;
	}
	return seen;
}

/* is_first: no registration before |reg| has its token. */
static bool is_first(const struct ledger_user *u,
                     const struct store_registration *reg)
{
	const struct store_registration *other = ledger_registration_first(u);

	while (other != reg && !str_eq(other->device_token, reg->device_token))
		other = ledger_registration_next(other);
	return other == reg;
}

/* oldest_device counts the user's devices and finds the one seen longest ago,
 * |but| the one that has just come. */
static size_t oldest_device(const struct ledger_user *u, struct str but,
                            struct str *token_r)
{
	const struct store_registration *reg = ledger_registration_first(u);
	int64_t oldest = INT64_MAX;
	size_t count = 0;

	for (; reg != NULL; reg = ledger_registration_next(reg)) {
		int64_t seen;

		if (!is_first(u, reg))
			continue;
		count++;
		seen = device_seen_ms(u, reg->device_token);
		if (!str_eq(reg->device_token, but) && seen < oldest) {
			oldest = seen;
			*token_r = reg->device_token;
		}
	}
	return count;
}

/* drop_device removes all registrations of |token|, which may be borrowed from
 * one of them. */
static void drop_device(struct registry *r, const struct ledger_user *u,
                        struct str token)
{
	const struct store_registration *reg = ledger_registration_first(u);
	struct str copy = str_dup(token);

	while (reg != NULL) {
		const struct store_registration *next =
			ledger_registration_next(reg);

		if (str_eq(reg->device_token, copy))
			drop(r, reg, "limit");
		reg = next;
	}
	str_free(&copy);
}

/* limit_rows keeps a device from having rows without end. */
static void limit_rows(struct registry *r, const struct ledger_user *u,
                       const struct store_registration *new)
{
	const struct store_registration *reg = ledger_registration_first(u);
	const struct store_registration *oldest = NULL;
	size_t count = 0;

	for (; reg != NULL; reg = ledger_registration_next(reg)) {
		if (!str_eq(reg->device_token, new->device_token))
			continue;
		count++;
		if (reg != new && (oldest == NULL ||
		                   reg->last_seen_ms < oldest->last_seen_ms))
			oldest = reg;
	}
	if (count > REGISTRATIONS_PER_DEVICE && oldest != NULL)
		drop(r, oldest, "limit");
}

/* limit_devices makes room for |id|, which has just come. */
static void limit_devices(struct registry *r, uint64_t id)
{
	const struct store_registration *new =
		ledger_registration(r->ledger, id);
	const struct ledger_user *u = ledger_user_find(r->ledger, new->user);
	struct str token = STR_NULL;

	limit_rows(r, u, new);
	/* Again, should the limit have been lowered. */
	while (oldest_device(u, new->device_token, &token) >
	               r->opts.devices_per_user &&
	       token.data != NULL) {
		drop_device(r, u, token);
		token = STR_NULL;
	}
}

uint64_t registry_put(struct registry *r, const struct store_registration *wish)
{
	const struct store_registration *old =
		ledger_registration_of(r->ledger, wish);
	size_t count = wish->mailbox_count < r->opts.mailboxes_per_device
	                       ? wish->mailbox_count
	                       : r->opts.mailboxes_per_device;
	struct store_mailbox *boxes = xcalloc(count, sizeof(*boxes));
	struct store_registration row = *wish;
	struct wanted w;
	uint64_t id;

	wanted_init(&w, r->ledger, wish->user);
	for (size_t i = 0; i < count; i++) {
		boxes[i] = wish->mailboxes[i];
		boxes[i].proved |= wanted_is_proved(&w, boxes[i].name);
	}
	wanted_done(&w);
	row.mailboxes = boxes;
	row.mailbox_count = count;
	row.last_seen_ms = loop_wall_ms(r->loop);
	row.first_seen_ms = old != NULL ? old->first_seen_ms : row.last_seen_ms;
	row.last_push_ms = old != NULL ? old->last_push_ms : 0;
	row.last_status = old != NULL ? old->last_status : 0;
	row.last_reason = old != NULL ? old->last_reason : STR("");
	id = ledger_registration_put(r->ledger, &row);
	free(boxes);
	limit_devices(r, id);
	prune(r, wish->user);
	touch(r, wish->user);
	ledger_flush(r->ledger, NULL, NULL);
	return id;
}

void registry_pushed(struct registry *r, uint64_t id, int status,
                     const char *reason)
{
	const struct store_registration *reg =
		ledger_registration(r->ledger, id);
	struct store_registration row;

	if (reg == NULL)
		return;
	row = *reg;
	row.last_push_ms = loop_wall_ms(r->loop);
	row.last_status = status;
	row.last_reason = str_of(reason);
	(void)ledger_registration_put(r->ledger, &row);
	ledger_flush(r->ledger, NULL, NULL);
}

enum mailbox_change { MAILBOX_PROVED, MAILBOX_DOUBTED, MAILBOX_GONE };

/* change_mailbox changes |mailbox| in each registration of |user|. */
static void change_mailbox(struct registry *r, struct str user,
                           struct str mailbox, enum mailbox_change change)
{
	const struct store_registration *reg =
		ledger_registration_first(ledger_user_find(r->ledger, user));

	while (reg != NULL) {
		struct store_mailbox *boxes =
			xcalloc(reg->mailbox_count, sizeof(*boxes));
		struct store_registration row = *reg;

		row.mailbox_count = 0;
		row.mailboxes = boxes;
		for (size_t i = 0; i < reg->mailbox_count; i++) {
			bool same = imap_mailbox_eq(reg->mailboxes[i].name,
			                            mailbox);
			struct store_mailbox *box = &boxes[row.mailbox_count];

			*box = reg->mailboxes[i];
			if (same)
				box->proved = change == MAILBOX_PROVED;
			row.mailbox_count += change != MAILBOX_GONE || !same;
		}
		reg = ledger_registration_next(reg);
		(void)ledger_registration_put(r->ledger, &row);
		free(boxes);
	}
	prune(r, user);
	touch(r, user);
	ledger_flush(r->ledger, NULL, NULL);
}

void registry_prove(struct registry *r, struct str user, struct str mailbox)
{
	if (!registry_is_proved(r, user, mailbox))
		change_mailbox(r, user, mailbox, MAILBOX_PROVED);
}

void registry_refuse(struct registry *r, struct str user, struct str mailbox)
{
	change_mailbox(r, user, mailbox, MAILBOX_GONE);
}

static bool is_other_mailbox(void *arg, const struct store_state *row)
{
	const struct str *mailbox = arg;

	return !imap_mailbox_eq(row->mailbox, *mailbox);
}

void registry_doubt(struct registry *r, struct str user, struct str mailbox)
{
	ledger_states_keep(r->ledger, user, is_other_mailbox, &mailbox);
	change_mailbox(r, user, mailbox, MAILBOX_DOUBTED);
}

void registry_devices(const struct registry *r, struct str user,
                      registry_device_fn *fn, void *arg)
{
	const struct store_registration *reg =
		ledger_registration_first(ledger_user_find(r->ledger, user));

	while (reg != NULL) {
		const struct store_registration *next =
			ledger_registration_next(reg);

		fn(arg, reg);
		reg = next;
	}
}

int registry_state(const struct registry *r, struct str user,
                   struct str mailbox, struct store_state *state_r)
{
	const struct store_state *s = ledger_state(r->ledger, user, mailbox);

	if (s == NULL)
		return ERR_NOT_FOUND;
	*state_r = *s;
	return ERR_OK;
}

int registry_login(const struct registry *r, struct str user,
                   struct store_login *login_r)
{
	const struct store_login *login = ledger_login(r->ledger, user);

	if (login == NULL)
		return ERR_NOT_FOUND;
	*login_r = *login;
	return ERR_OK;
}

void registry_login_put(struct registry *r, struct str user, struct str blob)
{
	const struct store_login row = { user, blob, false };

	ledger_login_put(r->ledger, &row);
	touch(r, user);
	ledger_flush(r->ledger, NULL, NULL);
}

void registry_login_rejected(struct registry *r, struct str user)
{
	const struct store_login *login = ledger_login(r->ledger, user);
	struct store_login row;

	if (login == NULL || login->rejected)
		return;
	row = *login;
	row.rejected = true;
	ledger_login_put(r->ledger, &row);
	ledger_flush(r->ledger, NULL, NULL);
}

/* Age. */

/*
 * clock_is_believed: nothing is forgotten by a clock that may be wrong. After
 * a jump, or when it turns out that nobody was seen lately (we or the machine
 * were off for long), every living device gets a day and an hour to come back;
 * once, or the last device would never be forgotten.
 */
static bool clock_is_believed(struct registry *r, int64_t newest_ms)
{
	int64_t wall = loop_wall_ms(r->loop);
	uint64_t now = loop_now_ms(r->loop);
	int64_t jump = wall - r->swept_wall_ms - (int64_t)(now - r->swept_ms);
	bool deserted = wall - newest_ms > 2 * DAY_MS;

	if (jump > HOUR_MS || jump < -HOUR_MS || (deserted && !r->deserted))
		r->settle_hours = SETTLE_HOURS;
	r->swept_ms = now;
	r->swept_wall_ms = wall;
	r->deserted = deserted;
	if (r->settle_hours > 0)
		r->settle_hours--;
	return r->settle_hours == 0;
}

/* newest_seen is when any device was seen last. */
static int64_t newest_seen(const struct registry *r)
{
	const struct ledger_user *u = ledger_user_first(r->ledger);
	int64_t newest = 0;

	for (; u != NULL; u = ledger_user_next(u)) {
		const struct store_registration *reg =
			ledger_registration_first(u);

		for (; reg != NULL; reg = ledger_registration_next(reg)) {
			if (reg->last_seen_ms > newest)
				newest = reg->last_seen_ms;
		}
	}
	return newest;
}

/* expire_user removes those of a user's devices that were seen too long ago. */
static void expire_user(struct registry *r, const struct ledger_user *u,
                        int64_t before_ms)
{
	const struct store_registration *reg = ledger_registration_first(u);

	while (reg != NULL) {
		uint64_t id = reg->id;
		bool old = reg->last_seen_ms < before_ms;

		reg = ledger_registration_next(reg);
		if (old)
			remove_for(r, id, "age");
	}
}

static void on_sweep(void *arg)
{
	struct registry *r = arg;
	int64_t ttl_ms = (int64_t)r->opts.device_ttl_days * DAY_MS;
	const struct ledger_user *u = ledger_user_first(r->ledger);

	loop_timer_set(r->sweep, HOUR_MS);
	if (u == NULL || !clock_is_believed(r, newest_seen(r)))
		return;
	while (u != NULL) {
		const struct ledger_user *next = ledger_user_next(u);

		expire_user(r, u, loop_wall_ms(r->loop) - ttl_ms);
		u = next;
	}
}

/* Life. */

static void on_loaded(void *arg)
{
	struct registry *r = arg;

	r->loaded = true;
	touch_all(r);
}

struct registry *registry_new(struct loop *loop, struct ledger *ledger,
                              const struct registry_opts *opts)
{
	struct registry *r = xcalloc(1, sizeof(*r));

	r->log.area = LOG_PUSH;
	r->loop = loop;
	r->ledger = ledger;
	r->opts = *opts;
	r->sweep = loop_timer_new(loop, on_sweep, r);
	r->swept_ms = loop_now_ms(loop);
	r->swept_wall_ms = loop_wall_ms(loop);
	loop_timer_set(r->sweep, HOUR_MS);
	ledger_on_loaded(ledger, on_loaded, r);
	return r;
}

void registry_set_opts(struct registry *r, const struct registry_opts *opts)
{
	r->opts = *opts;
}

void registry_free(struct registry **registry)
{
	struct registry *r = *registry;
	struct changed *c;
	struct changed *next;

	if (r == NULL)
		return;
	loop_defer_cancel(r->loop, on_turn, r);
	c = r->changed;
	HASH_CLEAR(hh, r->changed);
	for (; c != NULL; c = next) {
		next = c->hh.next;
		str_free(&c->user);
		free(c);
	}
	loop_timer_free(&r->sweep);
	free(r);
	*registry = NULL;
}
