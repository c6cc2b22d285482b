/* SPDX-License-Identifier: ISC */
/*
 * tls - contexts for both legs. A context is made once from PEM text and
 * shared by all its connections. Buffers are released while idle and decrypted
 * bytes are cleansed, since they may be passwords. TLS 1.2 and above; no
 * renegotiation, no compression.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct files;
struct tls_ctx;
struct tls_tickets;

struct tls_server_opts {
	struct str certificate;  /* PEM: leaf first, then its chain */
	struct str key;          /* PEM; borrowed, not kept */
	const char *min_version; /* "1.2" (default when NULL) or "1.3" */
	const char *ciphers; /* TLS 1.2 list, OpenSSL syntax; NULL default */
	const char *ciphersuites; /* TLS 1.3 */
	const char *groups;
	const char *alpn; /* e.g. "imap": the only one accepted if the client
	                     offers any (ALPACA); NULL: ALPN ignored */
	/* Keys of session tickets, which must outlive all handshakes; NULL:
	 * nothing is resumed. A session goes on at any context with the same
	 * keys and the same choice of versions, ciphers and groups. */
	struct tls_tickets *tickets;
};

struct tls_client_opts {
	const char *ca_file; /* trust anchors, PEM; NULL: the system's store */
	const struct files *files; /* where |ca_file| is looked for first */
	const char *ca_key; /* what the operator calls that; static, or NULL */
	bool verify;        /* chain and name; false for test set-ups only */
	const char *alpn;   /* e.g. "h2": required of the peer; NULL: none */
	struct str
		certificate; /* client certificate chain, PEM; may be empty */
	struct str key;      /* its key, PEM; may be empty */
	bool http2;          /* the TLS 1.2 rules of RFC 9113 section 9.2 */
};

/*
 * tls_server_new and tls_client_new make a context that the caller frees with
 * tls_ctx_free. Results: 0; ERR_INVALID with a sentence in |detail| that names
 * what is wrong (no certificate in the PEM, key does not match, cipher list,
 * CA file); of tls_client_new also those of files_read, for the CA file.
 */
int tls_server_new(const struct tls_server_opts *opts, struct tls_ctx **ctx_r,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));
int tls_client_new(const struct tls_client_opts *opts, struct tls_ctx **ctx_r,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * tls_server_also lets connections of |ctx| whose SNI the certificate of
 * |other| names use that one; a name in full goes before a wildcard, then it is
 * first come, first asked. |other| is held by |ctx| from then on and the caller
 * still frees its own hold. Both are contexts of tls_server_new with the same
 * options but for the certificate.
 */
void tls_server_also(struct tls_ctx *ctx, struct tls_ctx *other);

/* tls_ctx_free drops the owner's hold; running connections keep theirs. */
void tls_ctx_free(struct tls_ctx **ctx);

#endif
