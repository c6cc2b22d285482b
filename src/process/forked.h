/* SPDX-License-Identifier: ISC */
/*
 * forked - what the forked processes do: a worker, the push process, and the
 * one that shows the status. Each turns until main says so, or is gone.
 */
#ifndef PROCESS_FORKED_H
#define PROCESS_FORKED_H

#include <stdint.h>

#include "base/str.h"
#include "conf/conf.h"
#include "process/message.h"
#include "role/listeners.h"
#include "role/rights.h"
#include "role/status_role.h"
#include "role/worker.h"

/* What main hands to a process; all borrowed but |fd|. */
struct forked_start {
	struct conf *conf;
	const struct rights *rights;
	int fd;         /* the channel to main */
	struct str key; /* of digests, see service_remote_opts */
};

/* forked_worker serves clients with |w|, which is loaded and its own from now
 * on, on the bound sockets of |l|. |offer| is the last that the push process
 * made. Results: 0, it ended as asked; ERR_* with a sentence. */
int forked_worker(const struct forked_start *start, struct worker *w,
                  const struct listeners *l, const struct message_offer *offer,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));

/* forked_push is the push process. Results likewise. */
int forked_push(const struct forked_start *start, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* forked_status serves |r|, which is open and ended here. Results likewise. */
int forked_status(const struct forked_start *start, struct status_role *r,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
