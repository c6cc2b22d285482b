/* SPDX-License-Identifier: ISC */
/*
 * h2 against nghttp2's server side, in memory and on a clock that the test
 * moves. Every test ends with the rule above all others: each request was
 * answered exactly once.
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "net/h2.h"
#include "unit/unit.h"

enum { REQUESTS_MAX = 400, TIMEOUT_MS = 15000, SETTINGS_MS = 10000 };

/* What the server saw of a request, by order of arrival. */
struct seen {
	int32_t stream_id;
	size_t body_len;
	bool ended;
	bool reset;
	uint32_t reset_code;
	char path[64];
};

struct asked {
	struct rig *test;
	int answers;
	enum h2_outcome outcome;
	int status;
	size_t body_len;
	char body[64];
	char retry_after[64];
	char why[160];
};

struct rig {
	struct loop *loop;
	struct fake_peer *peer;
	struct h2 *h2;
	nghttp2_session *server;
	struct seen seen[REQUESTS_MAX];
	size_t seen_count;
	int pings;
	bool deaf; /* the server reads nothing */
	struct asked asked[REQUESTS_MAX];
	size_t asked_count;
	bool free_in_answer;
	bool free_in_ready;
	int readies;
	int slots;
	int goaways;
	uint32_t goaway_code;
	char goaway_debug[64];
	int closes;
	int rc;
	char why[384];
};

/* keep copies |s| as text, cut to fit. */
static void keep(char *out, size_t size, struct str s)
{
	s = str_sub(s, 0, size - 1);
	if (s.len > 0)
		memcpy(out, s.data, s.len);
	out[s.len] = '\0';
}

/* --- the server ----------------------------------------------------------- */

static struct seen *seen_find(struct rig *t, int32_t stream_id)
{
	for (size_t i = 0; i < t->seen_count; i++) {
		if (t->seen[i].stream_id == stream_id)
			return &t->seen[i];
	}
	return NULL;
}

static int srv_begin(nghttp2_session *session, const nghttp2_frame *frame,
                     void *arg)
{
	struct rig *t = arg;

	(void)session;
	assert_true(t->seen_count < REQUESTS_MAX);
	t->seen[t->seen_count++].stream_id = frame->hd.stream_id;
	return 0;
}

static int srv_header(nghttp2_session *session, const nghttp2_frame *frame,
                      const uint8_t *name, size_t name_len,
                      const uint8_t *value, size_t value_len, uint8_t flags,
                      void *arg)
{
	struct seen *seen = seen_find(arg, frame->hd.stream_id);

	(void)session;
	(void)flags;
	if (str_eq(str_new(name, name_len), STR(":path")))
		keep(seen->path, sizeof(seen->path), str_new(value, value_len));
	return 0;
}

static int srv_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                     const uint8_t *data, size_t len, void *arg)
{
	(void)session;
	(void)flags;
	(void)data;
	seen_find(arg, stream_id)->body_len += len;
	return 0;
}

static int srv_frame(nghttp2_session *session, const nghttp2_frame *frame,
                     void *arg)
{
	struct rig *t = arg;
	struct seen *seen = seen_find(t, frame->hd.stream_id);

	(void)session;
	if (frame->hd.type == NGHTTP2_PING)
		t->pings++;
	if (seen == NULL)
		return 0;
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
	    (frame->hd.type == NGHTTP2_HEADERS ||
	     frame->hd.type == NGHTTP2_DATA))
		seen->ended = true;
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		seen->reset = true;
		seen->reset_code = frame->rst_stream.error_code;
	}
	return 0;
}

static void server_new(struct rig *t)
{
	nghttp2_session_callbacks *cb = NULL;

	assert_ok(nghttp2_session_callbacks_new(&cb));
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, srv_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, srv_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb,
	                                                          srv_chunk);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, srv_frame);
	assert_ok(nghttp2_session_server_new(&t->server, cb, t));
	nghttp2_session_callbacks_del(cb);
}

