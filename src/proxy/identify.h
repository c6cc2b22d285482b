/* SPDX-License-Identifier: ISC */
/*
 * identify - the ID command, the client's and ours: what a backend that trusts
 * us is told of who is really there, and that nobody else can tell it.
 */
#ifndef PROXY_IDENTIFY_H
#define PROXY_IDENTIFY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

struct session;

/* intercept_fn, before login: answered here, kept for the login. */
void identify_prelogin(struct session *s, struct str command);

/* identify_forget forgets what the client said so far. */
void identify_forget(struct session *s);

/* intercept_fn, after login: passed on, without what only proxies say. */
void identify_relay(struct session *s, struct str command);

/* intercept_fn, after login at a backend without ID: answered here. */
void identify_answer(struct session *s, struct str command);

/* identify_is_loop: too many proxies in a row; the login must not go on. */
bool identify_is_loop(const struct session *s);

/* identify_own appends the arguments of our ID for the backend of |s|; none
 * if it is not told the client's address in this way. */
void identify_own(const struct session *s, struct buf *out);

/* identify_client is what the client said, fit to be passed on to the backend
 * of |s|; empty: nothing. Borrowed from |s|. */
struct str identify_client(const struct session *s);

#endif
