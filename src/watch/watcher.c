/* SPDX-License-Identifier: ISC */
/*
 * watcher - what is said is the dialogue's business, who says it and over what
 * is decided here. Does not know other users, and never comes back by itself.
 */
#include "watch/watcher.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "imap/capability.h"
#include "imap/opening.h"
#include "imap/reader.h"
#include "net/dial.h"
#include "net/stream.h"
#include "watch/dialogue.h"
#include "watch/login.h"
#include "watch/trace.h"

enum {
	WATCHER_DIAL_MS = 30 * 1000,
	/* For the greeting and again for the login: servers make those wait
	 * who log in often. */
	WATCHER_LOGIN_MS = 60 * 1000,
	/* A response of what we ask for is a line. */
	WATCHER_RESPONSE_MAX = 64 * 1024,
	WATCHER_LOGIN_MAX = 64 * 1024,
};

enum watcher_state {
	WATCHER_DIAL,
	WATCHER_GREETING, /* connected, nothing was said */
	WATCHER_LOGIN,
	WATCHER_TALK, /* logged in: the dialogue */
	WATCHER_ENDED,
	WATCHER_STATES
};

#define TO(state) (1U << WATCHER_##state)

static const struct {
	const char *name;
	unsigned to;
} states[] = {
	[WATCHER_DIAL] = { "dial", TO(GREETING) | TO(ENDED) },
	[WATCHER_GREETING] = { "greeting", TO(LOGIN) | TO(ENDED) },
	[WATCHER_LOGIN] = { "login", TO(TALK) | TO(ENDED) },
	[WATCHER_TALK] = { "talk", TO(ENDED) },
	[WATCHER_ENDED] = { "ended", 0 },
};

static_assert(sizeof(states) / sizeof(states[0]) == WATCHER_STATES,
              "every state has a name");

/* What is needed only until the login is through. */
struct login_try {
	struct imap_login login; /* empty again as soon as it was sent */
	struct str row;          /* what is stored of it; NULL: nothing */
	struct imap_opening opening;
	struct buf capabilities; /* words of the login reply */
};

struct watcher {
	enum watcher_state state;
	struct log_ctx log;
	const struct watcher_env *env;
	const struct dial_target *target;
	const struct watcher_handler *handler;
	void *arg;
	struct str user;
	struct dial *dial;         /* DIAL only */
	struct stream *stream;     /* from GREETING on */
	struct login_try *try;     /* LOGIN only */
	struct watch_trace *trace; /* NULL: not traced */
	struct loop_timer *timer;
	struct imap_reader reader;
	struct dialogue dialogue;
	struct aside *aside;
	uint64_t aside_until_ms; /* then |aside| is to be looked at again */
	bool stale; /* the dialogue does not know what is wanted now */
	bool told;  /* on_watching was called */
	enum watcher_end end;
	char *why;
};

static void watcher_set_state(struct watcher *w, enum watcher_state to)
{
	assert(states[w->state].to & (1U << to));
	log_debug(&w->log, "state %s -> %s", states[w->state].name,
	          states[to].name);
	w->state = to;
}

static void login_try_free(struct login_try **try)
{
	if (*try == NULL)
		return;
	imap_opening_done(&(*try)->opening);
	imap_login_done(&(*try)->login);
	str_free(&(*try)->row);
	buf_reset(&(*try)->capabilities);
	free(*try);
	*try = NULL;
}

static void on_ended(void *arg)
{
	struct watcher *w = arg;

	w->handler->on_end(w->arg, w->end, w->why); /* frees |w| */
}

/* watcher_set_aside: the connection ended, perhaps for what was asked: as often
 * as that is, the others and INBOX are watched. */
static void watcher_set_aside(struct watcher *w)
{
	const struct sweep_mailbox *suspect = dialogue_suspect(&w->dialogue);
	struct log_text mailbox;
	uint32_t delay_ms;

	if (suspect == NULL)
		return;
	delay_ms =
		aside_put(w->aside, suspect->name, loop_now_ms(w->env->loop));
	log_warn(&w->log,
	         "mailbox set aside mailbox=\"%s\": the connection ended when "
	         "it was asked for, again in %u s",
	         log_safe(suspect->name, &mailbox), delay_ms / 1000);
}