/* server_recv reads what the client wrote. Returns whether there was any. */
static bool server_recv(struct rig *t)
{
	struct str in = fake_written(t->peer);

	if (t->deaf || in.len == 0)
		return false;
	assert_int_equal(nghttp2_session_mem_recv(
				 t->server, (const uint8_t *)in.data, in.len),
	                 in.len);
	fake_written_clear(t->peer);
	return true;
}

/* server_send sends all that the server has to say, as one chunk. */
static bool server_send(struct rig *t)
{
	const uint8_t *data;
	struct buf out;
	ssize_t len;
	bool any;

	buf_init(&out, 1024 * 1024);
	while ((len = nghttp2_session_mem_send(t->server, &data)) > 0)
		assert_ok(buf_append(&out, data, (size_t)len));
	any = out.len > 0;
	fake_push(t->peer, buf_str(&out));
	buf_reset(&out);
	return any;
}

/* talk lets both sides say what they have to say. */
static void talk(struct rig *t)
{
	bool more = true;

	while (more) {
		fake_run(t->loop);
		more = server_recv(t);
		more = server_send(t) || more;
	}
}

static void settings(struct rig *t, int32_t id, uint32_t value)
{
	const nghttp2_settings_entry entry = { id, value };

	assert_ok(nghttp2_submit_settings(t->server, NGHTTP2_FLAG_NONE, &entry,
	                                  1));
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = strlen(value),
	};
}

