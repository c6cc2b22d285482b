/* SPDX-License-Identifier: ISC */
/*
 * h2 - nghttp2 on a stream. RFC 9113: section 3.4 (preface), 5.1.2 (limit of
 * concurrent streams), 6.8 (GOAWAY), 8.7 (what may be sent again).
 *
 * nghttp2 is never entered twice: its callbacks only note what happened, and
 * the owner hears of it from work(), a call of its own. Our own list of
 * requests decides who is still owed an answer: nghttp2 tells of no stream
 * when a session is deleted, nor of one that it never opened.
 */
#include "net/h2.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/h2_exchange.h"

enum {
	HEADERS_MAX = 32,
	PSEUDO_HEADERS = 4,
	HEADER_LIST_BYTES = 16 * 1024, /* announced; h2_exchange enforces */
	GOAWAY_DEBUG_MAX = 512,
	PING_MS = 5000,
};

#define NEVER UINT64_MAX

enum h2_state {
	H2_STARTING, /* the peer's SETTINGS are awaited */
	H2_READY,
	H2_DRAINING, /* after GOAWAY */
	H2_CLOSED,   /* on_closed is due or was called */
	H2_FREED     /* freed by its owner, swept on a later turn */
};

struct h2 {
	struct loop *loop;
	struct stream *stream; /* NULL once closed */
	nghttp2_session *session;
	const struct h2_handler *handler;
	void *arg;
	enum h2_state state;
	struct h2_exchange_list live;  /* await their answer */
	struct h2_exchange_list ended; /* have it; the asker is to be told */
	size_t live_count;
	size_t ended_count;
	size_t in_flight_max;
	size_t peer_max;
	size_t told_slots;
	struct loop_timer *timer; /* for the next of what follows */
	uint64_t armed_ms;
	uint64_t settings_due_ms;
	uint64_t ping_due_ms;
	bool in_doubt; /* one was not answered in time, nor was the PING yet */
	bool deferred; /* work is asked for */
	bool tell_ready;
	bool tell_goaway;
	bool tell_closed;
	uint32_t goaway_code;
	struct buf goaway_debug;
	int invalid; /* nghttp2's verdict on the last bad frame */
	char violation[128];
	int rc; /* why it closed */
	struct err_detail why;
};

static void work(void *arg);

static void later(struct h2 *h)
{
	if (!h->deferred)
		loop_defer(h->loop, work, h);
	h->deferred = true;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* arm sets the one timer for |due_ms| unless it fires before anyway. */
static void arm(struct h2 *h, uint64_t due_ms)
{
	uint64_t now = loop_now_ms(h->loop);

	if (due_ms >= h->armed_ms)
		return;
	h->armed_ms = due_ms;
	loop_timer_set(h->timer, due_ms > now ? due_ms - now : 0);
}

/* end moves |x| to those that are to be told. */
static void end(struct h2 *h, struct h2_exchange *x, enum h2_outcome outcome,
                const char *why)
{
	h2_exchange_end(x, outcome, why);
	(void)nghttp2_session_set_stream_user_data(h->session, x->stream_id,
	                                           NULL);
	TAILQ_REMOVE(&h->live, x, entry);
	h->live_count--;
	TAILQ_INSERT_TAIL(&h->ended, x, entry);
	h->ended_count++;
	later(h);
}

/* end_all ends what is in flight when the connection ends. */
static void end_all(struct h2 *h, const char *why)
{
	struct h2_exchange *x;

	while ((x = TAILQ_FIRST(&h->live)) != NULL)
		end(h, x, H2_UNKNOWN, why);
}

/* tell_next makes the oldest call that is due; it may free |h|. Returns false
 * when there is none. */
static bool tell_next(struct h2 *h)
{
	struct h2_exchange *x = TAILQ_FIRST(&h->ended);

	if (x == NULL)
		return false;
	TAILQ_REMOVE(&h->ended, x, entry);
	h->ended_count--;
	h2_exchange_tell(&x);
	return true;
}

/* fail ends the connection and with it every request. */
static void fail(struct h2 *h, int rc, const char *why)
{
	if (h->state >= H2_CLOSED)
		return;
	h->state = H2_CLOSED;
	h->rc = err_set(&h->why, rc, "%s", why);
	h->tell_closed = true;
	end_all(h, h->why.text);
	loop_timer_cancel(h->timer);
	h->armed_ms = NEVER;
	stream_close(&h->stream);
	later(h);
}

/*
 * pump moves frames from nghttp2 to the stream. It stops while much waits
 * there already and goes on in on_drained: nghttp2's queue is bounded by the
 * requests in flight, the stream's output is not.
 */
static void pump(struct h2 *h)
{
	const uint8_t *data;
	ssize_t len;

	if (h->state >= H2_CLOSED)
		return;
	while (stream_pending(h->stream) <= STREAM_HIGH_WATER) {
		len = nghttp2_session_mem_send(h->session, &data);
		if (len == 0)
			break;
		if (len < 0) {
			fail(h, ERR_CLOSED, nghttp2_strerror((int)len));
			return;
		}
		/* Refused: the stream is lost and its on_error on the way. */
		if (stream_write(h->stream, str_new(data, (size_t)len)) !=
		    ERR_OK)
			return;
	}
	if (!nghttp2_session_want_read(h->session) &&
	    !nghttp2_session_want_write(h->session))
		fail(h, ERR_CLOSED,
		     h->violation[0] != '\0' ? h->violation
		                             : "session ended by peer");
}

/* find gives who waits for a stream; NULL if nobody does any more. */
static struct h2_exchange *find(nghttp2_session *session, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(session, stream_id);
}

/* cancel tells the peer not to bother. */
static void cancel(struct h2 *h, const struct h2_exchange *x)
{
	(void)nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE,
	                                x->stream_id, NGHTTP2_CANCEL);
}

