/* SPDX-License-Identifier: ISC */
/*
 * stream - a connection with an owner. All work happens in stream_turn, called
 * by the loop for readiness and by the pool at the end of a turn for what the
 * owner's calls left to do: a call changes fields and asks for a turn, so that
 * no event ever comes from inside a call, several small writes become one TLS
 * record and one system call, and an object is freed only when nobody above
 * it on the stack still uses it.
 */
#include "net/stream.h"

#include <assert.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/certificate.h"
#include "net/farewell.h"
#include "net/loop_io.h"
#include "net/output.h"
#include "net/tls_conn.h"
#include "net/wire.h"

enum {
	SCRATCH_BYTES = 32 * 1024, /* what was kept, and a record behind it */
	/* One stream that never stops must not keep the others waiting. */
	READS_PER_TURN = 4,
	/* A read of less most likely emptied the socket: the loop tells if
	 * not, which is cheaper than to ask each time. */
	READ_AGAIN_BYTES = 1024,
};

enum stream_state {
	STREAM_STARTING,  /* handshake, or on_open is due */
	STREAM_UPGRADING, /* plain output goes out before the handshake */
	STREAM_OPEN,
	STREAM_LOST, /* on_error is due or was told */
	STREAM_GONE  /* freed at the end of the turn */
};

enum stream_input {
	INPUT_OPEN,
	INPUT_ENDED, /* the peer's last byte was read */
	INPUT_TOLD   /* on_eof was called */
};

TAILQ_HEAD(stream_list, stream);

/* What all streams of a loop share. */
struct stream_pool {
	struct loop *loop;
	struct stream_list todo; /* want a turn */
	bool deferred;           /* pool_work is asked for */
	struct farewells farewells;
	char scratch[SCRATCH_BYTES];
};

/* What stream_start_tls found while plain output was still waiting. */
struct stream_upgrade {
	struct tls_ctx *tls;
	char *name;
	size_t plain_left; /* bytes of the output that belong before TLS */
};

struct stream {
	TAILQ_ENTRY(stream) todo;
	struct stream_pool *pool;
	struct loop_io *io;
	struct wire wire;
	const struct stream_handler *handler;
	void *arg;
	struct buf in; /* what the owner left */
	struct output out;
	struct stream_upgrade *upgrade;
	enum stream_state state;
	enum stream_input input;
	unsigned int read_wait;  /* readiness that reading waits for */
	unsigned int write_wait; /* readiness that writing waits for; 0: none */
	bool queued;             /* on pool->todo */
	bool paused;
	bool poll;    /* read without waiting for readiness */
	bool high;    /* output went above STREAM_HIGH_WATER */
	bool drained; /* on_drained is due */
	bool told;    /* on_error was called */
};

static void stream_turn(struct stream *s, unsigned int ready);

static void stream_free(struct stream *s)
{
	assert(s->io == NULL && s->wire.fd < 0);
	free(s);
}

/* pool_work gives every stream that asked for it its turn, or frees it. */
static void pool_work(void *arg)
{
	struct stream_pool *pool = arg;
	struct stream_list now = TAILQ_HEAD_INITIALIZER(now);
	struct stream *s;

	pool->deferred = false;
	TAILQ_CONCAT(&now, &pool->todo, todo);
	while ((s = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, s, todo);
		s->queued = false;
		if (s->state == STREAM_GONE)
			stream_free(s);
		else
			stream_turn(s, 0);
	}
}

/* stream_later asks for a turn at the end of this one. */
static void stream_later(struct stream *s)
{
	struct stream_pool *pool = s->pool;

	if (s->queued)
		return;
	s->queued = true;
	TAILQ_INSERT_TAIL(&pool->todo, s, todo);
	if (!pool->deferred) {
		pool->deferred = true;
		loop_defer(pool->loop, pool_work, pool);
	}
}