static ssize_t srv_read(nghttp2_session *session, int32_t stream_id,
                        uint8_t *out, size_t len, uint32_t *flags,
                        nghttp2_data_source *source, void *arg)
{
	struct buf *body = source->ptr;

	(void)session;
	(void)stream_id;
	(void)arg;
	if (len > body->len)
		len = body->len;
	memcpy(out, body->data, len);
	buf_consume(body, len);
	if (body->len == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

/* respond answers the |i|-th request; |body| is consumed by the next talk. */
static void respond(struct rig *t, size_t i, const char *status,
                    struct buf *body)
{
	const nghttp2_nv fields[] = { nv(":status", status),
		                      nv("retry-after", "120") };
	const nghttp2_data_provider provider = { .source.ptr = body,
		                                 .read_callback = srv_read };

	assert_true(i < t->seen_count);
	assert_ok(nghttp2_submit_response(t->server, t->seen[i].stream_id,
	                                  fields, 2,
	                                  body != NULL ? &provider : NULL));
}

static void reset(struct rig *t, size_t i, uint32_t code)
{
	assert_ok(nghttp2_submit_rst_stream(t->server, NGHTTP2_FLAG_NONE,
	                                    t->seen[i].stream_id, code));
}

/* --- the client ----------------------------------------------------------- */

static void on_ready(void *arg)
{
	struct rig *t = arg;

	t->readies++;
	if (t->free_in_ready)
		h2_free(&t->h2);
}

static void on_slots(void *arg)
{
	struct rig *t = arg;

	t->slots++;
}

static void on_goaway(void *arg, uint32_t code, struct str debug)
{
	struct rig *t = arg;

	t->goaways++;
	t->goaway_code = code;
	keep(t->goaway_debug, sizeof(t->goaway_debug), debug);
}

static void on_closed(void *arg, int rc, const char *why)
{
	struct rig *t = arg;

	t->closes++;
	t->rc = rc;
	(void)snprintf(t->why, sizeof(t->why), "%s", why);
	for (size_t i = 0; i < t->asked_count; i++)
		assert_int_equal(t->asked[i].answers, 1);
	h2_free(&t->h2);
}

static const struct h2_handler handler = {
	.on_ready = on_ready,
	.on_slots = on_slots,
	.on_goaway = on_goaway,
	.on_closed = on_closed,
};

static void on_response(void *arg, const struct h2_response *response)
{
	struct asked *a = arg;

	a->answers++;
	a->outcome = response->outcome;
	a->status = response->status;
	a->body_len = response->body.len;
	keep(a->body, sizeof(a->body), response->body);
	keep(a->retry_after, sizeof(a->retry_after), response->retry_after);
	(void)snprintf(a->why, sizeof(a->why), "%s", response->why);
	if (a->test->free_in_answer)
		h2_free(&a->test->h2);
}

static int submit_for(struct rig *t, struct str body, uint64_t timeout_ms)
{
	const struct h2_header headers[] = {
		{ STR("apns-topic"), STR("com.apple.mail.XServer.x"), false },
		{ STR("apns-id"), STR("8f1c"), true },
	};
	char path[64];
	struct h2_request request = { .method = STR("POST"),
		                      .scheme = STR("https"),
		                      .authority = STR("api.push.apple.com"),
		                      .headers = headers,
		                      .header_count = 2,
		                      .body = body };
	int rc;

	assert_true(t->asked_count < REQUESTS_MAX);
	(void)snprintf(path, sizeof(path), "/3/device/%zu", t->asked_count);
	request.path = str_of(path);
	t->asked[t->asked_count].test = t;
	rc = h2_submit(t->h2, &request, timeout_ms, on_response,
	               &t->asked[t->asked_count]);
	if (rc == ERR_OK)
		t->asked_count++;
	return rc;
}

static int submit(struct rig *t)
{
	return submit_for(t, STR("{\"aps\":{}}"), TIMEOUT_MS);
}

/* Not on the stack: it is too large for that. */
static struct rig *rig_new(size_t in_flight_max)
{
	struct rig *t = xcalloc(1, sizeof(*t));
	struct stream *stream;

	t->loop = loop_new();
	stream = fake_stream_new(t->loop, &t->peer);
	fake_set_tls(t->peer, "h2");
	fake_run(t->loop);
	server_new(t);
	t->h2 = h2_new(t->loop, stream, in_flight_max, SETTINGS_MS, &handler,
	               t);
	return t;
}

/* rig_ready is a connection whose peer allows |peer_max| at once. */
static struct rig *rig_ready(size_t in_flight_max, uint32_t peer_max)
{
	struct rig *t = rig_new(in_flight_max);

	settings(t, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, peer_max);
	talk(t);
	assert_int_equal(t->readies, 1);
	return t;
}

static void rig_free(struct rig *t)
{
	h2_free(&t->h2);
	for (size_t i = 0; i < t->asked_count; i++)
		assert_int_equal(t->asked[i].answers, 1);
	fake_run(t->loop);
	nghttp2_session_del(t->server);
	fake_peer_free(&t->peer);
	loop_free(&t->loop);
	free(t);
}

/* --- the rules --------------------------------------------------------------
 */

static void nothing_before_settings(void **state)
{
	struct rig *t = rig_new(10);

	(void)state;
	fake_run(t->loop);
	assert_int_equal(h2_slots(t->h2), 0);
	assert_int_equal(submit(t), ERR_UNAVAILABLE);
	assert_int_equal(t->readies, 0);
	settings(t, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 3);
	talk(t);
	assert_int_equal(t->readies, 1);
	assert_int_equal(h2_slots(t->h2), 3);
	rig_free(t);
}

static void no_settings_in_time(void **state)
{
	struct rig *t = rig_new(10);

	(void)state;
	fake_clock_advance(t->loop, SETTINGS_MS - 1);
	assert_int_equal(t->closes, 0);
	fake_clock_advance(t->loop, 1);
	assert_int_equal(t->closes, 1);
	assert_int_equal(t->rc, ERR_TIMEOUT);
	rig_free(t);
}

static void request_and_answer(void **state)
{
	struct rig *t = rig_ready(10, 100);
	struct buf body;

	(void)state;
	assert_int_equal(h2_slots(t->h2), 10);
	assert_ok(submit(t));
	assert_int_equal(h2_in_flight(t->h2), 1);
	assert_int_equal(h2_slots(t->h2), 9);
	talk(t);
	assert_int_equal(t->seen_count, 1);
	assert_string_equal(t->seen[0].path, "/3/device/0");
	assert_int_equal(t->seen[0].body_len, 10);
	assert_true(t->seen[0].ended);
	buf_init(&body, 100);
	assert_ok(buf_adds(&body, "{\"reason\":\"TooManyRequests\"}"));
	respond(t, 0, "429", &body);
	talk(t);
	assert_int_equal(t->asked[0].outcome, H2_ANSWERED);
	assert_int_equal(t->asked[0].status, 429);
	assert_string_equal(t->asked[0].body,
	                    "{\"reason\":\"TooManyRequests\"}");
	assert_string_equal(t->asked[0].retry_after, "120");
	assert_int_equal(h2_in_flight(t->h2), 0);
	assert_int_equal(h2_slots(t->h2), 10);
	assert_true(t->slots > 0);
	rig_free(t);
}

static void headers_only_answer(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	assert_ok(submit_for(t, STR_NULL, TIMEOUT_MS));
	talk(t);
	assert_true(t->seen[0].ended);
	respond(t, 0, "200", NULL);
	talk(t);
	assert_int_equal(t->asked[0].status, 200);
	assert_int_equal(t->asked[0].body_len, 0);
	rig_free(t);
}

static void early_hints_are_not_the_answer(void **state)
{
	struct rig *t = rig_ready(10, 100);
	const nghttp2_nv hint = nv(":status", "103");

	(void)state;
	assert_ok(submit(t));
	talk(t);
	assert_ok(nghttp2_submit_headers(t->server, NGHTTP2_FLAG_NONE,
	                                 t->seen[0].stream_id, NULL, &hint, 1,
	                                 NULL));
	talk(t);
	assert_int_equal(t->asked[0].answers, 0);
	respond(t, 0, "200", NULL);
	talk(t);
	assert_int_equal(t->asked[0].status, 200);
	rig_free(t);
}

static void limit_follows_the_peer(void **state)
{
	struct rig *t = rig_ready(10, 4);

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_ok(submit(t));
	assert_int_equal(submit(t), ERR_UNAVAILABLE);
	talk(t);
	settings(t, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
	talk(t);
	assert_int_equal(h2_slots(t->h2), 0);
	for (size_t i = 0; i < 3; i++)
		respond(t, i, "200", NULL);
	talk(t);
	assert_int_equal(h2_slots(t->h2), 0); /* one in flight, one allowed */
	respond(t, 3, "200", NULL);
	talk(t);
	assert_int_equal(h2_slots(t->h2), 1);
	t->slots = 0;
	settings(t, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000);
	talk(t);
	assert_int_equal(t->slots, 1);
	assert_int_equal(h2_slots(t->h2), 10);
	rig_free(t);
}

static void refused_was_not_processed(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	assert_ok(submit(t));
	assert_ok(submit(t));
	talk(t);
	reset(t, 0, NGHTTP2_REFUSED_STREAM);
	reset(t, 1, NGHTTP2_ENHANCE_YOUR_CALM);
	talk(t);
	assert_int_equal(t->asked[0].outcome, H2_NOT_PROCESSED);
	assert_int_equal(t->asked[1].outcome, H2_UNKNOWN);
	assert_string_equal(t->asked[1].why, "stream reset: ENHANCE_YOUR_CALM");
	assert_int_equal(h2_slots(t->h2), 10);
	rig_free(t);
}

static void goaway_mid_flight(void **state)
{
	static const char debug[] = "{\"reason\":\"Shutdown\"}";
	struct rig *t = rig_ready(10, 100);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_ok(submit(t));
	talk(t);
	assert_ok(nghttp2_submit_goaway(
		t->server, NGHTTP2_FLAG_NONE, t->seen[1].stream_id,
		NGHTTP2_NO_ERROR, (const uint8_t *)debug, sizeof(debug) - 1));
	talk(t);
	assert_int_equal(t->goaways, 1);
	assert_string_equal(t->goaway_debug, debug);
	assert_int_equal(h2_slots(t->h2), 0);
	assert_int_equal(submit(t), ERR_UNAVAILABLE);
	assert_int_equal(t->asked[2].outcome, H2_NOT_PROCESSED);
	assert_int_equal(h2_in_flight(t->h2), 2);
	respond(t, 0, "200", NULL);
	talk(t);
	assert_int_equal(t->closes, 0);
	respond(t, 1, "410", NULL);
	talk(t);
	assert_int_equal(t->asked[0].status, 200);
	assert_int_equal(t->asked[1].status, 410);
	assert_int_equal(t->closes, 1);
	assert_int_equal(t->rc, ERR_CLOSED);
	rig_free(t);
}

static void goaway_meets_a_request_on_its_way(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	assert_ok(nghttp2_submit_goaway(t->server, NGHTTP2_FLAG_NONE, 0,
	                                NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0));
	assert_true(server_send(t));
	assert_ok(submit(t)); /* before the GOAWAY is read */
	talk(t);
	assert_int_equal(t->asked[0].outcome, H2_NOT_PROCESSED);
	assert_int_equal(t->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_int_equal(t->closes, 1);
	rig_free(t);
}

static void timeout_resets_and_pings(void **state)
{
	struct rig *t = rig_ready(10, 100);
	int told;

	(void)state;
	assert_ok(submit_for(t, STR("x"), 1000));
	assert_ok(submit_for(t, STR("x"), 9000));
	talk(t);
	fake_clock_advance(t->loop, 999);
	assert_int_equal(t->asked[0].answers, 0);
	fake_clock_advance(t->loop, 1);
	assert_int_equal(t->asked[0].outcome, H2_UNKNOWN);
	assert_string_equal(t->asked[0].why, "no answer within 1000 ms");
	/* Asked again, it might be acted on twice. */
	assert_int_equal(h2_slots(t->h2), 0);
	told = t->slots;
	talk(t);
	assert_int_equal(h2_slots(t->h2), 9);
	assert_true(t->slots > told);
	assert_true(t->seen[0].reset);
	assert_int_equal(t->seen[0].reset_code, NGHTTP2_CANCEL);
	assert_int_equal(t->pings, 1);
	/* The peer lives: the other one waits on. */
	fake_clock_advance(t->loop, 6000);
	assert_int_equal(t->closes, 0);
	respond(t, 1, "200", NULL);
	talk(t);
	assert_int_equal(t->asked[1].status, 200);
	rig_free(t);
}

static void dead_peer_is_found_by_ping(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	assert_ok(submit_for(t, STR("x"), 1000));
	assert_ok(submit_for(t, STR("x"), 60000));
	talk(t);
	t->deaf = true;
	fake_clock_advance(t->loop, 1000 + 4999);
	assert_int_equal(t->closes, 0);
	fake_clock_advance(t->loop, 1);
	assert_int_equal(t->closes, 1);
	assert_int_equal(t->rc, ERR_TIMEOUT);
	assert_int_equal(t->asked[1].outcome, H2_UNKNOWN);
	rig_free(t);
}

static void ping_alone(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	h2_ping(t->h2);
	h2_ping(t->h2); /* one is enough */
	talk(t);
	assert_int_equal(t->pings, 1);
	fake_clock_advance(t->loop, 10000);
	assert_int_equal(t->closes, 0);
	t->deaf = true;
	h2_ping(t->h2);
	fake_clock_advance(t->loop, 5000);
	assert_int_equal(t->closes, 1);
	rig_free(t);
}

static void answer_before_body(void **state)
{
	struct rig *t = rig_new(10);
	const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 },
	};

	(void)state;
	assert_ok(nghttp2_submit_settings(t->server, NGHTTP2_FLAG_NONE, entries,
	                                  1));
	talk(t);
	assert_ok(submit(t));
	/* Only what the window allows arrives. */
	fake_run(t->loop);
	assert_true(server_recv(t));
	assert_int_equal(t->seen[0].body_len, 4);
	assert_false(t->seen[0].ended);
	respond(t, 0, "413", NULL);
	assert_true(server_send(t));
	fake_run(t->loop);
	assert_int_equal(t->asked[0].outcome, H2_ANSWERED);
	assert_int_equal(t->asked[0].status, 413);
	assert_int_equal(h2_slots(t->h2), 10);
	talk(t);
	assert_true(t->seen[0].reset);
	rig_free(t);
}

static void tiny_windows(void **state)
{
	static char block[4096];
	struct rig *t = rig_new(10);

	(void)state;
	settings(t, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 7);
	talk(t);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 5; i++)
		assert_ok(submit_for(t, str_new(block, sizeof(block)),
		                     TIMEOUT_MS));
	talk(t);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(t->seen[i].body_len, sizeof(block));
		assert_true(t->seen[i].ended);
		respond(t, i, "200", NULL);
	}
	talk(t);
	rig_free(t);
}

