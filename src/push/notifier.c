/* SPDX-License-Identifier: ISC */
/*
 * notifier - when to ring. A row is owed at once, with the time at which it is
 * due at the latest, so that nothing waits for a timer of ours to be safe; the
 * debounce of changes only hastens it.
 */
#include "push/notifier.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/metric.h"
#include "imap/mailbox.h"

/* A user in a window or with a change that is debounced. */
struct bell {
	struct notifier *notifier;
	struct str user;
	UT_hash_handle hh;

	struct loop_timer *window; /* runs while |window_ms| is not 0 */
	uint64_t window_ms;
	uint64_t window_end_ms;
	bool saw; /* new mail in the window: its end rings */

	struct loop_timer *change; /* runs while |changed| */
	bool changed;
	uint64_t change_end_ms; /* the cap */
};

struct notifier {
	struct loop *loop;
	struct ledger *ledger;
	struct queue *queue;
	struct notifier_opts opts;
	struct bell *bells; /* hash */
};

static void on_window(void *arg);
static void on_change(void *arg);

static struct bell *bell_of(struct notifier *n, struct str user)
{
	struct bell *b;

	HASH_FIND(hh, n->bells, user.data, user.len, b);
	if (b != NULL)
		return b;
	b = xcalloc(1, sizeof(*b));
	b->notifier = n;
	b->user = str_dup(user);
	b->window = loop_timer_new(n->loop, on_window, b);
	b->change = loop_timer_new(n->loop, on_change, b);
	HASH_ADD_KEYPTR(hh, n->bells, b->user.data, b->user.len, b);
	return b;
}

static void free_bell(struct bell *b)
{
	loop_timer_free(&b->window);
	loop_timer_free(&b->change);
	HASH_DELETE(hh, b->notifier->bells, b);
	str_free(&b->user);
	free(b);
}

/* rest frees a bell that waits for nothing. */
static void rest(struct bell *b)
{
	if (b->window_ms == 0 && !b->changed)
		free_bell(b);
}

static void open_window(struct bell *b, uint64_t window_ms)
{
	b->window_ms = window_ms;
	b->window_end_ms = loop_now_ms(b->notifier->loop) + window_ms;
	b->saw = false;
	loop_timer_set(b->window, window_ms);
}

/* ring has all that is owed to the user's devices go now. Changes that waited
 * are among it. */
static void ring(struct bell *b)
{
	struct notifier *n = b->notifier;
	const struct store_registration *r =
		ledger_registration_first(ledger_user_find(n->ledger, b->user));

	for (; r != NULL; r = ledger_registration_next(r))
		queue_hasten(n->queue, r->id);
	b->changed = false;
}

static void on_window(void *arg)
{
	struct bell *b = arg;
	uint64_t max = b->notifier->opts.merge_max_ms;

	if (b->saw) {
		ring(b);
		open_window(b, b->window_ms > max / 2 ? max : b->window_ms * 2);
		return;
	}
	b->window_ms = 0;
	rest(b);
}

/* on_change: it has been quiet for long enough, or lasted too long. */
static void on_change(void *arg)
{
	struct bell *b = arg;

	ring(b);
	rest(b);
}

/* until returns how long it is to |end_ms|. */
static uint64_t until(const struct notifier *n, uint64_t end_ms)
{
	uint64_t now = loop_now_ms(n->loop);

	return end_ms > now ? end_ms - now : 0;
}

/*
 * delay_of_new: at once, or at the end of the window. Changes go with it, on
 * devices that do not list this mailbox, too: their timer is not needed any
 * more.
 */
static uint64_t delay_of_new(struct notifier *n, struct bell *b)
{
	loop_timer_cancel(b->change);
	if (b->window_ms == 0) {
		ring(b);
		open_window(b, n->opts.merge_ms);
		return 0;
	}
	b->saw = true;
	return until(n, b->window_end_ms);
}

/* delay_of_change: at the end of a window that rings anyway; else the cap, and
 * the timer hastens it when it is quiet. */
static uint64_t delay_of_change(struct notifier *n, struct bell *b)
{
	uint64_t cap;

	if (b->window_ms != 0 && b->saw)
		return until(n, b->window_end_ms);
	if (!b->changed) {
		b->changed = true;
		b->change_end_ms = loop_now_ms(n->loop) + n->opts.change_max_ms;
	}
	cap = until(n, b->change_end_ms);
	loop_timer_set(b->change, cap < n->opts.change_delay_ms
	                                  ? cap
	                                  : n->opts.change_delay_ms);
	return cap;
}

/* listed finds the mailbox in a registration; NULL: not there. */
static const struct store_mailbox *listed(const struct store_registration *r,
                                          struct str mailbox)
{
	for (size_t i = 0; i < r->mailbox_count; i++) {
		if (imap_mailbox_eq(r->mailboxes[i].name, mailbox))
			return &r->mailboxes[i];
	}
	return NULL;
}

/* is_wanted: some device of the user lists the mailbox. */
static bool is_wanted(const struct notifier *n, struct str user,
                      struct str mailbox)
{
	const struct store_registration *r =
		ledger_registration_first(ledger_user_find(n->ledger, user));

	while (r != NULL && listed(r, mailbox) == NULL)
		r = ledger_registration_next(r);
	return r != NULL;
}

/* owe_all owes the mailbox to every device that lists it. */
static void owe_all(struct notifier *n, struct str user, struct str mailbox,
                    uint64_t delay_ms)
{
	const struct store_registration *r =
		ledger_registration_first(ledger_user_find(n->ledger, user));

	for (; r != NULL; r = ledger_registration_next(r)) {
		const struct store_mailbox *m = listed(r, mailbox);

		if (m != NULL)
			queue_owe(n->queue, r->id, m->name, delay_ms);
	}
}

void notifier_event(struct notifier *n, enum notifier_kind kind,
                    const struct store_state *state)
{
	if (!is_wanted(n, state->user, state->mailbox))
		return;
	ledger_state_put(n->ledger, state);
	switch (kind) {
	case NOTIFIER_STATE:
		break;
	case NOTIFIER_NEW:
		metric_add(METRIC_EVENTS_NEW, 1);
		owe_all(n, state->user, state->mailbox,
		        delay_of_new(n, bell_of(n, state->user)));
		break;
	case NOTIFIER_CHANGE:
		metric_add(METRIC_EVENTS_CHANGE, 1);
		owe_all(n, state->user, state->mailbox,
		        delay_of_change(n, bell_of(n, state->user)));
		break;
	}
	ledger_flush(n->ledger, NULL, NULL);
}

struct notifier *notifier_new(struct loop *loop, struct ledger *ledger,
                              struct registry *registry, struct queue *queue,
                              const struct notifier_opts *opts)
{
	struct notifier *n = xcalloc(1, sizeof(*n));

	(void)registry;
	n->loop = loop;
	n->ledger = ledger;
	n->queue = queue;
	n->opts = *opts;
	return n;
}

void notifier_set_opts(struct notifier *n, const struct notifier_opts *opts)
{
	n->opts = *opts;
}

void notifier_free(struct notifier **notifier)
{
	struct notifier *n = *notifier;
	struct bell *b;
	struct bell *next;

	if (n == NULL)
		return;
	HASH_ITER(hh, n->bells, b, next)
		free_bell(b);
	free(n);
	*notifier = NULL;
}
