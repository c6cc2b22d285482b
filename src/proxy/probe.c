/* SPDX-License-Identifier: ISC */
/* probe - see probe.h. What an answer means is opening's, and what it may mean
 * that none comes is mismatch's. */
#include "proxy/probe.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "imap/reader.h"
#include "proxy/mismatch.h"

#define PROBE_SEND_MAX ((size_t)8192)
#define PROBE_RESPONSE_MAX ((size_t)64 * 1024)

struct probe {
	struct dial_target target;
	struct dial *dial; /* until there is a stream */
	struct stream *stream;
	struct loop_timer *timer;
	struct imap_opening opening;
	struct imap_reader reader;
	bool greeted;
	bool heard;     /* anything at all came */
	bool heard_tls; /* and it was a TLS record */
	probe_done_fn *done;
	void *arg;
};

static void probe_free(struct probe *p)
{
	dial_cancel(&p->dial);
	if (p->stream != NULL)
		stream_close(&p->stream);
	loop_timer_free(&p->timer);
	imap_opening_done(&p->opening);
	imap_reader_done(&p->reader);
	free(p);
}

static void fail(struct probe *p, const char *why)
{
	p->done(p->arg, NULL, NULL, why);
	probe_free(p); /* may own |why| */
}

static void succeed(struct probe *p)
{
	p->done(p->arg, &p->opening, p->stream, "");
	/* Politely; what it answers nobody reads, nor whether it came. */
	if (stream_write(p->stream, STR("z LOGOUT\r\n")) != ERR_OK)
		stream_abort(&p->stream);
	probe_free(p);
}

/* puzzle fails with |why| and what that may mean. */
static void puzzle(struct probe *p, enum mismatch_sign sign, const char *why)
{
	const char *hint = mismatch_hint(&p->target, sign);
	struct err_detail text;

	(void)err_set(&text, ERR_UNAVAILABLE, "%s%s%s", why,
	              hint != NULL ? ": " : "", hint != NULL ? hint : "");
	fail(p, text.text);
}

/* trouble is what went wrong on the connection. A server with which TLS was
 * begun is what it was taken for, at least. */
static void trouble(struct probe *p, const char *why)
{
	enum mismatch_sign sign = MISMATCH_SILENCE;

	if (p->heard_tls)
		sign = MISMATCH_TLS;
	else if (p->greeted)
		sign = MISMATCH_TROUBLE;
	if (p->stream != NULL && stream_is_tls(p->stream))
		fail(p, why);
	else
		puzzle(p, sign, why);
}

/* go_on sends what the opening said and looks at where it stands. Returns
 * whether the probe waits for more. */
static bool go_on(struct probe *p, struct buf *send)
{
	int rc = stream_write(p->stream, buf_str(send));

	buf_reset(send);
	if (rc != ERR_OK)
		trouble(p, "connection lost");
	else if (p->opening.state == IMAP_OPENING_FAILED)
		trouble(p, p->opening.why.text);
	else if (p->opening.state == IMAP_OPENING_PROBED)
		succeed(p);
	else
		return true;
	return false;
}

static bool on_response(struct probe *p, struct str response)
{
	bool for_client;
	struct buf send;

	buf_init(&send, PROBE_SEND_MAX);
	(void)imap_opening_feed(&p->opening, response, &send, &for_client);
	if (p->opening.state != IMAP_OPENING_FAILED)
		p->greeted = true;
	return go_on(p, &send);
}

/* start_tls: |left| octets came behind the OK of STARTTLS. */
static void start_tls(struct probe *p, size_t left)
{
	if (imap_opening_left(&p->opening, left))
		dial_start_tls(p->stream, &p->target);
	else
		fail(p, p->opening.why.text);
}

/* note_first looks for an alert, or a handshake, of TLS 1.x. */
static void note_first(struct probe *p, struct str bytes)
{
	if (!p->heard && !stream_is_tls(p->stream))
		p->heard_tls = str_starts(bytes, STR("\x15\x03")) ||
		               str_starts(bytes, STR("\x16\x03"));
	p->heard = true;
}

static size_t on_data(void *arg, struct str bytes)
{
	struct probe *p = arg;
	struct str in = bytes;
	struct str response;
	int rc;

	note_first(p, bytes);
	while ((rc = imap_reader_next(&p->reader, &in, &response)) == ERR_OK) {
		if (!on_response(p, response))
			return bytes.len;
		if (p->opening.state == IMAP_OPENING_TLS) {
			start_tls(p, in.len);
			return bytes.len;
		}
	}
	if (rc != ERR_MORE)
		trouble(p, "it does not speak IMAP");
	return bytes.len;
}

/* on_open comes when the handshake after STARTTLS is done. */
static void on_open(void *arg)
{
	struct probe *p = arg;
	struct buf send;

	if (p->opening.state != IMAP_OPENING_TLS)
		return;
	buf_init(&send, PROBE_SEND_MAX);
	(void)imap_opening_secured(&p->opening, &send);
	(void)go_on(p, &send);
}

static void on_eof(void *arg)
{
	struct probe *p = arg;

	trouble(p, p->greeted ? "it closed the connection"
	                      : "it closed the connection without a greeting");
}

static void on_error(void *arg, int rc, const char *why)
{
	(void)rc; /* said in |why| */
	trouble(arg, why);
}

static const struct stream_handler handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_eof = on_eof,
	.on_error = on_error,
};

static void on_dialled(void *arg, int rc, struct stream *stream,
                       const char *why)
{
	struct probe *p = arg;

	p->dial = NULL;
	if (rc == ERR_TLS) {
		puzzle(p, MISMATCH_NO_TLS, why);
		return;
	}
	if (rc != ERR_OK) {
		fail(p, why);
		return;
	}
	p->stream = stream;
	stream_set_handler(stream, &handler, p);
}

static void on_timer(void *arg)
{
	struct probe *p = arg;

	trouble(p, p->greeted ? "no answer in time" : "no greeting in time");
}

struct probe *probe_start(struct loop *loop, struct resolver *resolver,
                          const struct dial_target *target, uint64_t step_ms,
                          probe_done_fn *done, void *arg)
{
	const struct imap_opening_opts opts = { .starttls = target->starttls };
	struct probe *p = xcalloc(1, sizeof(*p));

	p->target = *target;
	p->done = done;
	p->arg = arg;
	imap_opening_init(&p->opening, &opts);
	imap_reader_init(&p->reader, PROBE_RESPONSE_MAX);
	p->dial = dial_start(loop, resolver, target, NULL, step_ms, on_dialled,
	                     p);
	/* After the dial's own deadline, whose sentence says more. */
	p->timer = loop_timer_new(loop, on_timer, p);
	loop_timer_set(p->timer, 2 * step_ms);
	return p;
}

void probe_cancel(struct probe **p)
{
	struct probe *old = *p;

	*p = NULL;
	if (old != NULL)
		probe_free(old);
}