static void long_body_is_cut(void **state)
{
	struct rig *t = rig_ready(10, 100);
	struct buf body;

	(void)state;
	assert_ok(submit(t));
	talk(t);
	buf_init(&body, 100000);
	while (body.len < 50000)
		assert_ok(buf_adds(&body, "0123456789"));
	respond(t, 0, "500", &body);
	talk(t);
	assert_int_equal(t->asked[0].outcome, H2_ANSWERED);
	assert_int_equal(t->asked[0].status, 500);
	assert_int_equal(t->asked[0].body_len, H2_BODY_MAX);
	assert_int_equal(h2_slots(t->h2), 10);
	buf_reset(&body);
	rig_free(t);
}

static void endless_header_is_refused(void **state)
{
	static char value[8000];
	struct rig *t = rig_ready(10, 100);
	nghttp2_nv fields[4];

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	assert_ok(submit(t));
	talk(t);
	fields[0] = nv(":status", "200");
	fields[1] = nv("a", value);
	fields[2] = nv("b", value);
	fields[3] = nv("c", value);
	assert_ok(nghttp2_submit_response(t->server, t->seen[0].stream_id,
	                                  fields, 4, NULL));
	talk(t);
	assert_int_equal(t->asked[0].outcome, H2_UNKNOWN);
	assert_int_equal(t->closes, 0);
	rig_free(t);
}

