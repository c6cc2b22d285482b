/* SPDX-License-Identifier: ISC */
/*
 * login - who logs in. The client's command is parsed and a fresh one is
 * encoded for the server, so that the name we believe and the name the server
 * authenticates cannot differ.
 */
#ifndef IMAP_LOGIN_H
#define IMAP_LOGIN_H

#include <stdbool.h>

#include "base/secret.h"
#include "base/str.h"
#include "imap/emit.h"

enum imap_login_method { IMAP_LOGIN_COMMAND, IMAP_LOGIN_PLAIN };

#define IMAP_USER_MAX 1024
#define IMAP_PASSWORD_MAX 4096

struct imap_login {
	enum imap_login_method method;
	struct str user;    /* the authcid; owned */
	struct str authzid; /* PLAIN only, may be empty; owned */
	struct secret *password;
};

/* imap_login_done frees and wipes the parts. */
void imap_login_done(struct imap_login *l);

/* imap_login_is_other: the authzid is neither empty nor the authcid: relayed,
 * but never registered, sealed or parked. */
bool imap_login_is_other(const struct imap_login *l);

/*
 * imap_login_parse reads a whole `tag LOGIN user password`, literals in place.
 * Results: 0; ERR_PARSE, malformed or NUL in it; ERR_LIMIT.
 */
int imap_login_parse(struct str command, struct imap_login *l_r)
	__attribute__((warn_unused_result));

/*
 * imap_login_parse_plain reads the base64 of a SASL PLAIN message (RFC 4616:
 * [authzid] NUL authcid NUL passwd); "=" is the empty one. Same results.
 */
int imap_login_parse_plain(struct str base64, struct imap_login *l_r)
	__attribute__((warn_unused_result));

/*
 * imap_login_emit encodes it as a command with |tag|: LOGIN, or AUTHENTICATE
 * PLAIN with the initial response in line when |sasl_ir|, else after a stop.
 * Results: 0; ERR_LIMIT.
 */
int imap_login_emit(const struct imap_login *l, struct str tag, bool sasl_ir,
                    struct imap_emit *e) __attribute__((warn_unused_result));

#endif
