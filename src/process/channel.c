/* SPDX-License-Identifier: ISC */
/*
 * channel - each datagram begins with an octet that says whether it is the
 * last one of its message. What held a password is wiped.
 */
#include "process/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/loop_io.h"

enum {
	/* Far below what a socket of this kind holds. */
	DATAGRAM_MAX = 32 * 1024,
	/* Others on this loop want their turn too. */
	MESSAGES_PER_TURN = 32,
	/* The first octet. */
	MORE = 0,
	LAST = 1,
};

/* What the other side may owe us to take. */
#define TOLD_MAX (4 * MESSAGE_MAX)

/* A message, or the rest of it, on its way. */
struct parcel {
	STAILQ_ENTRY(parcel) entry;
	struct buf rest;
	bool is_begun;
	int fd; /* that goes with its beginning, or -1; owned */
};

STAILQ_HEAD(parcel_list, parcel);

struct channel {
	struct loop *loop;
	struct loop_io *io; /* NULL: ended or closed */
	const struct channel_events *events;
	void *arg;
	int fd; /* -1: closed */
	bool is_paused;
	bool is_refused; /* a send: |ready| is owed */
	struct parcel_list out;
	size_t told;                     /* octets of |out| */
	struct buf in;                   /* the beginning of a message */
	int in_fd;                       /* that came with it, or -1 */
	char datagram[DATAGRAM_MAX + 1]; /* one too many is seen */
};

int channel_pair(int fds_r[2], struct err_detail *detail)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
	               0, fds_r) != 0)
		return err_set(detail, ERR_UNAVAILABLE, "socketpair: %s",
		               strerror(errno));
	return ERR_OK;
}

static void update_io(struct channel *c)
{
	unsigned int want = 0;

	if (c->io == NULL)
		return;
	if (!c->is_paused)
		want |= LOOP_READ;
	if (!STAILQ_EMPTY(&c->out) || c->is_refused)
		want |= LOOP_WRITE;
	loop_io_want(c->io, want);
}

/* send_datagram sends |len| octets behind the one that says how it goes on.
 * Results: 0; ERR_MORE, not now; ERR_CLOSED. */
static int send_datagram(struct channel *c, const char *data, size_t len,
                         bool is_last, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };

	char first = is_last ? LAST : MORE;
	struct iovec parts[2] = {
		{ .iov_base = &first, .iov_len = 1 },
		{ .iov_base = mem_unconst(data), .iov_len = len },
	};
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	do
		n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return ERR_OK;
	return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM
	               ? ERR_MORE
	               : ERR_CLOSED;
}

static void drop_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void parcel_free(struct parcel *p)
{
	buf_reset(&p->rest);
	drop_fd(&p->fd);
	free(p);
}

/* drop lets go of the first parcel. */
static void drop(struct channel *c)
{
	struct parcel *p = STAILQ_FIRST(&c->out);

	STAILQ_REMOVE_HEAD(&c->out, entry);
	c->told -= p->rest.len;
	parcel_free(p);
}

static void drop_all(struct channel *c)
{
	while (!STAILQ_EMPTY(&c->out))
		drop(c);
}

/* send_parcel sends what it can of |p|. Results as send_datagram. */
static int send_parcel(struct channel *c, struct parcel *p)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && p->rest.len > 0) {
		size_t len = p->rest.len;
		bool is_last = len < DATAGRAM_MAX;

		if (!is_last)
			len = DATAGRAM_MAX - 1;
		rc = send_datagram(c, p->rest.data, len, is_last, p->fd);
		if (rc != ERR_OK)
			break;
		buf_consume(&p->rest, len);
		c->told -= len;
		p->is_begun = true;
		drop_fd(&p->fd);
	}
	return rc;
}

static void flush(struct channel *c)
{
	int rc = ERR_OK;

	while (!STAILQ_EMPTY(&c->out)) {
		rc = send_parcel(c, STAILQ_FIRST(&c->out));
		if (rc != ERR_OK)
			break;
		drop(c);
	}
	if (rc == ERR_CLOSED) /* whoever reads will be told */
		drop_all(c);
	update_io(c);
}

/* enqueue puts |m| behind all others, and another of |fd| with it. Results: 0;
 * ERR_LIMIT, |m| is too long; ERR_UNAVAILABLE, |fd| cannot be kept. */
static int enqueue(struct channel *c, const struct message *m, int fd)
{
	struct parcel *p = xcalloc(1, sizeof(*p));
	int rc;

	p->fd = -1;
	buf_init(&p->rest, MESSAGE_MAX);
	rc = message_encode(m, &p->rest);
	if (rc == ERR_OK && fd >= 0) {
		p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (p->fd < 0)
			rc = ERR_UNAVAILABLE;
	}
	if (rc != ERR_OK) {
		parcel_free(p);
		return rc;
	}
	STAILQ_INSERT_TAIL(&c->out, p, entry);
	c->told += p->rest.len;
	return ERR_OK;
}

int channel_send(struct channel *c, const struct message *m)
{
	const struct parcel *p;
	int rc;

	if (c->io == NULL)
		return ERR_OK;
	if (!STAILQ_EMPTY(&c->out)) {
		c->is_refused = true;
		return ERR_MORE;
	}
	rc = enqueue(c, m, -1);
	if (rc != ERR_OK)
		return rc;
	flush(c);
	p = STAILQ_FIRST(&c->out);
	if (p == NULL || p->is_begun)
		return ERR_OK;
	drop(c);
	c->is_refused = true;
	update_io(c);
	return ERR_MORE;
}

static void end(struct channel *c, int rc)
{
	loop_io_free(&c->io);
	drop_all(c);
	c->events->ended(c->arg, rc);
}