static void watcher_end(struct watcher *w, enum watcher_end end,
                        const char *why)
{
	if (w->state == WATCHER_ENDED)
		return;
	if (w->state == WATCHER_TALK && end == WATCHER_LOST)
		watcher_set_aside(w);
	watcher_set_state(w, WATCHER_ENDED);
	w->end = end;
	w->why = xstrdup(why);
	loop_timer_cancel(w->timer);
	if (w->stream != NULL)
		stream_close(&w->stream);
	login_try_free(&w->try);
	loop_defer(w->env->loop, on_ended, w);
}

/* watcher_lost: before a greeting all that was there was a port, as where what
 * ends TLS or spreads the load has lost its server. */
static void watcher_lost(struct watcher *w, const char *why)
{
	watcher_end(w,
	            w->state == WATCHER_GREETING ? WATCHER_UNREACHABLE
	                                         : WATCHER_LOST,
	            why);
}

static void watcher_write(struct watcher *w, struct buf *out)
{
	int rc;

	if (out->len == 0)
		return;
	watch_trace_sent(w->trace, buf_str(out), w->state == WATCHER_LOGIN);
	rc = stream_write(w->stream, buf_str(out));
	buf_reset(out); /* wipes: it may be a password */
	if (rc != ERR_OK)
		watcher_end(w, WATCHER_LOST, "the connection takes no more");
}

/* What happened goes to the notifier in the turn in which we read it. */
static void watcher_report(struct watcher *w, enum view_news news,
                           const struct store_state *now)
{
	static const enum notifier_kind kinds[] = {
		[VIEW_STATE] = NOTIFIER_STATE,
		[VIEW_CHANGE] = NOTIFIER_CHANGE,
		[VIEW_NEW] = NOTIFIER_NEW,
	};

	static const char *const words[] = {
		[VIEW_STATE] = "state",
		[VIEW_CHANGE] = "change",
		[VIEW_NEW] = "new",
	};
	struct log_text mailbox;

	if (news == VIEW_SAME)
		return;
	log_debug(&w->log, "%s mailbox=%s messages=%lld uidnext=%u unseen=%lld",
	          words[news], log_safe(now->mailbox, &mailbox),
	          (long long)now->messages, now->uidnext,
	          (long long)now->unseen);
	notifier_event(w->env->notifier, kinds[news], now);
}

/*
 * compare_inbox tells what happened to INBOX since its stored state. Another
 * one has other numbers; one that was never opened has a UIDVALIDITY of the
 * moment, and no name by which to know it.
 */
static enum view_news compare_inbox(const struct watcher *w,
                                    struct store_state *now)
{
	struct store_state stored;
	bool fleeting;

	if (registry_state(w->env->registry, w->user, now->mailbox, &stored) !=
	    ERR_OK)
		return view_compare(NULL, now, false);
	fleeting = view_is_unopened(now) &&
	           (stored.uidvalidity == 0 ||
	            (stored.uidvalidity != now->uidvalidity &&
	             view_is_unopened(&stored)));
	return view_compare(&stored, now, fleeting);
}

/*
 * compare_folder does so for another mailbox. Those are deleted and made again:
 * a UIDVALIDITY that is not the stored one counts when it was told |before|,
 * too. Until then nothing is known; a third one is of the moment.
 */
static enum view_news compare_folder(struct watcher *w, uint32_t before,
                                     struct store_state *now)
{
	struct store_state stored;
	bool fleeting;

	if (registry_state(w->env->registry, w->user, now->mailbox, &stored) !=
	    ERR_OK)
		return view_compare(NULL, now, false);
	fleeting = now->uidvalidity != 0 &&
	           now->uidvalidity != stored.uidvalidity &&
	           now->uidvalidity != before;
	if (fleeting && stored.uidvalidity != 0 &&
	    (before == 0 || before == stored.uidvalidity)) {
		dialogue_sweep_soon(&w->dialogue, loop_now_ms(w->env->loop));
		return VIEW_SAME;
	}
	return view_compare(&stored, now, fleeting);
}

