/* SPDX-License-Identifier: ISC */
/*
 * offer - what phones are offered and what they are rung with: the transport
 * and the topic, as the credential changes. The offer changes only when that is
 * read again, or a day after it expired: a phone that misses the capability
 * once forgets its registration.
 */
#ifndef ROLE_OFFER_H
#define ROLE_OFFER_H

#include "base/err.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "push/transport.h"

struct files;
struct offer;

/*
 * offer_new reads what |c| names, which must outlive it, as files_read finds it
 * in |f|; what is wrong is
 * logged. |changed| is called with |arg| when time has changed the topic.
 */
struct offer *offer_new(struct loop *loop, struct resolver *resolver,
                        const struct conf *c, const struct files *f,
                        loop_fn *changed, void *arg);

/* offer_free ends the transport, whose last answers go to the queue. */
void offer_free(struct offer **o);

/* offer_check looks at what |c| names. Results: 0; ERR_* with a sentence that
 * names the key and the file. */
int offer_check(const struct conf *c, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* offer_topic is what phones are told now; NULL: nothing is offered. */
const char *offer_topic(const struct offer *o);

/* offer_transport is what pushes are sent with; NULL: nothing yet. */
struct push_transport *offer_transport(const struct offer *o);

/* offer_reload reads the credential again, like offer_new, and the options of
 * the transport. Results: 0, it is the one that is used now; ERR_*, all is as
 * it was. Both are logged, but for ERR_NOT_FOUND: there never was one. */
int offer_reload(struct offer *o, const struct files *f);

#endif
