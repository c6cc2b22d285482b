/* SPDX-License-Identifier: ISC */
/*
 * logins - what watchers log in with, as the configuration says: the key of
 * sealed passwords, or the password of the master. Read once, at the start.
 */
#ifndef ROLE_LOGINS_H
#define ROLE_LOGINS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "push/seal.h"
#include "watch/login.h"

struct logins {
	struct seal *seal;     /* NULL: no password is sealed, none opened */
	struct secret *master; /* NULL: the master cannot log in */
};

/* logins_are_masters: users' own passwords are of no use. */
bool logins_are_masters(const struct conf *c);

/*
 * logins_load reads what |c| names; with |create| the seal key is made if it
 * is absent. Results: 0, |l_r| is ended by logins_done; ERR_* with a sentence
 * that names the key and the file. A seal key that is absent and not to be made
 * is no error.
 */
int logins_load(const struct conf *c, bool create, struct logins *l_r,
                struct err_detail *detail) __attribute__((warn_unused_result));
void logins_done(struct logins *l);

/* logins_warning writes what is unusual about the files of |c|. Returns false
 * when there is nothing to say. */
bool logins_warning(const struct conf *c, struct err_detail *detail);

/* logins_opts are the watchers'; strings are those of |c|, secrets |l|'s. */
struct watch_login_opts logins_opts(const struct conf *c,
                                    const struct logins *l);

#endif
