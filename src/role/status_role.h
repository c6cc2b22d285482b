/* SPDX-License-Identifier: ISC */
/*
 * status_role - HTTP for people and Prometheus, as the configuration wants it:
 * opened by who may, served by the process that is there for it, or by the one
 * that does everything.
 */
#ifndef ROLE_STATUS_ROLE_H
#define ROLE_STATUS_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "role/inherited.h"

struct status;

/* Zero: there is none. */
struct status_role {
	int *fds; /* listening, until it serves */
	size_t fd_count;
	int64_t since_ms; /* the time of day when it was opened */
	struct status *status;
};

/*
 * status_role_open binds status.listen, if it is set, unless sockets for that
 * are in |in|, and logs `listening url=http://...` with the real port. Results:
 * 0, ended by status_role_done; ERR_PERMISSION or ERR_DNS with a sentence that
 * names the address.
 */
int status_role_open(const struct conf *c, struct inherited *in,
                     struct status_role *r_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* status_role_is_open: there are sockets to serve. */
bool status_role_is_open(const struct status_role *r);

/* status_role_mend: the sockets listen, whatever a process that served them
 * before, which may have been taken over, made of them. */
void status_role_mend(const struct status_role *r);

/* status_role_serve does so from now on, if there are; |processes| should
 * run. */
void status_role_serve(struct status_role *r, struct loop *loop,
                       unsigned processes);

/* status_role_done ends it and closes what is open. */
void status_role_done(struct status_role *r);

#endif