/* RFC 9110 section 15. */
static void no_status_is_a_server_error(void **state)
{
	static const char *const statuses[] = { "000", "099", "600", "999" };
	struct rig *t = rig_ready(10, 100);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_ok(submit(t));
		talk(t);
		respond(t, i, statuses[i], NULL);
		talk(t);
		assert_int_equal(t->asked[i].outcome, H2_ANSWERED);
		assert_int_equal(t->asked[i].status, 500);
	}
	rig_free(t);
}

static void loss_mid_flight(void **state)
{
	for (int eof = 0; eof < 2; eof++) {
		struct rig *t = rig_ready(10, 100);

		(void)state;
		assert_ok(submit(t));
		assert_ok(submit(t));
		talk(t);
		respond(t, 0, "200", NULL);
		talk(t);
		if (eof)
			fake_push_eof(t->peer);
		else
			fake_break(t->peer, ERR_CLOSED, "Connection reset");
		talk(t);
		assert_int_equal(t->asked[0].outcome, H2_ANSWERED);
		assert_int_equal(t->asked[1].outcome, H2_UNKNOWN);
		assert_int_equal(t->closes, 1);
		assert_int_equal(t->rc, ERR_CLOSED);
		rig_free(t);
	}
}

static void answer_just_before_the_loss(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	assert_ok(submit(t));
	assert_ok(submit(t));
	talk(t);
	respond(t, 0, "200", NULL);
	assert_true(server_send(t));
	fake_push_eof(t->peer);
	talk(t);
	assert_int_equal(t->asked[0].outcome, H2_ANSWERED);
	assert_int_equal(t->asked[1].outcome, H2_UNKNOWN);
	rig_free(t);
}

