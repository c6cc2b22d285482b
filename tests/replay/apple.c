/* SPDX-License-Identifier: ISC */
/* apple - see apple.h. */
#include "replay/apple.h"

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "replay/clock.h"
#include "replay/conn.h"
#include "replay/script.h"
#include "replay/transcript.h"

enum { BODY_MAX = 8192, HEADERS_MAX = 16 };

#define PATH "/3/device/"

struct header {
	struct str name;
	struct str value;
};

struct request {
	TAILQ_ENTRY(request) entry;
	struct link *link;
	int32_t stream_id;
	struct str token;
	struct header headers[HEADERS_MAX];
	size_t header_count;
	struct buf body;
	struct buf reply; /* what nghttp2 reads */
	size_t replied;
	bool whole;
	bool answered;
};

/* A connection. */
struct link {
	TAILQ_ENTRY(link) entry;
	struct fake_peer *peer;
	nghttp2_session *session;
	size_t taken; /* of what was written to us */
	TAILQ_HEAD(, request) requests;
	int32_t answered; /* the highest stream of those */
};

struct event {
	STAILQ_ENTRY(event) entry;
	struct str line;
};

static TAILQ_HEAD(link_list, link) links = TAILQ_HEAD_INITIALIZER(links);
static STAILQ_HEAD(, event) events = STAILQ_HEAD_INITIALIZER(events);
static enum mode mode;
static struct header last[HEADERS_MAX]; /* of the push that came last */

void apple_set_mode(enum mode to)
{
	mode = to;
}

/* Events. */

static void add_event(const char *what, struct str token, struct str rest)
{
	struct event *e = xcalloc(1, sizeof(*e));
	struct buf line;

	buf_init(&line, BODY_MAX + 1024);
	must(buf_adds(&line, what));
	if (token.len > 0) {
		must(buf_adds(&line, " "));
		must(buf_add(&line, token));
	}
	if (rest.len > 0) {
		must(buf_adds(&line, " "));
		must(buf_add(&line, rest));
	}
	transcript_said("imapbell", "apns", buf_str(&line));
	e->line = str_dup(buf_str(&line));
	STAILQ_INSERT_TAIL(&events, e, entry);
	buf_reset(&line);
}

bool apple_event(struct str *line_r)
{
	const struct event *e = STAILQ_FIRST(&events);

	if (e == NULL)
		return false;
	*line_r = e->line;
	return true;
}

void apple_take(void)
{
	struct event *e = STAILQ_FIRST(&events);

	STAILQ_REMOVE_HEAD(&events, entry);
	str_free(&e->line);
	free(e);
}

/* Requests. */

static void forget_last(void)
{
	for (size_t i = 0; i < HEADERS_MAX; i++) {
		str_free(&last[i].name);
		str_free(&last[i].value);
	}
}

static void keep_last(const struct request *r)
{
	forget_last();
	for (size_t i = 0; i < r->header_count; i++) {
		last[i].name = str_dup(r->headers[i].name);
		last[i].value = str_dup(r->headers[i].value);
	}
}

struct str apple_header(struct str name)
{
	for (size_t i = 0; i < HEADERS_MAX; i++)
		if (str_eq(last[i].name, name))
			return last[i].value;
	return STR_NULL;
}

static void request_free(struct request *r)
{
	TAILQ_REMOVE(&r->link->requests, r, entry);
	for (size_t i = 0; i < r->header_count; i++) {
		str_free(&r->headers[i].name);
		str_free(&r->headers[i].value);
	}
	str_free(&r->token);
	buf_reset(&r->body);
	buf_reset(&r->reply);
	free(r);
}

static struct request *find_request(const struct link *l, int32_t stream_id)
{
	struct request *r;