static void drop_upgrade(struct stream *s)
{
	if (s->upgrade == NULL)
		return;
	tls_ctx_free(&s->upgrade->tls);
	free(s->upgrade->name);
	free(s->upgrade);
	s->upgrade = NULL;
}

static void drop_output(struct stream *s)
{
	output_done(&s->out);
	s->write_wait = 0;
}

/* stream_gone lets go of everything but the struct itself. */
static void stream_gone(struct stream *s, bool reset)
{
	s->state = STREAM_GONE;
	s->handler = NULL;
	loop_io_free(&s->io);
	drop_upgrade(s);
	drop_output(s);
	buf_reset(&s->in);
	wire_done(&s->wire, reset);
	stream_later(s);
}

/* update_io watches the descriptor for what the state can use. */
static void update_io(struct stream *s)
{
	unsigned int want = s->write_wait;

	switch (s->state) {
	case STREAM_STARTING:
	case STREAM_UPGRADING:
		break;
	case STREAM_OPEN:
		if (s->handler != NULL && !s->paused && s->input == INPUT_OPEN)
			want |= s->read_wait;
		break;
	case STREAM_LOST:
		want = 0;
		break;
	case STREAM_GONE:
		return;
	}
	loop_io_want(s->io, want);
}

/* waits_for turns a wire's wish into loop_io's bit. */
static unsigned int waits_for(enum wire_result result)
{
	return result == WIRE_WANT_WRITE ? LOOP_WRITE : LOOP_READ;
}

/* tell_lost says on_error, once, as soon as there is someone to hear it. */
static void tell_lost(struct stream *s)
{
	if (s->handler == NULL || s->told)
		return;
	s->told = true;
	s->handler->on_error(s->arg, s->wire.error->rc,
	                     s->wire.error->detail.text);
}

static void stream_lost(struct stream *s)
{
	s->state = STREAM_LOST;
	drop_upgrade(s);
	drop_output(s);
	buf_reset(&s->in);
	tell_lost(s);
}

/*
 * write_broken: nothing goes out any more, but what the peer said before it
 * left (a BYE, an alert) may still wait to be read; the reader finds the end
 * and reports.
 */
static void write_broken(struct stream *s)
{
	drop_output(s);
	s->poll = true;
	stream_later(s);
}

/* sendable is how much of the output may go out as things are. */
static size_t sendable(const struct stream *s)
{
	return s->upgrade != NULL ? s->upgrade->plain_left : stream_pending(s);
}

/* flush sends what the peer takes. */
static void flush(struct stream *s)
{
	size_t left = sendable(s);
	enum wire_result result;

	s->write_wait = 0;
	result = output_send(&s->out, &s->wire, &left);
	if (s->upgrade != NULL)
		s->upgrade->plain_left = left;
	if (result == WIRE_BROKEN)
		write_broken(s);
	else if (result != WIRE_DONE)
		s->write_wait = waits_for(result);
	else if (left > 0)
		stream_later(s);
	if (s->high && stream_pending(s) <= STREAM_LOW_WATER) {
		s->high = false;
		s->drained = true;
		stream_later(s);
	}
}

/* keep_rest holds what the owner left of |bytes|, and pauses. */
static void keep_rest(struct stream *s, struct str bytes)
{
	s->paused = true;
	if (buf_add(&s->in, bytes) != ERR_OK) {
		(void)wire_fail(&s->wire, ERR_LIMIT, "out of memory");
		stream_lost(s);
	}
}

/* deliver gives the first |len| bytes of the scratch buffer to the owner. */
static void deliver(struct stream *s, size_t len)
{
	struct str bytes = str_new(s->pool->scratch, len);
	size_t used = s->handler->on_data(s->arg, bytes);

	assert(used <= len);
	/* Closed inside, or turning to TLS: nobody wants the rest. */
	if (used < len && s->state == STREAM_OPEN)
		keep_rest(s, str_sub(bytes, used, len));
	mem_wipe(s->pool->scratch, len);
}

