/* SPDX-License-Identifier: ISC */
/*
 * tls_conn - one connection's SSL object, made from a context, and what went
 * wrong with it in words. For stream alone.
 */
#ifndef NET_TLS_CONN_H
#define NET_TLS_CONN_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/tls.h"

struct tls_ctx {
	SSL_CTX *ssl;
	unsigned int holds; /* the owner's, one per connection, per also */
	bool is_server;
	bool verify;
	const char *ca_key;     /* for distrust */
	unsigned char alpn[64]; /* as on the wire; [0] 0: none */
	size_t alpn_len;
	struct tls_ctx **also; /* by SNI; NULL at the end */
	size_t also_count;
};

/* tls_ctx_hold makes |ctx| outlive its owner's tls_ctx_free; dropped by
 * tls_ctx_free too. */
struct tls_ctx *tls_ctx_hold(struct tls_ctx *ctx);

/*
 * tls_conn_new returns an SSL on |fd|, ready for SSL_do_handshake; freed by
 * SSL_free. |name| (clients only, may be NULL) is sent as SNI unless it is an
 * address, and must be in the certificate. Aborts when memory is out.
 */
SSL *tls_conn_new(const struct tls_ctx *ctx, int fd, const char *name);

/*
 * tls_conn_check wants the protocol that |ctx| demands, after the handshake.
 * Results: 0; ERR_TLS with a sentence.
 */
int tls_conn_check(const struct tls_ctx *ctx, const SSL *ssl,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * tls_conn_failure turns what the error queue holds after SSL_ERROR_SSL into a
 * sentence. Returns ERR_TLS, or on the client side ERR_UNTRUSTED when we refuse
 * the server's certificate, ERR_AUTH when it refused ours. The queue is empty
 * afterwards.
 */
int tls_conn_failure(SSL *ssl, struct err_detail *detail);

/* tls_conn_is_failure: |rc| is one of these. */
bool tls_conn_is_failure(int rc);

/* tls_reason is OpenSSL's text for the newest error in the queue. */
const char *tls_reason(void);

#endif
