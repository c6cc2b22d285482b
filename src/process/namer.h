/* SPDX-License-Identifier: ISC */
/*
 * namer - the process that looks names up for one of ours, which may open none
 * of the files for that once it is confined. Each has its own: a lookup that is
 * slow or goes wrong is its matter alone, as it would be in one process.
 */
#ifndef PROCESS_NAMER_H
#define PROCESS_NAMER_H

#include "base/err.h"
#include "net/loop.h"

struct forked_start;
struct worker;

/*
 * namer_begin begins one for this process, if it is to be confined; |w| is let
 * go of there, if it is not NULL. To be called before any thread is begun, and
 * before anything secret is read that is not |w|'s. Results: 0, |*fd_r| is the
 * descriptor for resolver_ask, or -1: none is needed; ERR_UNAVAILABLE with a
 * sentence.
 */
int namer_begin(const struct forked_start *start, struct worker *w, int *fd_r,
                struct err_detail *detail) __attribute__((warn_unused_result));

/* namer_watch calls |gone| when it is gone, or was so already: names cannot be
 * looked up any more, but by another process in place of this one. */
void namer_watch(int fd, struct loop *loop, loop_signal_fn *gone, void *arg);

#endif
