/* SPDX-License-Identifier: ISC */
/*
 * A whole session between a client and a backend, as a script (input.h), whose
 * head holds "a", after login, else before, "e" for evil literals, and "m" for
 * a backend with many mechanisms:
 *	|c octets	the client says	|b octets	the backend says
 *	|n letter	the client sends a literal without waiting, its octets
 *			a command with the tag "evil"
 *	|t digit	time passes
 *	|s |S |u	client, backend do not read; both do again
 *	|e |E		client, backend send their last octet
 *	|x |X		the client's, the backend's connection breaks
 *	|h |r		the push side holds its answers, and gives them
 *	|D		the next login reaches nobody
 *
 * It runs three times. In the first the backend's responses go in one by one,
 * so that a strict server can say of each octet whether it may come; at the
 * end it answers all, and nothing may be outstanding. In the second the
 * client's octets come one by one: nothing may change. In the third the reads
 * fall anywhere. Each time what the client sees must be the backend's
 * responses, with lines of ours between.
 *
 * Evil: no octet of a literal is ever run as a command, here or there. There
 * the client's own text has no "{" and no "v", so that "evil" is always in a
 * literal.
 */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "fuzz/input.h"
#include "fuzz/mixed.h"
#include "fuzz/strict.h"
#include "imap/reader.h"
#include "imap/response.h"
#include "proxy/session.h"
#include "stage/stage.h"

#define TEXT_MAX ((size_t)16 * 1024 * 1024)

#define MECHANISMS                                             \
	"AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER " \
	"AUTH=CRAM-MD5 AUTH=SCRAM-SHA-1"

/* The one session; see --wrap in meson.build. */
static struct session *session;
static uint64_t random_count;

struct session *__real_session_new(const struct session_env *env, int fd,
                                   uint64_t id, const struct door *door,
                                   const struct proxy_header *said);
struct session *__wrap_session_new(const struct session_env *env, int fd,
                                   uint64_t id, const struct door *door,
                                   const struct proxy_header *said);
void __real_session_free(struct session **s);
void __wrap_session_free(struct session **s);
void __wrap_rand_bytes(void *out, size_t len);
void __wrap_log_error(const struct log_ctx *ctx, const char *fmt, ...);

struct session *__wrap_session_new(const struct session_env *env, int fd,
                                   uint64_t id, const struct door *door,
                                   const struct proxy_header *said)
{
	session = __real_session_new(env, fd, id, door, said);
	return session;
}

void __wrap_session_free(struct session **s)
{
	session = NULL;
	__real_session_free(s);
}

/* The same numbers in each run, and tags that strict.h knows. */
void __wrap_rand_bytes(void *out, size_t len)
{
	uint64_t number = UINT64_C(0xfeed000000000000) + ++random_count;

	memset(out, 0, len);
	memcpy(out, &number, len < sizeof(number) ? len : sizeof(number));
}

/* Backends that speak no IMAP are what this is about. */
void __wrap_log_error(const struct log_ctx *ctx, const char *fmt, ...)
{
	(void)ctx;
	(void)fmt;
}

/* How a run cuts what is said. */
struct way {
	enum cuts client;
	bool exact; /* the backend's responses one by one */
};

struct run {
	struct way way;
	struct stage st;
	bool after_login;
	bool evil;
	bool client_ended;
	bool backend_ended;
	bool backend_stalled; /* it does not read, and says nothing */
	bool dial_fails;
	/* What the backend says, for itself. */
	struct imap_reader said;
	bool is_broken; /* it says what is no IMAP */
	bool is_within; /* a response of which the end did not come */
	struct strict strict;
	size_t taken; /* of what was written to it */
	struct buf backend_text;
};

static void run_init(struct run *r, const struct way *way, struct str head)
{
	*r = (struct run){ .way = *way };
	r->after_login = str_find(head, 'a') != SIZE_MAX;
	r->evil = str_find(head, 'e') != SIZE_MAX;
	random_count = 0;
	stage_init(&r->st);
	if (str_find(head, 'm') != SIZE_MAX) {
		r->st.mechanisms = MECHANISMS;
		fake_service_no_logins(r->st.service);
	}
	r->st.opts.trace_user = r->after_login ? NULL : "all";
	stage_start(&r->st);
	if (r->after_login)
		stage_login(&r->st);
	else
		stage_client(&r->st);
	imap_reader_init(&r->said, TEXT_MAX);
	strict_init(&r->strict);
	buf_init(&r->backend_text, TEXT_MAX);
}

static void run_done(struct run *r)
{
	stage_done(&r->st);
	assert(session == NULL);
	imap_reader_done(&r->said);
	strict_done(&r->strict);
	buf_reset(&r->backend_text);
}

static bool is_open(void)
{
	return session != NULL && session->state != SESSION_CLOSING;
}

