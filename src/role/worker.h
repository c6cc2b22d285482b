/* SPDX-License-Identifier: ISC */
/*
 * worker - the role that faces the internet: listeners with their
 * certificates, and the proxy. It holds no database and no key of the push
 * side, which it knows as a service.
 */
#ifndef ROLE_WORKER_H
#define ROLE_WORKER_H

#include "base/err.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "push/service.h"

struct worker;

/* worker_check reads the files that a worker needs, for -t. Results as
 * worker_load. */
int worker_check(const struct conf *c, struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * worker_load reads certificates and trust anchors; nothing is opened yet. |c|
 * must outlive the worker. Results: 0; ERR_INVALID with a sentence that names
 * the key and the file.
 */
int worker_load(const struct conf *c, struct worker **w_r,
                struct err_detail *detail) __attribute__((warn_unused_result));

/* worker_start opens the listeners. Results: 0; ERR_PERMISSION or ERR_DNS with
 * a sentence that names the address. */
int worker_start(struct worker *w, struct loop *loop, struct resolver *resolver,
                 struct service *service, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* worker_reload reads certificates and keys again, for clients that come from
 * now on. If one cannot be used all stay as they were, and the log says why. */
void worker_reload(struct worker *w);

/* worker_drain stops accepting and calls |empty| as proxy_drain does. */
void worker_drain(struct worker *w, loop_fn *empty, void *arg);

void worker_free(struct worker **w);

#endif