static void watcher_seen(struct watcher *w, const struct sweep_answer *answer)
{
	const struct sweep_mailbox *mailbox = answer->mailbox;
	enum view_news news;
	struct view view;

	view_init(&view, w->user, mailbox->name);
	view_status(&view, &answer->status);
	news = compare_folder(w, answer->uidvalidity, &view.now);
	if (news == VIEW_NEW && mailbox->is_used)
		news = VIEW_CHANGE;
	if (!mailbox->is_proved)
		registry_prove(w->env->registry, w->user, mailbox->name);
	watcher_report(w, news, &view.now);
}

/* A mailbox that was proved stays registered: it may come back. */
static void watcher_refused_mailbox(struct watcher *w, struct str name)
{
	struct log_text mailbox;

	if (registry_is_proved(w->env->registry, w->user, name))
		return;
	log_info(&w->log, "not watched mailbox=\"%s\": refused",
	         log_safe(name, &mailbox));
	registry_refuse(w->env->registry, w->user, name);
}

static void watcher_swept(struct watcher *w, const struct sweep_answer *answer)
{
	aside_take(w->aside, answer->mailbox->name);
	switch (answer->verdict) {
	case SWEEP_SEEN:
		watcher_seen(w, answer);
		break;
	case SWEEP_REFUSED:
		watcher_refused_mailbox(w, answer->mailbox->name);
		break;
	case SWEEP_UNKNOWN:
		break; /* asked again at the next sweep */
	}
}

/* What is wanted and not set aside. */
struct wishes {
	const struct aside *aside;
	uint64_t now_ms;
	struct store_mailbox *items;
	size_t count;
};

static void add_wish(void *arg, struct str mailbox, bool proved)
{
	struct wishes *wishes = arg;

	if (aside_has(wishes->aside, mailbox, wishes->now_ms))
		return;
	wishes->items =
		xgrow(wishes->items, &wishes->count, sizeof(*wishes->items));
	wishes->items[wishes->count - 1].name = mailbox;
	wishes->items[wishes->count - 1].proved = proved;
}

/* watcher_update tells the dialogue what is wanted, as soon as it can hear
 * that. */
static void watcher_update(struct watcher *w)
{
	struct wishes wishes = {
		.aside = w->aside,
		.now_ms = loop_now_ms(w->env->loop),
	};

	if (wishes.now_ms >= w->aside_until_ms) {
		w->aside_until_ms = aside_until(w->aside, wishes.now_ms);
		w->stale = true;
	}
	if (!w->stale || dialogue_sweeps(&w->dialogue))
		return;
	w->stale = false;
	(void)registry_wanted(w->env->registry, w->user, add_wish, &wishes);
	dialogue_want(&w->dialogue, wishes.items, wishes.count, wishes.now_ms);
	free(wishes.items);
}

/* watcher_step does what the dialogue wants done. */
static void watcher_step(struct watcher *w)
{
	struct dialogue *d = &w->dialogue;
	uint64_t now_ms = loop_now_ms(w->env->loop);
	uint64_t due_ms;

	watcher_update(w);
	due_ms = d->due_ms < w->aside_until_ms ? d->due_ms : w->aside_until_ms;
	loop_timer_set(w->timer, due_ms > now_ms ? due_ms - now_ms : 0);
	watcher_write(w, &d->out);
	if (w->state == WATCHER_TALK && !w->told && dialogue_listens(d)) {
		w->told = true;
		w->handler->on_watching(w->arg);
	}
}

/* end_of tells what |rc| means that came in the state |at|. */
static enum watcher_end end_of(enum dialogue_state at, int rc)
{
	return at == DIALOGUE_STATUS && rc == ERR_UNAVAILABLE ? WATCHER_NO_INBOX
	                                                      : WATCHER_LOST;
}

