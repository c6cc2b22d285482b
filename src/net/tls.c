/* SPDX-License-Identifier: ISC */
/*
 * tls - contexts. RFC 8446 and RFC 5246; RFC 9113 section 9.2 for HTTP/2;
 * RFC 7301 (ALPN), where a server refuses strangers (ALPACA attack).
 */
#include "net/tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/mem.h"
#include "net/distrust.h"
#include "net/tls_conn.h"
#include "net/tls_tickets.h"

/* RFC 9113 section 9.2.2 wants ephemeral keys and AEAD of TLS 1.2. */
#define HTTP2_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static struct tls_ctx *ctx_new(bool is_server)
{
	struct tls_ctx *ctx = xcalloc(1, sizeof(*ctx));

	ERR_clear_error();
	ctx->holds = 1;
	ctx->is_server = is_server;
	ctx->ssl = SSL_CTX_new(is_server ? TLS_server_method()
	                                 : TLS_client_method());
	if (ctx->ssl == NULL)
		abort();
	(void)SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
	/*
	 * A FIN without close_notify is an end like any other: IMAP and HTTP/2
	 * frame their messages. Decrypted bytes may be passwords.
	 */
	(void)SSL_CTX_set_options(
		ctx->ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
				  SSL_OP_IGNORE_UNEXPECTED_EOF |
				  SSL_OP_CLEANSE_PLAINTEXT);
	(void)SSL_CTX_set_mode(ctx->ssl,
	                       SSL_MODE_RELEASE_BUFFERS |
	                               SSL_MODE_ENABLE_PARTIAL_WRITE |
	                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	return ctx;
}

void tls_ctx_free(struct tls_ctx **ctx)
{
	struct tls_ctx *c = *ctx;

	*ctx = NULL;
	if (c == NULL || --c->holds > 0)
		return;
	for (size_t i = 0; i < c->also_count; i++)
		tls_ctx_free(&c->also[i]);
	free(c->also);
	SSL_CTX_free(c->ssl);
	free(c);
}

/* no_password keeps OpenSSL from asking the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): pem_password_cb */
static int no_password(char *text, int size, int for_writing, void *arg)
{
	(void)text;
	(void)size;
	(void)for_writing;
	(void)arg;
	return 0;
}

/* pem_bio reads |text| where it lies. */
static BIO *pem_bio(struct str text)
{
	BIO *bio;

	if (text.len > INT_MAX)
		text.len = INT_MAX;
	bio = BIO_new_mem_buf(text.len > 0 ? text.data : "", (int)text.len);
	if (bio == NULL)
		abort();
	return bio;
}

/* pem_ended tells "nothing more in it" from "damaged", and forgets the first.
 */
static bool pem_ended(void)
{
	unsigned long code = ERR_peek_last_error();

	if (ERR_GET_LIB(code) != ERR_LIB_PEM ||
	    ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
		return false;
	ERR_clear_error();
	return true;
}

/* read_chain takes what follows the leaf, up to the end of the text. */
static int read_chain(struct tls_ctx *ctx, BIO *bio, struct err_detail *detail)
{
	X509 *cert;

	while ((cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) !=
	       NULL) {
		if (SSL_CTX_add0_chain_cert(ctx->ssl, cert) != 1) {
			X509_free(cert);
			return err_set(detail, ERR_INVALID,
			               "certificate chain not usable: %s",
			               tls_reason());
		}
	}
	if (!pem_ended())
		return err_set(detail, ERR_INVALID,
		               "certificate chain not readable: %s",
		               tls_reason());
	return ERR_OK;
}

static int use_certificate(struct tls_ctx *ctx, struct str pem,
                           struct err_detail *detail)
{
	BIO *bio = pem_bio(pem);
	X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	int rc;

	if (cert == NULL && pem_ended())
		rc = err_set(detail, ERR_INVALID, "no certificate in the PEM");
	else if (cert == NULL)
		rc = err_set(detail, ERR_INVALID,
		             "certificate not readable: %s", tls_reason());
	else if (SSL_CTX_use_certificate(ctx->ssl, cert) != 1)
		rc = err_set(detail, ERR_INVALID, "certificate not usable: %s",
		             tls_reason());
	else
		rc = read_chain(ctx, bio, detail);
	X509_free(cert);
	BIO_free(bio);
	return rc;
}

static bool contains(struct str text, const char *word)
{
	return text.len > 0 &&
	       memmem(text.data, text.len, word, strlen(word)) != NULL;
}

/* unreadable_key says why; OpenSSL's decoders only say "unsupported". */
static int unreadable_key(struct str pem, struct err_detail *detail)
{
	if (!contains(pem, "PRIVATE KEY-----"))
		return err_set(detail, ERR_INVALID,
		               "no private key in the PEM");
	if (contains(pem, "ENCRYPTED"))
		return err_set(detail, ERR_INVALID, "private key is encrypted");
	return err_set(detail, ERR_INVALID, "private key not readable: %s",
	               tls_reason());
}

static int use_key(struct tls_ctx *ctx, struct str pem,
                   struct err_detail *detail)
{
	BIO *bio = pem_bio(pem);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	const X509 *cert = SSL_CTX_get0_certificate(ctx->ssl);
	int rc = ERR_OK;

	BIO_free(bio);
	if (key == NULL)
		rc = unreadable_key(pem, detail);
	else if (cert == NULL || X509_check_private_key(cert, key) != 1)
		rc = err_set(detail, ERR_INVALID,
		             "private key does not match the certificate");
	else if (SSL_CTX_use_PrivateKey(ctx->ssl, key) != 1)
		rc = err_set(detail, ERR_INVALID, "private key not usable: %s",
		             tls_reason());
	EVP_PKEY_free(key);
	return rc;
}

static int use_credential(struct tls_ctx *ctx, struct str certificate,
                          struct str key, struct err_detail *detail)
{
	int rc = use_certificate(ctx, certificate, detail);

	if (rc == ERR_OK)
		rc = use_key(ctx, key, detail);
	return rc;
}

/* set_alpn keeps |name| in wire form: a length and the name. */
static int set_alpn(struct tls_ctx *ctx, const char *name,
                    struct err_detail *detail)
{
	size_t len = name != NULL ? strlen(name) : 0;

	if (len == 0)
		return ERR_OK;
	if (len + 1 >= sizeof(ctx->alpn)) /* the length before, a NUL behind */
		return err_set(detail, ERR_INVALID, "alpn name too long");
	ctx->alpn[0] = (unsigned char)len;
	memcpy(ctx->alpn + 1, name, len);
	ctx->alpn_len = len + 1;
	return ERR_OK;
}

/* on_alpn is called when the client offers protocols; ours must be there. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned int in_len, void *arg)
{
	const struct tls_ctx *ctx = arg;

	(void)ssl;
	while (in_len > 0 && in[0] < in_len) {
		if (in[0] == ctx->alpn[0] &&
		    memcmp(in + 1, ctx->alpn + 1, in[0]) == 0) {
			*out = in + 1;
			*out_len = in[0];
			return SSL_TLSEXT_ERR_OK;
		}
		in_len -= 1U + in[0];
		in += 1U + in[0];
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool is_for(const struct tls_ctx *ctx, const char *name,
                   unsigned int flags)
{
	X509 *cert = SSL_CTX_get0_certificate(ctx->ssl);

	return cert != NULL && X509_check_host(cert, name, 0, flags, NULL) == 1;
}

/* find_for finds the context whose certificate has |name|, |ctx| first. */
static const struct tls_ctx *find_for(const struct tls_ctx *ctx,
                                      const char *name, unsigned int flags)
{
	if (is_for(ctx, name, flags))
		return ctx;
	for (size_t i = 0; i < ctx->also_count; i++)
		if (is_for(ctx->also[i], name, flags))
			return ctx->also[i];
	return NULL;
}

/* on_server_name picks the certificate; an unknown name gets the first. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's callback */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_ctx *found = NULL;

	(void)alert;
	if (name != NULL)
		found = find_for(ctx, name, X509_CHECK_FLAG_NO_WILDCARDS);
	if (name != NULL && found == NULL)
		found = find_for(ctx, name, 0);
	if (found != NULL && found != ctx)
		(void)SSL_set_SSL_CTX(ssl, found->ssl);
	ERR_clear_error();
	return SSL_TLSEXT_ERR_OK;
}

/*
 * set_policy names the operator's choice: a session that was made under another
 * one, before a reload, is not resumed past the new.
 */
static void set_policy(struct tls_ctx *ctx, const struct tls_server_opts *opts)
{
	const char *const parts[] = { opts->min_version, opts->ciphers,
		                      opts->ciphersuites, opts->groups,
		                      opts->alpn };
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *part = parts[i] != NULL ? parts[i] : "";

		/* The NUL stands between them. */
		ok = ok && EVP_DigestUpdate(md, part, strlen(part) + 1) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, digest, &len) == 1 &&
	     SSL_CTX_set_session_id_context(ctx->ssl, digest, len) == 1;
	EVP_MD_CTX_free(md);
	if (!ok)
		abort();
}

