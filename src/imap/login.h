/* SPDX-License-Identifier: ISC */
/*
 * login - who logs in, and with what. The client's command is parsed and a
 * fresh one is encoded for the server, so that the name we believe and the name
 * the server authenticates cannot differ. What SASL says is in imap/sasl.
 */
#ifndef IMAP_LOGIN_H
#define IMAP_LOGIN_H

#include <stdbool.h>

#include "base/secret.h"
#include "base/str.h"
#include "imap/emit.h"

/* The command LOGIN, or a mechanism of AUTHENTICATE. The first three have a
 * password, and are stored with it: their numbers stay. */
enum imap_login_method {
	IMAP_LOGIN_COMMAND,
	IMAP_LOGIN_PLAIN,
	IMAP_LOGIN_LOGIN,
	IMAP_LOGIN_XOAUTH2,
	IMAP_LOGIN_OAUTHBEARER,
	IMAP_LOGIN_CRAM_MD5,
	IMAP_LOGIN_SCRAM_SHA_1,
	IMAP_LOGIN_SCRAM_SHA_224,
	IMAP_LOGIN_SCRAM_SHA_256,
	IMAP_LOGIN_SCRAM_SHA_384,
	IMAP_LOGIN_SCRAM_SHA_512
};

#define IMAP_USER_MAX 1024
#define IMAP_PASSWORD_MAX 4096
#define IMAP_TOKEN_MAX (64 * 1024)

struct imap_login {
	enum imap_login_method method;
	struct str user; /* the authcid; empty: not said, or not yet; owned */
	struct str authzid; /* may be empty; owned */
	/* Or what stands for it: a token, SCRAM's first message. */
	struct secret *password;
};

/* imap_login_done frees and wipes the parts. */
void imap_login_done(struct imap_login *l);

/* imap_login_is_other: the authzid is neither empty nor the authcid, or there
 * is no name at all: relayed, but never registered, sealed or parked. */
bool imap_login_is_other(const struct imap_login *l);

/* imap_login_has_password: it is one that can be used again. */
bool imap_login_has_password(const struct imap_login *l);

/*
 * imap_login_set gives |l| its parts, copied (also from |l| itself); |max| is
 * the most of |password|. Results: 0; ERR_PARSE, control characters in a name
 * or NUL in the password; ERR_LIMIT.
 */
int imap_login_set(struct imap_login *l, struct str authzid, struct str user,
                   struct str password, size_t max)
	__attribute__((warn_unused_result));

/*
 * imap_login_parse reads a whole `tag LOGIN user password`, literals in place.
 * Results: 0; ERR_PARSE, malformed or as imap_login_set; ERR_LIMIT.
 */
int imap_login_parse(struct str command, struct imap_login *l_r)
	__attribute__((warn_unused_result));

/*
 * imap_login_emit encodes it as a command with |tag|: LOGIN, or AUTHENTICATE
 * with the initial response in line when |sasl_ir|, else after a stop.
 * Results: 0; ERR_LIMIT.
 */
int imap_login_emit(const struct imap_login *l, struct str tag, bool sasl_ir,
                    struct imap_emit *e) __attribute__((warn_unused_result));

#endif