static void on_too_much(void *arg)
{
	struct channel *c = arg;

	if (c->io != NULL)
		end(c, ERR_LIMIT);
}

int channel_tell(struct channel *c, const struct message *m, int fd)
{
	int rc;

	if (c->io == NULL)
		return ERR_OK;
	rc = enqueue(c, m, fd);
	if (rc != ERR_OK)
		return rc;
	flush(c);
	if (c->told > TOLD_MAX) {
		loop_defer_cancel(c->loop, on_too_much, c);
		loop_defer(c->loop, on_too_much, c);
	}
	return ERR_OK;
}

void channel_post(struct channel *c, enum message_type type, uint32_t id)
{
	const struct message m = { .type = type, .id = id };
	int rc = channel_tell(c, &m, -1);

	assert(rc == ERR_OK); /* nothing is shorter */
}

/* take_fd returns the descriptor that came along, or -1; others are closed. */
static int take_fd(struct msghdr *msg)
{
	int fd = -1;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h != NULL;
	     h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0;
		     CMSG_LEN((i + 1) * sizeof(int)) <= h->cmsg_len; i++) {
			if (fd >= 0)
				(void)close(fd);
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
		}
	}
	return fd;
}

/* receive reads a datagram. Results: 0; ERR_MORE, none is there; ERR_CLOSED;
 * ERR_LIMIT. */
static int receive(struct channel *c, size_t *len_r, int *fd_r)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = c->datagram,
		              .iov_len = sizeof(c->datagram) };
	struct msghdr msg = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);

	/* The other side ended with some of ours unread, which is told once:
	 * what it said before is behind that. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return ERR_MORE;
	if (n < 0)
		return ERR_CLOSED;
	*fd_r = take_fd(&msg);
	*len_r = (size_t)n;
	/* The end; or nothing at all, which may bring descriptors too. */
	if (n == 0)
		return ERR_CLOSED;
	return (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? ERR_LIMIT
	                                                       : ERR_OK;
}

/* deliver hands on a whole message. */
static int deliver(struct channel *c, struct str octets)
{
	struct message m;
	int fd = c->in_fd;
	int rc = message_decode(octets, &m);

	if (rc != ERR_OK)
		return rc;
	c->in_fd = -1;
	c->events->message(c->arg, &m, fd);
	message_done(&m);
	return ERR_OK;
}

/* take adds a datagram to its message. Results: 0; ERR_MORE, it is not whole;
 * ERR_PARSE, ERR_LIMIT. */
static int take(struct channel *c, size_t len, int fd)
{
	struct str octets = str_new(c->datagram + 1, len - 1);
	char first = c->datagram[0];
	int rc;

	if (fd >= 0) {
		drop_fd(&c->in_fd);
		c->in_fd = fd;
	}
	if ((first != MORE && first != LAST) || octets.len == 0)
		return ERR_PARSE;
	if (first == LAST && c->in.len == 0)
		return deliver(c, octets);
	rc = buf_add(&c->in, octets);
	if (rc != ERR_OK || first == MORE)
		return rc != ERR_OK ? rc : ERR_MORE;
	rc = deliver(c, buf_str(&c->in));
	buf_reset(&c->in);
	return rc;
}

static void read_some(struct channel *c)
{
	size_t len = 0;
	int rc = ERR_OK;

	for (int i = 0; i < MESSAGES_PER_TURN && c->io != NULL &&
	                !c->is_paused && rc == ERR_OK;
	     i++) {
		int fd = -1;

		rc = receive(c, &len, &fd);
		if (rc != ERR_OK) {
			drop_fd(&fd);
			break;
		}
		rc = take(c, len, fd);
		mem_wipe(c->datagram, len);
		if (rc == ERR_MORE)
			rc = ERR_OK;
	}
	if (rc != ERR_OK && rc != ERR_MORE && c->io != NULL)
		end(c, rc);
}

static void on_io(void *arg, unsigned int ready)
{
	struct channel *c = arg;

	if ((ready & LOOP_WRITE) != 0) {
		flush(c);
		if (STAILQ_EMPTY(&c->out) && c->is_refused) {
			c->is_refused = false;
			update_io(c);
			if (c->events->ready != NULL)
				c->events->ready(c->arg);
		}
	}
	if (c->io != NULL && (ready & LOOP_READ) != 0)
		read_some(c);
}

struct channel *channel_new(struct loop *loop, int fd,
                            const struct channel_events *events, void *arg)
{
	struct channel *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->fd = fd;
	c->in_fd = -1;
	c->events = events;
	c->arg = arg;
	STAILQ_INIT(&c->out);
	buf_init(&c->in, MESSAGE_MAX);
	c->io = loop_io_new(loop, fd, on_io, c);
	update_io(c);
	return c;
}

void channel_pause(struct channel *c)
{
	c->is_paused = true;
	update_io(c);
}

void channel_resume(struct channel *c)
{
	c->is_paused = false;
	update_io(c);
}

int channel_fd(const struct channel *c)
{
	return c->fd;
}

/* sweep frees what a delivery further up the stack may still read from. */
static void sweep(void *arg)
{
	struct channel *c = arg;

	buf_reset(&c->in);
	mem_wipe(c->datagram, sizeof(c->datagram));
	free(c);
}

void channel_free(struct channel **channel)
{
	struct channel *c = *channel;

	*channel = NULL;
	if (c == NULL)
		return;
	loop_io_free(&c->io);
	loop_defer_cancel(c->loop, on_too_much, c);
	drop_all(c);
	(void)close(c->fd);
	drop_fd(&c->in_fd);
	loop_defer(c->loop, sweep, c);
}
