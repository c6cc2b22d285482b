/* SPDX-License-Identifier: ISC */
/*
 * status - HTTP for people and Prometheus: a page, /healthz, /readyz and
 * /metrics, of what base/metric can see. It serves strangers: each has a few
 * seconds for one request of a few kilobytes, is answered and closed; when
 * there are too many the oldest goes.
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

struct status;

/* Who is served at once, and how long one has for a request. */
#define STATUS_VISITORS_MAX 64
#define STATUS_REQUEST_MS ((uint64_t)10 * 1000)

struct status_opts {
	const int *fds; /* listening; its own from now on */
	size_t fd_count;
	unsigned processes; /* that should run */
	int64_t since_ms;   /* the time of day when they began */
};

/* status_new serves from now on. */
struct status *status_new(struct loop *loop, const struct status_opts *opts);

/* status_free closes what is open, sockets too. */
void status_free(struct status **s);

#endif
