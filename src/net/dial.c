/* SPDX-License-Identifier: ISC */
/*
 * dial - resolve, then one address after the other until one is connected, the
 * PROXY header sent and its TLS handshake done. Each address has its share of
 * what is left of the deadline, so that one that swallows packets does not
 * starve the others. A certificate that is refused ends the dial: the next
 * address would show the same, and the operator shall read that sentence and no
 * other.
 */
#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"
#include "net/address.h"
#include "net/loop_io.h"
#include "net/proxy_protocol.h"
#include "net/tls_conn.h"

/* More are not tried: the deadline's shares would get too small. */
enum { TRIES_MAX = 8 };

struct dial {
	struct loop *loop;
	char *host;
	char *name;
	uint16_t port;
	struct tls_ctx *tls; /* NULL: the stream is handed over plain */
	struct buf header;   /* what goes out before anything else */
	bool header_sent;
	dial_done_fn *done;
	void *arg;
	uint64_t begun_ms;
	uint64_t due_ms;
	bool is_backend;
	struct resolve *query; /* while resolving */
	struct resolve_address list[TRIES_MAX];
	size_t count;
	size_t tried;       /* list[tried - 1] is the one being tried */
	struct loop_io *io; /* while connecting */
	int fd;
	struct stream *stream; /* while in the handshake */
	struct loop_timer *timer;
	int rc; /* how the last try failed */
	struct err_detail why;
};

static void try_next(struct dial *d);

/* drop_try ends what the current address had under way. */
static void drop_try(struct dial *d)
{
	loop_io_free(&d->io);
	if (d->fd >= 0)
		(void)close(d->fd);
	d->fd = -1;
	stream_abort(&d->stream);
}

static void dial_free(struct dial *d)
{
	resolve_cancel(&d->query);
	drop_try(d);
	loop_timer_free(&d->timer);
	tls_ctx_free(&d->tls);
	buf_reset(&d->header);
	free(d->host);
	free(d->name);
	free(d);
}

/* finish makes the one call; |d| is gone before it. */
static void finish(struct dial *d, int rc, struct stream *stream)
{
	dial_done_fn *done = d->done;
	struct err_detail why = d->why;
	void *arg = d->arg;

	dial_free(d);
	done(arg, rc, stream, rc == ERR_OK ? "" : why.text);
}

/* note_failure keeps a sentence like "connect to mail.example.org:993
 * (192.0.2.1): Connection refused". */
static void note_failure(struct dial *d, int rc, const char *what,
                         const char *why)
{
	char host[ADDRESS_TEXT_MAX] = "";
	char name[ADDRESS_NAME_MAX];

	if (d->tried > 0)
		address_host(
			(const struct sockaddr *)&d->list[d->tried - 1].addr,
			host, sizeof(host));
	/* An address that was given as such is not said twice. */
	if (strcmp(host, d->host) == 0)
		host[0] = '\0';
	d->rc = err_set(&d->why, rc, "%s %s%s%s%s: %s", what,
	                address_name(d->host, d->port, name),
	                host[0] != '\0' ? " (" : "", host,
	                host[0] != '\0' ? ")" : "", why);
}

static uint64_t left_ms(const struct dial *d)
{
	uint64_t now = loop_now_ms(d->loop);

	return d->due_ms > now ? d->due_ms - now : 0;
}

/* verify_name is what the certificate must match. */
static const char *verify_name(const char *host, const char *name)
{
	return name != NULL ? name : host;
}

/* send_header puts the header in front. Returns whether the stream opens once
 * more, with TLS. */
static bool send_header(struct dial *d)
{
	if (d->header.len == 0 || d->header_sent)
		return false;
	d->header_sent = true;
	/* A fresh stream takes it; one that is lost says so by itself. */
	if (stream_write(d->stream, buf_str(&d->header)) != ERR_OK)
		return true;
	if (d->tls == NULL)
		return false;
	stream_start_tls(d->stream, d->tls, verify_name(d->host, d->name));
	return true;
}

static void on_open(void *arg)
{
	struct dial *d = arg;
	struct stream *stream = d->stream;

	if (send_header(d))
		return;
	d->stream = NULL;
	stream_set_handler(stream, NULL, NULL);
	if (d->is_backend)
		metric_observe(METRIC_BACKEND_CONNECT,
		               loop_now_ms(d->loop) - d->begun_ms);
	finish(d, ERR_OK, stream);
}

static void on_error(void *arg, int rc, const char *why)
{
	struct dial *d = arg;

	note_failure(d, rc, d->tls != NULL ? "tls with" : "connect to", why);
	/* Of a peer that hangs up in the middle, too, if it was the last. */
	if (d->tls != NULL && rc == ERR_CLOSED)
		d->rc = ERR_TLS;
	if (tls_conn_is_failure(rc)) {
		/* Politely, so that our alert reaches the peer. */
		stream_close(&d->stream);
		finish(d, rc, NULL);
		return;
	}
	try_next(d);
}

/* Neither comes before on_open, and after it the handler is gone. */
static size_t on_data(void *arg, struct str bytes)
{
	(void)arg;
	(void)bytes;
	return 0;
}

static void on_eof(void *arg)
{
	(void)arg;
}

static const struct stream_handler handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_eof = on_eof,
	.on_error = on_error,
};

