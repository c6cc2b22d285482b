/* SPDX-License-Identifier: ISC */
/*
 * service_remote - the push side as a worker sees it, over a channel that comes
 * and goes. While the push process is away nobody notices: the offer stays what
 * it was, registrations are answered, kept and said when it is back, lookups
 * find nothing proved.
 */
#ifndef PROCESS_SERVICE_REMOTE_H
#define PROCESS_SERVICE_REMOTE_H

#include "net/loop.h"
#include "process/message.h"
#include "push/audience.h"
#include "push/service.h"

struct service_remote_opts {
	struct audience_opts audience; /* its topic is not looked at */
	/* What digests of logins are made with; one for all processes. */
	struct str key; /* copied */
};

/* service_remote_new offers nothing yet. */
struct service *service_remote_new(struct loop *loop,
                                   const struct service_remote_opts *opts);

/* service_remote_set_lists: as audience_set_lists. */
void service_remote_set_lists(struct service *s,
                              const struct audience_opts *opts);

/* service_remote_offer takes over what the push process offers. */
void service_remote_offer(struct service *s, const struct message_offer *offer);

/* service_remote_connect speaks on |fd|, its own from now on, in place of
 * whatever was before: the push process is back. */
void service_remote_connect(struct service *s, int fd);

/* service_remote_settle calls |fn| on a later turn, when no registration waits
 * for the push process any more. */
void service_remote_settle(struct service *s, loop_fn *fn, void *arg);

/* service_remote_kept is how many registrations wait for the push process. */
size_t service_remote_kept(const struct service *s);

#endif