/* A peer that does not read stops us from writing; what stayed here is known
 * not to have been processed. */
static void unwritten_was_not_processed(void **state)
{
	static char block[1000];
	struct rig *t = rig_ready(REQUESTS_MAX, REQUESTS_MAX);
	size_t unwritten = 0;

	(void)state;
	memset(block, 'x', sizeof(block));
	fake_stall(t->peer);
	for (int i = 0; i < 200; i++)
		assert_ok(submit_for(t, str_new(block, sizeof(block)),
		                     TIMEOUT_MS));
	fake_run(t->loop);
	fake_break(t->peer, ERR_CLOSED, "Connection reset");
	fake_run(t->loop);
	for (size_t i = 0; i < t->asked_count; i++)
		unwritten += t->asked[i].outcome == H2_NOT_PROCESSED;
	assert_true(unwritten > 100);
	assert_true(unwritten < 150);
	rig_free(t);
}

static void slow_peer_gets_all_in_the_end(void **state)
{
	static char block[1000];
	struct rig *t = rig_ready(REQUESTS_MAX, REQUESTS_MAX);

	(void)state;
	memset(block, 'x', sizeof(block));
	fake_stall(t->peer);
	for (int i = 0; i < 200; i++)
		assert_ok(submit_for(t, str_new(block, sizeof(block)),
		                     TIMEOUT_MS));
	fake_run(t->loop);
	fake_unstall(t->peer);
	talk(t);
	assert_int_equal(t->seen_count, 200);
	for (size_t i = 0; i < 200; i++)
		respond(t, i, "200", NULL);
	talk(t);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(t->asked[i].outcome, H2_ANSWERED);
	rig_free(t);
}