/* step_on lets all happen that can, and shows the backend what came. */
static void step_on(struct run *r)
{
	struct str written;

	fake_run(r->st.loop);
	if (r->st.backend == NULL || !r->way.exact)
		return;
	written = fake_written(r->st.backend);
	strict_takes(&r->strict, str_sub(written, r->taken, SIZE_MAX));
	r->taken = written.len;
}

/* connect gives a login that dials its backend. */
static void connect_backend(struct run *r)
{
	if (!is_open() || session->state != SESSION_LOGIN ||
	    session->backend != NULL || fake_dials_waiting(r->st.loop) == 0)
		return;
	if (r->dial_fails) {
		r->dial_fails = false;
		fake_dial_fail(r->st.loop, 0, ERR_CLOSED, "refused");
		fake_run(r->st.loop);
		return;
	}
	fake_peer_free(&r->st.backend);
	r->st.backend = fake_dial_connect(r->st.loop, 0);
	r->backend_ended = r->is_broken = r->is_within = false;
	r->backend_stalled = false;
	r->taken = 0;
	imap_reader_done(&r->said);
	imap_reader_init(&r->said, TEXT_MAX);
	strict_done(&r->strict);
	strict_init(&r->strict);
	fake_run(r->st.loop);
}

/* replace puts |by| for each |what|, of the same length, in |text|. */
static void replace(struct buf *text, struct str what, struct str by)
{
	for (size_t i = 0; i + what.len <= text->len; i++)
		if (memcmp(text->data + i, what.data, what.len) == 0)
			memcpy(text->data + i, by.data, by.len);
}

/* tame takes out what a peer cannot guess, and of an evil script what would
 * make literals and "evil" ambiguous. */
static void tame(const struct run *r, struct buf *text, bool is_client)
{
	if (is_client)
		replace(text, STR("bfeed"), STR("bfood"));
	if (r->evil)
		replace(text, STR("v"), STR("w"));
	if (r->evil && is_client)
		replace(text, STR("{"), STR("["));
}

static void client_says(struct run *r, struct str octets)
{
	struct cutter cutter;
	struct str piece;

	cutter_init(&cutter, octets, r->way.client);
	while (cutter_next(&cutter, &piece))
		if (!r->client_ended)
			fake_push(r->st.client, piece);
	step_on(r);
}

/* backend_piece says octets of which at most the last end a response. */
static void backend_piece(struct run *r, struct str octets)
{
	must(buf_add(&r->backend_text, octets));
	fake_push(r->st.backend, octets);
	step_on(r);
}

static void backend_says(struct run *r, struct str octets)
{
	if (r->st.backend == NULL || r->backend_ended || r->backend_stalled)
		return;
	while (r->way.exact && !r->is_broken && octets.len > 0) {
		struct str rest = octets;
		struct str response;
		int rc = imap_reader_next(&r->said, &rest, &response);

		r->is_broken = rc != ERR_OK && rc != ERR_MORE;
		r->is_within = rc == ERR_MORE;
		if (rc == ERR_OK)
			strict_says(&r->strict, response);
		if (!r->is_broken)
			backend_piece(r,
			              str_take(&octets, octets.len - rest.len));
	}
	if (octets.len > 0)
		backend_piece(r, octets);
}

static void say(struct run *r, const struct step *step)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	must(buf_add(&text, step->octets));
	tame(r, &text, step->op == 'c');
	if (step->op == 'c')
		client_says(r, buf_str(&text));
	else
		backend_says(r, buf_str(&text));
	buf_reset(&text);
}

/* say_evil sends a literal whose octets are a command, or two. */
static void say_evil(struct run *r, struct str letter)
{
	static const char *const literals[] = {
		" {11+}\r\nevil NOOP\r\n",
		" ~{11+}\r\nevil NOOP\r\n",
		" {13+}\r\n\r\nevil NOOP\r\n",
		" {22+}\r\nevil NOOP\r\nevil NOOP\r\n",
		"({9+}\r\nevil NOOP",
		" {11+}\r\nevil IDLE\r\n {11+}\r\nevil NOOP\r\n",
		" {0+}\r\n {011+}\nevil NOOP\r\n",
	};
	size_t which = (unsigned char)take_char(&letter);

	client_says(r, str_of(literals[which % (sizeof(literals) /
	                                        sizeof(literals[0]))]));
}

static void do_end(struct run *r, char op)
{
	bool is_client = op == 'e' || op == 'x';
	struct fake_peer *peer = is_client ? r->st.client : r->st.backend;
	bool *ended = is_client ? &r->client_ended : &r->backend_ended;

	if (peer == NULL || *ended)
		return;
	*ended = true;
	if (op == 'e' || op == 'E')
		fake_push_eof(peer);
	else
		fake_break(peer, ERR_CLOSED, "connection reset");
	step_on(r);
}

static void do_reading(struct run *r, char op)
{
	if (op == 's') {
		fake_stall(r->st.client);
	} else if (op == 'S' && r->st.backend != NULL) {
		fake_stall(r->st.backend);
		r->backend_stalled = true;
	}
	if (op != 'u')
		return;
	fake_unstall(r->st.client);
	if (r->st.backend != NULL)
		fake_unstall(r->st.backend);
	r->backend_stalled = false;
	step_on(r);
}

