/* SPDX-License-Identifier: ISC */
/*
 * testcert - certificates made when the test runs: nothing in the tree ever
 * expires, and no private key lies in it. P-256, SHA-256.
 */
#ifndef TESTNET_TESTCERT_H
#define TESTNET_TESTCERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/tls.h"

struct testcert;

struct testcert_opts {
	const struct testcert *issuer; /* NULL: self-signed */
	const char *names; /* "localhost,127.0.0.1": the first is the common
	                      name, all are subject alternative names */
	const char *uid;   /* the subject's UID, or NULL */
	bool is_ca;
	int64_t from_s; /* validity, in seconds from now; both 0: an hour */
	int64_t to_s;   /* around now */
};

/* testcert_new makes a key and a certificate; freed by testcert_free, with
 * their file. */
struct testcert *testcert_new(const struct testcert_opts *opts);
void testcert_free(struct testcert **c);

/* The certificate and its key as PEM text, borrowed. */
struct str testcert_pem(const struct testcert *c);
struct str testcert_key(const struct testcert *c);

/* testcert_file is the path of a file with the certificate, for ca_file in this
 * process. */
const char *testcert_file(const struct testcert *c);

/* Contexts with the usual settings, to be freed with tls_ctx_free. */
struct tls_ctx *testcert_server(const struct testcert *c, const char *alpn);
struct tls_ctx *testcert_client(const struct testcert *anchor,
                                const char *alpn);

/* testcert_tls12 keeps a context from offering more than TLS 1.2. */
void testcert_tls12(struct tls_ctx *ctx);

/* testcert_ask_client makes a server want a client certificate of |ca|. */
void testcert_ask_client(struct tls_ctx *ctx, const struct testcert *ca);

#endif
