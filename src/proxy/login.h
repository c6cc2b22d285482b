/* SPDX-License-Identifier: ISC */
/*
 * login - from a client's LOGIN or AUTHENTICATE to the backend's verdict: only
 * here a backend is dialled. The backend decides; the name counts after its
 * tagged OK.
 */
#ifndef PROXY_LOGIN_H
#define PROXY_LOGIN_H

#include "base/str.h"
#include "imap/framer.h"

struct session;

/* intercept_fn */
void login_command(struct session *s, struct str command);
void login_authenticate(struct session *s, struct str command);

/* login_on_sasl takes the client's line after our "+". */
void login_on_sasl(struct session *s, const struct imap_frame *frame);

/* login_on_bytes takes what the backend sends until its verdict; moves |in|. */
void login_on_bytes(struct session *s, struct str *in);

/* login_on_open: the handshake with the backend, after STARTTLS, is done. */
void login_on_open(struct session *s);

/* login_unavailable: the backend cannot be asked, |why| for the log. */
void login_unavailable(struct session *s, const char *why);

/* login_on_timer: the session's timer in SESSION_LOGIN or SESSION_REFUSED. */
void login_on_timer(struct session *s);

/* login_forget wipes the password that is kept for a while after login. */
void login_forget(struct session *s);

/* login_end drops the attempt; nothing is told. */
void login_end(struct session *s);

#endif