static void watcher_talk(struct watcher *w, struct str response)
{
	struct dialogue *d = &w->dialogue;
	enum dialogue_state before = d->state;
	enum view_news news = VIEW_SAME;
	struct err_detail why;
	int event;

	event = dialogue_feed(d, response, loop_now_ms(w->env->loop), &news,
	                      &why);
	if (event < 0) {
		watcher_end(w, end_of(before, event), why.text);
		return;
	}
	if (event == DIALOGUE_RESYNC &&
	    !w->handler->on_inbox(w->arg, &d->view.now)) {
		watcher_end(w, WATCHER_UNWANTED, "the INBOX is not wanted");
		return;
	}
	if (event == DIALOGUE_RESYNC)
		watcher_report(w, compare_inbox(w, &d->view.now), &d->view.now);
	else if (event == DIALOGUE_NEWS)
		watcher_report(w, news, &d->view.now);
	else if (event == DIALOGUE_SWEPT)
		watcher_swept(w, &d->answer);
	if (d->state != before)
		log_debug(&w->log, "dialogue %s -> %s",
		          dialogue_state_name(before),
		          dialogue_state_name(d->state));
	watcher_step(w);
}

/* The row of the user may have changed while the server thought about the
 * login from the old one: then nothing is known of the new one. */
static bool is_login_current(const struct watcher *w)
{
	struct store_login row;

	if (w->try->row.data == NULL)
		return true;
	return registry_login(w->env->registry, w->user, &row) == ERR_OK &&
	       str_eq(row.blob, w->try->row);
}

static void watcher_refused(struct watcher *w, struct str response)
{
	struct imap_response r;

	if (imap_response_parse(response, &r) == ERR_OK &&
	    watch_login_rejected(&r) && is_login_current(w))
		watcher_end(w, WATCHER_REJECTED, w->try->opening.why.text);
	else
		watcher_end(w, WATCHER_LOST, w->try->opening.why.text);
}

static void watcher_logged_in(struct watcher *w)
{
	struct buf list = w->try->capabilities;

	buf_init(&w->try->capabilities, 0);
	login_try_free(&w->try);
	watcher_set_state(w, WATCHER_TALK);
	watcher_update(w);
	dialogue_begin(&w->dialogue, buf_str(&list), loop_now_ms(w->env->loop));
	buf_reset(&list);
	watcher_step(w);
}

/* The login reply, or an untagged line before it, may tell the capabilities. */
static void note_capabilities(struct login_try *try, struct str response)
{
	struct buf list;

	buf_init(&list, WATCHER_RESPONSE_MAX);
	if (imap_capability_list(response, &list) == ERR_OK) {
		buf_reset(&try->capabilities);
		try->capabilities = list;
	} else {
		buf_reset(&list);
	}
}

/* A login that was sent whole is kept no longer. */
static void watcher_send_login(struct watcher *w, struct buf *out)
{
	struct login_try *try;

	watcher_write(w, out);
	try = w->try; /* NULL: that was the end */
	if (try != NULL && try->opening.state == IMAP_OPENING_LOGIN &&
	    imap_emit_finished(&try->opening.emit))
		imap_login_done(&try->login);
}

static void watcher_login(struct watcher *w, struct str response)
{
	struct login_try *try = w->try;
	bool greeted = try->opening.state == IMAP_OPENING_LOGIN;
	struct buf out;
	bool ignored;

	buf_init(&out, WATCHER_LOGIN_MAX);
	if (greeted)
		note_capabilities(try, response);
	switch (imap_opening_feed(&try->opening, response, &out, &ignored)) {
	case IMAP_OPENING_GREETING:
	case IMAP_OPENING_STARTTLS:
	case IMAP_OPENING_TLS:
	case IMAP_OPENING_LOGIN:
	case IMAP_OPENING_CHALLENGE: /* not with a password */
		if (!greeted)
			loop_timer_set(w->timer, WATCHER_LOGIN_MS);
		watcher_send_login(w, &out);
		break;
	case IMAP_OPENING_OPEN:
		watcher_logged_in(w);
		break;
	case IMAP_OPENING_REFUSED:
		watcher_refused(w, response);
		break;
	case IMAP_OPENING_CAPABILITY:
	case IMAP_OPENING_PROBED: /* not without a login */
	case IMAP_OPENING_FAILED:
		watcher_end(w, WATCHER_LOST, try->opening.why.text);
		break;
	}
	buf_reset(&out);
}

