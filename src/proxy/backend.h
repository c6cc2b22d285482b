/* SPDX-License-Identifier: ISC */
/*
 * backend - what is known of a backend without logging in: whether it can be
 * reached, and the two lists of capabilities that it shows then. Both are asked
 * for by a probe connection, now and then while it is up and every few seconds
 * while it is down.
 */
#ifndef PROXY_BACKEND_H
#define PROXY_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/resolve.h"

struct backend;

/* Octets of a list; a longer one is not taken. */
#define BACKEND_LIST_MAX ((size_t)8192)

/* backend_new starts probing |target|, which is borrowed, at once, and while it
 * is up |fresh_ms| later. |changed| is called whenever it comes up, goes down
 * or was probed. */
struct backend *backend_new(struct loop *loop, struct resolver *resolver,
                            const struct dial_target *target, uint64_t fresh_ms,
                            loop_fn *changed, void *arg);
void backend_free(struct backend **b);

/* backend_target is where to dial for a login. */
const struct dial_target *backend_target(const struct backend *b);

/* backend_name is "host:port", for log lines. */
const char *backend_name(const struct backend *b);

/* backend_greeting and backend_capability: the lists as the backend has them,
 * empty until it is known; borrowed until the next turn. */
struct str backend_greeting(const struct backend *b);
struct str backend_capability(const struct backend *b);

/*
 * backend_is_down: nobody needs to dial. It is so from the first failure on,
 * until a probe succeeds; each of the two changes has one log line.
 */
bool backend_is_down(const struct backend *b);

/* backend_is_up: it was reached, and is not down. */
bool backend_is_up(const struct backend *b);

/* backend_unreached: a dial for a login failed, |why| is the sentence. It is
 * down until a probe, which begins now, succeeds. */
void backend_unreached(struct backend *b, const char *why);

/* backend_doubt: a login failed in a way that may be that connection's alone. A
 * probe finds out now. */
void backend_doubt(struct backend *b);

/* backend_answered: it gave its verdict on a login, so it is up whatever has
 * become of a probe meanwhile. */
void backend_answered(struct backend *b);

/* backend_is_known: a probe succeeded, once. */
bool backend_is_known(const struct backend *b);

/* backend_has: the backend itself listed |word|. */
bool backend_has(const struct backend *b, struct str word);

#endif