	TAILQ_FOREACH(r, &l->requests, entry) {
		if (r->stream_id == stream_id)
			break;
	}
	return r;
}

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *arg)
{
	struct link *l = arg;
	struct request *r = xcalloc(1, sizeof(*r));

	(void)session;
	r->link = l;
	r->stream_id = frame->hd.stream_id;
	buf_init(&r->body, BODY_MAX);
	buf_init(&r->reply, BODY_MAX);
	TAILQ_INSERT_TAIL(&l->requests, r, entry);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *arg)
{
	struct request *r = find_request(arg, frame->hd.stream_id);
	struct str path = str_new(value, value_len);
	struct header *h;

	(void)session;
	(void)flags;
	assert(r != NULL && r->header_count < HEADERS_MAX);
	h = &r->headers[r->header_count++];
	h->name = str_dup(str_new(name, name_len));
	h->value = str_dup(path);
	if (str_eq(h->name, STR(":path"))) {
		assert(str_starts(path, STR(PATH)));
		(void)str_take(&path, sizeof(PATH) - 1);
		r->token = str_dup(path);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                   const uint8_t *data, size_t len, void *arg)
{
	struct request *r = find_request(arg, stream_id);

	(void)session;
	(void)flags;
	if (r != NULL)
		must(buf_append(&r->body, data, len));
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                    void *arg)
{
	struct link *l = arg;
	struct request *r = find_request(l, frame->hd.stream_id);
	bool ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;

	(void)session;
	if (frame->hd.type == NGHTTP2_PING && !ack) {
		add_event("ping", STR_NULL, STR_NULL);
	} else if (frame->hd.type == NGHTTP2_RST_STREAM && r != NULL) {
		if (!r->answered)
			add_event("reset", r->token, STR_NULL);
	} else if ((frame->hd.type == NGHTTP2_DATA ||
	            frame->hd.type == NGHTTP2_HEADERS) &&
	           (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
		assert(r != NULL);
		r->whole = true;
		keep_last(r);
		add_event("push", r->token, buf_str(&r->body));
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id,
                           uint32_t code, void *arg)
{
	struct request *r = find_request(arg, stream_id);

	(void)session;
	(void)code;
	if (r != NULL)
		request_free(r);
	return 0;
}

/* Connections. */

static void link_free(struct link *l)
{
	struct request *r;
	struct request *next;

	for (r = TAILQ_FIRST(&l->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		request_free(r);
	}
	nghttp2_session_del(l->session);
	fake_peer_free(&l->peer);
	TAILQ_REMOVE(&links, l, entry);
	free(l);
}

static void link_new(struct fake_peer *peer)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000 },
	};
	struct link *l = xcalloc(1, sizeof(*l));
	nghttp2_session_callbacks *callbacks;

	l->peer = peer;
	TAILQ_INIT(&l->requests);
	TAILQ_INSERT_TAIL(&links, l, entry);
	fake_set_tls(peer, "h2");
	must(nghttp2_session_callbacks_new(&callbacks));
	nghttp2_session_callbacks_set_on_begin_headers_callback(
		callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
	                                                          on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
	                                                     on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
	                                                       on_stream_close);
	must(nghttp2_session_server_new(&l->session, callbacks, l));
	nghttp2_session_callbacks_del(callbacks);
	must(nghttp2_submit_settings(l->session, 0, settings, 1));
	add_event("connect", STR_NULL, STR_NULL);
}

static bool answer_dials(void)
{
	struct loop *loop = clock_loop();

	if (mode == MODE_DEAD || fake_dials_waiting_to(loop, APPLE_PORT) == 0)
		return false;
	fake_dial_only(loop, APPLE_PORT);
	if (mode == MODE_DOWN)
		fake_dial_fail(loop, 0, ERR_CLOSED,
		               "connect to apns: Connection refused");
	else
		link_new(fake_dial_connect(loop, 0));
	return true;
}

/* link_read gives nghttp2 what came. */
static bool link_read(struct link *l)
{
	struct str in = str_sub(fake_written(l->peer), l->taken, SIZE_MAX);
	ssize_t rc;

	if (in.len == 0)
		return false;
	l->taken += in.len;
	rc = nghttp2_session_mem_recv(l->session, (const uint8_t *)in.data,
	                              in.len);
	if (rc < 0 || (size_t)rc != in.len)
		script_fail("apns: what came is no HTTP/2: %s",
		            nghttp2_strerror((int)rc));
	return true;
}

static bool link_write(struct link *l)
{
	const uint8_t *data;
	bool any = false;
	ssize_t len;

	while ((len = nghttp2_session_mem_send(l->session, &data)) > 0) {
		conn_push(l->peer, str_new(data, (size_t)len));
		any = true;
	}
	if (len < 0)
		script_fail("apns: %s", nghttp2_strerror((int)len));
	return any;
}

/* link_work does what is due on a connection; a mute one is never looked at but
 * for its end. */
static bool link_work(struct link *l)
{
	bool any = false;

	if (mode != MODE_MUTE) {
		any = link_read(l);
		any |= link_write(l);
	}
	if (any || !(fake_is_closed(l->peer) || fake_is_aborted(l->peer)))
		return any;
	link_free(l);
	add_event("close", STR_NULL, STR_NULL);
	return true;
}

bool apple_work(void)
{
	struct link *l;
	struct link *next;
	bool any = answer_dials();

	for (l = TAILQ_FIRST(&links); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		any |= link_work(l);
	}
	return any;
}

/* Answers. */

static ssize_t read_reply(nghttp2_session *session, int32_t stream_id,
                          uint8_t *out, size_t len, uint32_t *flags,
                          nghttp2_data_source *source, void *arg)
{
	struct request *r = source->ptr;
	size_t left = r->reply.len - r->replied;

	(void)session;
	(void)stream_id;
	(void)arg;
	if (len > left)
		len = left;
	if (len > 0)
		memcpy(out, r->reply.data + r->replied, len);
	r->replied += len;
	if (r->replied == r->reply.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

/* find_open finds the oldest request without an answer. */
static struct request *find_open(struct str token)
{
	struct link *l;
	struct request *r;

	TAILQ_FOREACH(l, &links, entry) {
		TAILQ_FOREACH(r, &l->requests, entry) {
			if (r->whole && !r->answered &&
			    (token.len == 0 || str_eq(r->token, token)))
				return r;
		}
	}
	return NULL;
}

static nghttp2_nv nv(struct str name, struct str value)
{
	/* nghttp2 copies both and does not write to them. */
	return (nghttp2_nv){
		.name = (uint8_t *)mem_unconst(name.data),
		.namelen = name.len,
		.value = (uint8_t *)mem_unconst(value.data),
		.valuelen = value.len,
	};
}

/* write_body: {"reason":"Unregistered","timestamp":1767225600000}. */
static void write_body(struct request *r, const struct apple_answer *a)
{
	if (a->reason.len == 0)
		return;
	must(buf_adds(&r->reply, "{\"reason\":\""));
	must(buf_add(&r->reply, a->reason));
	must(buf_adds(&r->reply, "\""));
	if (a->timestamp_ms != 0)
		must(buf_printf(&r->reply, ",\"timestamp\":%lld",
		                (long long)a->timestamp_ms));
	must(buf_adds(&r->reply, "}"));
}

bool apple_answer(struct str token, const struct apple_answer *answer)
{
	struct request *r = find_open(token);
	nghttp2_data_provider body = { .read_callback = read_reply };
	nghttp2_nv headers[2];
	char status[16];
	size_t count = 1;

	if (r == NULL)
		return false;
	r->answered = true;
	if (r->stream_id > r->link->answered)
		r->link->answered = r->stream_id;
	(void)snprintf(status, sizeof(status), "%d", answer->status);
	headers[0] = nv(STR(":status"), str_of(status));
	if (answer->retry_after.len > 0)
		headers[count++] = nv(STR("retry-after"), answer->retry_after);
	write_body(r, answer);
	body.source.ptr = r;
	must(nghttp2_submit_response(r->link->session, r->stream_id, headers,
	                             count, r->reply.len > 0 ? &body : NULL));
	return true;
}

void apple_goaway(bool refusing, struct str text)
{
	struct link *l = TAILQ_LAST(&links, link_list);
	int32_t id;

	if (l == NULL)
		script_fail("there is no connection to APNs");
	id = refusing ? l->answered
	              : nghttp2_session_get_last_proc_stream_id(l->session);
	must(nghttp2_submit_goaway(l->session, 0, id, NGHTTP2_NO_ERROR,
	                           (const uint8_t *)text.data, text.len));
}

void apple_allow(uint32_t requests)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, requests },
	};
	struct link *l;

	TAILQ_FOREACH(l, &links, entry) {
		must(nghttp2_submit_settings(l->session, 0, settings, 1));
	}
}

void apple_break(int rc, const char *why)
{
	struct link *l;

	while ((l = TAILQ_FIRST(&links)) != NULL) {
		fake_break(l->peer, rc, why);
		link_free(l);
	}
}

void apple_close(void)
{
	struct link *l;

	while ((l = TAILQ_FIRST(&links)) != NULL) {
		fake_push_eof(l->peer);
		link_free(l);
	}
}

void apple_free(void)
{
	struct link *l;
	struct str line;

	while ((l = TAILQ_FIRST(&links)) != NULL)
		link_free(l);
	while (apple_event(&line))
		apple_take();
	forget_last();
}