/* take_kept moves what was kept to the front of the scratch buffer. */
static size_t take_kept(struct stream *s)
{
	size_t len = s->in.len;

	if (len > 0)
		memcpy(s->pool->scratch, s->in.data, len);
	buf_reset(&s->in);
	return len;
}

/* input_ended says on_eof, unless the owner still has bytes to take first. */
static void input_ended(struct stream *s)
{
	if (s->input == INPUT_OPEN)
		s->input = INPUT_ENDED;
	if (s->wire.error != NULL) {
		stream_lost(s); /* there is no way to the peer either */
	} else if (!s->paused && s->input == INPUT_ENDED) {
		s->input = INPUT_TOLD;
		s->handler->on_eof(s->arg);
	}
}

/*
 * read_once delivers what was kept and what one read brings, then tells what
 * else the read found. Returns whether another read is worth while.
 */
static bool read_once(struct stream *s)
{
	size_t kept = take_kept(s);
	enum wire_result result = WIRE_DONE;
	size_t len = 0;

	if (s->input != INPUT_OPEN)
		result = WIRE_END;
	else if (kept < SCRATCH_BYTES)
		result = wire_read(&s->wire, s->pool->scratch + kept,
		                   SCRATCH_BYTES - kept, &len);
	if (kept + len > 0)
		deliver(s, kept + len);
	if (s->state != STREAM_OPEN)
		return false;
	switch (result) {
	case WIRE_DONE:
		break;
	case WIRE_WANT_READ:
	case WIRE_WANT_WRITE:
		s->read_wait = waits_for(result);
		break;
	case WIRE_END:
		input_ended(s);
		break;
	case WIRE_BROKEN:
		stream_lost(s);
		break;
	}
	return result == WIRE_DONE &&
	       (len >= READ_AGAIN_BYTES || wire_has_more(&s->wire));
}

/* wants_input: there is someone to give bytes to, or the end. */
static bool wants_input(const struct stream *s)
{
	return s->state == STREAM_OPEN && s->handler != NULL && !s->paused &&
	       s->input != INPUT_TOLD;
}

/*
 * read_input reads a bounded number of times. What TLS has read ahead makes no
 * descriptor readable, so a turn is asked for instead.
 */
static void read_input(struct stream *s)
{
	bool more = true;

	s->poll = false;
	s->read_wait = LOOP_READ;
	for (int i = 0; i < READS_PER_TURN && more && wants_input(s); i++)
		more = read_once(s);
	if (wants_input(s) && wire_has_more(&s->wire)) {
		s->poll = true;
		stream_later(s);
	}
}

/* start goes on with the handshake; a plain stream is open at once. */
static void start(struct stream *s)
{
	enum wire_result result = WIRE_DONE;

	if (s->wire.ssl != NULL)
		result = wire_handshake(&s->wire);
	if (result == WIRE_BROKEN) {
		stream_lost(s);
		return;
	}
	if (result != WIRE_DONE) {
		s->write_wait = waits_for(result);
		return;
	}
	s->write_wait = 0;
	s->state = STREAM_OPEN;
	s->poll = true; /* bytes may have come with the handshake's last */
	stream_later(s);
	if (s->handler != NULL && s->handler->on_open != NULL)
		s->handler->on_open(s->arg);
}

/* upgrade sends the rest of the plain output, then puts TLS on the wire. */
static void upgrade(struct stream *s)
{
	if (sendable(s) > 0)
		flush(s);
	if (s->wire.error != NULL) {
		stream_lost(s);
		return;
	}
	if (sendable(s) > 0)
		return;
	wire_start_tls(&s->wire, s->upgrade->tls, s->upgrade->name);
	drop_upgrade(s);
	s->state = STREAM_STARTING;
	start(s);
}

