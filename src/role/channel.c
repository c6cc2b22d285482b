/* SPDX-License-Identifier: ISC */
/*
 * channel - each datagram begins with an octet that says whether it is the
 * last one of its message. What held a password is wiped.
 */
#include "role/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

struct channel {
	struct loop *loop;
	struct loop_io *io; /* NULL: ended or closed */
	const struct channel_events *events;
	void *arg;
	int fd; /* -1: closed */
	bool is_paused;
	bool is_refused; /* a send: |ready| is owed */
	struct buf out;  /* of a message whose beginning is sent */
	struct buf in;   /* the beginning of a message */
	int in_fd;       /* that came with it, or -1 */
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
	if (c->out.len > 0 || c->is_refused)
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

/* flush sends what it can of |out|; a descriptor goes with the first. */
static int flush(struct channel *c, int fd)
{
	int rc = ERR_OK;

	while (rc == ERR_OK && c->out.len > 0) {
		size_t len = c->out.len;
		bool is_last = len < DATAGRAM_MAX;

		if (!is_last)
			len = DATAGRAM_MAX - 1;
		rc = send_datagram(c, c->out.data, len, is_last, fd);
		fd = -1;
		if (rc == ERR_OK)
			buf_consume(&c->out, len);
	}
	if (rc == ERR_CLOSED) /* whoever reads will be told */
		buf_reset(&c->out);
	update_io(c);
	return rc;
}

int channel_send(struct channel *c, const struct message *m, int fd)
{
	size_t whole;
	int rc;

	if (c->io == NULL)
		return ERR_OK;
	if (c->out.len > 0) {
		c->is_refused = true;
		return ERR_MORE;
	}
	rc = message_encode(m, &c->out);
	if (rc != ERR_OK)
		return rc;
	whole = c->out.len;
	if (flush(c, fd) == ERR_MORE && c->out.len == whole) {
		/* All or nothing, so that a descriptor need not be kept. */
		buf_reset(&c->out);
		c->is_refused = true;
		update_io(c);
		return ERR_MORE;
	}
	return ERR_OK;
}

void channel_post(struct channel *c, enum message_type type, uint32_t id)
{
	const struct message m = { .type = type, .id = id };

	/* If it does not fit now the other side hangs, and has to be ended by
	 * other means. */
	(void)(channel_send(c, &m, -1) == ERR_OK);
}

static void end(struct channel *c, int rc)
{
	loop_io_free(&c->io);
	c->events->ended(c->arg, rc);
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

static void drop_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
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
		(void)flush(c, -1);
		if (c->out.len == 0 && c->is_refused) {
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
	buf_init(&c->out, MESSAGE_MAX);
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

	buf_reset(&c->out);
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
	(void)close(c->fd);
	drop_fd(&c->in_fd);
	loop_defer(c->loop, sweep, c);
}
