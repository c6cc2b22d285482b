/* SPDX-License-Identifier: ISC */
/*
 * server - the way to one backend: how many watchers may be connected to it,
 * how fast they come, whether it is there at all, and whether the master's
 * login is to be believed there. While it is away one watcher at a time tries
 * to reach it, with a back-off of the server's own; all others wait.
 */
#ifndef WATCH_SERVER_H
#define WATCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "net/dial.h"
#include "net/loop.h"

struct proof;
struct server;
struct watcher_env;

/* What the watchers of a server are doing. */
struct server_load {
	size_t waiting;    /* to connect */
	size_t connecting; /* their INBOX is not listened to yet */
	size_t watching;
};

/* server_new: |env|, with its login, and |target| are borrowed. |changed| is
 * called on a later turn when server_admits is worth asking again. */
struct server *server_new(const struct watcher_env *env,
                          const struct dial_target *target, loop_fn *changed,
                          void *arg);
void server_free(struct server **s);

/* server_refresh: the options of its |env| may have changed. */
void server_refresh(struct server *s);

/* server_target is where its watchers dial. */
const struct dial_target *server_target(const struct server *s);

/* server_proof is the master's, or NULL: nothing is to be proved. */
struct proof *server_proof(const struct server *s);

/* server_admits: one of those who wait may connect now. If not, ask again when
 * |changed| says so or a connection has ended. */
bool server_admits(struct server *s, const struct server_load *load);

/* server_passes: one does. */
void server_passes(struct server *s);

/* server_unreached: a watcher that was to connect found nobody, |why| is the
 * sentence. */
void server_unreached(struct server *s, const char *why);

/* server_reached: a watcher was answered. From inside its callbacks, too. */
void server_reached(struct server *s);

#endif
