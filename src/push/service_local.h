/* SPDX-License-Identifier: ISC */
/*
 * service_local - the push side itself, for askers in the same process: the
 * registry for those who know login names.
 */
#ifndef PUSH_SERVICE_LOCAL_H
#define PUSH_SERVICE_LOCAL_H

#include <stdbool.h>

#include "push/audience.h"
#include "push/registry.h"
#include "push/seal.h"
#include "push/service.h"

struct service_local_opts {
	struct audience_opts audience;
	bool names_only; /* watch.login = master: of a login the name is kept,
	                    in place of a password that was sealed earlier */
};

/* |seal| NULL: no password is kept (the seal key was unusable, or names are
 * all that is kept). Borrowed. */
struct service *service_local_new(struct loop *loop, struct ledger *ledger,
                                  struct registry *registry,
                                  const struct seal *seal,
                                  const struct service_local_opts *opts);

/* service_local_set_topic: as audience_set_topic; NULL: nothing is offered. */
void service_local_set_topic(struct service *s, const char *topic);

/* service_local_set_lists: as audience_set_lists. */
void service_local_set_lists(struct service *s,
                             const struct audience_opts *opts);

/* service_local_set_seal: there is a key now. Borrowed. */
void service_local_set_seal(struct service *s, const struct seal *seal);

/* service_local_topic is what is offered now, NULL data: nothing; whether or
 * not anybody has been shown it. */
struct str service_local_topic(const struct service *s);

/*
 * service_local_wants_login: somebody who logged in as |login_name|, whose
 * login has the |digest| of seal_digest under |key|, should be asked for the
 * password: what is kept of that user's login is absent, rejected or different,
 * and the user is registered or |registers| now.
 */
bool service_local_wants_login(const struct service *s, struct str login_name,
                               bool registers, struct str key,
                               struct str digest);

#endif
