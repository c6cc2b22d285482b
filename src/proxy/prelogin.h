/* SPDX-License-Identifier: ISC */
/*
 * prelogin - imapbell as the server, before a backend is known: greeting,
 * CAPABILITY, ID, NOOP, LOGOUT. Strangers who never log in never cost the
 * backend a connection.
 */
#ifndef PROXY_PRELOGIN_H
#define PROXY_PRELOGIN_H

#include <stdbool.h>

#include "base/str.h"

struct session;

/* Octets a client may send before it is logged in, all attempts together. */
#define PRELOGIN_BYTES_MAX ((uint64_t)256 * 1024)

/* Octets of our answers that it may leave unread. */
#define PRELOGIN_UNREAD_MAX ((size_t)32 * 1024)

/* Commands that are unknown or malformed before `* BYE`. */
#define PRELOGIN_BAD_MAX 3

/* prelogin_greet sends the greeting. */
void prelogin_greet(struct session *s);

/* prelogin_needs_tls: no login before STARTTLS, which is offered. */
bool prelogin_needs_tls(const struct session *s);

/* prelogin_secured: TLS has begun by STARTTLS; what was said before counts for
 * nothing (RFC 9051 section 6.2.1). */
void prelogin_secured(struct session *s);

/* prelogin_takes: a login by |mechanism| may be tried, which is so if it is
 * shown, or if the backend was not reached yet and it may be shown. */
bool prelogin_takes(const struct session *s, const char *mechanism);

/* prelogin_count_bad: one more bad command; the last one closes. */
void prelogin_count_bad(struct session *s);

/* intercept_fn, one for each command. */
void prelogin_capability(struct session *s, struct str command);
void prelogin_logout(struct session *s, struct str command);
void prelogin_noop(struct session *s, struct str command);
void prelogin_starttls(struct session *s, struct str command);

#endif
