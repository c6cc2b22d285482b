/* SPDX-License-Identifier: ISC */
/*
 * logins - what watchers log in with, as the configuration says: the key of
 * sealed passwords, or the password of the master. Read at the start; what
 * cannot be read or made then, because the disk is full or a file is missing,
 * is tried again until it can.
 */
#ifndef ROLE_LOGINS_H
#define ROLE_LOGINS_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "push/seal.h"
#include "watch/login.h"

struct files;
struct logins;

/* logins_are_masters: users' own passwords are of no use. */
bool logins_are_masters(const struct conf *c);

/*
 * logins_new reads what |c| names, which must outlive it, as files_read finds
 * it in |f|; a seal key that is absent is made. Later tries read from the disk.
 * What is wrong is logged; |changed| is called with |arg|, on a
 * later turn, when it is no more.
 */
struct logins *logins_new(struct loop *loop, const struct conf *c,
                          const struct files *f, loop_fn *changed, void *arg);
void logins_free(struct logins **l);

/*
 * logins_reload reads the master's password again, as files_read finds it in
 * |f|, or anything that could not be read so far; logins_opts are others then.
 * What cannot be read is logged and stays as it was. The seal key that is in
 * use stays: what it sealed opens with no other.
 */
void logins_reload(struct logins *l, const struct files *f);

/* logins_check looks at what |c| names, as files_read finds it in |f|, and
 * makes nothing: a seal key that is absent is no error. Results: 0; ERR_* with
 * a sentence that names the key and the file. */
int logins_check(const struct conf *c, const struct files *f,
                 struct err_detail *detail) __attribute__((warn_unused_result));

/* logins_warning writes what is unusual about the files of |c|. Returns false
 * when there is nothing to say. */
bool logins_warning(const struct conf *c, const struct files *f,
                    struct err_detail *detail);

/* logins_seal is the key; NULL: no password is sealed, none opened. */
const struct seal *logins_seal(const struct logins *l);

/* logins_opts are the watchers'; until logins_free. */
struct watch_login_opts logins_opts(const struct logins *l);

#endif
