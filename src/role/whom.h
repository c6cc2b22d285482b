/* SPDX-License-Identifier: ISC */
/* whom - to whom push is offered, as the configuration says. */
#ifndef ROLE_WHOM_H
#define ROLE_WHOM_H

#include "conf/conf.h"
#include "push/audience.h"

/* whom_load reads users.* and push.* of |c|, whose strings it borrows, for the
 * |topic| (borrowed, NULL: none). To be ended by whom_done. */
struct audience_opts whom_load(const struct conf *c, const char *topic);
void whom_done(struct audience_opts *opts);

#endif
