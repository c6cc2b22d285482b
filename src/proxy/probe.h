/* SPDX-License-Identifier: ISC */
/*
 * probe - one connection of our own to a backend that reads the greeting, asks
 * CAPABILITY and leaves: what the backend shows to whom has not logged in.
 */
#ifndef PROXY_PROBE_H
#define PROXY_PROBE_H

#include <stdint.h>

#include "imap/opening.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"

struct probe;

/*
 * Called once: |opening| holds both lists and |stream| is how they came; or
 * |opening| is NULL and |why| says what failed. Everything is borrowed until
 * return, and the probe is gone then.
 */
typedef void probe_done_fn(void *arg, const struct imap_opening *opening,
                           const struct stream *stream, const char *why);

/*
 * probe_start begins; the strings and the context of |target| are borrowed. The
 * connection has |step_ms|, and all has twice that: |done| comes on a later
 * turn and not after it.
 */
struct probe *probe_start(struct loop *loop, struct resolver *resolver,
                          const struct dial_target *target, uint64_t step_ms,
                          probe_done_fn *done, void *arg);

/* probe_cancel: |done| will not be called. Clears the pointer. */
void probe_cancel(struct probe **p);

#endif
