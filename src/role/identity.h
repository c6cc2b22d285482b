/* SPDX-License-Identifier: ISC */
/* identity - the certificates and keys that clients are shown, as the
 * configuration names them. */
#ifndef ROLE_IDENTITY_H
#define ROLE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "net/certificate.h"
#include "net/tls.h"

struct files;
struct tls_tickets;

/* One certificate with its key. */
struct identity_part {
	const char *path; /* the configuration's */
	struct certificate certificate;
	bool key_exposed; /* every user of this machine can read it */
};

struct identity {
	struct tls_ctx *tls; /* NULL: no listener needs it */
	struct identity_part *parts;
	size_t count;
};

/*
 * identity_load reads the files of tls.* of |c|, which must outlive |i_r|, as
 * files_read finds them in |f|;
 * sessions are resumed under |tickets| (NULL: not). Results: 0, ended by
 * identity_done; ERR_INVALID with a sentence that names the key and the file.
 */
int identity_load(const struct conf *c, const struct files *f,
                  struct tls_tickets *tickets, struct identity *i_r,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));
void identity_done(struct identity *i);

/* identity_check reads them, and keeps nothing. Results as identity_load. */
int identity_check(const struct conf *c, const struct files *f,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/* identity_warning says in a sentence what is unusual of |part| at |now_ms|,
 * which keeps nobody from starting. Returns false when there is nothing to say.
 */
bool identity_warning(const struct identity_part *part, int64_t now_ms,
                      struct err_detail *detail);

#endif
