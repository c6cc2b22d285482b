/* SPDX-License-Identifier: ISC */
/* listeners - the entries of `listen` as the proxy wants them. */
#ifndef ROLE_LISTENERS_H
#define ROLE_LISTENERS_H

#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"
#include "proxy/proxy.h"

struct listeners {
	struct proxy_listen *list; /* owned, with all they point to */
	size_t count;
};

/* listeners_read makes |l_r| of |c|, ended by listeners_done. Results: 0;
 * ERR_INVALID with a sentence. */
int listeners_read(const struct conf *c, struct listeners *l_r,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));
void listeners_done(struct listeners *l);

#endif
