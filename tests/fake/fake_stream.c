/* SPDX-License-Identifier: ISC */
/*
 * stream, in memory. Everything an owner can hear comes from work(), which a
 * deferred call makes; each on_data gets a block of its own of just the right
 * size, so that a sanitizer sees who reads beyond it or keeps it.
 */
#include "fake/fake_stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "fake/fake.h"
#include "fake/fake_loop.h"
#include "net/address.h"
#include "net/stream.h"

enum { CLOSE_FLUSH_MS = 5000, WRITTEN_MAX = 64 * 1024 * 1024 };

enum fake_state {
	FAKE_STARTING, /* on_open is due */
	FAKE_OPEN,
	FAKE_LOST,
	FAKE_ENDING, /* closed, output goes out */
	FAKE_GONE
};

struct chunk {
	STAILQ_ENTRY(chunk) entry;
	struct str bytes;
};

STAILQ_HEAD(chunk_list, chunk);

struct stream {
	TAILQ_ENTRY(stream) entry;
	struct loop *loop;
	struct fake_peer *peer; /* NULL: freed by the test */
	const struct stream_handler *handler;
	void *arg;
	enum fake_state state;
	struct chunk_list chunks;
	struct str kept;
	struct buf out;
	struct loop_timer *deadline;
	size_t take; /* what a slow peer takes; SIZE_MAX: all */
	int rc;
	char why[384];
	char address[64];
	char alpn[16];
	bool tls;
	bool queued;
	bool paused;
	bool eof; /* after the chunks */
	bool eof_told;
	bool high;
	bool drained;
	bool told;
};

struct fake_peer {
	struct stream *stream; /* NULL: gone */
	struct buf written;
	bool closed;
	bool aborted;
	int tls_starts;
	char tls_name[256];
};

static void work(void *arg);

static void later(struct stream *s)
{
	if (!s->queued)
		loop_defer(s->loop, work, s);
	s->queued = true;
}

static void drop_input(struct stream *s)
{
	struct chunk *chunk;

	while ((chunk = STAILQ_FIRST(&s->chunks)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->chunks, entry);
		str_free(&chunk->bytes);
		free(chunk);
	}
	str_free(&s->kept);
}

static void gone(struct stream *s, bool aborted)
{
	s->state = FAKE_GONE;
	drop_input(s);
	buf_reset(&s->out);
	loop_timer_free(&s->deadline);
	if (s->peer != NULL) {
		s->peer->closed = !aborted;
		s->peer->aborted = aborted;
		s->peer->stream = NULL;
		s->peer = NULL;
	}
	later(s);
}

/* flush gives the peer what it takes. */
static void flush(struct stream *s)
{
	size_t n = s->out.len < s->take ? s->out.len : s->take;

	if (s->peer != NULL && n > 0)
		assert(buf_append(&s->peer->written, s->out.data, n) == ERR_OK);
	if (n > 0)
		buf_consume(&s->out, n);
	if (s->take != SIZE_MAX)
		s->take -= n;
	if (s->high && s->out.len <= STREAM_LOW_WATER) {
		s->high = false;
		s->drained = true;
	}
}

static bool accepts(const struct stream *s)
{
	return s->state == FAKE_OPEN && s->handler != NULL && !s->paused;
}

/* next_bytes joins what was left over with the next chunk, in a new block. */
static struct str next_bytes(struct stream *s)
{
	struct chunk *chunk = STAILQ_FIRST(&s->chunks);
	struct str bytes = s->kept;
	struct buf both;

	s->kept = STR_NULL;
	if (chunk == NULL)
		return bytes;
	STAILQ_REMOVE_HEAD(&s->chunks, entry);
	buf_init(&both, SIZE_MAX / 2);
	assert(buf_add(&both, bytes) == ERR_OK);
	assert(buf_add(&both, chunk->bytes) == ERR_OK);
	str_free(&bytes);
	str_free(&chunk->bytes);
	free(chunk);
	bytes = str_dup(buf_str(&both));
	buf_reset(&both);
	return bytes;
}

static void deliver(struct stream *s)
{
	struct str bytes = next_bytes(s);
	size_t used;

	if (bytes.len == 0) {
		str_free(&bytes);
		return;
	}
	used = s->handler->on_data(s->arg, bytes);
	assert(used <= bytes.len);
	if (used < bytes.len && s->state == FAKE_OPEN) {
		s->paused = true;
		s->kept = str_dup(str_sub(bytes, used, bytes.len));
	}
	str_free(&bytes);
}

static void read_input(struct stream *s)
{
	if (accepts(s) && (s->kept.len > 0 || !STAILQ_EMPTY(&s->chunks)))
		deliver(s);
	if (!accepts(s))
		return;
	if (!STAILQ_EMPTY(&s->chunks)) {
		later(s);
	} else if (s->eof && !s->eof_told) {
		s->eof_told = true;
		s->handler->on_eof(s->arg);
	}
}