static int set_min_version(struct tls_ctx *ctx, const char *text,
                           struct err_detail *detail)
{
	int version = TLS1_2_VERSION;

	if (text != NULL && strcmp(text, "1.3") == 0)
		version = TLS1_3_VERSION;
	else if (text != NULL && strcmp(text, "1.2") != 0)
		return err_set(detail, ERR_INVALID,
		               "tls version %s is not 1.2 or 1.3", text);
	(void)SSL_CTX_set_min_proto_version(ctx->ssl, version);
	return ERR_OK;
}

/* set_lists hands the operator's lists to OpenSSL, which checks them. */
static int set_lists(struct tls_ctx *ctx, const struct tls_server_opts *opts,
                     struct err_detail *detail)
{
	if (opts->ciphers != NULL &&
	    SSL_CTX_set_cipher_list(ctx->ssl, opts->ciphers) != 1)
		return err_set(detail, ERR_INVALID, "ciphers \"%s\": %s",
		               opts->ciphers, tls_reason());
	if (opts->ciphersuites != NULL &&
	    SSL_CTX_set_ciphersuites(ctx->ssl, opts->ciphersuites) != 1)
		return err_set(detail, ERR_INVALID, "ciphersuites \"%s\": %s",
		               opts->ciphersuites, tls_reason());
	if (opts->groups != NULL &&
	    /* A macro that casts; OpenSSL only reads the list. */
	    SSL_CTX_set1_groups_list(ctx->ssl, mem_unconst(opts->groups)) != 1)
		return err_set(detail, ERR_INVALID, "groups \"%s\": %s",
		               opts->groups, tls_reason());
	return ERR_OK;
}

