/* SPDX-License-Identifier: ISC */
/*
 * tls_conn - SSL objects, and OpenSSL's error queue in words. Name checks
 * follow RFC 6125: the name that the operator wrote, never one from DNS.
 */
#include "net/tls_conn.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "net/distrust.h"

struct tls_ctx *tls_ctx_hold(struct tls_ctx *ctx)
{
	ctx->holds++;
	return ctx;
}

const char *tls_reason(void)
{
	unsigned long code = ERR_peek_last_error();
	const char *text = NULL;

	if (ERR_SYSTEM_ERROR(code))
		text = strerror(ERR_GET_REASON(code));
	else if (code != 0)
		text = ERR_reason_error_string(code);
	return text != NULL ? text : "unknown reason";
}

static bool is_address(const char *name)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, name, &addr) == 1 ||
	       inet_pton(AF_INET6, name, &addr) == 1;
}

/* set_name says which name the certificate must have, and asks for it. */
static void set_name(SSL *ssl, const char *name, bool verify)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char host[256];
	size_t len = strlen(name);
	int ok = 1;

	if (is_address(name)) {
		if (verify)
			ok = X509_VERIFY_PARAM_set1_ip_asc(param, name);
	} else {
		/* "example.org." is absolute for DNS, unknown to SNI. */
		if (len > 0 && name[len - 1] == '.')
			len--;
		if (len >= sizeof(host))
			len = sizeof(host) - 1; /* no such name: no match */
		memcpy(host, name, len);
		host[len] = '\0';
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		/* Not a macro's job: the cast in it drops const. */
		ok = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
		              TLSEXT_NAMETYPE_host_name, host) == 1;
		if (verify)
			ok = ok && SSL_set1_host(ssl, host);
	}
	/* A name that OpenSSL refuses must not mean "any name". */
	if (ok != 1 && verify)
		(void)X509_VERIFY_PARAM_set1_host(param, "invalid.invalid", 0);
	ERR_clear_error();
}

SSL *tls_conn_new(const struct tls_ctx *ctx, int fd, const char *name)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(ctx->ssl);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		abort();
	if (ctx->is_server) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_set_connect_state(ssl);
	if (name != NULL)
		set_name(ssl, name, ctx->verify);
	return ssl;
}

int tls_conn_check(const struct tls_ctx *ctx, const SSL *ssl,
                   struct err_detail *detail)
{
	const unsigned char *alpn = NULL;
	unsigned int len = 0;
	int wanted;

	/* A server decided in its callback; a client has to look. */
	if (ctx->is_server || ctx->alpn_len == 0)
		return ERR_OK;
	SSL_get0_alpn_selected(ssl, &alpn, &len);
	if (len > 0 && len == ctx->alpn[0] &&
	    memcmp(alpn, ctx->alpn + 1, len) == 0)
		return ERR_OK;
	wanted = ctx->alpn[0];
	return err_set(detail, ERR_TLS, "peer does not speak %.*s (alpn)",
	               wanted, (const char *)ctx->alpn + 1);
}

/* What a server says to a certificate that it does not like, or misses. */
static bool is_about_certificate(int alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

/* is_not_tls: what came can be no record at all. */
static bool is_not_tls(int reason)
{
	return reason == SSL_R_WRONG_VERSION_NUMBER ||
	       reason == SSL_R_HTTP_REQUEST ||
	       reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

/* What OpenSSL says of a client that cannot come in, for people. */
static const struct {
	int reason;
	const char *words;
} refusals[] = {
	{ SSL_R_NO_APPLICATION_PROTOCOL,
	  "the client wants another protocol (ALPN)" },
	{ SSL_R_NO_SHARED_CIPHER, "no cipher in common" },
	{ SSL_R_NO_SHARED_GROUPS, "no group in common" },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
	  "no signature algorithm in common" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, "no group in common" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM,
	  "no signature algorithm that suits the certificate" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, "no version in common" },
};

/* refusal_words explains |reason|, on the server's side; else OpenSSL's text.
 */
static const char *refusal_words(const SSL *ssl, int reason)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (SSL_is_server(ssl) && refusals[i].reason == reason)
			return refusals[i].words;
	return tls_reason();
}

int tls_conn_failure(SSL *ssl, struct err_detail *detail)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	int rc = ERR_TLS;

	if (distrust_take(ssl, detail) == ERR_OK) {
		rc = ERR_UNTRUSTED;
	} else if (is_not_tls(reason)) {
		(void)err_set(detail, rc, "the peer does not speak tls: %s",
		              tls_reason());
	} else if (reason > SSL_AD_REASON_OFFSET &&
	           reason <= SSL_AD_REASON_OFFSET + 255) {
		reason -= SSL_AD_REASON_OFFSET;
		if (!SSL_is_server(ssl) && is_about_certificate(reason))
			rc = ERR_AUTH;
		(void)err_set(detail, rc, "tls alert: %s (%d)",
		              SSL_alert_desc_string_long(reason), reason);
	} else {
		(void)err_set(detail, rc, "tls: %s",
		              refusal_words(ssl, reason));
	}
	ERR_clear_error();
	return rc;
}

bool tls_conn_is_failure(int rc)
{
	return rc == ERR_TLS || rc == ERR_AUTH || rc == ERR_UNTRUSTED;
}
