/* SPDX-License-Identifier: ISC */
/*
 * wire - read, write, handshake and goodbye on a descriptor. OpenSSL wants its
 * error queue empty before each call, or the last connection's failure is read
 * as this one's.
 */
#include "net/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/address.h"
#include "net/tls_conn.h"

/* How long a peer may be silent before it counts as gone. */
struct patience {
	int idle_s;  /* nothing came for so long: it is asked for a sign */
	int every_s; /* and again */
	int count;   /* so often, where there is no TCP_USER_TIMEOUT */
	/* Nothing was acknowledged for so long, or the peer takes nothing: it
	 * is dead. In place of |count|, too. */
	int dead_ms;
};

static const struct patience patience[] = {
	/* A phone in a tunnel, or a client that was stopped in the midst of a
	 * large message, comes back; each question wakes its radio up. */
	[WIRE_CLIENT] = { 300, 60, 4, 300 * 1000 },
	/* A machine room answers at once. A watcher that does not notice rings
	 * nobody, and firewalls forget who is silent. */
	[WIRE_SERVER] = { 60, 15, 4, 120 * 1000 },
};

static void set_int(int fd, int level, int option, int value)
{
	/* Best effort: a unix socket knows none of them. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* set_tcp makes a dead peer show: an IDLE session may be silent for half an
 * hour. */
static void set_tcp(int fd, const struct patience *p)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, p->idle_s);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, p->every_s);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, p->count);
#endif
#ifdef TCP_USER_TIMEOUT
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, p->dead_ms);
#endif
}

void wire_init(struct wire *w, int fd, enum wire_peer peer)
{
	uint8_t family = address_local(fd).family;
	int flags = fcntl(fd, F_GETFL);

	*w = (struct wire){ .fd = fd };
	if (flags >= 0 && (flags & O_NONBLOCK) == 0)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	if (family == AF_INET || family == AF_INET6)
		set_tcp(fd, &patience[peer]);
}

static void drop_tls(struct wire *w)
{
	SSL_free(w->ssl);
	w->ssl = NULL;
	tls_ctx_free(&w->tls);
}

void wire_done(struct wire *w, bool reset)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	drop_tls(w);
	if (w->fd >= 0) {
		if (reset)
			(void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now,
			                 sizeof(now));
		(void)close(w->fd);
	}
	w->fd = -1;
	free(w->error);
	w->error = NULL;
}

enum wire_result wire_fail(struct wire *w, int rc, const char *why)
{
	if (w->error != NULL && !tls_conn_is_failure(rc))
		return WIRE_BROKEN;
	if (w->error == NULL)
		w->error = xcalloc(1, sizeof(*w->error));
	w->error->rc = err_set(&w->error->detail, rc, "%s", why);
	return WIRE_BROKEN;
}

/* fail_errno is for a failed system call. */
static enum wire_result fail_errno(struct wire *w, int number)
{
	if (number == ETIMEDOUT)
		return wire_fail(w, ERR_TIMEOUT, "peer does not answer");
	return wire_fail(w, ERR_CLOSED, strerror(number));
}

/* ssl_result sorts out a call of OpenSSL that returned |ret| <= 0. */
static enum wire_result ssl_result(struct wire *w, int ret, int number)
{
	int code = SSL_get_error(w->ssl, ret);
	struct err_detail detail;
	int rc;

	switch (code) {
	case SSL_ERROR_WANT_READ:
		return WIRE_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return WIRE_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return WIRE_END;
	default:
		break;
	}
	if (code == SSL_ERROR_SYSCALL && number == 0)
		return WIRE_END;
	if (code == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		return fail_errno(w, number);
	}
	rc = tls_conn_failure(w->ssl, &detail);
	return wire_fail(w, rc, detail.text);
}

void wire_start_tls(struct wire *w, struct tls_ctx *tls, const char *name)
{
	w->tls = tls_ctx_hold(tls);
	w->ssl = tls_conn_new(tls, w->fd, name);
}

/*
 * follows_proxy: what is left in the socket is the middle of a PROXY header, of
 * which OpenSSL took the five octets of a record's head.
 */
