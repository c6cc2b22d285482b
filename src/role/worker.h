/* SPDX-License-Identifier: ISC */
/*
 * worker - the role that faces the internet: listeners with their
 * certificates, and the proxy. It holds no database and no key of the push
 * side, which it knows as a service.
 */
#ifndef ROLE_WORKER_H
#define ROLE_WORKER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "push/service.h"
#include "role/listeners.h"

struct files;
struct limits;
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

/* worker_number: this is the |number|-th of |count| workers, whose sessions
 * have numbers of their own; before worker_start. */
void worker_number(struct worker *w, unsigned number, unsigned count);

/* worker_start opens the listeners |l|, unless they are, for as many sessions
 * as |limits| say. Results: 0; ERR_PERMISSION or ERR_DNS with a sentence that
 * names the address. */
int worker_start(struct worker *w, struct loop *loop, struct resolver *resolver,
                 struct service *service, const struct listeners *l,
                 const struct limits *limits, struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * worker_reload takes over what has changed in the configuration, and
 * certificates and keys as files_read finds them in |f|, for clients that come
 * from now on. If one of these cannot be used all of them stay as they were,
 * and the log says why.
 */
void worker_reload(struct worker *w, const struct files *f,
                   const struct limits *limits);

/* worker_say_reloaded logs that it was done, and what is unusual. */
void worker_say_reloaded(const struct worker *w);

/* worker_rotate_tickets makes a new key of session tickets, to be done every
 * TLS_TICKETS_MS. */
void worker_rotate_tickets(struct worker *w);

/* worker_tickets is what another worker is given with worker_set_tickets, so
 * that both resume each other's sessions; secret, borrowed. */
struct str worker_tickets(const struct worker *w);
void worker_set_tickets(struct worker *w, struct str tickets);

/* worker_drain stops accepting and calls |empty| as proxy_drain does, after
 * process.drain_s at the latest unless it |is_patient|. */
void worker_drain(struct worker *w, bool is_patient, loop_fn *empty, void *arg);

void worker_free(struct worker **w);

#endif
