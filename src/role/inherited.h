/* SPDX-License-Identifier: ISC */
/*
 * inherited - descriptors that were open when the program began: listening
 * sockets that a service manager, or the imapbell that this one replaces,
 * handed over as sd_listen_fds(3) describes.
 */
#ifndef ROLE_INHERITED_H
#define ROLE_INHERITED_H

#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "role/listeners.h"

struct inherited;

/* inherited_take takes over what the environment tells of, and these variables
 * with it. What is no listening TCP socket is named in a warning, and closed.
 * Freed by inherited_free. */
struct inherited *inherited_take(void);

/*
 * inherited_find looks for those that listen where |where| says, a port of 0
 * being any. Those found go to |fds_r|, the caller's to close, with
 * |*count_r|; freed by free. Results: 0, also if there are none; ERR_DNS with a
 * sentence.
 */
int inherited_find(struct inherited *in, const struct proxy_listen *where,
                   int **fds_r, size_t *count_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* inherited_find_named is the one whose name begins so, the caller's to close,
 * with the rest of it, which lives until inherited_free; or -1. It need not
 * listen. */
int inherited_find_named(struct inherited *in, const char *begin,
                         struct str *rest_r);

/* inherited_free closes what nobody asked for, which a warning names. */
void inherited_free(struct inherited **in);

#endif
