/* SPDX-License-Identifier: ISC */
/*
 * distrust - why the certificate of a server is not believed, in words. For
 * tls and tls_conn alone.
 */
#ifndef NET_DISTRUST_H
#define NET_DISTRUST_H

#include <openssl/types.h>

#include "base/err.h"

/* distrust_on_verify is OpenSSL's verify callback: it changes no verdict, and
 * notes on the connection what the first bad one is about. */
int distrust_on_verify(int is_good, X509_STORE_CTX *store);

/*
 * distrust_take moves what was noted on |ssl| to |detail|. Results: 0; or
 * ERR_NOT_FOUND, nothing was.
 */
int distrust_take(SSL *ssl, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
