/* SPDX-License-Identifier: ISC */
/* status - see status.h. evhttp has no deadline for a whole request and no
 * limit of connections, and knows much that is not needed here. */
#include "status/status.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/listen.h"
#include "net/stream.h"
#include "status/answer.h"
#include "status/request.h"

/* One connection. */
struct visitor {
	TAILQ_ENTRY(visitor) entry;
	struct status *status;
	struct stream *stream;
	struct loop_timer *timer;
	struct buf head;
};

struct status {
	struct loop *loop;
	struct listener *listener;
	struct status_opts opts;
	TAILQ_HEAD(, visitor) visitors; /* the oldest first */
	size_t count;
};

static void visitor_free(struct visitor *v)
{
	struct status *s = v->status;

	TAILQ_REMOVE(&s->visitors, v, entry);
	s->count--;
	if (v->stream != NULL)
		stream_abort(&v->stream);
	loop_timer_free(&v->timer);
	buf_reset(&v->head);
	free(v);
}

/* answer sends the answer to what came, |rc| being how that was read, and takes
 * leave. */
static void answer(struct visitor *v, int rc, const struct request *r)
{
	const struct status *s = v->status;
	const struct page_facts facts = {
		.now_ms = loop_wall_ms(s->loop),
		.since_ms = s->opts.since_ms,
		.loop_ms = loop_now_ms(s->loop),
		.processes = s->opts.processes,
	};
	struct buf out;

	buf_init(&out, ANSWER_MAX);
	rc = rc == ERR_OK ? answer_write(r, &facts, &out)
	                  : answer_refuse(rc, &facts, &out);
	if (rc == ERR_OK && stream_write(v->stream, buf_str(&out)) == ERR_OK)
		stream_close(&v->stream);
	buf_reset(&out);
	visitor_free(v);
}

static size_t on_data(void *arg, struct str bytes)
{
	struct visitor *v = arg;
	struct request r;
	int rc;

	/* One octet more than fits tells that it is too long. */
	rc = buf_add(&v->head, str_sub(bytes, 0, v->head.max - v->head.len));
	if (rc == ERR_OK)
		rc = request_parse(buf_str(&v->head), &r);
	if (rc != ERR_MORE)
		answer(v, rc, &r);
	return bytes.len;
}

static void on_eof(void *arg)
{
	visitor_free(arg);
}

static void on_error(void *arg, int rc, const char *why)
{
	(void)rc;
	(void)why;
	visitor_free(arg);
}

static const struct stream_handler handler = {
	.on_data = on_data,
	.on_eof = on_eof,
	.on_error = on_error,
};

static void on_late(void *arg)
{
	answer(arg, ERR_TIMEOUT, NULL);
}

static void on_accept(void *arg, int fd)
{
	struct status *s = arg;
	struct visitor *v;

	if (s->count == STATUS_VISITORS_MAX)
		visitor_free(TAILQ_FIRST(&s->visitors));
	v = xcalloc(1, sizeof(*v));
	v->status = s;
	buf_init(&v->head, REQUEST_MAX + 1);
	v->timer = loop_timer_new(s->loop, on_late, v);
	loop_timer_set(v->timer, STATUS_REQUEST_MS);
	v->stream = stream_accepted(s->loop, fd, NULL);
	stream_set_handler(v->stream, &handler, v);
	TAILQ_INSERT_TAIL(&s->visitors, v, entry);
	s->count++;
}

struct status *status_new(struct loop *loop, const struct status_opts *opts)
{
	struct status *s = xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->opts = *opts;
	TAILQ_INIT(&s->visitors);
	s->listener =
		listener_new(loop, opts->fds, opts->fd_count, on_accept, s);
	return s;
}

void status_free(struct status **status)
{
	struct status *s = *status;
	struct visitor *v;
	struct visitor *next;

	*status = NULL;
	if (s == NULL)
		return;
	listener_free(&s->listener);
	for (v = TAILQ_FIRST(&s->visitors); v != NULL; v = next) {
		next = TAILQ_NEXT(v, entry);
		visitor_free(v);
	}
	free(s);
}