static void do_step(struct run *r, const struct step *step)
{
	switch (step->op) {
	case 'c':
	case 'b':
		say(r, step);
		break;
	case 'n':
		if (r->evil)
			say_evil(r, step->octets);
		break;
	case 't':
		fake_clock_advance(r->st.loop, step_ms(step));
		step_on(r);
		break;
	case 's':
	case 'S':
	case 'u':
		do_reading(r, step->op);
		break;
	case 'e':
	case 'E':
	case 'x':
	case 'X':
		do_end(r, step->op);
		break;
	case 'h':
		fake_service_hold(r->st.service);
		break;
	case 'r':
		fake_service_release(r->st.service);
		step_on(r);
		break;
	case 'D':
		r->dial_fails = true;
		break;
	default:
		break;
	}
	connect_backend(r);
}

static bool can_settle(const struct run *r)
{
	return r->way.exact && !r->is_broken && !r->is_within &&
	       !r->backend_ended && is_open() &&
	       session->state == SESSION_RELAY;
}

/* What a client saw, counted. */
struct seen {
	size_t pluses;
	size_t evils; /* replies to that tag */
	bool has_sasl;
};

static struct seen look(struct str text)
{
	struct seen seen = { .pluses = 0 };
	struct imap_response said;
	struct imap_reader reader;
	struct str response;

	imap_reader_init(&reader, TEXT_MAX);
	while (imap_reader_next(&reader, &text, &response) == ERR_OK) {
		seen.has_sasl |= str_eq(response, STR("+ \r\n"));
		if (imap_response_parse(response, &said) != ERR_OK)
			continue;
		seen.pluses += said.cls == IMAP_CLASS_CONTINUATION;
		seen.evils += str_eq(said.tag, STR("evil"));
	}
	imap_reader_done(&reader);
	return seen;
}

/* check_evil: what only a literal says was never a command; and nobody who
 * does not wait for a "+" gets one. */
static void check_evil(const struct run *r)
{
	struct seen client = look(fake_written(r->st.client));
	struct seen backend = look(buf_str(&r->backend_text));

	if (!r->evil || r->strict.is_excused)
		return;
	assert(!r->strict.ran_evil);
	/* A SASL response is a line, whatever it looks like. */
	assert(client.has_sasl || client.evils == 0);
	if (can_settle(r) && r->after_login)
		assert(client.pluses + r->strict.pluses == backend.pluses);
}

/* answer_all makes the backend say OK to all that it was asked. */
static void answer_all(struct run *r)
{
	struct buf ok;

	buf_init(&ok, TEXT_MAX);
	while (is_open() && strict_owes(&r->strict, &ok)) {
		backend_says(r, buf_str(&ok));
		buf_reset(&ok);
	}
	buf_reset(&ok);
}

/* check_settled: nobody waits for anything. */
static void check_settled(const struct run *r)
{
	(void)r;
	assert(inflight_is_empty(&session->inflight));
	assert(asks_is_empty(&session->asks));
	assert(session->registration == NULL);
	assert(session->relay.fate == RELAY_BETWEEN);
	assert(session_input_is_read(session->input));
}

static void finish(struct run *r)
{
	do_reading(r, 'u');
	fake_service_release(r->st.service);
	step_on(r);
	if (can_settle(r)) {
		answer_all(r);
		if (is_open())
			check_settled(r);
	}
	if (r->after_login)
		mixed_check(fake_written(r->st.client),
		            buf_str(&r->backend_text), is_open());
	check_evil(r);
}

/* play runs the script and leaves both sides' texts. */
static void play(struct str script, const struct way *way, struct buf *client,
                 struct buf *backend)
{
	struct run r;
	struct step step;

	run_init(&r, way, script_head(&script));
	while (script_next(&script, &step))
		do_step(&r, &step);
	finish(&r);
	must(buf_add(client, fake_written(r.st.client)));
	if (r.st.backend != NULL)
		must(buf_add(backend, fake_written(r.st.backend)));
	run_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct way ways[] = {
		{ CUTS_NONE, true },
		{ CUTS_BYTES, true },
		{ CUTS_RANDOM, false },
	};
	struct buf client[3];
	struct buf backend[3];

	for (size_t i = 0; i < 3; i++) {
		buf_init(&client[i], TEXT_MAX);
		buf_init(&backend[i], TEXT_MAX);
		play(str_new(data, size), &ways[i], &client[i], &backend[i]);
	}
	assert(str_eq(buf_str(&client[0]), buf_str(&client[1])));
	assert(str_eq(buf_str(&backend[0]), buf_str(&backend[1])));
	for (size_t i = 0; i < 3; i++) {
		buf_reset(&client[i]);
		buf_reset(&backend[i]);
	}
	return 0;
}
