/* SPDX-License-Identifier: ISC */
/*
 * resolve - names to addresses by getaddrinfo on an offload thread, so that
 * hosts file, nsswitch and TCP answers are as the machine does them. Lookups of
 * one name under way at the same time are one lookup. Nothing is cached:
 * APNs wants a fresh answer before each connection.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"
#include "net/names.h"

struct resolver;
struct resolve;

/*
 * Called once: |rc| 0 and |count| >= 1 addresses in the order to try
 * (borrowed), or ERR_DNS with a sentence in |why|.
 */
typedef void resolve_done_fn(void *arg, int rc,
                             const struct resolve_address *list, size_t count,
                             const char *why);

struct resolver *resolver_new(struct loop *loop);
void resolver_free(struct resolver **r);

/* resolver_ask has names looked up by the process at the other end of |fd|, see
 * names_serve. It is borrowed, and stays open for as long as the process lives:
 * a lookup may outlive |r|. */
void resolver_ask(struct resolver *r, int fd);

/* resolve_start looks |host| (name or address) up; |done| on a later turn. */
struct resolve *resolve_start(struct resolver *r, const char *host,
                              uint16_t port, resolve_done_fn *done, void *arg);

/* resolve_cancel: |done| will not be called. Clears the pointer. */
void resolve_cancel(struct resolve **q);

#endif