static void work_open(struct stream *s)
{
	flush(s);
	if (s->drained && s->handler != NULL) {
		s->drained = false;
		if (s->handler->on_drained != NULL)
			s->handler->on_drained(s->arg);
	}
	read_input(s);
}

static void work(void *arg)
{
	struct stream *s = arg;

	s->queued = false;
	switch (s->state) {
	case FAKE_STARTING:
		s->state = FAKE_OPEN;
		later(s);
		if (s->handler != NULL && s->handler->on_open != NULL)
			s->handler->on_open(s->arg);
		break;
	case FAKE_OPEN:
		work_open(s);
		break;
	case FAKE_LOST:
		if (s->handler == NULL || s->told)
			break;
		s->told = true;
		s->handler->on_error(s->arg, s->rc, s->why);
		break;
	case FAKE_ENDING:
		flush(s);
		if (s->out.len == 0)
			gone(s, false);
		break;
	case FAKE_GONE:
		TAILQ_REMOVE(&s->loop->streams, s, entry);
		free(s);
		break;
	}
}

struct stream *fake_stream_new(struct loop *loop, struct fake_peer **peer_r)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	struct fake_peer *peer = xcalloc(1, sizeof(*peer));

	s->loop = loop;
	s->peer = peer;
	s->take = SIZE_MAX;
	TAILQ_INSERT_TAIL(&loop->streams, s, entry);
	STAILQ_INIT(&s->chunks);
	buf_init(&s->out, STREAM_OUTPUT_MAX);
	(void)snprintf(s->address, sizeof(s->address), "192.0.2.7:40001");
	later(s);
	peer->stream = s;
	buf_init(&peer->written, WRITTEN_MAX);
	*peer_r = peer;
	return s;
}

void fake_stream_drop(struct stream *s)
{
	stream_abort(&s);
}

void fake_peer_free(struct fake_peer **peer)
{
	struct fake_peer *p = *peer;

	*peer = NULL;
	if (p == NULL)
		return;
	if (p->stream != NULL)
		p->stream->peer = NULL;
	buf_reset(&p->written);
	free(p);
}

void fake_peer_refused(struct fake_peer *peer)
{
	peer->aborted = true;
}

void fake_push(struct fake_peer *peer, struct str bytes)
{
	struct stream *s = peer->stream;
	struct chunk *chunk;

	if (s == NULL || bytes.len == 0)
		return;
	assert(!s->eof);
	chunk = xcalloc(1, sizeof(*chunk));
	chunk->bytes = str_dup(bytes);
	STAILQ_INSERT_TAIL(&s->chunks, chunk, entry);
	later(s);
}

void fake_push_split(struct fake_peer *peer, struct str bytes, size_t each)
{
	while (bytes.len > 0)
		fake_push(peer, str_take(&bytes, each));
}

void fake_push_eof(struct fake_peer *peer)
{
	if (peer->stream == NULL)
		return;
	peer->stream->eof = true;
	later(peer->stream);
}

void fake_break(struct fake_peer *peer, int rc, const char *why)
{
	struct stream *s = peer->stream;

	if (s == NULL || s->state == FAKE_LOST)
		return;
	if (s->state == FAKE_ENDING) {
		gone(s, true);
		return;
	}
	s->state = FAKE_LOST;
	s->rc = rc;
	(void)snprintf(s->why, sizeof(s->why), "%s", why);
	drop_input(s);
	buf_reset(&s->out);
	later(s);
}

struct str fake_written(const struct fake_peer *peer)
{
	return buf_str(&peer->written);
}

void fake_written_clear(struct fake_peer *peer)
{
	buf_reset(&peer->written);
}

static void set_take(struct fake_peer *peer, size_t n)
{
	if (peer->stream == NULL)
		return;
	peer->stream->take = n;
	later(peer->stream);
}

void fake_stall(struct fake_peer *peer)
{
	set_take(peer, 0);
}

void fake_take(struct fake_peer *peer, size_t n)
{
	set_take(peer, n);
}

void fake_unstall(struct fake_peer *peer)
{
	set_take(peer, SIZE_MAX);
}

void fake_set_tls(struct fake_peer *peer, const char *alpn)
{
	assert(peer->stream != NULL);
	peer->stream->tls = true;
	(void)snprintf(peer->stream->alpn, sizeof(peer->stream->alpn), "%s",
	               alpn);
}

void fake_set_address(struct fake_peer *peer, const char *address)
{
	assert(peer->stream != NULL);
	(void)snprintf(peer->stream->address, sizeof(peer->stream->address),
	               "%s", address);
}

bool fake_is_closed(const struct fake_peer *peer)
{
	return peer->closed;
}

bool fake_is_aborted(const struct fake_peer *peer)
{
	return peer->aborted;
}

