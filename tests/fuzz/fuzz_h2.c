/* SPDX-License-Identifier: ISC */
/*
 * A server's half of an HTTP/2 connection, as a script (input.h):
 *	|F type flags stream payload	a frame, its length added; one hex
 *					digit each, or the octet as it is
 *	|r octets	as they are	|q digit	a request, of that size
 *	|t digit	time passes	|p	h2_ping
 *	|s |u		we do not read, and do again
 *	|e |x		we close, the connection breaks
 *	|f		the owner frees it	|n	in the next call, he
 *does Each request is answered exactly once, in time, never from inside the
 *call that asks; none is written before SETTINGS came; the counts add up.
 */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "fake/fake.h"
#include "fuzz/input.h"
#include "net/h2.h"

enum { REQUESTS_MAX = 64, IN_FLIGHT_MAX = 8 };

#define TIMEOUT_MS ((uint64_t)15000)
#define SETTINGS_MS ((uint64_t)10000)

struct run;

struct asked {
	struct run *run;
	int answers;
	enum h2_outcome outcome;
};

struct run {
	struct loop *loop;
	struct fake_peer *peer;
	struct h2 *h2;
	struct asked asked[REQUESTS_MAX];
	size_t asked_count;
	size_t answered;
	int readies;
	int goaways;
	int closes;
	bool ended;     /* we sent our last octet */
	bool entered;   /* h2 is called: it may not call back */
	bool free_next; /* the owner frees in the next call */
	bool freed;
	bool refuses; /* we may have said GOAWAY or REFUSED_STREAM */
};

/* freed frees it as an owner may, in any call. */
static void owner_frees(struct run *r)
{
	h2_free(&r->h2);
	r->freed = true;
	assert(r->answered == r->asked_count);
}

/* called: h2 calls its owner. */
static void called(struct run *r)
{
	assert(!r->entered && !r->freed && r->closes == 0);
	if (r->free_next) {
		r->free_next = false;
		owner_frees(r);
	}
}

static void on_ready(void *arg)
{
	struct run *r = arg;

	r->readies++;
	assert(r->readies == 1);
	called(r);
}

static void on_slots(void *arg)
{
	struct run *r = arg;

	assert(r->readies == 1);
	called(r);
}

static void on_goaway(void *arg, uint32_t code, struct str debug)
{
	struct run *r = arg;

	(void)code;
	assert(debug.len <= 512);
	assert(h2_slots(r->h2) == 0);
	r->goaways++;
	called(r);
}

static void on_closed(void *arg, int rc, const char *why)
{
	struct run *r = arg;

	assert(rc != ERR_OK && why[0] != '\0');
	assert(r->answered == r->asked_count);
	assert(h2_slots(r->h2) == 0 && h2_in_flight(r->h2) == 0);
	called(r);
	r->closes++;
}

static const struct h2_handler handler = {
	.on_ready = on_ready,
	.on_slots = on_slots,
	.on_goaway = on_goaway,
	.on_closed = on_closed,
};

static void check_response(const struct h2_response *response)
{
	switch (response->outcome) {
	case H2_ANSWERED:
		assert(response->status >= 100 && response->status <= 599);
		assert(response->body.len <= H2_BODY_MAX);
		return;
	case H2_NOT_PROCESSED:
	case H2_UNKNOWN:
		assert(response->why[0] != '\0');
		assert(response->status == 0 && response->body.len == 0);
		return;
	}
	assert(0);
}

static void on_response(void *arg, const struct h2_response *response)
{
	struct asked *asked = arg;
	struct run *r = asked->run;

	asked->answers++;
	asked->outcome = response->outcome;
	assert(asked->answers == 1);
	r->answered++;
	check_response(response);
	/* h2_free answers from inside, and then nothing more may be done. */
	if (r->h2 != NULL)
		called(r);
}

/* number is a hex digit's value, or the octet's. */
static unsigned char number(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned char)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned char)(c - 'a' + 10);
	return (unsigned char)c;
}

static void push(struct run *r, struct str octets)
{
	if (!r->ended)
		fake_push(r->peer, octets);
}

static void push_frame(struct run *r, struct str in)
{
	char type = take_char(&in);
	char flags = take_char(&in);
	char stream = take_char(&in);
	const unsigned char head[9] = {
		(unsigned char)(in.len >> 16),
		(unsigned char)(in.len >> 8),
		(unsigned char)in.len,
		number(type),
		number(flags),
		0,
		0,
		0,
		number(stream),
	};
	struct buf frame;

	r->refuses |= number(type) == 3 || number(type) == 7;
	buf_init(&frame, sizeof(head) + in.len);
	must(buf_append(&frame, head, sizeof(head)));
	must(buf_add(&frame, in));
	push(r, buf_str(&frame));
	buf_reset(&frame);
}

