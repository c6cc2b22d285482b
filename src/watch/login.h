/* SPDX-License-Identifier: ISC */
/*
 * login - with which login a user is watched, and what a refusal of it means:
 * the password that the user logged in with, sealed; or the secret of a master
 * who may log in as anybody.
 */
#ifndef WATCH_LOGIN_H
#define WATCH_LOGIN_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "imap/login.h"
#include "imap/response.h"
#include "push/registry.h"
#include "push/seal.h"

enum watch_login_mode {
	WATCH_LOGIN_SEALED,
	WATCH_LOGIN_AUTHZID,  /* master: SASL PLAIN, authorized as the user */
	WATCH_LOGIN_SEPARATOR /* master: LOGIN user*master */
};

/* What they point to is borrowed for the life of watch. */
struct watch_login_opts {
	enum watch_login_mode mode;
	const struct seal *seal; /* sealed; NULL: no key */
	const char *master_user;
	const char *master_separator;
	const struct secret *master_password; /* NULL: not known */
};

/*
 * watch_login_open opens the login of |user| for use at once; |l_r| is wiped
 * and freed by imap_login_done. |row_r| is what is stored of it, to tell later
 * whether it is still the same; borrowed until the next turn. The master's name
 * for a user is the one that the server accepted from that user, never one that
 * was made up: servers create mailboxes for those. Results: 0; ERR_NOT_FOUND,
 * none is stored or it was rejected; ERR_AUTH, it cannot be used until the
 * operator mends something or the user logs in again; with a reason in |why|.
 */
int watch_login_open(const struct watch_login_opts *o,
                     const struct registry *registry, struct str user,
                     struct imap_login *l_r, struct str *row_r,
                     struct err_detail *why)
	__attribute__((warn_unused_result));

/* watch_login_alone opens the login of the master as nobody but himself; same
 * results. */
int watch_login_alone(const struct watch_login_opts *o, struct imap_login *l_r,
                      struct err_detail *why)
	__attribute__((warn_unused_result));

/*
 * watch_login_rejected tells whether the tagged reply |r| to a login says that
 * the login is wrong. If not, it was refused for now: the same one may succeed
 * later.
 */
bool watch_login_rejected(const struct imap_response *r);

#endif
