/* SPDX-License-Identifier: ISC */
/* check - the command of that name: is all that the configuration names there,
 * and does it answer? Nothing is changed, and nobody is disturbed. What root
 * asks is answered for the user that processes run as. */
#ifndef ROLE_CHECK_H
#define ROLE_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "conf/conf.h"

/* check_run writes one fact after the other to |out|, as |c| wants them, and
 * comes to an end within 20 s, with the rights of process.user. Returns whether
 * nothing failed. */
bool check_run(const struct conf *c, FILE *out);

#endif