static ssize_t on_read_body(nghttp2_session *session, int32_t stream_id,
                            uint8_t *out, size_t len, uint32_t *flags,
                            nghttp2_data_source *source, void *arg)
{
	struct h2_exchange *x = find(session, stream_id);
	size_t n;

	(void)source;
	(void)arg;
	if (x == NULL) /* ended meanwhile: RST_STREAM is on its way */
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	/* |len| is what the peer's window leaves and may be a few bytes. */
	n = h2_exchange_read(x, out, len);
	if (h2_exchange_is_sent(x))
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *arg)
{
	struct h2_exchange *x = find(session, frame->hd.stream_id);

	(void)flags;
	(void)arg;
	if (x != NULL && !h2_exchange_header(x, str_new(name, name_len),
	                                     str_new(value, value_len)))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* resets it */
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags,
                         int32_t stream_id, const uint8_t *data, size_t len,
                         void *arg)
{
	struct h2_exchange *x = find(session, stream_id);
	struct h2 *h = arg;

	(void)flags;
	if (x != NULL && !h2_exchange_answer(x, str_new(data, len))) {
		cancel(h, x); /* the status is known, the rest nobody wants */
		end(h, x, H2_ANSWERED, "");
	}
	return 0;
}

/* take_settings follows the peer's limit, up or down, at any time. */
static void take_settings(struct h2 *h)
{
	h->peer_max = nghttp2_session_get_remote_settings(
		h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (h->state == H2_STARTING) {
		h->state = H2_READY;
		h->settings_due_ms = NEVER;
		h->tell_ready = true;
	}
	later(h);
}

/* take_goaway keeps the more telling of two GOAWAYs in a row. Streams above
 * the last id are closed by nghttp2, as REFUSED_STREAM. */
static void take_goaway(struct h2 *h, const nghttp2_goaway *goaway)
{
	size_t len = goaway->opaque_data_len;

	if (len > GOAWAY_DEBUG_MAX)
		len = GOAWAY_DEBUG_MAX;
	if (!h->tell_goaway || goaway->error_code != NGHTTP2_NO_ERROR) {
		h->goaway_code = goaway->error_code;
		buf_reset(&h->goaway_debug);
		if (buf_append(&h->goaway_debug, goaway->opaque_data, len) !=
		    ERR_OK)
			buf_reset(&h->goaway_debug);
	}
	h->tell_goaway = true;
	h->state = H2_DRAINING;
	later(h);
}

/*
 * complete: the final answer is here. The peer may give it before it has read
 * our body (RFC 9113 section 8.1), which then has no reader.
 */
static void complete(struct h2 *h, int32_t stream_id)
{
	struct h2_exchange *x = find(h->session, stream_id);

	if (x == NULL)
		return;
	if (!h2_exchange_is_sent(x))
		cancel(h, x);
	end(h, x, H2_ANSWERED, "");
}

/* take_pong: the peer lives, so there are slots again. */
static void take_pong(struct h2 *h)
{
	h->ping_due_ms = NEVER;
	h->in_doubt = false;
	later(h);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
                         void *arg)
{
	struct h2 *h = arg;
	bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!ack)
			take_settings(h);
		break;
	case NGHTTP2_PING:
		if (ack)
			take_pong(h);
		break;
	case NGHTTP2_GOAWAY:
		take_goaway(h, &frame->goaway);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_DATA:
		if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
			complete(h, frame->hd.stream_id);
		break;
	default:
		break;
	}
	return 0;
}