bool fake_is_reading(const struct fake_peer *peer)
{
	return peer->stream != NULL && accepts(peer->stream);
}

int fake_tls_starts(const struct fake_peer *peer)
{
	return peer->tls_starts;
}

const char *fake_tls_name(const struct fake_peer *peer)
{
	return peer->tls_name;
}

static void note_name(struct stream *s, const char *name)
{
	if (s->peer != NULL && name != NULL)
		(void)snprintf(s->peer->tls_name, sizeof(s->peer->tls_name),
		               "%s", name);
}

struct stream *stream_accepted(struct loop *loop, int fd, struct tls_ctx *tls)
{
	struct stream *s = fake_fd_take(loop, fd);

	assert(s != NULL); /* only descriptors of fake_accept */
	s->tls = tls != NULL;
	/* It may have opened while it waited for someone to accept it. */
	if (s->state == FAKE_OPEN)
		s->state = FAKE_STARTING;
	later(s);
	return s;
}

struct stream *stream_connected(struct loop *loop, int fd, struct tls_ctx *tls,
                                const char *name)
{
	struct stream *s = stream_accepted(loop, fd, tls);

	note_name(s, name);
	return s;
}

void stream_start_tls(struct stream *s, struct tls_ctx *tls, const char *name)
{
	assert(tls != NULL);
	if (s->state == FAKE_LOST)
		return;
	assert(s->state == FAKE_OPEN && !s->tls);
	flush(s);
	if (s->peer != NULL)
		s->peer->tls_starts++;
	note_name(s, name);
	drop_input(s);
	s->paused = false;
	s->tls = true;
	s->state = FAKE_STARTING;
	later(s);
}

int stream_take_fd(struct stream **s)
{
	(void)s;
	return -1; /* there is none; the caller has to live with that */
}

void stream_set_handler(struct stream *s, const struct stream_handler *h,
                        void *arg)
{
	s->handler = h;
	s->arg = arg;
	later(s);
}

int stream_write(struct stream *s, struct str bytes)
{
	if (s->state == FAKE_LOST)
		return ERR_CLOSED;
	if (bytes.len > STREAM_OUTPUT_MAX - s->out.len)
		return ERR_LIMIT;
	assert(buf_add(&s->out, bytes) == ERR_OK);
	if (s->out.len > STREAM_HIGH_WATER)
		s->high = true;
	later(s);
	return ERR_OK;
}

size_t stream_pending(const struct stream *s)
{
	return s->out.len;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
	later(s);
}

void stream_addresses(const struct stream *s, struct address *peer_r,
                      struct address *local_r)
{
	struct str text = str_of(s->address);
	struct str host;
	uint64_t port = 0;

	*peer_r = *local_r = (struct address){ .family = AF_UNSPEC };
	if (text.len == 0)
		return;
	while (text.len > 0 && text.data[text.len - 1] != ':')
		text.len--;
	host = str_sub(text, 0, text.len - 1);
	if (str_starts(host, STR("[")))
		host = str_sub(host, 1, host.len - 2);
	assert(address_parse(host, peer_r) == ERR_OK);
	text = str_of(s->address + text.len);
	assert(str_number(&text, UINT16_MAX, &port) == ERR_OK);
	peer_r->port = (uint16_t)port;
	assert(address_parse(STR("192.0.2.1"), local_r) == ERR_OK);
	local_r->port = 993;
}

bool stream_is_tls(const struct stream *s)
{
	return s->tls;
}

const char *stream_tls_version(const struct stream *s)
{
	return s->tls ? "TLSv1.3" : "";
}

bool stream_is_resumed(const struct stream *s)
{
	(void)s;
	return false;
}

const char *stream_alpn(const struct stream *s)
{
	return s->alpn;
}

static void on_deadline(void *arg)
{
	gone(arg, true);
}

void stream_close(struct stream **s)
{
	struct stream *st = *s;

	*s = NULL;
	if (st == NULL)
		return;
	assert(st->state != FAKE_ENDING && st->state != FAKE_GONE);
	st->handler = NULL;
	drop_input(st);
	if (st->state == FAKE_LOST) {
		gone(st, false);
		return;
	}
	st->state = FAKE_ENDING;
	st->deadline = loop_timer_new(st->loop, on_deadline, st);
	loop_timer_set(st->deadline, CLOSE_FLUSH_MS);
	later(st);
}

void stream_abort(struct stream **s)
{
	struct stream *st = *s;

	*s = NULL;
	if (st == NULL)
		return;
	st->handler = NULL;
	gone(st, true);
}

void streams_finish(struct loop *loop)
{
	struct stream *s;

	TAILQ_FOREACH(s, &loop->streams, entry) {
		if (s->state != FAKE_ENDING)
			continue;
		flush(s);
		gone(s, s->out.len > 0);
	}
}
