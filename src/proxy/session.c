/* SPDX-License-Identifier: ISC */
/*
 * session - the two streams of a client's connection, kept in step: a side is
 * read only while what it says can be taken and the other side keeps up.
 */
#include "proxy/session.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metric.h"
#include "imap/line.h"
#include "imap/sasl.h"
#include "imap/trace.h"
#include "net/proxy_protocol.h"
#include "proxy/authenticate.h"
#include "proxy/backends.h"
#include "proxy/client.h"
#include "proxy/door.h"
#include "proxy/identify.h"
#include "proxy/login.h"
#include "proxy/prelogin.h"
#include "proxy/register.h"
#include "proxy/sessions.h"

/* A client that sent FIN still gets the replies it waits for, this long. */
#define SESSION_LINGER_MS ((uint64_t)30 * 1000)

/* A client that sends commands and does not read our answers is not read any
 * more. More than the backend's own high water: a client may send while what
 * it asked for is on its way. */
#define SESSION_UNREAD_MAX (4 * STREAM_HIGH_WATER)

/* Lines of our own in one answer: a registration's mailboxes. */
#define SESSION_ANSWER_MAX ((size_t)256 * 1024)

#define SESSION_TRACE_MAX ((size_t)1024)

static_assert(METRIC_SESSIONS_RELAY - METRIC_SESSIONS_OPENING ==
                      SESSION_CLOSING - SESSION_OPENING - 1,
              "every state but the last is counted");

/* count: one session more, or less, is in |state|. */
static void count(enum session_state state, int by)
{
	if (state != SESSION_CLOSING)
		metric_change((enum metric)(METRIC_SESSIONS_OPENING +
		                            (state - SESSION_OPENING)),
		              by);
}

void session_set_state(struct session *s, enum session_state to)
{
	assert(session_state_allowed(s->state, to));
	log_debug(&s->log, "state %s -> %s", session_state_name(s->state),
	          session_state_name(to));
	count(s->state, -1);
	s->state = to;
	count(s->state, 1);
}

void session_set_input(struct session *s, enum session_input to)
{
	assert(session_input_allowed(s->input, to));
	s->input = to;
}

/* leaves_unread: the client should read before it says more. */
static bool leaves_unread(const struct session *s)
{
	return stream_pending(s->client) > (s->state == SESSION_RELAY
	                                            ? SESSION_UNREAD_MAX
	                                            : PRELOGIN_UNREAD_MAX);
}

/* wants_client: the client's next bytes can be taken. */
static bool wants_client(const struct session *s)
{
	if (!session_input_is_read(s->input) || leaves_unread(s))
		return false;
	if (s->state == SESSION_PRELOGIN || s->state == SESSION_LOGIN)
		return true;
	return s->state == SESSION_RELAY && !inflight_is_full(&s->inflight) &&
	       stream_pending(s->backend) <= STREAM_HIGH_WATER;
}

/* wants_backend: the backend's next bytes can be taken. */
static bool wants_backend(const struct session *s)
{
	if (s->state == SESSION_LOGIN)
		return true;
	return s->state == SESSION_RELAY &&
	       stream_pending(s->client) <= STREAM_HIGH_WATER;
}

static void set_flow(struct stream *stream, bool *paused, bool wanted)
{
	if (wanted && *paused)
		stream_resume(stream);
	else if (!wanted && !*paused)
		stream_pause(stream);
	*paused = !wanted;
}

void session_update(struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return;
	if (s->state != SESSION_OPENING)
		set_flow(s->client, &s->client_paused, wants_client(s));
	if (s->backend != NULL)
		set_flow(s->backend, &s->backend_paused, wants_backend(s));
}

void session_to_client(struct session *s, struct str bytes)
{
	int rc;

	if (s->state == SESSION_CLOSING || bytes.len == 0)
		return;
	rc = stream_write(s->client, bytes);
	if (rc != 0) {
		session_close(s, rc == ERR_LIMIT ? "client does not read"
		                                 : "client lost");
		return;
	}
	s->bytes_out += bytes.len;
	if (s->state == SESSION_RELAY)
		metric_add(METRIC_RELAYED_TO_CLIENT, bytes.len);
}

void session_to_backend(struct session *s, struct str bytes)
{
	if (s->state == SESSION_CLOSING || bytes.len == 0)
		return;
	/* A backend that is lost may have said why: that is read first, and
	 * its end reported then. */
	if (stream_write(s->backend, bytes) == ERR_LIMIT)
		session_close(s, "backend does not read");
	else if (s->state == SESSION_RELAY)
		metric_add(METRIC_RELAYED_TO_SERVER, bytes.len);
}

bool session_may_insert(const struct session *s)
{
	return s->relay.fate == RELAY_BETWEEN;
}