int tls_server_new(const struct tls_server_opts *opts, struct tls_ctx **ctx_r,
                   struct err_detail *detail)
{
	struct tls_ctx *ctx = ctx_new(true);
	int rc;

	set_policy(ctx, opts);
	tls_tickets_use(ctx->ssl, opts->tickets);
	(void)SSL_CTX_set_options(ctx->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                            SSL_OP_PRIORITIZE_CHACHA);
	rc = use_credential(ctx, opts->certificate, opts->key, detail);
	if (rc != ERR_OK)
		goto fail;
	rc = set_min_version(ctx, opts->min_version, detail);
	if (rc != ERR_OK)
		goto fail;
	rc = set_lists(ctx, opts, detail);
	if (rc != ERR_OK)
		goto fail;
	rc = set_alpn(ctx, opts->alpn, detail);
	if (rc != ERR_OK)
		goto fail;
	if (ctx->alpn_len > 0)
		SSL_CTX_set_alpn_select_cb(ctx->ssl, on_alpn, ctx);
	*ctx_r = ctx;
	return ERR_OK;
fail:
	ERR_clear_error();
	tls_ctx_free(&ctx);
	return rc;
}

void tls_server_also(struct tls_ctx *ctx, struct tls_ctx *other)
{
	assert(ctx->is_server && other->is_server && ctx != other);
	ctx->also = xrealloc(ctx->also, ctx->also_count + 1,
	                     sizeof(struct tls_ctx *));
	ctx->also[ctx->also_count++] = tls_ctx_hold(other);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx->ssl, on_server_name);
	(void)SSL_CTX_set_tlsext_servername_arg(ctx->ssl, ctx);
}

