/* SPDX-License-Identifier: ISC */
/*
 * stream - one connection, plain or TLS, as its owner sees it: bytes come,
 * bytes go, the peer ends. Nothing is allocated per direction while idle: all
 * streams of a process read into one scratch buffer, and an output buffer
 * exists only while the peer is slow. What was read or sent is wiped.
 *
 * Events come from the loop, never from inside a call. An owner may close its
 * stream inside any event.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/tls.h"

struct address;
struct certificate;
struct stream;

struct stream_handler {
	/* The handshake is done (for a plain stream: on the next turn). */
	void (*on_open)(void *arg);
	/*
	 * |bytes| arrived. Returns how many were consumed. When fewer, the
	 * stream keeps the rest and pauses itself; the rest comes again, with
	 * what follows, after stream_resume. |bytes| is valid until return.
	 */
	size_t (*on_data)(void *arg, struct str bytes);
	/* The peer sent its last byte (FIN or close_notify); the way to it is
	 * still open. Comes once, after all data, not while paused. */
	void (*on_eof)(void *arg);
	/* Output fell to STREAM_LOW_WATER or below after it was above
	 * STREAM_HIGH_WATER. */
	void (*on_drained)(void *arg);
	/* The connection is lost: reset, TLS alert, handshake or verification
	 * failure. |rc|: ERR_CLOSED, ERR_TIMEOUT, ERR_TLS, ERR_UNTRUSTED when
	 * we refuse the server's certificate, ERR_AUTH when it refused ours.
	 * No event follows; the owner still has to close. */
	void (*on_error)(void *arg, int rc, const char *why);
};

/* An owner that writes pauses its source above HIGH until on_drained. */
#define STREAM_HIGH_WATER ((size_t)64 * 1024)
#define STREAM_LOW_WATER ((size_t)16 * 1024)

/* Output that may wait before stream_write refuses. */
#define STREAM_OUTPUT_MAX ((size_t)1024 * 1024)

/* Closed streams of a loop that may still wait for their peers' end; above that
 * the oldest goes without. Strangers that come and go at a rate would else fill
 * the memory with their farewells. */
#define STREAM_LINGERING_MAX ((size_t)1024)

/*
 * stream_accepted takes a connected descriptor from a listener. |tls| NULL
 * makes it plain; else the server handshake starts. The descriptor is the
 * stream's from now on.
 */
struct stream *stream_accepted(struct loop *loop, int fd, struct tls_ctx *tls);

/*
 * stream_connected takes a descriptor connected by dial. With |tls| the
 * client handshake starts, |name| being what SNI says and the certificate must
 * match (a DNS name or an address).
 */
struct stream *stream_connected(struct loop *loop, int fd, struct tls_ctx *tls,
                                const char *name);

/*
 * stream_start_tls turns an open plain stream to TLS (STARTTLS, CONNECT): what
 * was written goes out in plain first, what came and was not consumed is
 * dropped, then the handshake starts as above and on_open comes once more.
 * |name| is for the client side. A caller that sees bytes behind the command
 * or reply that leads here must close instead (injection, CVE-2011-0411).
 */
void stream_start_tls(struct stream *s, struct tls_ctx *tls, const char *name);

/*
 * stream_take_fd ends a plain stream without touching the connection and
 * returns its descriptor, the caller's to close; |*s| is NULL then. Returns -1
 * with the stream as it was when it is TLS, lost, or bytes wait either way.
 */
int stream_take_fd(struct stream **s);

/*
 * stream_set_handler says who gets the events; |h| must outlive the stream.
 * Without a handler nothing is read. on_open and on_drained may be NULL.
 */
void stream_set_handler(struct stream *s, const struct stream_handler *h,
                        void *arg);

/*
 * stream_write copies |bytes| to the output, which is sent at the end of the
 * turn. Results: 0; ERR_LIMIT, STREAM_OUTPUT_MAX would be passed and nothing
 * was taken; ERR_CLOSED, the connection is lost already.
 */
int stream_write(struct stream *s, struct str bytes)
	__attribute__((warn_unused_result));

/* stream_pending is how many output bytes still wait for the peer. */
size_t stream_pending(const struct stream *s);

/* stream_pause stops on_data and on_eof until stream_resume. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* stream_addresses asks for both ends; unknown if the peer is gone. */
void stream_addresses(const struct stream *s, struct address *peer_r,
                      struct address *local_r);

/* stream_is_tls: the handshake was asked for. */
bool stream_is_tls(const struct stream *s);

/* stream_alpn is the protocol agreed by ALPN, "" if none; borrowed. */
const char *stream_alpn(const struct stream *s);

/* stream_tls_version is "TLSv1.3" or the like, "" if plain; borrowed. */
const char *stream_tls_version(const struct stream *s);

/* stream_is_resumed: the handshake went on with an earlier one's session. */
bool stream_is_resumed(const struct stream *s);

/* stream_certificate reads the peer's. Results: 0; ERR_NOT_FOUND, it is plain
 * or the peer showed none. */
int stream_certificate(const struct stream *s, struct certificate *c_r)
	__attribute__((warn_unused_result));

/*
 * stream_close sends what waits (for at most 5 s), ends the connection
 * politely and frees; no event follows. |*s| is NULL afterwards.
 */
void stream_close(struct stream **s);

/* stream_abort drops the connection and what waits; no event follows. */
void stream_abort(struct stream **s);

/* streams_finish aborts the streams of |loop| that were closed and still
 * send; called once before loop_free. */
void streams_finish(struct loop *loop);

#endif
