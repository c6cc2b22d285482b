/* SPDX-License-Identifier: ISC */
/*
 * listen - binding and accepting. accept4 and SO_REUSEPORT are the only words
 * here that not every Unix knows.
 */
#include "net/listen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/loop_io.h"

enum {
	SOCKETS_MAX = 16,
	BACKLOG = 4096, /* the kernel cuts it to net.core.somaxconn */
	ACCEPTS_PER_TURN = 16,
	STARVED_MS = 200,
	PORT_TRIES = 8, /* a free port of one family may be taken in the other
	                 */
};

struct socket {
	struct listener *listener;
	struct loop_io *io;
	int fd;
};

struct listener {
	struct loop *loop;
	struct loop_timer *retry;
	listen_fn *fn;
	void *arg;
	struct socket *sockets; /* NULL once freed, until the sweep */
	size_t count;
	bool paused;  /* by the owner */
	bool starved; /* no descriptors: until |retry| */
	bool warned;  /* about this famine */
};

static const struct log_ctx log_ctx = { .area = LOG_NET };

static void update_io(struct listener *l)
{
	unsigned int want = l->paused || l->starved ? 0 : LOOP_READ;

	for (size_t i = 0; i < l->count; i++)
		loop_io_want(l->sockets[i].io, want);
}

static void on_retry(void *arg)
{
	struct listener *l = arg;

	l->starved = false;
	update_io(l);
}

/* starve stops accepting for a moment: the socket stays readable, and asking
 * again at once would only burn the processor. */
static void starve(struct listener *l, int number)
{
	if (!l->warned)
		log_warn(&log_ctx, "accepting pauses: %s", strerror(number));
	l->warned = true;
	l->starved = true;
	loop_timer_set(l->retry, STARVED_MS);
	update_io(l);
}

static bool is_famine(int number)
{
	return number == EMFILE || number == ENFILE || number == ENOBUFS ||
	       number == ENOMEM;
}

static void on_ready(void *arg, unsigned int ready)
{
	struct socket *sock = arg;
	struct listener *l = sock->listener;
	int fd;

	(void)ready;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		/* The callee may pause or free its listener. */
		if (l->sockets == NULL || l->paused || l->starved)
			return;
		fd = accept4(sock->fd, NULL, NULL,
		             SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			l->warned = false;
			l->fn(l->arg, fd);
		} else if (is_famine(errno)) {
			starve(l, errno);
		} else if (errno == EAGAIN) {
			return;
		} /* else: that one connection is gone already */
	}
}