/* trust_all trusts the certificates among |all|, and returns how many.
 * Revocation lists are passed over: no context asks for a look into them. */
static int trust_all(struct tls_ctx *ctx, const STACK_OF(X509_INFO) * all)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx->ssl);
	int count = 0;

	for (int i = 0; i < sk_X509_INFO_num(all); i++) {
		X509 *cert = sk_X509_INFO_value(all, i)->x509;

		if (cert != NULL)
			count += X509_STORE_add_cert(store, cert);
	}
	return count;
}

/* trust_pem trusts every certificate in |text|. */
static int trust_pem(struct tls_ctx *ctx, const char *path, struct str text,
                     struct err_detail *detail)
{
	BIO *bio = pem_bio(text);
	STACK_OF(X509_INFO) *all =
		PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL);
	int rc = ERR_OK;

	if (all == NULL)
		rc = err_set(detail, ERR_INVALID, "%s: not readable: %s", path,
		             tls_reason());
	else if (trust_all(ctx, all) == 0)
		rc = err_set(detail, ERR_INVALID, "%s: no certificate in it",
		             path);
	sk_X509_INFO_pop_free(all, X509_INFO_free);
	BIO_free(bio);
	return rc;
}

/*
 * use_anchors trusts every certificate in the file, not only roots: operators
 * name their server's own certificate there. The system's store is read
 * certificate by certificate, when needed.
 */
static int use_anchors(struct tls_ctx *ctx, const struct tls_client_opts *opts,
                       struct err_detail *detail)
{
	struct buf text;
	int rc;

	if (opts->ca_file == NULL) {
		if (SSL_CTX_set_default_verify_paths(ctx->ssl) != 1)
			return err_set(detail, ERR_INVALID,
			               "system trust store: %s", tls_reason());
		return ERR_OK;
	}
	buf_init(&text, FILES_MAX);
	rc = files_read(opts->files, opts->ca_file, &text, detail);
	if (rc == ERR_OK)
		rc = trust_pem(ctx, opts->ca_file, buf_str(&text), detail);
	buf_reset(&text);
	(void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx->ssl),
	                                  X509_V_FLAG_PARTIAL_CHAIN);
	return rc;
}

/* set_client_alpn offers what is required; HTTP/2 is never without "h2". */
static int set_client_alpn(struct tls_ctx *ctx,
                           const struct tls_client_opts *opts,
                           struct err_detail *detail)
{
	const char *name = opts->alpn;
	int rc;

	if (name == NULL && opts->http2)
		name = "h2";
	rc = set_alpn(ctx, name, detail);
	/* The one call of OpenSSL where 0 is success. */
	if (rc == ERR_OK && ctx->alpn_len > 0 &&
	    SSL_CTX_set_alpn_protos(ctx->ssl, ctx->alpn,
	                            (unsigned int)ctx->alpn_len) != 0)
		abort();
	return rc;
}

int tls_client_new(const struct tls_client_opts *opts, struct tls_ctx **ctx_r,
                   struct err_detail *detail)
{
	struct tls_ctx *ctx = ctx_new(false);
	int rc = ERR_OK;

	ctx->verify = opts->verify;
	ctx->ca_key = opts->ca_key;
	(void)SSL_CTX_set_app_data(ctx->ssl, ctx);
	SSL_CTX_set_verify(ctx->ssl,
	                   opts->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
	                   opts->verify ? distrust_on_verify : NULL);
	if (opts->verify)
		rc = use_anchors(ctx, opts, detail);
	if (rc != ERR_OK)
		goto fail;
	if (opts->certificate.len > 0)
		rc = use_credential(ctx, opts->certificate, opts->key, detail);
	if (rc != ERR_OK)
		goto fail;
	rc = set_client_alpn(ctx, opts, detail);
	if (rc != ERR_OK)
		goto fail;
	if (opts->http2 &&
	    SSL_CTX_set_cipher_list(ctx->ssl, HTTP2_CIPHERS) != 1)
		abort();
	*ctx_r = ctx;
	return ERR_OK;
fail:
	ERR_clear_error();
	tls_ctx_free(&ctx);
	return rc;
}