/* trace_own logs lines of our own, each as a response. */
static void trace_own(const struct session *s, struct str lines)
{
	while (s->traced && lines.len > 0) {
		session_trace_response(s, "imapbell", lines);
		(void)str_take(&lines, imap_line_first(lines).len);
	}
}

void session_answer(struct session *s, struct str lines)
{
	trace_own(s, lines);
	inflight_answer(&s->inflight, lines);
	relay_flush(s);
}

void session_reply(struct session *s, struct str tag, struct str untagged,
                   const char *text)
{
	struct buf lines;

	buf_init(&lines, SESSION_ANSWER_MAX);
	if (buf_add(&lines, untagged) != 0 ||
	    buf_add(&lines, tag.len > 0 ? tag : STR("*")) != 0 ||
	    buf_adds(&lines, " ") != 0 || buf_adds(&lines, text) != 0 ||
	    buf_adds(&lines, "\r\n") != 0)
		session_close(s, "answer too long");
	else
		session_answer(s, buf_str(&lines));
	buf_reset(&lines);
}

void session_go_ahead(struct session *s, const char *text)
{
	session_reply(s, STR("+"), STR_NULL, text);
}

void session_bye(struct session *s, const char *text)
{
	struct buf line;

	if (s->state == SESSION_CLOSING)
		return;
	buf_init(&line, SESSION_ANSWER_MAX);
	/* Before the handshake is done nothing can be said. */
	if (s->state != SESSION_OPENING && session_may_insert(s) &&
	    !s->relay.bye_seen &&
	    buf_printf(&line, "* BYE %s\r\n", text) == 0) {
		trace_own(s, buf_str(&line));
		session_to_client(s, buf_str(&line));
	}
	buf_reset(&line);
	session_close(s, text);
}

void session_close(struct session *s, const char *why)
{
	struct log_text user;

	if (s->state == SESSION_CLOSING)
		return;
	log_info(&s->log,
	         "session end reason=\"%s\" user=\"%s\" in=%" PRIu64
	         " out=%" PRIu64,
	         why, log_safe(s->user, &user), s->bytes_in, s->bytes_out);
	session_set_state(s, SESSION_CLOSING);
	loop_timer_cancel(s->timer);
	session_drop_backend(s);
	stream_close(&s->client);
	/* What lies on the stack below still looks at the rest: the sweeper
	 * frees it. */
	sessions_closed(s->env->sessions, s);
}

struct imap_capability_policy session_policy(const struct session *s)
{
	return (struct imap_capability_policy){
		.offer_push = s->is_offered,
		.pass_push = !s->env->opts->push_enabled,
		.needs_passwords = s->env->opts->push_enabled &&
		                   service_keeps_logins(s->env->service),
		.needs_names = routes_need_names(s->env->opts->routes),
		.binds = backends_bind(s->env->backends),
		.hide = s->env->opts->hide,
		.hide_count = s->env->opts->hide_count,
	};
}

void session_set_traced(struct session *s, struct str user)
{
	struct str wanted = str_of(s->env->opts->trace_user);

	s->traced = wanted.len > 0 &&
	            (str_eq(wanted, STR("all")) || str_eq(wanted, user));
}

void session_trace(const struct session *s, const char *from,
                   const struct imap_frame *frame, bool secret)
{
	enum imap_trace trace = secret ? IMAP_TRACE_SECRET
	                        : s->state == SESSION_RELAY
	                                ? IMAP_TRACE_OPEN
	                                : IMAP_TRACE_STRANGER;
	struct buf text;

	if (!s->traced)
		return;
	buf_init(&text, SESSION_TRACE_MAX);
	imap_trace_frame(frame, trace, &text);
	log_info(&s->log, "trace %s: %.*s", from, (int)text.len,
	         text.data != NULL ? text.data : "");
	buf_reset(&text);
}

void session_trace_response(const struct session *s, const char *from,
                            struct str response)
{
	struct str line = imap_line_first(response);
	struct str text;
	struct imap_frame frame = {
		.kind = IMAP_FRAME_LINE,
		.text = line,
		.first = true,
		.last = true,
		.cls = imap_line_class(line, &text),
	};

	session_trace(s, from, &frame, false);
}

/* is_secret: the frame may be a password, or a part of one. */
static bool is_secret(const struct session *s, const struct imap_frame *frame)
{
	return s->input == INPUT_SASL || s->input == INPUT_SWALLOW ||
	       (s->state != SESSION_RELAY && !frame->first);
}

/* note_garbage: a balancer that says PROXY where nobody asked for it looks like
 * a client gone mad. */
static void note_garbage(const struct session *s, struct str first)
{
	struct proxy_header header;
	size_t used;

	if (proxy_protocol_parse(first, &used, &header) == 0)
		log_info(&s->log,
		         "a PROXY header on a listener without proxy_protocol");
}

