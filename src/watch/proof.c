/* SPDX-License-Identifier: ISC */
/* proof - see proof.h. The master's own login is a watcher that is ended as
 * soon as it has told the INBOX. */
#include "watch/proof.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "net/address.h"
#include "push/registry.h"
#include "watch/watcher.h"

enum {
	PROOF_BACKOFF_MIN_MS = 1000,
	PROOF_BACKOFF_MAX_MS = 5 * 60 * 1000,
};

enum proof_state {
	PROOF_UNASKED,
	PROOF_ASKED, /* the master's own login is under way */
	PROOF_OPEN,  /* it was answered; a user's must be seen */
	PROOF_DONE,
	PROOF_FAILED,
	PROOF_STATES
};

#define TO(state) (1U << PROOF_##state)

static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[PROOF_UNASKED] = { "unasked", TO(ASKED) | TO(OPEN) },
	[PROOF_ASKED] = { "asked", TO(UNASKED) | TO(OPEN) },
	[PROOF_OPEN] = { "open", TO(DONE) | TO(FAILED) },
	[PROOF_DONE] = { "done", 0 },
	[PROOF_FAILED] = { "failed", 0 },
};

static_assert(sizeof(states) / sizeof(states[0]) == PROOF_STATES,
              "every state has a name");

/* What tells one INBOX from another; 0 is not known, and is none. */
struct mark {
	uint32_t uidvalidity;
	uint32_t uidnext;
};

struct proof {
	enum proof_state state;
	struct log_ctx log;
	const struct watcher_env *env;
	const struct dial_target *target;
	loop_fn *changed;
	void *arg;
	struct watcher *watcher; /* ASKED */
	struct aside aside;      /* he wants no mailbox */
	struct mark masters;     /* the INBOX of the master */
	bool doubted;            /* one at a time */
	bool waits;              /* the timer is set: none at all */
	struct backoff backoff;
	struct loop_timer *timer;
	unsigned failures; /* of asking, in a row */
};

static void proof_set_state(struct proof *p, enum proof_state to)
{
	assert(states[p->state].to & (1U << to));
	log_debug(&p->log, "proof %s -> %s", states[p->state].name,
	          states[to].name);
	p->state = to;
}

static void on_changed(void *arg)
{
	struct proof *p = arg;

	p->changed(p->arg);
}

static void tell(struct proof *p)
{
	loop_defer_cancel(p->env->loop, on_changed, p);
	loop_defer(p->env->loop, on_changed, p);
}

static uint32_t wait_a_while(struct proof *p)
{
	uint32_t delay_ms = backoff_next(&p->backoff, rand_below(UINT32_MAX));

	p->waits = true;
	loop_timer_set(p->timer, delay_ms);
	return delay_ms;
}

static void on_waited(void *arg)
{
	struct proof *p = arg;

	p->waits = false;
	p->changed(p->arg);
}

/* The master alone. */

static bool on_inbox(void *arg, const struct store_state *inbox)
{
	struct proof *p = arg;

	p->masters.uidvalidity = inbox->uidvalidity;
	p->masters.uidnext = inbox->uidnext;
	return false;
}

static void on_watching(void *arg)
{
	(void)arg; /* not without its INBOX */
}

static void proof_answered(struct proof *p, const char *what)
{
	char name[ADDRESS_NAME_MAX];

	log_info(&p->log, "watch.master_user alone: %s, backend=%s", what,
	         address_name(p->target->host, p->target->port, name));
	backoff_reset(&p->backoff);
	proof_set_state(p, PROOF_OPEN);
	tell(p);
}

/* proof_put_off: it was not answered; all wait. */
static void proof_put_off(struct proof *p, const char *why)
{
	uint32_t delay_ms = wait_a_while(p);

	if (p->failures++ == 0)
		log_warn(&p->log,
		         "watch.master_user cannot be tried yet: %s, again in "
		         "%u ms",
		         why, delay_ms);
	proof_set_state(p, PROOF_UNASKED);
}

static void on_end(void *arg, enum watcher_end end, const char *why)
{
	struct proof *p = arg;
	struct watcher *gone = p->watcher; /* owns |why| */

	p->watcher = NULL;
	switch (end) {
	case WATCHER_UNWANTED:
		proof_answered(p, "has an INBOX");
		break;
	case WATCHER_NO_INBOX:
		proof_answered(p, "has no INBOX");
		break;
	case WATCHER_REJECTED:
		proof_answered(p, "may not log in");
		break;
	case WATCHER_UNREACHABLE:
	case WATCHER_LOST:
		proof_put_off(p, why);
		break;
	}
	watcher_free(&gone);
}

