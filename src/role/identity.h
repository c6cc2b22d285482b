/* SPDX-License-Identifier: ISC */
/* identity - the certificate and key that clients are shown, as the
 * configuration names them. */
#ifndef ROLE_IDENTITY_H
#define ROLE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "net/certificate.h"
#include "net/tls.h"

struct identity {
	struct tls_ctx *tls; /* NULL: no listener needs it */
	struct certificate certificate;
	bool key_exposed; /* every user of this machine can read it */
};

/*
 * identity_load reads tls.* of |c|. Results: 0, ended by identity_done;
 * ERR_INVALID with a sentence that names the key and the file.
 */
int identity_load(const struct conf *c, struct identity *i_r,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));
void identity_done(struct identity *i);

/* identity_warning says in a sentence what is unusual at |now_ms|, which keeps
 * nobody from starting. Returns false when there is nothing to say. */
bool identity_warning(const struct identity *i, int64_t now_ms,
                      struct err_detail *detail);

#endif
