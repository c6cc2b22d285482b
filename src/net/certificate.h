/* SPDX-License-Identifier: ISC */
/* certificate - what a certificate says to a person: for which names it is, and
 * from when to when. Whether it is to be trusted is tls's business. */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct certificate {
	char names[224]; /* "mail.example.org, 192.0.2.1", made safe; those that
	                    do not fit are "..." */
	int64_t not_before_ms; /* since 1970 */
	int64_t not_after_ms;
	bool is_self_signed;
};

/* certificate_read reads the first one in the PEM |text|. Results: 0;
 * ERR_INVALID, there is none that can be read. */
int certificate_read(struct str text, struct certificate *c_r)
	__attribute__((warn_unused_result));

/* certificate_of is the same for OpenSSL's own form. For rooms of net. */
int certificate_of(X509 *x509, struct certificate *c_r)
	__attribute__((warn_unused_result));

/*
 * certificate_warning writes a sentence when it has expired, is not yet valid
 * or is self-signed at |now_ms|. Returns false when there is nothing to say.
 */
bool certificate_warning(const struct certificate *c, int64_t now_ms,
                         struct err_detail *detail);

/* certificate_day writes "2026-11-22", the day of |ms| in UTC, and returns
 * |out|. */
const char *certificate_day(int64_t ms, char out[static 16]);

#endif
