/* SPDX-License-Identifier: ISC */
/*
 * login - with which login a user is watched, and what a refusal of it means.
 * Today the sealed one.
 */
#ifndef WATCH_LOGIN_H
#define WATCH_LOGIN_H

#include <stdbool.h>

#include "base/str.h"
#include "imap/login.h"
#include "imap/response.h"
#include "push/registry.h"
#include "push/seal.h"

/*
 * watch_login_open opens the login of |user| for use at once; |l_r| is wiped
 * and freed by imap_login_done. |sealed_r|, if not NULL, is the row it came
 * from, to tell later whether it is still the same; borrowed until the next
 * turn. Results: 0; ERR_NOT_FOUND, none is stored or it was rejected; ERR_AUTH,
 * it cannot be opened (damaged, or under a key that we do not have).
 */
int watch_login_open(const struct registry *registry, const struct seal *seal,
                     struct str user, struct imap_login *l_r,
                     struct str *sealed_r) __attribute__((warn_unused_result));

/*
 * watch_login_rejected tells whether the tagged reply |r| to a login says that
 * the login is wrong. If not, it was refused for now: the same one may succeed
 * later.
 */
bool watch_login_rejected(const struct imap_response *r);

#endif
