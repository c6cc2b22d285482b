/* SPDX-License-Identifier: ISC */
/*
 * proof - whether the master's login opens the INBOX of the user, and not that
 * of the master: Courier does not look at an authorization identity. So the
 * INBOX opened for a user must be the one that the user's own session showed,
 * and one login of the master alone must be refused, or open another INBOX.
 * That is asked once and remembered in memory: a restart asks again. As long
 * as nobody's INBOX was found right (the secret may be wrong, and servers make
 * those wait who fail often), users are tried one at a time and ever more
 * slowly.
 */
#ifndef WATCH_PROOF_H
#define WATCH_PROOF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "net/loop.h"
#include "store/store.h"

struct dial_target;
struct proof;
struct watcher_env;

enum proof_verdict {
	PROOF_OWN,
	PROOF_OTHER,  /* not the user's, or it cannot be told from the
	                 master's */
	PROOF_REFUTED /* the server ignores whom the master asks for: nobody
	                 can be watched by him */
};

/* proof_new: |env|, with its login, and |target| are borrowed. |changed| is
 * called on a later turn when proof_admits is worth asking again. */
struct proof *proof_new(const struct watcher_env *env,
                        const struct dial_target *target, loop_fn *changed,
                        void *arg);
void proof_free(struct proof **p);

/* proof_admits: a user's watcher may connect now while |connecting| others
 * have not got as far as their INBOX. The first question asks the server. */
bool proof_admits(struct proof *p, size_t connecting);

/* proof_judge tells whose |inbox| is that was opened for |user|. The error
 * line of PROOF_REFUTED has been written; it is final. */
enum proof_verdict proof_judge(struct proof *p, struct str user,
                               const struct store_state *inbox);

/* proof_doubt: a login for a user was refused, or opened another INBOX. */
void proof_doubt(struct proof *p);

/* proof_is_refuted: nobody can be watched by the master. */
bool proof_is_refuted(const struct proof *p);

#endif
