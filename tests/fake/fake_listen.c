/* SPDX-License-Identifier: ISC */
/*
 * listen, on which the test connects. Descriptors are of /dev/null: code that
 * turns a connection away may close them as it would a socket.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "fake/fake.h"
#include "fake/fake_loop.h"
#include "fake/fake_stream.h"
#include "net/listen.h"

enum { FIRST_PORT = 40000 };

/* A connection between fake_accept and stream_accepted. */
struct fake_fd {
	TAILQ_ENTRY(fake_fd) entry;
	struct listener *listener; /* NULL: handed out */
	struct stream *stream;
	struct fake_peer *peer;
	int fd;
};

struct listener {
	TAILQ_ENTRY(listener) entry;
	struct loop *loop;
	listen_fn *fn;
	void *arg;
	uint16_t port;
	bool paused;
};

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

static void fd_free(struct loop *loop, struct fake_fd *f)
{
	TAILQ_REMOVE(&loop->fds, f, entry);
	free(f);
}

/* check_refused: what was handed out and closed without a stream was refused.
 */
static void check_refused(struct loop *loop)
{
	struct fake_fd *f;
	struct fake_fd *next;

	for (f = TAILQ_FIRST(&loop->fds); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (f->listener != NULL || fcntl(f->fd, F_GETFD) >= 0)
			continue;
		fake_stream_drop(f->stream);
		fd_free(loop, f);
	}
}

/* on_accept hands out the oldest connection of a listener that wants one. */
static void on_accept(void *arg)
{
	struct loop *loop = arg;
	struct fake_fd *f;
	struct listener *l;

	TAILQ_FOREACH(f, &loop->fds, entry) {
		l = f->listener;
		if (l == NULL || l->paused)
			continue;
		f->listener = NULL;
		l->fn(l->arg, f->fd);
		loop_defer(loop, on_accept, loop); /* for the others */
		break;
	}
	check_refused(loop);
}

struct fake_peer *fake_accept(struct loop *loop, uint16_t port)
{
	struct listener *l;
	struct fake_fd *f;

	TAILQ_FOREACH(l, &loop->listeners, entry) {
		if (port == 0 || l->port == port)
			break;
	}
	if (l == NULL)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->listener = l;
	f->stream = fake_stream_new(loop, &f->peer);
	f->fd = null_fd();
	TAILQ_INSERT_TAIL(&loop->fds, f, entry);
	loop_defer(loop, on_accept, loop);
	return f->peer;
}

struct stream *fake_fd_take(struct loop *loop, int fd)
{
	struct stream *stream;
	struct fake_fd *f;

	TAILQ_FOREACH(f, &loop->fds, entry) {
		if (f->fd == fd)
			break;
	}
	if (f == NULL)
		return NULL;
	stream = f->stream;
	fd_free(loop, f);
	(void)close(fd);
	return stream;
}

int listen_bind(const char *host, uint16_t port, bool share, int *fds_r,
                size_t max, size_t *count_r, struct err_detail *detail)
{
	(void)host;
	(void)port;
	(void)share;
	(void)detail;
	assert(max > 0);
	fds_r[0] = null_fd();
	*count_r = 1;
	return ERR_OK;
}

uint16_t listen_port(int fd)
{
	(void)fd;
	return FIRST_PORT;
}

/* Nobody hands over a socket here. */

bool listen_is_ours(int fd)
{
	(void)fd;
	return false;
}

int listen_match(const char *host, uint16_t port, const int *fds, size_t count,
                 bool *at_r, struct err_detail *detail)
{
	(void)host;
	(void)port;
	(void)fds;
	(void)detail;
	for (size_t i = 0; i < count; i++)
		at_r[i] = false;
	return ERR_OK;
}

int listen_again(int fd)
{
	(void)fd;
	return -1;
}

int listen_mend(int fd)
{
	(void)fd;
	return ERR_OK;
}

static struct listener *add(struct loop *loop, uint16_t port, listen_fn *fn,
                            void *arg)
{
	struct listener *l = xcalloc(1, sizeof(*l));
	uint16_t free_port = FIRST_PORT;
	const struct listener *other;

	TAILQ_FOREACH(other, &loop->listeners, entry) {
		if (other->port >= free_port)
			free_port = (uint16_t)(other->port + 1);
	}
	l->loop = loop;
	l->fn = fn;
	l->arg = arg;
	l->port = port != 0 ? port : free_port;
	TAILQ_INSERT_TAIL(&loop->listeners, l, entry);
	return l;
}

struct listener *listener_new(struct loop *loop, const int *fds, size_t count,
                              listen_fn *fn, void *arg)
{
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
	return add(loop, 0, fn, arg);
}

int listener_open(struct loop *loop, const char *host, uint16_t port,
                  listen_fn *fn, void *arg, struct listener **l_r,
                  struct err_detail *detail)
{
	const struct listener *other;

	TAILQ_FOREACH(other, &loop->listeners, entry) {
		if (port != 0 && other->port == port)
			return err_set(detail, ERR_PERMISSION,
			               "listen on %s:%u: in use", host,
			               (unsigned int)port);
	}
	*l_r = add(loop, port, fn, arg);
	return ERR_OK;
}

uint16_t listener_port(const struct listener *l)
{
	return l->port;
}

void listener_pause(struct listener *l)
{
	l->paused = true;
}

void listener_resume(struct listener *l)
{
	l->paused = false;
	loop_defer(l->loop, on_accept, l->loop);
}

/* drop_fds resets those who wait for |l|, as a closed socket does. */
static void drop_fds(struct loop *loop, const struct listener *l)
{
	struct fake_fd *f;
	struct fake_fd *next;

	for (f = TAILQ_FIRST(&loop->fds); f != NULL; f = next) {
		next = TAILQ_NEXT(f, entry);
		if (l != NULL && f->listener != l)
			continue;
		if (f->listener != NULL)
			(void)close(f->fd);
		fake_stream_drop(f->stream);
		fd_free(loop, f);
	}
}

void listener_free(struct listener **l)
{
	struct listener *old = *l;

	*l = NULL;
	if (old == NULL)
		return;
	drop_fds(old->loop, old);
	TAILQ_REMOVE(&old->loop->listeners, old, entry);
	free(old);
}

void fake_listen_done(struct loop *loop)
{
	assert(TAILQ_EMPTY(&loop->listeners)); /* not freed */
	drop_fds(loop, NULL);
}