/* on_invalid_frame notes what nghttp2 may be about to end the session for. */
static int on_invalid_frame(nghttp2_session *session,
                            const nghttp2_frame *frame, int code, void *arg)
{
	struct h2 *h = arg;

	(void)session;
	(void)frame;
	h->invalid = code;
	return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame,
                         void *arg)
{
	struct h2_exchange *x;
	struct h2 *h = arg;

	if (frame->hd.type == NGHTTP2_HEADERS) {
		x = find(session, frame->hd.stream_id);
		if (x != NULL)
			x->written = true;
	} else if (frame->hd.type == NGHTTP2_GOAWAY &&
	           frame->goaway.error_code != NGHTTP2_NO_ERROR) {
		(void)snprintf(h->violation, sizeof(h->violation),
		               "peer broke the protocol: %s: %s",
		               nghttp2_http2_strerror(frame->goaway.error_code),
		               nghttp2_strerror(h->invalid));
	}
	return 0;
}

/* on_frame_not_send: a request met a GOAWAY before it was sent. Its stream was
 * never opened, so no other callback will come. */
static int on_frame_not_send(nghttp2_session *session,
                             const nghttp2_frame *frame, int code, void *arg)
{
	struct h2 *h = arg;
	struct h2_exchange *x;

	(void)session;
	if (frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	TAILQ_FOREACH(x, &h->live, entry) {
		if (x->stream_id == frame->hd.stream_id)
			break;
	}
	if (x != NULL)
		end(h, x, H2_NOT_PROCESSED, nghttp2_strerror(code));
	return 0;
}

/* on_stream_close: a complete answer has ended its exchange before; this one
 * was cut short. */
static int on_stream_close(nghttp2_session *session, int32_t stream_id,
                           uint32_t code, void *arg)
{
	struct h2_exchange *x = find(session, stream_id);
	struct h2 *h = arg;
	char why[96];

	if (x == NULL)
		return 0;
	(void)snprintf(why, sizeof(why), "stream reset: %s",
	               nghttp2_http2_strerror(code));
	end(h, x,
	    code == NGHTTP2_REFUSED_STREAM ? H2_NOT_PROCESSED : H2_UNKNOWN,
	    why);
	return 0;
}

static void set_callbacks(nghttp2_session_callbacks *cb)
{
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
		cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
		cb, on_invalid_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(
		cb, on_frame_not_send);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb,
	                                                       on_stream_close);
}

static nghttp2_session *session_new(struct h2 *h)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES },
	};
	nghttp2_session_callbacks *cb = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&cb) != 0 ||
	    nghttp2_option_new(&option) != 0)
		abort();
	set_callbacks(cb);
	nghttp2_option_set_no_closed_streams(option, 1);
	if (nghttp2_session_client_new2(&session, cb, h, option) != 0 ||
	    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
	                            sizeof(settings) / sizeof(settings[0])) !=
	            0)
		abort();
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	return session;
}