static bool follows_proxy(const struct wire *w)
{
	char rest[7];
	ssize_t n = recv(w->fd, rest, sizeof(rest), MSG_PEEK | MSG_DONTWAIT);
	struct str s = str_new(rest, n > 0 ? (size_t)n : 0);

	return str_starts(s, STR(" TCP4 ")) || str_starts(s, STR(" TCP6 ")) ||
	       str_starts(s, STR(" UNKNOW")) ||
	       str_starts(s, STR("\r\nQUIT\n"));
}

enum wire_result wire_handshake(struct wire *w)
{
	struct err_detail detail;
	enum wire_result result;
	int ret;

	ERR_clear_error();
	errno = 0;
	ret = SSL_do_handshake(w->ssl);
	if (ret == 1) {
		ret = tls_conn_check(w->tls, w->ssl, &detail);
		if (ret == ERR_OK)
			return WIRE_DONE;
		return wire_fail(w, ret, detail.text);
	}
	result = ssl_result(w, ret, errno);
	if (result == WIRE_BROKEN && w->tls->is_server && follows_proxy(w))
		return wire_fail(w, ERR_TLS,
		                 "a PROXY header came where TLS was expected");
	if (result == WIRE_END)
		return wire_fail(w, ERR_CLOSED,
		                 "connection closed in the tls handshake");
	return result;
}

static enum wire_result plain_read(struct wire *w, char *out, size_t size,
                                   size_t *len_r)
{
	ssize_t n;

	do {
		n = recv(w->fd, out, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return WIRE_END;
	if (n < 0 && errno == EAGAIN)
		return WIRE_WANT_READ;
	if (n < 0)
		return fail_errno(w, errno);
	*len_r = (size_t)n;
	return WIRE_DONE;
}

enum wire_result wire_read(struct wire *w, char *out, size_t size,
                           size_t *len_r)
{
	int ret;

	if (w->ssl == NULL)
		return plain_read(w, out, size, len_r);
	if (size > INT_MAX)
		size = INT_MAX;
	ERR_clear_error();
	errno = 0;
	ret = SSL_read(w->ssl, out, (int)size);
	if (ret <= 0)
		return ssl_result(w, ret, errno);
	*len_r = (size_t)ret;
	return WIRE_DONE;
}

bool wire_has_more(const struct wire *w)
{
	return w->ssl != NULL && SSL_has_pending(w->ssl) == 1;
}

static enum wire_result plain_write(struct wire *w, const char *data,
                                    size_t len, size_t *sent_r)
{
	ssize_t n;

	do {
		n = send(w->fd, data, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return WIRE_WANT_WRITE;
	if (n < 0)
		return fail_errno(w, errno);
	*sent_r = (size_t)n;
	return WIRE_DONE;
}

enum wire_result wire_write(struct wire *w, const char *data, size_t len,
                            size_t *sent_r)
{
	enum wire_result result;
	int ret;

	if (w->ssl == NULL)
		return plain_write(w, data, len, sent_r);
	if (len > INT_MAX)
		len = INT_MAX;
	ERR_clear_error();
	errno = 0;
	ret = SSL_write(w->ssl, data, (int)len);
	if (ret > 0) {
		*sent_r = (size_t)ret;
		return WIRE_DONE;
	}
	result = ssl_result(w, ret, errno);
	if (result == WIRE_END)
		return fail_errno(w, EPIPE);
	return result;
}

enum wire_result wire_finish(struct wire *w)
{
	enum wire_result result;
	int ret;

	if (w->ssl != NULL && w->error == NULL && !SSL_in_init(w->ssl)) {
		ERR_clear_error();
		errno = 0;
		/* 0: ours is sent, theirs is not waited for. */
		ret = SSL_shutdown(w->ssl);
		result = ret < 0 ? ssl_result(w, ret, errno) : WIRE_DONE;
		if (result == WIRE_WANT_READ || result == WIRE_WANT_WRITE)
			return result;
	}
	drop_tls(w);
	if (shutdown(w->fd, SHUT_WR) != 0)
		return fail_errno(w, errno);
	return WIRE_DONE;
}

enum wire_result wire_discard(struct wire *w, char *out, size_t size,
                              size_t *len_r)
{
	return plain_read(w, out, size, len_r);
}

void wire_addresses(const struct wire *w, struct address *peer_r,
                    struct address *local_r)
{
	*peer_r = address_peer(w->fd);
	*local_r = address_local(w->fd);
}