static int open_login(const struct watcher *w, struct login_try *try)
{
	const struct watch_login_opts *opts = &w->env->opts.login;
	struct str row;
	int rc;

	if (w->user.len == 0)
		return watch_login_alone(opts, &try->login, NULL);
	rc = watch_login_open(opts, w->env->registry, w->user, &try->login,
	                      &row, NULL);
	if (rc == ERR_OK)
		try->row = str_dup(row);
	return rc;
}

/* The login is opened when the greeting is there and not before, so that it
 * lies open for no longer than it takes to send. */
static void watcher_greeted(struct watcher *w)
{
	struct imap_opening_opts opts = {
		.tag = STR("W0"),
		.starttls = w->target->starttls,
	};
	struct login_try *try = xcalloc(1, sizeof(*try));
	int rc = open_login(w, try);

	if (rc != ERR_OK) {
		free(try);
		watcher_end(w, WATCHER_LOST, "the login has gone");
		return;
	}
	buf_init(&try->capabilities, WATCHER_RESPONSE_MAX);
	opts.login = &try->login;
	imap_opening_init(&try->opening, &opts);
	w->try = try;
	watcher_set_state(w, WATCHER_LOGIN);
}

static void watcher_response(struct watcher *w, struct str response)
{
	watch_trace_received(w->trace, response);
	if (w->state == WATCHER_GREETING)
		watcher_greeted(w);
	if (w->state == WATCHER_LOGIN)
		watcher_login(w, response);
	else if (w->state == WATCHER_TALK)
		watcher_talk(w, response);
}

/* wants_tls: the server agreed to STARTTLS. */
static bool wants_tls(const struct watcher *w)
{
	return w->state == WATCHER_LOGIN &&
	       w->try->opening.state == IMAP_OPENING_TLS;
}

/* watcher_start_tls: |left| octets came behind the OK of STARTTLS. */
static void watcher_start_tls(struct watcher *w, size_t left)
{
	if (imap_opening_left(&w->try->opening, left))
		dial_start_tls(w->stream, w->target);
	else
		watcher_end(w, WATCHER_LOST, w->try->opening.why.text);
}

/* on_open comes when the handshake after STARTTLS is done. */
static void on_open(void *arg)
{
	struct watcher *w = arg;
	struct buf out;

	if (!wants_tls(w))
		return;
	buf_init(&out, WATCHER_LOGIN_MAX);
	if (imap_opening_secured(&w->try->opening, &out) == IMAP_OPENING_FAILED)
		watcher_end(w, WATCHER_LOST, w->try->opening.why.text);
	else
		watcher_send_login(w, &out);
	buf_reset(&out);
}

static size_t on_data(void *arg, struct str bytes)
{
	struct watcher *w = arg;
	struct str in = bytes;
	struct str response;
	int rc = ERR_OK;

	while (w->state != WATCHER_ENDED && rc == ERR_OK) {
		if (wants_tls(w)) {
			watcher_start_tls(w, in.len);
			break;
		}
		rc = imap_reader_next(&w->reader, &in, &response);
		if (rc == ERR_OK)
			watcher_response(w, response);
		else if (rc != ERR_MORE)
			watcher_lost(w, rc == ERR_LIMIT
			                        ? "a response is too large"
			                        : "not IMAP");
	}
	return bytes.len;
}

static void on_eof(void *arg)
{
	struct watcher *w = arg;

	watcher_lost(w, "the server closed the connection");
}

static void on_error(void *arg, int rc, const char *why)
{
	struct watcher *w = arg;

	(void)rc;
	watcher_lost(w, why);
}

static const struct stream_handler stream_events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_eof = on_eof,
	.on_error = on_error,
};