/* bind_one makes one listening socket. Returns it, or -1 with errno set. */
static int bind_one(const struct sockaddr *addr, socklen_t len, bool share)
{
	const int on = 1;
	int fd = socket(addr->sa_family,
	                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int number;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		goto fail;
	if (share &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
		goto fail;
	/* Both families have a socket of their own, so that peers of the old
	 * one are not shown as ::ffff:192.0.2.1. */
	if (addr->sa_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
		goto fail;
	if (bind(fd, addr, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
fail:
	number = errno;
	(void)close(fd);
	errno = number;
	return -1;
}

uint16_t listen_port(int fd)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(addr);

	if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		return 0;
	return address_port((const struct sockaddr *)&addr);
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

/* is_missing_family: the machine has no such address family or address. */
static bool is_missing_family(int number)
{
	return number == EAFNOSUPPORT || number == EADDRNOTAVAIL ||
	       number == EPROTONOSUPPORT;
}

/*
 * bind_all binds every address of |list| to one port. Returns 0 or the errno
 * of the address that failed, which is written to |text|.
 */
static int bind_all(const struct addrinfo *list, uint16_t port, bool share,
                    int *fds_r, size_t max, size_t *count_r, char *text,
                    size_t text_size)
{
	struct sockaddr_storage addr;
	size_t count = 0;
	int missing = 0;
	int fd;

	for (; list != NULL && count < max; list = list->ai_next) {
		if (list->ai_addrlen > sizeof(addr))
			continue;
		memset(&addr, 0, sizeof(addr));
		memcpy(&addr, list->ai_addr, list->ai_addrlen);
		address_set_port(&addr, port);
		fd = bind_one((const struct sockaddr *)&addr, list->ai_addrlen,
		              share);
		if (fd >= 0) {
			fds_r[count++] = fd;
			port = listen_port(fd);
			continue;
		}
		missing = errno;
		address_text((const struct sockaddr *)&addr, text, text_size);
		if (!is_missing_family(missing)) {
			close_all(fds_r, count);
			return missing;
		}
	}
	if (count == 0)
		return missing != 0 ? missing : EADDRNOTAVAIL;
	*count_r = count;
	return 0;
}

/* lookup blocks: listeners are opened before the first session. */
static int lookup(const char *host, struct addrinfo **list_r,
                  struct err_detail *detail)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		                        .ai_socktype = SOCK_STREAM,
		                        .ai_flags = AI_PASSIVE };
	const char *node = strcmp(host, "*") == 0 ? NULL : host;
	int rc;

	rc = getaddrinfo(node, "0", &hints, list_r);
	if (rc != 0)
		return err_set(detail, ERR_DNS, "listen on %s: %s", host,
		               gai_strerror(rc));
	return ERR_OK;
}

int listen_bind(const char *host, uint16_t port, bool share, int *fds_r,
                size_t max, size_t *count_r, struct err_detail *detail)
{
	char text[ADDRESS_TEXT_MAX] = "";
	struct addrinfo *list = NULL;
	int number = 0;
	int rc;

	rc = lookup(host, &list, detail);
	if (rc != ERR_OK)
		return rc;
	for (int i = 0; i < PORT_TRIES; i++) {
		number = bind_all(list, port, share, fds_r, max, count_r, text,
		                  sizeof(text));
		if (port != 0 || number != EADDRINUSE)
			break;
	}
	freeaddrinfo(list);
	if (number != 0)
		return err_set(detail, ERR_PERMISSION, "listen on %s: %s", text,
		               strerror(number));
	return ERR_OK;
}

/* get_option reads one that is a number; -1: there is none. */
static int get_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

bool listen_is_ours(int fd)
{
	struct address addr = address_local(fd);

	return address_len(&addr) > 0 &&
	       get_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
	       get_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
}

/* is_one_of: |addr| is among |list|, whatever its port. */
static bool is_one_of(const struct addrinfo *list, const struct address *addr)
{
	struct address one;

	for (; list != NULL; list = list->ai_next) {
		address_from(list->ai_addr, &one);
		if (one.family == addr->family &&
		    memcmp(one.bytes, addr->bytes, address_len(addr)) == 0)
			return true;
	}
	return false;
}

int listen_match(const char *host, uint16_t port, const int *fds, size_t count,
                 bool *at_r, struct err_detail *detail)
{
	struct addrinfo *list = NULL;
	int rc = lookup(host, &list, detail);

	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < count; i++) {
		struct address addr = { .family = AF_UNSPEC };

		at_r[i] = false;
		if (fds[i] < 0 || !listen_is_ours(fds[i]))
			continue;
		addr = address_local(fds[i]);
		if (!is_one_of(list, &addr) || (port != 0 && port != addr.port))
			continue;
		port = addr.port;
		at_r[i] = true;
		(void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
	freeaddrinfo(list);
	return ERR_OK;
}

int listen_again(int fd)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
	struct sockaddr *where = (struct sockaddr *)&addr;
	socklen_t len = sizeof(addr);

	if (get_option(fd, SOL_SOCKET, SO_REUSEPORT) != 1 ||
	    getsockname(fd, where, &len) != 0 ||
	    (addr.ss_family == AF_INET6 &&
	     get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 1))
		return -1;
	return bind_one(where, len, true);
}

int listen_mend(int fd)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	const struct linger none = { 0 };

	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	if (get_option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 ||
	    listen(fd, BACKLOG) == 0)
		return ERR_OK;
	/* It was connected to somebody. */
	return connect(fd, &nobody, sizeof(nobody)) == 0 &&
	                       listen(fd, BACKLOG) == 0
	               ? ERR_OK
	               : ERR_UNAVAILABLE;
}

struct listener *listener_new(struct loop *loop, const int *fds, size_t count,
                              listen_fn *fn, void *arg)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	assert(count > 0);
	l->loop = loop;
	l->fn = fn;
	l->arg = arg;
	l->count = count;
	l->sockets = xcalloc(count, sizeof(*l->sockets));
	l->retry = loop_timer_new(loop, on_retry, l);
	for (size_t i = 0; i < count; i++) {
		struct socket *sock = &l->sockets[i];

		sock->listener = l;
		sock->fd = fds[i];
		sock->io = loop_io_new(loop, sock->fd, on_ready, sock);
	}
	update_io(l);
	return l;
}

int listener_open(struct loop *loop, const char *host, uint16_t port,
                  listen_fn *fn, void *arg, struct listener **l_r,
                  struct err_detail *detail)
{
	int fds[SOCKETS_MAX];
	size_t count = 0;
	int rc;

	rc = listen_bind(host, port, false, fds, SOCKETS_MAX, &count, detail);
	if (rc == ERR_OK)
		*l_r = listener_new(loop, fds, count, fn, arg);
	return rc;
}

uint16_t listener_port(const struct listener *l)
{
	return listen_port(l->sockets[0].fd);
}

void listener_pause(struct listener *l)
{
	l->paused = true;
	update_io(l);
}

void listener_resume(struct listener *l)
{
	l->paused = false;
	update_io(l);
}

/* sweep frees what a caller further up the stack may still look at. */
static void sweep(void *arg)
{
	struct listener *l = arg;

	free(l);
}

void listener_free(struct listener **l)
{
	struct listener *old = *l;

	*l = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->count; i++) {
		loop_io_free(&old->sockets[i].io);
		(void)close(old->sockets[i].fd);
	}
	free(old->sockets);
	old->sockets = NULL;
	old->count = 0;
	loop_timer_free(&old->retry);
	loop_defer(old->loop, sweep, old);
}
