/* SPDX-License-Identifier: ISC */
/*
 * wire - one descriptor, with or without TLS on it: single non-blocking steps
 * and what each came to. For stream alone; no events, no buffers.
 */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/tls.h"

struct address;

enum wire_result {
	WIRE_DONE,       /* something moved */
	WIRE_WANT_READ,  /* nothing until the descriptor is readable */
	WIRE_WANT_WRITE, /* nothing until it is writable */
	WIRE_END,        /* the peer sent its last byte */
	WIRE_BROKEN      /* lost; |error| says why */
};

struct wire_error {
	int rc;
	struct err_detail detail;
};

struct wire {
	int fd;
	SSL *ssl;                 /* NULL: plain */
	struct tls_ctx *tls;      /* held while |ssl| */
	struct wire_error *error; /* NULL until something failed */
};

/* Who is at the other end: how long it may be silent. */
enum wire_peer { WIRE_CLIENT, WIRE_SERVER };

/* wire_init takes |fd|, makes it non-blocking and sets what a TCP connection
 * of ours always has. */
void wire_init(struct wire *w, int fd, enum wire_peer peer);

/* wire_done closes and frees. With |reset| the peer learns that it was no
 * orderly end. */
void wire_done(struct wire *w, bool reset);

/* wire_start_tls puts TLS on the descriptor; wire_handshake comes next. */
void wire_start_tls(struct wire *w, struct tls_ctx *tls, const char *name);

/* wire_handshake goes as far as it can. Never WIRE_END. */
enum wire_result wire_handshake(struct wire *w);

/* wire_read reads at most |size| bytes; |*len_r| is set with WIRE_DONE. */
enum wire_result wire_read(struct wire *w, char *out, size_t size,
                           size_t *len_r);

/* wire_has_more: bytes were read ahead, the descriptor may not tell. */
bool wire_has_more(const struct wire *w);

/*
 * wire_write sends some of |len| bytes; |*sent_r| is set with WIRE_DONE. After
 * WIRE_WANT_... the next call must begin with the same bytes. Never WIRE_END.
 */
enum wire_result wire_write(struct wire *w, const char *data, size_t len,
                            size_t *sent_r);

/* wire_finish says our end: close_notify and FIN. TLS is gone after WIRE_DONE.
 */
enum wire_result wire_finish(struct wire *w);

/* wire_discard reads what came past TLS, into |out|, for a connection whose
 * input nobody wants. */
enum wire_result wire_discard(struct wire *w, char *out, size_t size,
                              size_t *len_r);

/* wire_fail notes why the wire is of no use any more; the first reason stays,
 * except that a TLS alert explains more than a broken pipe. */
enum wire_result wire_fail(struct wire *w, int rc, const char *why);

/* wire_addresses asks for both ends; unknown if there is none (any more). */
void wire_addresses(const struct wire *w, struct address *peer_r,
                    struct address *local_r);

#endif
