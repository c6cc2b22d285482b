/* SPDX-License-Identifier: ISC */
/* testcert - a small certificate authority. */
#include "testnet/testcert.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/tls_conn.h"

struct testcert {
	X509 *x509;
	EVP_PKEY *key;
	struct str pem;
	struct str key_pem;
	int fd;
	char file[32]; /* the path of |fd| */
};

static struct str take_bio(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	struct str copy = str_dup(str_new(data, (size_t)len));

	BIO_free(bio);
	return copy;
}

static void add_ext(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert(ext != NULL);
	assert(X509_add_ext(x509, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

static void add_entry(X509_NAME *name, int nid, const char *value)
{
	assert(X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
	                                  (const unsigned char *)value, -1, -1,
	                                  0) == 1);
}

/* add_names writes "DNS:localhost,IP:127.0.0.1" and the common name. */
static void add_names(X509 *x509, const char *names)
{
	char *copy = xstrdup(names);
	char *rest = copy;
	char *name;
	struct in6_addr addr;
	struct buf alt;
	bool ip;

	buf_init(&alt, 1024);
	while ((name = strsep(&rest, ",")) != NULL) {
		if (alt.len == 0)
			add_entry(X509_get_subject_name(x509), NID_commonName,
			          name);
		ip = inet_pton(AF_INET, name, &addr) == 1 ||
		     inet_pton(AF_INET6, name, &addr) == 1;
		assert(buf_printf(&alt, "%s%s:%s", alt.len > 0 ? "," : "",
		                  ip ? "IP" : "DNS", name) == ERR_OK);
	}
	assert(buf_append(&alt, "", 1) == ERR_OK);
	add_ext(x509, NID_subject_alt_name, alt.data);
	buf_reset(&alt);
	free(copy);
}

static void set_validity(X509 *x509, const struct testcert_opts *opts)
{
	int64_t from = opts->from_s;
	int64_t to = opts->to_s;

	if (from == 0 && to == 0) {
		from = -3600;
		to = 3600;
	}
	X509_gmtime_adj(X509_getm_notBefore(x509), (long)from);
	X509_gmtime_adj(X509_getm_notAfter(x509), (long)to);
}

/* write_file makes a file that is in no folder, so that none is left behind. */
static void write_file(struct testcert *c)
{
	c->fd = memfd_create("testcert", MFD_CLOEXEC);
	assert(c->fd >= 0);
	assert(write(c->fd, c->pem.data, c->pem.len) == (ssize_t)c->pem.len);
	(void)snprintf(c->file, sizeof(c->file), "/proc/self/fd/%d", c->fd);
}

struct testcert *testcert_new(const struct testcert_opts *opts)
{
	static long serial = 1;
	struct testcert *c = xcalloc(1, sizeof(*c));
	const struct testcert *issuer = opts->issuer;
	BIO *bio;

	c->key = EVP_EC_gen("P-256");
	c->x509 = X509_new();
	assert(c->key != NULL && c->x509 != NULL);
	if (issuer == NULL)
		issuer = c;
	assert(X509_set_version(c->x509, X509_VERSION_3) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
	set_validity(c->x509, opts);
	assert(X509_set_pubkey(c->x509, c->key) == 1);
	add_names(c->x509, opts->names);
	if (opts->uid != NULL)
		add_entry(X509_get_subject_name(c->x509), NID_userId,
		          opts->uid);
	if (opts->is_ca)
		add_ext(c->x509, NID_basic_constraints, "critical,CA:TRUE");
	assert(X509_set_issuer_name(c->x509,
	                            X509_get_subject_name(issuer->x509)) == 1);
	assert(X509_sign(c->x509, issuer->key, EVP_sha256()) > 0);

	bio = BIO_new(BIO_s_mem());
	assert(PEM_write_bio_X509(bio, c->x509) == 1);
	c->pem = take_bio(bio);
	bio = BIO_new(BIO_s_mem());
	assert(PEM_write_bio_PrivateKey(bio, c->key, NULL, NULL, 0, NULL,
	                                NULL) == 1);
	c->key_pem = take_bio(bio);
	write_file(c);
	return c;
}

void testcert_free(struct testcert **c)
{
	struct testcert *old = *c;

	*c = NULL;
	if (old == NULL)
		return;
	(void)close(old->fd);
	X509_free(old->x509);
	EVP_PKEY_free(old->key);
	str_free(&old->pem);
	str_free(&old->key_pem);
	free(old);
}

struct str testcert_pem(const struct testcert *c)
{
	return c->pem;
}

struct str testcert_key(const struct testcert *c)
{
	return c->key_pem;
}

const char *testcert_file(const struct testcert *c)
{
	return c->file;
}

struct tls_ctx *testcert_server(const struct testcert *c, const char *alpn)
{
	const struct tls_server_opts opts = { .certificate = c->pem,
		                              .key = c->key_pem,
		                              .alpn = alpn };
	struct tls_ctx *ctx = NULL;

	assert(tls_server_new(&opts, &ctx, NULL) == ERR_OK);
	return ctx;
}

struct tls_ctx *testcert_client(const struct testcert *anchor, const char *alpn)
{
	const struct tls_client_opts opts = { .ca_file = anchor->file,
		                              .verify = true,
		                              .alpn = alpn };
	struct tls_ctx *ctx = NULL;

	assert(tls_client_new(&opts, &ctx, NULL) == ERR_OK);
	return ctx;
}

void testcert_tls12(struct tls_ctx *ctx)
{
	assert(SSL_CTX_set_max_proto_version(ctx->ssl, TLS1_2_VERSION) == 1);
}

void testcert_ask_client(struct tls_ctx *ctx, const struct testcert *ca)
{
	assert(SSL_CTX_load_verify_file(ctx->ssl, ca->file) == 1);
	SSL_CTX_set_verify(ctx->ssl,
	                   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	                   NULL);
}
