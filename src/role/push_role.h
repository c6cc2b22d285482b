/* SPDX-License-Identifier: ISC */
/*
 * push_role - the role that holds the keys: store, registry, watchers,
 * notifier, APNs. It never talks to a client. Nothing that is wrong here keeps
 * it from starting: mail flows, pushes wait, an error line says why.
 */
#ifndef ROLE_PUSH_ROLE_H
#define ROLE_PUSH_ROLE_H

#include "base/err.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/route.h"
#include "push/service.h"
#include "role/rights.h"

struct files;
struct limits;
struct push_role;

/* push_role_check looks at what |c| names on the push side, for -t: what is
 * read, with the rights of who was started; the store, with |rights|, which are
 * all that is left. Results: 0; ERR_* with a sentence that names the key and
 * the file. */
int push_role_check(const struct conf *c, const struct rights *rights,
                    struct err_detail *detail)
	__attribute__((warn_unused_result));

/* push_role_new starts all of it. |c| and |routes| must outlive it; the files
 * that |c| names are read now, as files_read finds them in |f|. */
struct push_role *push_role_new(struct loop *loop, struct resolver *resolver,
                                const struct conf *c, const struct files *f,
                                const struct routes *routes,
                                const struct limits *limits);

/* push_role_service is what workers ask; lives until push_role_end. */
struct service *push_role_service(struct push_role *r);

/* push_role_observe: |fn| is called whenever what the service offers may have
 * changed. */
void push_role_observe(struct push_role *r, loop_fn *fn, void *arg);

/*
 * push_role_reload takes over what has changed in the configuration, and reads
 * the APNs credential and the master's password again, as files_read finds them
 * in |f|. If the credential is good, pushes are sent with it from now on, and
 * one tries at once if they were held; what is not good stays as it was, and an
 * error line says so.
 */
void push_role_reload(struct push_role *r, const struct files *f,
                      const struct limits *limits);

/* push_role_end ends the service: what is open is answered. For before the
 * askers go. */
void push_role_end(struct push_role *r);

/* push_role_free waits for the disk to take what was changed. */
void push_role_free(struct push_role **r);

#endif
