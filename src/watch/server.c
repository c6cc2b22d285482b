/* SPDX-License-Identifier: ISC */
/* server - see server.h. Does not know who its watchers are. */
#include "watch/server.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/ratelimit.h"
#include "net/address.h"
#include "watch/proof.h"
#include "watch/watcher.h"

enum {
	/* While it is away: there is one who asks, so it may be often. */
	SERVER_BACKOFF_MIN_MS = 1000,
	SERVER_BACKOFF_MAX_MS = 30 * 1000,
};

struct server {
	struct log_ctx log;
	const struct watcher_env *env;
	const struct dial_target *target;
	char name[ADDRESS_NAME_MAX];
	loop_fn *changed;
	void *arg;
	struct ratelimit gate;
	struct loop_timer *gate_timer;
	struct proof *proof;
	bool full;  /* connections_max is reached, and that was said */
	bool away;  /* it is not reached, likewise */
	bool waits; /* away, and nobody tries until the timer has run */
	struct backoff backoff;
	struct loop_timer *away_timer;
};

static void on_changed(void *arg)
{
	struct server *s = arg;

	s->changed(s->arg);
}

static void on_waited(void *arg)
{
	struct server *s = arg;

	s->waits = false;
	s->changed(s->arg);
}

struct server *server_new(const struct watcher_env *env,
                          const struct dial_target *target, loop_fn *changed,
                          void *arg)
{
	struct server *s = xcalloc(1, sizeof(*s));
	uint32_t rate = env->opts.connect_rate;

	s->log.area = LOG_WATCH;
	s->env = env;
	s->target = target;
	(void)address_name(target->host, target->port, s->name);
	s->changed = changed;
	s->arg = arg;
	ratelimit_init(&s->gate, rate, rate, loop_now_ms(env->loop));
	s->gate_timer = loop_timer_new(env->loop, on_changed, s);
	backoff_init(&s->backoff, SERVER_BACKOFF_MIN_MS, SERVER_BACKOFF_MAX_MS);
	s->away_timer = loop_timer_new(env->loop, on_waited, s);
	if (env->opts.login.mode != WATCH_LOGIN_SEALED)
		s->proof = proof_new(env, target, on_changed, s);
	return s;
}

void server_free(struct server **sp)
{
	struct server *s = *sp;

	if (s == NULL)
		return;
	loop_defer_cancel(s->env->loop, on_changed, s);
	proof_free(&s->proof);
	loop_timer_free(&s->gate_timer);
	loop_timer_free(&s->away_timer);
	free(s);
	*sp = NULL;
}

void server_refresh(struct server *s)
{
	uint32_t rate = s->env->opts.connect_rate;

	if (rate != s->gate.per_second)
		ratelimit_init(&s->gate, rate, rate, loop_now_ms(s->env->loop));
	loop_defer_cancel(s->env->loop, on_changed, s);
	loop_defer(s->env->loop, on_changed, s);
}

const struct dial_target *server_target(const struct server *s)
{
	return s->target;
}

struct proof *server_proof(const struct server *s)
{
	return s->proof;
}

static bool is_full(struct server *s, const struct server_load *load)
{
	size_t connections = load->connecting + load->watching;

	if (connections < s->env->opts.connections_max) {
		s->full = false;
		return false;
	}
	if (!s->full)
		log_warn(&s->log,
		         "watch.connections_max is reached: backend=%s, "
		         "connections=%zu, users=%zu wait",
		         s->name, connections, load->waiting);
	s->full = true;
	return true;
}

bool server_admits(struct server *s, const struct server_load *load)
{
	uint64_t now_ms = loop_now_ms(s->env->loop);
	uint64_t wait_ms;

	if (is_full(s, load) ||
	    (s->away && (s->waits || load->connecting > 0)) ||
	    (s->proof != NULL && !proof_admits(s->proof, load->connecting)))
		return false;
	wait_ms = ratelimit_wait_ms(&s->gate, now_ms);
	if (wait_ms > 0) {
		loop_timer_set(s->gate_timer, wait_ms);
		return false;
	}
	return true;
}

void server_passes(struct server *s)
{
	(void)ratelimit_take(&s->gate, loop_now_ms(s->env->loop));
}

void server_unreached(struct server *s, const char *why)
{
	if (!s->away)
		log_warn(&s->log, "backend %s is away: %s", s->name, why);
	s->away = true;
	if (s->waits)
		return;
	s->waits = true;
	loop_timer_set(s->away_timer,
	               backoff_next(&s->backoff, rand_below(UINT32_MAX)));
}

void server_reached(struct server *s)
{
	if (!s->away)
		return;
	log_info(&s->log, "backend %s is back", s->name);
	s->away = s->waits = false;
	backoff_reset(&s->backoff);
	loop_timer_cancel(s->away_timer);
	loop_defer(s->env->loop, on_changed, s); /* for the others */
}
