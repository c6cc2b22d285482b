/* SPDX-License-Identifier: ISC */
/*
 * backends - all backends that users are routed to, and what clients may be
 * shown before it is known which one is theirs: the words that all list, so
 * that whatever is listed works for everybody.
 */
#ifndef PROXY_BACKENDS_H
#define PROXY_BACKENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/route.h"

struct backend;
struct backends;

/* backends_new starts probing each of |routes|, which is borrowed; what is
 * known of one that is up gets |fresh_ms| old. */
struct backends *backends_new(struct loop *loop, struct resolver *resolver,
                              const struct routes *routes, uint64_t fresh_ms);
void backends_free(struct backends **all);

/* backends_find returns the backend of |user|, the name as given at login;
 * NULL: there is no route for it. */
struct backend *backends_find(const struct backends *all, struct str user);

/* backends_greeting and backends_capability: what those that are known have in
 * common of these lists, empty while none is; borrowed until the next turn. */
struct str backends_greeting(const struct backends *all);
struct str backends_capability(const struct backends *all);

/* backends_are_known: at least one is. */
bool backends_are_known(const struct backends *all);

/* backends_bind: some backend binds logins to its TLS (imap_sasl_binds). */
bool backends_bind(const struct backends *all);

#endif
