/* SPDX-License-Identifier: ISC */
/*
 * distrust - RFC 5280 section 6 and RFC 6125 are OpenSSL's business; what it
 * found reads here as an operator needs it. OpenSSL keeps no certificate that
 * it refused, so the sentence is made while it looks at it.
 */
#include "net/distrust.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/certificate.h"
#include "net/tls_conn.h"

/* issuer_name is who signed |cert|, made safe: its common name, or what stands
 * first in its name. */
static const char *issuer_name(const X509 *cert, struct log_text *out)
{
	const X509_NAME *name = X509_get_issuer_name(cert);
	int i = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *text;

	if (X509_NAME_entry_count(name) == 0)
		return "without a name";
	text = X509_NAME_ENTRY_get_data(
		X509_NAME_get_entry(name, i >= 0 ? i : 0));
	return log_safe(str_new(ASN1_STRING_get0_data(text),
	                        (size_t)ASN1_STRING_length(text)),
	                out);
}

/* wrong_name says which names it has, and which one was looked for. */
static void wrong_name(X509_STORE_CTX *store, const struct certificate *cert,
                       struct err_detail *detail)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);
	char *address = X509_VERIFY_PARAM_get1_ip_asc(param);
	const char *wanted = X509_VERIFY_PARAM_get0_host(param, 0);

	if (address != NULL)
		wanted = address;
	(void)err_set(detail, ERR_UNTRUSTED, "certificate is for %s, not %s",
	              cert->names[0] != '\0' ? cert->names : "nobody",
	              wanted != NULL ? wanted : "this name");
	OPENSSL_free(address);
}

/* unknown_issuer says who signed it, and what would make that one known. */
static void unknown_issuer(const X509 *x509, const struct certificate *cert,
                           const char *ca_key, struct err_detail *detail)
{
	struct log_text name;

	(void)err_set(detail, ERR_UNTRUSTED,
	              "certificate not trusted: %s \"%s\"%s%s%s",
	              cert->is_self_signed ? "self-signed by" : "issuer",
	              issuer_name(x509, &name),
	              cert->is_self_signed ? "" : " unknown",
	              ca_key != NULL ? ": set " : "",
	              ca_key != NULL ? ca_key : "");
}

/* describe makes the sentence for |error| with the certificate that has it. */
static void describe(X509_STORE_CTX *store, int error, const char *ca_key,
                     struct err_detail *detail)
{
	X509 *x509 = X509_STORE_CTX_get_current_cert(store);
	struct certificate cert;
	char day[16];

	if (certificate_of(x509, &cert) != ERR_OK)
		error = X509_V_ERR_UNSPECIFIED;
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		wrong_name(store, &cert, detail);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		unknown_issuer(x509, &cert, ca_key, detail);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		(void)err_set(detail, ERR_UNTRUSTED,
		              "certificate for %s expired on %s", cert.names,
		              certificate_day(cert.not_after_ms, day));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		(void)err_set(detail, ERR_UNTRUSTED,
		              "certificate for %s is not valid before %s",
		              cert.names,
		              certificate_day(cert.not_before_ms, day));
		break;
	default:
		(void)err_set(detail, ERR_UNTRUSTED,
		              "certificate not trusted: %s",
		              X509_verify_cert_error_string(error));
	}
}

int distrust_on_verify(int is_good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_ctx *ctx;
	struct err_detail detail;

	if (is_good != 0 || SSL_get_app_data(ssl) != NULL)
		return is_good;
	ctx = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	describe(store, X509_STORE_CTX_get_error(store), ctx->ca_key, &detail);
	if (SSL_set_app_data(ssl, xstrdup(detail.text)) != 1)
		abort();
	return is_good;
}

int distrust_take(SSL *ssl, struct err_detail *detail)
{
	char *noted = SSL_get_app_data(ssl);

	if (noted == NULL)
		return ERR_NOT_FOUND;
	(void)SSL_set_app_data(ssl, NULL);
	(void)err_set(detail, ERR_UNTRUSTED, "%s", noted);
	free(noted);
	return ERR_OK;
}