static size_t on_data(void *arg, struct str bytes)
{
	struct h2 *h = arg;
	ssize_t used = nghttp2_session_mem_recv(
		h->session, (const uint8_t *)bytes.data, bytes.len);

	if (used < 0)
		fail(h, ERR_CLOSED, nghttp2_strerror((int)used));
	else
		pump(h); /* acknowledgements, windows */
	return bytes.len;
}

static void on_eof(void *arg)
{
	fail(arg, ERR_CLOSED, "connection closed by peer");
}

static void on_drained(void *arg)
{
	pump(arg);
}

static void on_error(void *arg, int rc, const char *why)
{
	fail(arg, rc, why);
}

static const struct stream_handler stream_handler = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_drained = on_drained,
	.on_error = on_error,
};

/* ping asks for a sign of life, which pump then sends. */
static void ping(struct h2 *h)
{
	if (h->ping_due_ms != NEVER)
		return;
	(void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
	h->ping_due_ms = loop_now_ms(h->loop) + PING_MS;
	arm(h, h->ping_due_ms);
}

/*
 * time_out ends what has waited too long, and returns when the next will have.
 * The peer, or a NAT on the way that forgot us, may be dead: a PING tells.
 */
static uint64_t time_out(struct h2 *h)
{
	uint64_t now = loop_now_ms(h->loop);
	uint64_t next = NEVER;
	struct h2_exchange *after;
	struct h2_exchange *x;
	char why[96];

	for (x = TAILQ_FIRST(&h->live); x != NULL; x = after) {
		after = TAILQ_NEXT(x, entry);
		if (x->due_ms > now) {
			next = earlier(next, x->due_ms);
			continue;
		}
		(void)snprintf(why, sizeof(why), "no answer within %llu ms",
		               (unsigned long long)x->timeout_ms);
		cancel(h, x);
		end(h, x, H2_UNKNOWN, why);
		h->in_doubt = true;
		ping(h);
	}
	return next;
}

static void on_timer(void *arg)
{
	struct h2 *h = arg;
	uint64_t now = loop_now_ms(h->loop);
	uint64_t next;

	h->armed_ms = NEVER;
	if (now >= h->settings_due_ms) {
		fail(h, ERR_TIMEOUT, "no HTTP/2 SETTINGS from peer");
		return;
	}
	if (now >= h->ping_due_ms) {
		fail(h, ERR_TIMEOUT, "peer does not answer a PING");
		return;
	}
	next = time_out(h);
	pump(h);
	if (h->state < H2_CLOSED)
		arm(h,
		    earlier(next, earlier(h->settings_due_ms, h->ping_due_ms)));
}

/* tell_events calls the handler for what happened before the answers. */
static void tell_events(struct h2 *h)
{
	if (h->tell_ready) {
		h->tell_ready = false;
		h->told_slots = h2_slots(h);
		if (h->state == H2_READY)
			h->handler->on_ready(h->arg);
	}
	if (h->state != H2_FREED && h->tell_goaway) {
		h->tell_goaway = false;
		h->handler->on_goaway(h->arg, h->goaway_code,
		                      buf_str(&h->goaway_debug));
	}
}

/* work tells the owner all that was noted; any call may free |h|. */
static void work(void *arg)
{
	struct h2 *h = arg;

	h->deferred = false;
	tell_events(h);
	while (h->state != H2_FREED && tell_next(h))
		;
	if (h->state == H2_READY && h2_slots(h) != h->told_slots) {
		h->told_slots = h2_slots(h);
		h->handler->on_slots(h->arg);
	}
	if (h->state == H2_CLOSED && h->tell_closed && TAILQ_EMPTY(&h->ended)) {
		h->tell_closed = false;
		h->handler->on_closed(h->arg, h->rc, h->why.text);
	}
}

struct h2 *h2_new(struct loop *loop, struct stream *stream,
                  size_t in_flight_max, uint64_t settings_ms,
                  const struct h2_handler *handler, void *arg)
{
	struct h2 *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->stream = stream;
	h->handler = handler;
	h->arg = arg;
	h->in_flight_max = in_flight_max;
	TAILQ_INIT(&h->live);
	TAILQ_INIT(&h->ended);
	buf_init(&h->goaway_debug, GOAWAY_DEBUG_MAX);
	h->timer = loop_timer_new(loop, on_timer, h);
	h->armed_ms = NEVER;
	h->ping_due_ms = NEVER;
	h->settings_due_ms = loop_now_ms(loop) + settings_ms;
	arm(h, h->settings_due_ms);
	h->session = session_new(h);
	stream_set_handler(stream, &stream_handler, h);
	pump(h);
	return h;
}

size_t h2_slots(const struct h2 *h)
{
	size_t max = h->in_flight_max;

	if (h->state != H2_READY || h->in_doubt)
		return 0;
	if (h->peer_max < max)
		max = h->peer_max;
	return max > h->live_count ? max - h->live_count : 0;
}

size_t h2_in_flight(const struct h2 *h)
{
	return h->live_count + h->ended_count;
}

/* nghttp2 only reads what its fields point to. */
static nghttp2_nv nv(struct str name, struct str value, bool no_index)
{
	return (nghttp2_nv){
		.name = mem_unconst(name.data),
		.namelen = name.len,
		.value = mem_unconst(value.data),
		.valuelen = value.len,
		.flags = no_index ? NGHTTP2_NV_FLAG_NO_INDEX
		                  : NGHTTP2_NV_FLAG_NONE,
	};
}

/* send_request hands |x| to nghttp2. Returns the stream's id, or < 0. */
static int32_t send_request(struct h2 *h, const struct h2_request *request,
                            struct h2_exchange *x)
{
	const nghttp2_data_provider body = { .read_callback = on_read_body };
	nghttp2_nv fields[HEADERS_MAX];
	size_t count = 0;

	assert(request->header_count <= HEADERS_MAX - PSEUDO_HEADERS);
	fields[count++] = nv(STR(":method"), request->method, false);
	fields[count++] = nv(STR(":scheme"), request->scheme, false);
	fields[count++] = nv(STR(":authority"), request->authority, false);
	fields[count++] = nv(STR(":path"), request->path, false);
	for (size_t i = 0; i < request->header_count; i++) {
		const struct h2_header *header = &request->headers[i];

		fields[count++] =
			nv(header->name, header->value, header->no_index);
	}
	return nghttp2_submit_request(h->session, NULL, fields, count,
	                              x->body.len > 0 ? &body : NULL, x);
}

int h2_submit(struct h2 *h, const struct h2_request *request,
              uint64_t timeout_ms, h2_response_fn *fn, void *arg)
{
	struct h2_exchange *x;

	if (h2_slots(h) == 0)
		return ERR_UNAVAILABLE;
	x = h2_exchange_new(request->body, loop_now_ms(h->loop), timeout_ms, fn,
	                    arg);
	x->stream_id = send_request(h, request, x);
	if (x->stream_id < 0) {
		/* All 2^30 stream ids are used up: nothing fits any more. */
		h2_exchange_free(&x);
		h->state = H2_DRAINING;
		h->tell_goaway = true;
		later(h);
		return ERR_UNAVAILABLE;
	}
	TAILQ_INSERT_TAIL(&h->live, x, entry);
	h->live_count++;
	h->told_slots = h2_slots(h);
	arm(h, x->due_ms);
	pump(h);
	return ERR_OK;
}

void h2_ping(struct h2 *h)
{
	if (h->state >= H2_CLOSED)
		return;
	ping(h);
	pump(h);
}

/* sweep frees what work() may still have on its stack. */
static void sweep(void *arg)
{
	free(arg);
}

void h2_free(struct h2 **h)
{
	struct h2 *old = *h;

	*h = NULL;
	if (old == NULL)
		return;
	assert(old->state != H2_FREED);
	end_all(old, "connection given up");
	if (old->state < H2_CLOSED) {
		(void)nghttp2_session_terminate_session(old->session,
		                                        NGHTTP2_NO_ERROR);
		pump(old);
	}
	fail(old, ERR_CANCELED, "connection given up");
	old->state = H2_FREED;
	loop_defer_cancel(old->loop, work, old);
	while (tell_next(old))
		;
	loop_timer_free(&old->timer);
	nghttp2_session_del(old->session);
	buf_reset(&old->goaway_debug);
	loop_defer(old->loop, sweep, old);
}