static void work_open(struct stream *s, unsigned int ready)
{
	bool may_write = s->write_wait == 0 || (s->write_wait & ready) != 0;

	if (may_write && sendable(s) > 0)
		flush(s);
	if (s->drained && s->handler != NULL) {
		s->drained = false;
		if (s->handler->on_drained != NULL)
			s->handler->on_drained(s->arg);
	}
	if (s->state == STREAM_OPEN && s->wire.error != NULL &&
	    s->input == INPUT_TOLD)
		stream_lost(s); /* no reader is left to find that out */
	if (wants_input(s) && (s->poll || (s->read_wait & ready) != 0))
		read_input(s);
}

/* stream_turn does what the state and |ready| allow. */
static void stream_turn(struct stream *s, unsigned int ready)
{
	switch (s->state) {
	case STREAM_STARTING:
		start(s);
		break;
	case STREAM_UPGRADING:
		upgrade(s);
		break;
	case STREAM_OPEN:
		work_open(s, ready);
		break;
	case STREAM_LOST:
		tell_lost(s);
		break;
	case STREAM_GONE:
		break;
	}
	update_io(s);
}

static void on_ready(void *arg, unsigned int ready)
{
	struct stream *s = arg;

	stream_turn(s, ready);
}

static void pool_free(void *arg)
{
	struct stream_pool *pool = arg;

	streams_finish(pool->loop);
	free(pool);
}

static struct stream_pool *pool_of(struct loop *loop)
{
	struct stream_pool *pool = loop_kept(loop);

	if (pool == NULL) {
		pool = xcalloc(1, sizeof(*pool));
		pool->loop = loop;
		TAILQ_INIT(&pool->todo);
		pool->farewells.loop = loop;
		pool->farewells.scratch = pool->scratch;
		pool->farewells.scratch_len = sizeof(pool->scratch);
		pool->farewells.max = STREAM_LINGERING_MAX;
		TAILQ_INIT(&pool->farewells.list);
		loop_keep(loop, pool, pool_free);
	}
	return pool;
}

static struct stream *stream_new(struct loop *loop, int fd, enum wire_peer who,
                                 struct tls_ctx *tls, const char *name)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->pool = pool_of(loop);
	wire_init(&s->wire, fd, who);
	if (tls != NULL)
		wire_start_tls(&s->wire, tls, name);
	buf_init(&s->in, SCRATCH_BYTES);
	output_init(&s->out);
	s->read_wait = LOOP_READ;
	s->io = loop_io_new(loop, fd, on_ready, s);
	stream_later(s);
	return s;
}

struct stream *stream_accepted(struct loop *loop, int fd, struct tls_ctx *tls)
{
	assert(tls == NULL || tls->is_server);
	return stream_new(loop, fd, WIRE_CLIENT, tls, NULL);
}

struct stream *stream_connected(struct loop *loop, int fd, struct tls_ctx *tls,
                                const char *name)
{
	assert(tls == NULL || !tls->is_server);
	return stream_new(loop, fd, WIRE_SERVER, tls, name);
}

void stream_start_tls(struct stream *s, struct tls_ctx *tls, const char *name)
{
	if (s->state == STREAM_LOST || s->wire.error != NULL)
		return; /* on_error comes, or came */
	assert(s->state == STREAM_OPEN && s->wire.ssl == NULL);
	s->upgrade = xcalloc(1, sizeof(*s->upgrade));
	s->upgrade->tls = tls_ctx_hold(tls);
	s->upgrade->name = xstrdup(name);
	s->upgrade->plain_left = stream_pending(s);
	s->state = STREAM_UPGRADING;
	s->input = INPUT_OPEN;
	s->paused = false;
	buf_reset(&s->in);
	stream_later(s);
}

int stream_take_fd(struct stream **s)
{
	struct stream *st = *s;
	int fd = st->wire.fd;

	if (st->state != STREAM_OPEN || st->wire.ssl != NULL ||
	    st->wire.error != NULL || st->in.len > 0 || stream_pending(st) > 0)
		return -1;
	*s = NULL;
	loop_io_free(&st->io);
	st->wire.fd = -1;
	stream_gone(st, false);
	return fd;
}

