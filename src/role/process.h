/* SPDX-License-Identifier: ISC */
/*
 * process - what the forked processes do: a worker, the push process, and the
 * one that shows the status. Each turns until main says so, or is gone.
 */
#ifndef ROLE_PROCESS_H
#define ROLE_PROCESS_H

#include <stdint.h>

#include "base/str.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "role/listeners.h"
#include "role/message.h"
#include "role/rights.h"
#include "role/status_role.h"
#include "role/worker.h"

/* What main hands to a process; all borrowed but |fd|. */
struct process_start {
	struct conf *conf;
	const struct rights *rights;
	int fd;         /* the channel to main */
	struct str key; /* of digests, see service_remote_opts */
};

/* process_worker serves clients with |w|, which is loaded and its own from now
 * on, on the bound sockets of |l|. |offer| is the last that the push process
 * made. Results: 0, it ended as asked; ERR_* with a sentence. */
int process_worker(const struct process_start *start, struct worker *w,
                   const struct listeners *l, const struct message_offer *offer,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * process_names begins a process that looks names up for this one, which may
 * open none of the files for that once it is confined; |w| is let go of there,
 * if it is not NULL. To be called before any thread is begun, and before
 * anything secret is read that is not |w|'s. Results: 0, |*fd_r| is the
 * descriptor for resolver_ask, or -1: none is needed; ERR_UNAVAILABLE with a
 * sentence.
 */
int process_names(const struct process_start *start, struct worker *w,
                  int *fd_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* process_names_watch calls |gone| when it is gone, or was so already: names
 * cannot be looked up any more, but by another process in place of this one. */
void process_names_watch(int fd, struct loop *loop, loop_signal_fn *gone,
                         void *arg);

/* process_push is the push process. Results likewise. */
int process_push(const struct process_start *start, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* process_status serves |r|, which is open and ended here. Results likewise. */
int process_status(const struct process_start *start, struct status_role *r,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
