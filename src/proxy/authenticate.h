/* SPDX-License-Identifier: ISC */
/*
 * authenticate - the client's side of AUTHENTICATE: what it is asked, one line
 * for each "+", and what it answers. The messages that say who it is are
 * gathered before a backend is dialled; those that prove a password without
 * saying it are passed on one by one, see proxy/login.
 */
#ifndef PROXY_AUTHENTICATE_H
#define PROXY_AUTHENTICATE_H

#include <stddef.h>

#include "base/str.h"
#include "imap/framer.h"

struct session;

/* intercept_fn */
void authenticate_command(struct session *s, struct str command);

/* authenticate_max is how long the command that begins with |line| may be: a
 * token in line needs room that nobody else is given. */
size_t authenticate_max(struct str line);

/* authenticate_ask sends "+ " and |challenge|, which is base64. */
void authenticate_ask(struct session *s, struct str challenge);

/* authenticate_on_line takes the client's line after our "+". */
void authenticate_on_line(struct session *s, const struct imap_frame *frame);

/* authenticate_end drops what was gathered. */
void authenticate_end(struct session *s);

#endif