void stream_set_handler(struct stream *s, const struct stream_handler *h,
                        void *arg)
{
	s->handler = h;
	s->arg = arg;
	s->poll = true;
	stream_later(s);
}

int stream_write(struct stream *s, struct str bytes)
{
	bool waited = s->write_wait != 0;

	if (s->state == STREAM_LOST || s->wire.error != NULL)
		return ERR_CLOSED;
	if (output_add(&s->out, bytes) != ERR_OK)
		return ERR_LIMIT;
	if (s->state == STREAM_OPEN && !waited &&
	    stream_pending(s) >= OUTPUT_RECORD)
		flush(s);
	if (stream_pending(s) > STREAM_HIGH_WATER)
		s->high = true;
	/* To send the rest, or to watch for when that is possible. */
	if (!waited && stream_pending(s) > 0)
		stream_later(s);
	return ERR_OK;
}

size_t stream_pending(const struct stream *s)
{
	return output_pending(&s->out);
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	stream_later(s);
}

void stream_resume(struct stream *s)
{
	s->paused = false;
	s->poll = true;
	stream_later(s);
}

void stream_addresses(const struct stream *s, struct address *peer_r,
                      struct address *local_r)
{
	wire_addresses(&s->wire, peer_r, local_r);
}

bool stream_is_tls(const struct stream *s)
{
	return s->wire.tls != NULL || s->upgrade != NULL;
}

const char *stream_alpn(const struct stream *s)
{
	const unsigned char *name = NULL;
	unsigned int len = 0;

	/* Only the one protocol of the context can have been agreed. */
	if (s->wire.ssl != NULL)
		SSL_get0_alpn_selected(s->wire.ssl, &name, &len);
	return len > 0 ? (const char *)s->wire.tls->alpn + 1 : "";
}

const char *stream_tls_version(const struct stream *s)
{
	return s->wire.ssl != NULL ? SSL_get_version(s->wire.ssl) : "";
}

bool stream_is_resumed(const struct stream *s)
{
	return s->wire.ssl != NULL && SSL_session_reused(s->wire.ssl) == 1;
}

int stream_certificate(const struct stream *s, struct certificate *c_r)
{
	if (s->wire.ssl == NULL ||
	    certificate_of(SSL_get0_peer_certificate(s->wire.ssl), c_r) !=
	            ERR_OK)
		return ERR_NOT_FOUND;
	return ERR_OK;
}

/* deserves_farewell: a peer that TLS refused shall be able to read why; one
 * that is lost or still shaking hands has nothing to read. */
static bool deserves_farewell(const struct stream *s)
{
	if (s->state == STREAM_LOST)
		return tls_conn_is_failure(s->wire.error->rc);
	if (s->state == STREAM_STARTING)
		return s->wire.ssl == NULL;
	return true;
}

void stream_close(struct stream **s)
{
	struct stream *st = *s;

	*s = NULL;
	if (st == NULL)
		return;
	assert(st->state != STREAM_GONE);
	if (deserves_farewell(st)) {
		/* What was meant for TLS does not go out in plain. */
		if (st->upgrade != NULL)
			output_cut(&st->out, st->upgrade->plain_left);
		loop_io_free(&st->io);
		farewell_start(&st->pool->farewells, &st->wire, &st->out,
		               st->input != INPUT_OPEN);
	}
	stream_gone(st, false);
}

void stream_abort(struct stream **s)
{
	struct stream *st = *s;

	*s = NULL;
	if (st != NULL)
		stream_gone(st, true);
}

void streams_finish(struct loop *loop)
{
	struct stream_pool *pool = loop_kept(loop);
	struct stream *s;

	if (pool == NULL)
		return;
	farewells_finish(&pool->farewells);
	while ((s = TAILQ_FIRST(&pool->todo)) != NULL) {
		TAILQ_REMOVE(&pool->todo, s, todo);
		s->queued = false;
		if (s->state == STREAM_GONE)
			stream_free(s);
	}
	loop_defer_cancel(loop, pool_work, pool);
	pool->deferred = false;
}
