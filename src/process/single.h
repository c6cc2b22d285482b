/* SPDX-License-Identifier: ISC */
/* single - all roles in one process. */
#ifndef PROCESS_SINGLE_H
#define PROCESS_SINGLE_H

#include "base/err.h"
#include "conf/conf.h"
#include "role/rights.h"

/*
 * single_run serves until SIGTERM or SIGINT: no new client is accepted then,
 * and it returns as soon as none is left, or at a second signal. What needs the
 * rights that it was started with is done first, |rights| are left. |c| is
 * changed where the system does not allow what it asks for. Results: 0;
 * ERR_PERMISSION or ERR_DNS, a listener; ERR_PERMISSION, |rights|; ERR_INVALID,
 * a file; with a sentence that names the culprit. Nothing was served then.
 */
int single_run(struct conf *c, const struct rights *rights,
               struct err_detail *detail) __attribute__((warn_unused_result));

#endif