static void on_dialled(void *arg, int rc, struct stream *stream,
                       const char *why)
{
	struct watcher *w = arg;

	w->dial = NULL;
	if (rc != ERR_OK) {
		watcher_end(w, WATCHER_UNREACHABLE, why);
		return;
	}
	w->stream = stream;
	watcher_set_state(w, WATCHER_GREETING);
	loop_timer_set(w->timer, WATCHER_LOGIN_MS);
	stream_set_handler(stream, &stream_events, w);
}

static void on_due(void *arg)
{
	struct watcher *w = arg;
	struct err_detail why;

	if (w->state != WATCHER_TALK) {
		watcher_lost(w, w->state == WATCHER_LOGIN
		                        ? "no answer to the login in time"
		                        : "no greeting in time");
		return;
	}
	if (loop_now_ms(w->env->loop) >= w->dialogue.due_ms &&
	    dialogue_due(&w->dialogue, loop_now_ms(w->env->loop), &why) !=
	            ERR_OK)
		watcher_end(w, WATCHER_LOST, why.text);
	else
		watcher_step(w);
}

/* spread makes of |s| seconds something less, at random: those who connected
 * together renew and sweep at different times. */
static uint64_t spread_ms(uint32_t s)
{
	return (uint64_t)s * 1000 - rand_below(s * (1000 / 8) + 1);
}

static struct dialogue_opts times_of(const struct watcher_env *env,
                                     const struct aside *aside)
{
	return (struct dialogue_opts){
		.renew_ms = spread_ms(env->opts.renew_s),
		.poll_ms = spread_ms(env->opts.poll_s),
		.inbox_first = !aside_is_empty(aside),
	};
}

void watcher_set_times(struct watcher *w)
{
	w->dialogue.opts = times_of(w->env, w->aside);
}

struct watcher *watcher_new(const struct watcher_env *env,
                            const struct dial_target *target, struct str user,
                            struct aside *aside, const struct log_ctx *log,
                            const struct watcher_handler *handler, void *arg)
{
	const struct dialogue_opts opts = times_of(env, aside);
	struct watcher *w = xcalloc(1, sizeof(*w));

	w->state = WATCHER_DIAL;
	w->log = *log;
	w->env = env;
	w->target = target;
	w->handler = handler;
	w->arg = arg;
	w->user = str_dup(user);
	w->aside = aside;
	w->stale = true;
	w->trace = watch_trace_new(env->opts.trace_user, user, log);
	w->timer = loop_timer_new(env->loop, on_due, w);
	imap_reader_init(&w->reader, WATCHER_RESPONSE_MAX);
	dialogue_init(&w->dialogue, &opts, w->user, STR("INBOX"));
	w->dial = dial_start(env->loop, env->resolver, target, NULL,
	                     WATCHER_DIAL_MS, on_dialled, w);
	return w;
}

bool watcher_polls(const struct watcher *w)
{
	return w->dialogue.state == DIALOGUE_REST;
}

void watcher_refresh(struct watcher *w)
{
	w->stale = true;
	if (w->state == WATCHER_TALK)
		watcher_step(w);
}

/* So that the server's log has no broken connection in it. */
static void watcher_leave(struct watcher *w)
{
	if (w->state == WATCHER_TALK) {
		dialogue_leave(&w->dialogue);
		watcher_write(w, &w->dialogue.out);
	}
}

void watcher_free(struct watcher **wp)
{
	struct watcher *w = *wp;

	if (w == NULL)
		return;
	watcher_leave(w);
	loop_defer_cancel(w->env->loop, on_ended, w);
	if (w->dial != NULL)
		dial_cancel(&w->dial);
	if (w->stream != NULL)
		stream_close(&w->stream);
	login_try_free(&w->try);
	loop_timer_free(&w->timer);
	imap_reader_done(&w->reader);
	dialogue_done(&w->dialogue);
	watch_trace_free(&w->trace);
	str_free(&w->user);
	free(w->why);
	free(w);
	*wp = NULL;
}
