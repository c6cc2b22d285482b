/* SPDX-License-Identifier: ISC */
/*
 * login - from a client's LOGIN or AUTHENTICATE to the backend's verdict: only
 * here a backend is dialled. The backend decides; the name counts after its
 * tagged OK.
 */
#ifndef PROXY_LOGIN_H
#define PROXY_LOGIN_H

#include "base/str.h"
#include "imap/login.h"

struct session;

/* intercept_fn */
void login_command(struct session *s, struct str command);

/* login_begin has the backend asked about |who|, whose parts are taken over, in
 * the client's command |tag|, which is copied. */
void login_begin(struct session *s, struct str tag, struct imap_login *who);

/* login_respond gives the backend the client's answer to a challenge. */
void login_respond(struct session *s, struct str base64);

/* login_abandon ends the attempt in place of an answer; the client is told
 * |text|. */
void login_abandon(struct session *s, const char *text);

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
