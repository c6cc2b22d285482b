/* SPDX-License-Identifier: ISC */
/*
 * registry - who wants to be rung for which mailbox, and with which login that
 * user can be watched. The index in memory; every change goes through the
 * ledger to the store.
 */
#ifndef PUSH_REGISTRY_H
#define PUSH_REGISTRY_H

#include <stdbool.h>

#include "base/str.h"
#include "push/ledger.h"
#include "store/store.h"

struct registry;

struct registry_opts {
	unsigned devices_per_user;     /* 20 */
	unsigned mailboxes_per_device; /* 64 */
	unsigned device_ttl_days;      /* 30 */
};

struct registry *registry_new(struct loop *loop, struct ledger *ledger,
                              const struct registry_opts *opts);
void registry_free(struct registry **r);

/* registry_set_opts: |opts| hold for what is registered, and for what is too
 * old, from now on. */
void registry_set_opts(struct registry *r, const struct registry_opts *opts);

/* A user's wishes or login changed: look again. Called on a later turn, once
 * per user and turn, also for each user after the load, or after observing
 * began. |fn| NULL ends it. */
typedef void registry_user_fn(void *arg, struct str user);
void registry_observe(struct registry *r, registry_user_fn *fn, void *arg);

/* registry_wanted calls |fn|, which may change nothing, for each mailbox that
 * at least one device of |user| registered (INBOX first, each once); returns
 * how many. */
typedef void registry_mailbox_fn(void *arg, struct str mailbox, bool proved);
size_t registry_wanted(const struct registry *r, struct str user,
                       registry_mailbox_fn *fn, void *arg);

/* registry_is_proved: STATUS of that mailbox as that user said OK before. */
bool registry_is_proved(const struct registry *r, struct str user,
                        struct str mailbox);

/* registry_prove notes that it did now; registry_refuse that the user may not
 * have it (or that it is no more): nobody registers it any longer. */
void registry_prove(struct registry *r, struct str user, struct str mailbox);
void registry_refuse(struct registry *r, struct str user, struct str mailbox);

/* registry_doubt: what is known of |mailbox| may be of another one. It is
 * forgotten, and the mailbox not proved, until the user's own session shows it
 * at the next registration. */
void registry_doubt(struct registry *r, struct str user, struct str mailbox);

/* registry_devices calls |fn|, which may change no registration, for each
 * registration of |user|. */
typedef void registry_device_fn(void *arg,
                                const struct store_registration *reg);
void registry_devices(const struct registry *r, struct str user,
                      registry_device_fn *fn, void *arg);

/* registry_has: the user has a device. */
bool registry_has(const struct registry *r, struct str user);

/* registry_mailboxes_max is how many mailboxes of a device are kept. */
size_t registry_mailboxes_max(const struct registry *r);

/*
 * registry_put stores what a device wishes, seen now; times, id and last push
 * in |wish| are not looked at. Mailboxes above the limit are left out, one
 * that was proved for this user stays proved, and above the limit of devices
 * the one seen longest ago goes. Returns the id.
 */
uint64_t registry_put(struct registry *r,
                      const struct store_registration *wish);

/* registry_remove ends a registration, if it is there. A user without any
 * leaves neither states nor login behind. */
void registry_remove(struct registry *r, uint64_t id);

/* registry_pushed notes the answer to a push, for those who ask why. */
void registry_pushed(struct registry *r, uint64_t id, int status,
                     const char *reason);

/* registry_state finds the stored state of a mailbox. Results: 0;
 * ERR_NOT_FOUND. Strings in |state_r| are borrowed until the next turn. */
int registry_state(const struct registry *r, struct str user,
                   struct str mailbox, struct store_state *state_r)
	__attribute__((warn_unused_result));

/* registry_login finds the sealed login. Results: 0 with a borrowed row;
 * ERR_NOT_FOUND. */
int registry_login(const struct registry *r, struct str user,
                   struct store_login *login_r)
	__attribute__((warn_unused_result));

/* registry_login_put keeps a sealed login that the backend accepted. */
void registry_login_put(struct registry *r, struct str user, struct str blob);

/* registry_login_rejected notes that the backend refused the stored login: it
 * is not tried again until the user logs in. */
void registry_login_rejected(struct registry *r, struct str user);

#endif