/* on_connected: the descriptor became writable, for better or worse. */
static void on_connected(void *arg, unsigned int ready)
{
	struct dial *d = arg;
	socklen_t len = sizeof(int);
	int number = 0;

	(void)ready;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
		number = errno;
	if (number != 0) {
		note_failure(d, number == ETIMEDOUT ? ERR_TIMEOUT : ERR_CLOSED,
		             "connect to", strerror(number));
		try_next(d);
		return;
	}
	loop_io_free(&d->io);
	d->header_sent = false;
	d->stream = stream_connected(d->loop, d->fd,
	                             d->header.len > 0 ? NULL : d->tls,
	                             verify_name(d->host, d->name));
	d->fd = -1;
	stream_set_handler(d->stream, &handler, d);
}

/* begin_try starts to connect to |a|. Returns false, with the failure noted,
 * when the system refuses at once. */
static bool begin_try(struct dial *d, const struct resolve_address *a)
{
	d->fd = socket(a->addr.ss_family,
	               SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0 ||
	    (connect(d->fd, (const struct sockaddr *)&a->addr, a->len) != 0 &&
	     errno != EINPROGRESS)) {
		note_failure(d, ERR_CLOSED, "connect to", strerror(errno));
		drop_try(d);
		return false;
	}
	d->io = loop_io_new(d->loop, d->fd, on_connected, d);
	loop_io_want(d->io, LOOP_WRITE);
	return true;
}

/* try_next goes on with the next address, or gives up after the last. */
static void try_next(struct dial *d)
{
	drop_try(d);
	while (d->tried < d->count && left_ms(d) > 0) {
		if (begin_try(d, &d->list[d->tried++])) {
			loop_timer_set(d->timer,
			               left_ms(d) / (d->count - d->tried + 1));
			return;
		}
	}
	if (d->why.text[0] == '\0')
		note_failure(d, ERR_TIMEOUT, "connect to", "timed out");
	finish(d, d->rc, NULL);
}

/* on_time: the share of the current address, or of the resolver, is used up. */
static void on_time(void *arg)
{
	struct dial *d = arg;

	if (d->query != NULL) {
		note_failure(d, ERR_TIMEOUT, "resolve", "timed out");
		finish(d, d->rc, NULL);
		return;
	}
	note_failure(d, ERR_TIMEOUT,
	             d->stream != NULL && d->tls != NULL ? "tls with"
	                                                 : "connect to",
	             "timed out");
	try_next(d);
}

/*
 * take_list keeps the addresses with the families in turn, the resolver's
 * first one first: one broken family must not use up every try.
 */
static void take_list(struct dial *d, const struct resolve_address *list,
                      size_t count)
{
	bool used[64] = { false };
	sa_family_t last = AF_UNSPEC;
	size_t pick;

	if (count > sizeof(used))
		count = sizeof(used);
	while (d->count < TRIES_MAX && d->count < count) {
		pick = count;
		for (size_t i = 0; i < count; i++) {
			if (used[i])
				continue;
			if (pick == count)
				pick = i;
			if (list[i].addr.ss_family != last) {
				pick = i;
				break;
			}
		}
		used[pick] = true;
		last = list[pick].addr.ss_family;
		d->list[d->count++] = list[pick];
	}
}

static void on_resolved(void *arg, int rc, const struct resolve_address *list,
                        size_t count, const char *why)
{
	struct dial *d = arg;

	d->query = NULL;
	if (rc != ERR_OK) {
		(void)err_set(&d->why, rc, "%s", why);
		finish(d, rc, NULL);
		return;
	}
	take_list(d, list, count);
	try_next(d);
}

/* make_header writes what the target wants to know of |from|. */
static void make_header(enum dial_forward forward, const struct dial_from *from,
                        struct buf *header)
{
	const struct address *client = from != NULL ? from->client : NULL;
	const struct address *listener = from != NULL ? from->listener : NULL;
	struct str tls = from != NULL ? from->tls : STR_NULL;
	int rc = ERR_OK;

	buf_init(header, PROXY_V1_MAX);
	switch (forward) {
	case DIAL_FORWARD_NONE:
	case DIAL_FORWARD_ID:
		break;
	case DIAL_FORWARD_PROXY_V1:
		rc = proxy_protocol_emit(PROXY_V1, client, listener, tls,
		                         header);
		break;
	case DIAL_FORWARD_PROXY_V2:
		rc = proxy_protocol_emit(PROXY_V2, client, listener, tls,
		                         header);
		break;
	}
	assert(rc == ERR_OK); /* both fit */
}

struct dial *dial_start(struct loop *loop, struct resolver *resolver,
                        const struct dial_target *target,
                        const struct dial_from *from, uint64_t deadline_ms,
                        dial_done_fn *done, void *arg)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->host = xstrdup(target->host);
	d->name = xstrdup(target->name);
	d->port = target->port;
	if (target->tls != NULL && !target->starttls)
		d->tls = tls_ctx_hold(target->tls);
	make_header(target->forward, from, &d->header);
	d->done = done;
	d->arg = arg;
	d->fd = -1;
	d->begun_ms = loop_now_ms(loop);
	d->due_ms = d->begun_ms + deadline_ms;
	d->is_backend = target->is_backend;
	d->timer = loop_timer_new(loop, on_time, d);
	loop_timer_set(d->timer, deadline_ms);
	d->query = resolve_start(resolver, d->host, d->port, on_resolved, d);
	return d;
}

void dial_start_tls(struct stream *stream, const struct dial_target *target)
{
	stream_start_tls(stream, target->tls,
	                 verify_name(target->host, target->name));
}

void dial_cancel(struct dial **d)
{
	struct dial *old = *d;

	*d = NULL;
	if (old != NULL)
		dial_free(old);
}