/* limit_stranger ends it with those who ask for more than a login needs. */
static void limit_stranger(struct session *s)
{
	if (s->bytes_in > PRELOGIN_BYTES_MAX)
		session_bye(s, "Too much data before login.");
	else if (leaves_unread(s))
		session_close(s, "client does not read");
}

/*
 * secure: STARTTLS was answered. What came behind it in the clear may be
 * anybody's and would be taken for the client's own words: CVE-2011-0411.
 */
static void secure(struct session *s, size_t left)
{
	if (left > 0)
		session_close(s, "octets behind STARTTLS");
	else
		stream_start_tls(s->client, s->env->opts->tls, NULL);
}

static size_t on_client_data(void *arg, struct str bytes)
{
	struct session *s = arg;
	struct str in = bytes;
	struct imap_frame frame;

	s->active_ms = loop_now_ms(s->env->loop);
	if (s->bytes_in == 0)
		note_garbage(s, bytes);
	while (s->state != SESSION_CLOSING && wants_client(s)) {
		/* Also of a line that is here in part: if IDLE ended meanwhile
		 * it is a command. */
		s->from_client.lines = session_input_is_plain(s->input)
		                               ? IMAP_LINES_PLAIN
		                               : IMAP_LINES_COMMAND;
		if (imap_framer_next(&s->from_client, &in, &frame) != 0)
			break;
		session_trace(s, "client", &frame, is_secret(s, &frame));
		client_on_frame(s, &frame);
	}
	s->bytes_in += bytes.len - in.len;
	if (s->state == SESSION_OPENING)
		secure(s, in.len);
	if (s->state == SESSION_PRELOGIN || s->state == SESSION_LOGIN)
		limit_stranger(s);
	session_update(s);
	return bytes.len - in.len;
}

/* note_handshake counts one that succeeded. */
static void note_handshake(const struct session *s)
{
	bool resumed = stream_is_resumed(s->client);

	metric_add(resumed ? METRIC_TLS_HANDSHAKES_RESUMED
	                   : METRIC_TLS_HANDSHAKES_FULL,
	           1);
	log_debug(&s->log, "client speaks %s%s", stream_tls_version(s->client),
	          resumed ? ", resumed" : "");
}

static void on_client_open(void *arg)
{
	struct session *s = arg;

	session_set_state(s, SESSION_PRELOGIN);
	if (stream_is_tls(s->client))
		note_handshake(s);
	if (s->door->security == PROXY_STARTTLS && stream_is_tls(s->client))
		prelogin_secured(s);
	else
		prelogin_greet(s);
}

/* The client said all it will say. Replies to what it asked still go out, as
 * far as that can end by itself; a line without an end is no command. */
static void on_client_eof(void *arg)
{
	struct session *s = arg;

	if (s->state != SESSION_RELAY || s->input != INPUT_COMMAND ||
	    !imap_framer_gave_nothing(&s->from_client) ||
	    inflight_is_empty(&s->inflight)) {
		session_close(s, "client closed");
		return;
	}
	s->client_ended = true;
	loop_timer_set(s->timer, SESSION_LINGER_MS);
}

static void on_client_drained(void *arg)
{
	session_update(arg);
}

static void on_client_error(void *arg, int rc, const char *why)
{
	struct session *s = arg;
	struct err_detail text;

	log_debug(&s->log, "client lost: %s (%s)", why, err_text(rc));
	(void)err_set(&text, rc, "client: %s", why);
	if (rc == ERR_TLS && s->state == SESSION_OPENING)
		metric_add(METRIC_TLS_HANDSHAKES_FAILED, 1);
	session_close(s, rc == ERR_TLS || s->state == SESSION_OPENING
	                         ? text.text
	                         : "client lost");
}

static const struct stream_handler client_handler = {
	.on_open = on_client_open,
	.on_data = on_client_data,
	.on_eof = on_client_eof,
	.on_drained = on_client_drained,
	.on_error = on_client_error,
};

static void on_backend_open(void *arg)
{
	struct session *s = arg;

	if (s->state == SESSION_LOGIN)
		login_on_open(s);
	session_update(s);
}

static size_t on_backend_data(void *arg, struct str bytes)
{
	struct session *s = arg;
	struct str in = bytes;

	if (s->input != INPUT_IDLE)
		s->active_ms = loop_now_ms(s->env->loop);
	if (s->state == SESSION_LOGIN)
		login_on_bytes(s, &in);
	while (s->state == SESSION_RELAY && wants_backend(s)) {
		if (!relay_on_backend(s, &in))
			break;
	}
	if (s->state == SESSION_RELAY && s->client_ended &&
	    inflight_is_empty(&s->inflight))
		session_close(s, "client closed");
	session_update(s);
	return bytes.len - in.len;
}

