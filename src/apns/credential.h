/* SPDX-License-Identifier: ISC */
/*
 * credential - the APNs certificate and its key as files, and what they say:
 * topics (subject UID 0.9.2342.19200300.100.1.1 and extension
 * 1.2.840.113635.100.6.3.6), validity, whether the key matches.
 */
#ifndef APNS_CREDENTIAL_H
#define APNS_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct files;

struct credential {
	struct buf certificate; /* PEM, chain included */
	struct buf key;         /* PEM; wiped by credential_done */
	char *topic;            /* the subject's UID, or the first listed */
	char **topics;          /* all of them, topic included */
	size_t topic_count;
	int64_t not_before_ms;
	int64_t not_after_ms;
	bool key_exposed; /* the key's file can be read by every user */
};

/*
 * credential_load reads |certificate_path| and |key_path| (NULL: the key is in
 * the certificate's file), as files_read finds them. Of several certificates,
 * in any order, the one that the key belongs to is taken, with its chain.
 * Results: 0; ERR_INVALID (no certificate, key does not match, encrypted key,
 * weak key or signature that OpenSSL will not load, .p12: not built yet),
 * ERR_LIMIT, ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO with a sentence naming the
 * file. A certificate without topics loads with |topic| NULL.
 */
int credential_load(const struct files *f, const char *certificate_path,
                    const char *key_path, struct credential *c_r,
                    struct err_detail *detail)
	__attribute__((warn_unused_result));
void credential_done(struct credential *c);

/* credential_warning says in one sentence whether it has expired, is not yet
 * valid, expires within 30 days, is self-signed, lacks Apple's extensions or
 * has a key that every user can read. Returns false when there is nothing to
 * say. */
bool credential_warning(const struct credential *c, int64_t now_ms,
                        struct err_detail *detail);

#endif