static const struct watcher_handler watcher_events = {
	.on_inbox = on_inbox,
	.on_watching = on_watching,
	.on_end = on_end,
};

static void proof_ask(struct proof *p)
{
	proof_set_state(p, PROOF_ASKED);
	p->watcher = watcher_new(p->env, p->target, STR(""), &p->aside, &p->log,
	                         &watcher_events, p);
}

/* Users. */

bool proof_admits(struct proof *p, size_t connecting)
{
	switch (p->state) {
	case PROOF_UNASKED:
		if (!p->waits)
			proof_ask(p);
		return false;
	case PROOF_OPEN:
	case PROOF_DONE:
		return !p->doubted || (connecting == 0 && !p->waits);
	case PROOF_ASKED:
	case PROOF_FAILED:
	case PROOF_STATES:
		break;
	}
	return false;
}

/* is_same: |inbox| may be what |mark| was taken of earlier. */
static bool is_same(const struct mark *mark, const struct store_state *inbox)
{
	return mark->uidvalidity != 0 &&
	       inbox->uidvalidity == mark->uidvalidity &&
	       inbox->uidnext >= mark->uidnext;
}

static bool is_own(const struct proof *p, struct str user,
                   const struct store_state *inbox)
{
	struct store_state shown;
	struct mark mark;

	if (registry_state(p->env->registry, user, inbox->mailbox, &shown) !=
	    ERR_OK)
		return false;
	mark.uidvalidity = shown.uidvalidity;
	mark.uidnext = shown.uidnext;
	return is_same(&mark, inbox);
}

static enum proof_verdict refute(struct proof *p, struct str user)
{
	char name[ADDRESS_NAME_MAX];
	struct log_text text;

	log_error(&p->log,
	          "watch.login = \"master\" does not work with this server: it "
	          "ignores the authorization identity, user=%s was given the "
	          "INBOX of watch.master_user; nobody is watched at "
	          "backend=%s",
	          log_safe(user, &text),
	          address_name(p->target->host, p->target->port, name));
	proof_set_state(p, PROOF_FAILED);
	return PROOF_REFUTED;
}

enum proof_verdict proof_judge(struct proof *p, struct str user,
                               const struct store_state *inbox)
{
	bool own = is_own(p, user, inbox);

	if (p->state == PROOF_FAILED)
		return PROOF_REFUTED;
	if (p->state == PROOF_OPEN && is_same(&p->masters, inbox))
		return own ? PROOF_OTHER : refute(p, user);
	if (!own)
		return PROOF_OTHER;
	if (p->state == PROOF_OPEN)
		proof_set_state(p, PROOF_DONE);
	if (p->doubted)
		tell(p);
	p->doubted = false;
	backoff_reset(&p->backoff);
	return PROOF_OWN;
}

void proof_doubt(struct proof *p)
{
	p->doubted = true;
	(void)wait_a_while(p);
}

bool proof_is_refuted(const struct proof *p)
{
	return p->state == PROOF_FAILED;
}

/* Life. */

struct proof *proof_new(const struct watcher_env *env,
                        const struct dial_target *target, loop_fn *changed,
                        void *arg)
{
	struct proof *p = xcalloc(1, sizeof(*p));

	p->log.area = LOG_WATCH;
	p->env = env;
	p->target = target;
	p->changed = changed;
	p->arg = arg;
	aside_init(&p->aside);
	p->doubted = true;
	p->timer = loop_timer_new(env->loop, on_waited, p);
	backoff_init(&p->backoff, PROOF_BACKOFF_MIN_MS, PROOF_BACKOFF_MAX_MS);
	/* A name that is one word for the server cannot be half ignored. */
	if (env->opts.login.mode != WATCH_LOGIN_AUTHZID)
		proof_set_state(p, PROOF_OPEN);
	return p;
}

void proof_free(struct proof **pp)
{
	struct proof *p = *pp;

	if (p == NULL)
		return;
	loop_defer_cancel(p->env->loop, on_changed, p);
	watcher_free(&p->watcher);
	aside_done(&p->aside);
	loop_timer_free(&p->timer);
	free(p);
	*pp = NULL;
}
