/* SPDX-License-Identifier: ISC */
/*
 * target - the backends that the configuration names, ready to be dialled, and
 * whose they are. Those that it says the same of are one.
 */
#ifndef ROLE_TARGET_H
#define ROLE_TARGET_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "conf/url.h"
#include "net/route.h"

struct files;

/* What the configuration says of a backend. */
struct target {
	struct err_detail
		key;        /* "backend.", "routes, entry 2 (example.org): " */
	const char *ca_key; /* what is set if its issuer is not known */
	const char *url;
	const char *ca;
	const char *name;
	const char *forward;
	bool verify;
	struct str host; /* of |url| */
	struct conf_url parsed;
};

struct targets {
	struct routes routes; /* what it points to lives in here or in |c| */
	struct target *list;
	struct dial_target *dials; /* one for each of |list| */
	struct route *by_domain;
};

/*
 * targets_load reads backend.* and routes of |c|, which must outlive |t_r|, and
 * their files as files_read finds them in |f|.
 * Results: 0, ended by targets_done; ERR_INVALID with a sentence that names the
 * key and the file.
 */
int targets_load(const struct conf *c, const struct files *f,
                 struct targets *t_r, struct err_detail *detail)
	__attribute__((warn_unused_result));
void targets_done(struct targets *t);

#endif
