/* SPDX-License-Identifier: ISC */
/*
 * sessions - all sessions of a proxy: how many there may be, who has to go
 * when there are too many, and the sweeper.
 */
#ifndef PROXY_SESSIONS_H
#define PROXY_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "net/loop.h"

struct door;
struct proxy_header;
struct session;
struct session_env;
struct sessions;

/* |env| is borrowed; sessions_max and logins_pending_per_address of its opts
 * are the limits. */
struct sessions *sessions_new(const struct session_env *env);

/* sessions_free closes and frees what is left. */
void sessions_free(struct sessions **all);

/* sessions_accept makes a session of a connected |fd| that came in by |door|,
 * or closes |fd| when the limits say so. |said| is who the client is, NULL if
 * the connection itself tells. */
void sessions_accept(struct sessions *all, int fd, const struct door *door,
                     const struct proxy_header *said);

/* sessions_logged_in: |s| does not count as pending any more. */
void sessions_logged_in(struct sessions *all, struct session *s);

/* sessions_closed: |s| is over and freed on a later turn. */
void sessions_closed(struct sessions *all, struct session *s);

/* sessions_count counts those that are not freed yet. */
size_t sessions_count(const struct sessions *all);

/*
 * sessions_drain says BYE to those who are not logged in, or to |everyone|.
 * |empty| is called on a later turn, once, when no session is left.
 */
void sessions_drain(struct sessions *all, bool everyone);
void sessions_on_empty(struct sessions *all, loop_fn *empty, void *arg);

#endif
