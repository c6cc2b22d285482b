/* SPDX-License-Identifier: ISC */
/*
 * backend - what is known of a backend without logging in: the two lists of
 * capabilities that it shows then, asked for by a probe connection every few
 * minutes.
 */
#ifndef PROXY_BACKEND_H
#define PROXY_BACKEND_H

#include <stdbool.h>

#include "base/str.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/resolve.h"

struct backend;

/* backend_new starts probing |target| at once; its strings are borrowed. */
struct backend *backend_new(struct loop *loop, struct resolver *resolver,
                            const struct dial_target *target);
void backend_free(struct backend **b);

/* backend_target is where to dial for a login. */
const struct dial_target *backend_target(const struct backend *b);

/* backend_name is "host:port", for log lines. */
const char *backend_name(const struct backend *b);

/* backend_greeting and backend_capability: the lists as the backend has them,
 * empty until it is known; borrowed until the next turn. */
struct str backend_greeting(const struct backend *b);
struct str backend_capability(const struct backend *b);

/* backend_is_known: a probe succeeded. */
bool backend_is_known(const struct backend *b);

/* backend_has: the backend itself listed |word|. */
bool backend_has(const struct backend *b, struct str word);

#endif