static void ask(struct run *r, struct str size)
{
	static const char body[100000];
	static const size_t sizes[] = { 0, 1, 300, 16384, 70000, 100000 };
	const struct h2_header headers[] = {
		{ STR("apns-topic"), STR("com.apple.mail.x"), false },
		{ STR("authorization"), STR("bearer x"), true },
	};
	struct h2_request request = {
		.method = STR("POST"),
		.scheme = STR("https"),
		.authority = STR("api.push.apple.com"),
		.path = STR("/3/device/0123"),
		.headers = headers,
		.header_count = 2,
		.body = { body, sizes[number(take_char(&size)) % 6] },
	};
	size_t slots = h2_slots(r->h2);
	struct asked *asked = &r->asked[r->asked_count];
	int rc;

	if (r->asked_count == REQUESTS_MAX)
		return;
	asked->run = r;
	r->entered = true;
	rc = h2_submit(r->h2, &request, TIMEOUT_MS, on_response, asked);
	r->entered = false;
	assert(rc == (slots > 0 ? ERR_OK : ERR_UNAVAILABLE));
	r->asked_count += rc == ERR_OK;
}

enum { FRAME_HEADERS = 1 };

/* was_asked: HEADERS of |stream|, or of any if it is 0, were written. */
static bool was_asked(const struct run *r, size_t stream)
{
	struct str out = fake_written(r->peer);

	assert(out.len == 0 ||
	       str_starts(out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
	(void)str_take(&out, 24);
	while (out.len >= 9) {
		const unsigned char *head = (const unsigned char *)out.data;
		size_t len =
			(size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

		/* There are not as many as would need a second octet. */
		if (head[3] == FRAME_HEADERS &&
		    (stream == 0 || head[8] == stream))
			return true;
		(void)str_take(&out, 9 + len);
	}
	return false;
}

/* check: after each turn. */
static void check(const struct run *r)
{
	if (r->readies == 0)
		assert(!was_asked(r, 0));
	if (r->h2 == NULL)
		return;
	assert(h2_in_flight(r->h2) == r->asked_count - r->answered);
	assert(h2_slots(r->h2) <= IN_FLIGHT_MAX - h2_in_flight(r->h2));
	if (r->readies == 0 || r->goaways > 0 || r->closes > 0)
		assert(h2_slots(r->h2) == 0);
}

/* do_owner does what the owner of a connection does. */
static void do_owner(struct run *r, const struct step *step)
{
	if (r->h2 == NULL)
		return;
	r->entered = step->op == 'p';
	if (step->op == 'q')
		ask(r, step->octets);
	else if (step->op == 'p')
		h2_ping(r->h2);
	else if (step->op == 'f')
		owner_frees(r);
	else if (step->op == 'n')
		r->free_next = true;
	r->entered = false;
}

static void do_step(struct run *r, const struct step *step)
{
	switch (step->op) {
	case 'F':
		push_frame(r, step->octets);
		break;
	case 'r':
		r->refuses = true;
		push(r, step->octets);
		break;
	case 't':
		fake_clock_advance(r->loop, step_ms(step));
		break;
	case 's':
		fake_stall(r->peer);
		break;
	case 'u':
		fake_unstall(r->peer);
		break;
	case 'e':
		r->ended = true;
		fake_push_eof(r->peer);
		break;
	case 'x':
		r->ended = true;
		fake_break(r->peer, ERR_CLOSED, "connection reset");
		break;
	default:
		do_owner(r, step);
	}
	fake_run(r->loop);
	check(r);
}

/* finish: all is answered in time, whatever the peer does. */
static void finish(struct run *r)
{
	fake_clock_advance(r->loop, TIMEOUT_MS);
	check(r);
	assert(r->answered == r->asked_count);
	if (r->h2 != NULL)
		owner_frees(r);
	fake_run(r->loop);
	fake_unstall(r->peer);
	fake_run(r->loop);
	for (size_t i = 0; i < r->asked_count; i++) {
		assert(r->asked[i].answers == 1);
		assert(r->refuses || r->asked[i].outcome != H2_NOT_PROCESSED ||
		       !was_asked(r, 2 * i + 1));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str script = str_new(data, size);
	struct run r = { .loop = loop_new() };
	struct stream *stream = fake_stream_new(r.loop, &r.peer);
	struct step step;

	fake_set_tls(r.peer, "h2");
	r.entered = true;
	r.h2 = h2_new(r.loop, stream, IN_FLIGHT_MAX, SETTINGS_MS, &handler, &r);
	r.entered = false;
	fake_run(r.loop);
	r.refuses = script.len > 0 && script.data[0] != '|';
	push(&r, script_head(&script));
	while (script_next(&script, &step))
		do_step(&r, &step);
	finish(&r);
	fake_peer_free(&r.peer);
	loop_free(&r.loop);
	return 0;
}