static void on_backend_gone(struct session *s, const char *why)
{
	if (s->state == SESSION_LOGIN)
		login_unavailable(s, why);
	else if (s->state == SESSION_RELAY)
		relay_on_backend_end(s, why);
	else
		session_drop_backend(s);
	session_update(s);
}

static void on_backend_eof(void *arg)
{
	on_backend_gone(arg, "it closed the connection");
}

static void on_backend_drained(void *arg)
{
	session_update(arg);
}

static void on_backend_error(void *arg, int rc, const char *why)
{
	(void)rc; /* said in |why| */
	on_backend_gone(arg, why);
}

static const struct stream_handler backend_handler = {
	.on_open = on_backend_open,
	.on_data = on_backend_data,
	.on_eof = on_backend_eof,
	.on_drained = on_backend_drained,
	.on_error = on_backend_error,
};

void session_take_backend(struct session *s, struct stream *stream)
{
	s->backend = stream;
	s->backend_paused = false;
	stream_set_handler(stream, &backend_handler, s);
}

void session_drop_backend(struct session *s)
{
	if (s->backend != NULL)
		stream_close(&s->backend);
}

/* on_idle: the timer ran once; only what is silent since then is idle. */
static void on_idle(struct session *s)
{
	uint64_t limit = (uint64_t)s->env->opts->idle_s * 1000;
	uint64_t silent = loop_now_ms(s->env->loop) - s->active_ms;

	if (s->client_ended)
		session_close(s, "client closed");
	else if (silent >= limit)
		session_bye(s, "Idle for too long.");
	else
		loop_timer_set(s->timer, limit - silent);
}

static void on_timer(void *arg)
{
	struct session *s = arg;

	switch (s->state) {
	case SESSION_OPENING:
	case SESSION_PRELOGIN:
		session_bye(s, "Login took too long.");
		break;
	case SESSION_LOGIN:
	case SESSION_REFUSED:
		login_on_timer(s);
		break;
	case SESSION_RELAY:
		on_idle(s);
		break;
	case SESSION_CLOSING:
	case SESSION_STATES:
		break;
	}
	session_update(s);
}

/* note_addresses finds out who the client is, and says so. */
static void note_addresses(struct session *s, const struct proxy_header *said)
{
	char peer[ADDRESS_TEXT_MAX];
	char via[ADDRESS_TEXT_MAX];

	stream_addresses(s->client, &s->client_addr, &s->server_addr);
	address_print(&s->client_addr, via, sizeof(via));
	if (said != NULL) {
		s->client_addr = said->from;
		s->server_addr = said->to;
	}
	address_print(&s->client_addr, peer, sizeof(peer));
	log_info(&s->log, "session begin peer=%s%s%s listener=%s", peer,
	         said != NULL ? " via=" : "", said != NULL ? via : "",
	         s->door->url.text);
}

/* start_client begins with the client's stream. */
static void start_client(struct session *s, int fd)
{
	bool at_once = s->door->security == PROXY_TLS;

	s->client = stream_accepted(s->env->loop, fd,
	                            at_once ? s->env->opts->tls : NULL);
	stream_set_handler(s->client, &client_handler, s);
}

struct session *session_new(const struct session_env *env, int fd, uint64_t id,
                            const struct door *door,
                            const struct proxy_header *said)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->log = (struct log_ctx){ .area = LOG_PROXY, .id = id };
	s->env = env;
	s->door = door;
	s->state = SESSION_OPENING;
	count(s->state, 1);
	metric_add(METRIC_SESSIONS_ACCEPTED, 1);
	s->input = INPUT_COMMAND;
	identify_forget(s);
	imap_framer_init(&s->from_client, IMAP_CLIENT);
	imap_framer_init(&s->from_backend, IMAP_SERVER);
	inflight_init(&s->inflight);
	collect_init(&s->collect, 0);
	buf_init(&s->held_text, IMAP_LINE_HELD);
	relay_init(&s->relay);
	asks_init(&s->asks);
	session_set_traced(s, STR_NULL);
	s->timer = loop_timer_new(env->loop, on_timer, s);
	loop_timer_set(s->timer, (uint64_t)env->opts->login_s * 1000);
	start_client(s, fd);
	note_addresses(s, said);
	return s;
}

void session_free(struct session **sp)
{
	struct session *s = *sp;

	if (s == NULL)
		return;
	assert(s->client == NULL && s->backend == NULL);
	authenticate_end(s);
	login_end(s);
	login_forget(s);
	register_end(s);
	relay_done(&s->relay);
	inflight_done(&s->inflight);
	collect_done(&s->collect);
	buf_reset(&s->held_text);
	imap_framer_done(&s->from_client);
	imap_framer_done(&s->from_backend);
	loop_timer_free(&s->timer);
	identify_forget(s);
	str_free(&s->user);
	mem_wipe(s, sizeof(*s));
	free(s);
	*sp = NULL;
}