static void free_from_inside(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_ok(submit(t));
	talk(t);
	t->free_in_answer = true;
	respond(t, 0, "200", NULL);
	respond(t, 1, "200", NULL);
	talk(t);
	assert_null(t->h2);
	assert_int_equal(t->asked[0].outcome, H2_ANSWERED);
	assert_int_equal(t->asked[1].outcome, H2_ANSWERED);
	assert_int_equal(t->asked[2].outcome, H2_UNKNOWN);
	assert_int_equal(t->closes, 0);
	assert_true(fake_is_closed(t->peer));
	rig_free(t);

	t = rig_new(10);
	t->free_in_ready = true;
	settings(t, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
	talk(t);
	assert_null(t->h2);
	rig_free(t);
}

static void garbage_closes(void **state)
{
	struct rig *t = rig_ready(10, 100);

	(void)state;
	assert_ok(submit(t));
	talk(t);
	/* DATA on stream 0 */
	fake_push(t->peer, STR("\0\0\1\0\0\0\0\0\0x"));
	fake_run(t->loop);
	assert_int_equal(t->closes, 1);
	assert_int_equal(t->rc, ERR_CLOSED);
	assert_non_null(strstr(t->why, "broke the protocol"));
	assert_int_equal(t->asked[0].outcome, H2_UNKNOWN);
	rig_free(t);
}

static void not_http2_at_all(void **state)
{
	struct rig *t = rig_new(10);

	(void)state;
	fake_push(t->peer, STR("HTTP/1.1 400 Bad Request\r\n\r\n"));
	fake_run(t->loop);
	assert_int_equal(t->closes, 1);
	rig_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_before_settings),
		cmocka_unit_test(no_settings_in_time),
		cmocka_unit_test(request_and_answer),
		cmocka_unit_test(headers_only_answer),
		cmocka_unit_test(early_hints_are_not_the_answer),
		cmocka_unit_test(limit_follows_the_peer),
		cmocka_unit_test(refused_was_not_processed),
		cmocka_unit_test(goaway_mid_flight),
		cmocka_unit_test(goaway_meets_a_request_on_its_way),
		cmocka_unit_test(timeout_resets_and_pings),
		cmocka_unit_test(dead_peer_is_found_by_ping),
		cmocka_unit_test(ping_alone),
		cmocka_unit_test(answer_before_body),
		cmocka_unit_test(tiny_windows),
		cmocka_unit_test(long_body_is_cut),
		cmocka_unit_test(endless_header_is_refused),
		cmocka_unit_test(no_status_is_a_server_error),
		cmocka_unit_test(loss_mid_flight),
		cmocka_unit_test(answer_just_before_the_loss),
		cmocka_unit_test(unwritten_was_not_processed),
		cmocka_unit_test(slow_peer_gets_all_in_the_end),
		cmocka_unit_test(free_from_inside),
		cmocka_unit_test(garbage_closes),
		cmocka_unit_test(not_http2_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
