/* SPDX-License-Identifier: ISC */
/*
 * supervisor - main, when the roles have processes of their own: it opens the
 * sockets, forks, replaces what dies, and passes on what is asked for by
 * signals. It never speaks with a stranger.
 */
#ifndef PROCESS_SUPERVISOR_H
#define PROCESS_SUPERVISOR_H

#include "base/err.h"
#include "conf/conf.h"
#include "role/rights.h"

/*
 * supervisor_run serves until SIGTERM or SIGINT, as single_run, with
 * process.workers of |c| processes for clients and one for pushes. They have
 * |rights|, this one stays what it is. Results: as single_run; ERR_UNAVAILABLE,
 * the system has no memory for them to share.
 *
 * In a forked process it does not return.
 */
int supervisor_run(struct conf *c, const struct rights *rights,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
