/* SPDX-License-Identifier: ISC */
/*
 * audience - to whom push is offered, and under which name the registry knows
 * those who log in.
 */
#ifndef PUSH_AUDIENCE_H
#define PUSH_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* What the capability is shown for, as the configuration says; all copied. */
struct audience_opts {
	bool enabled;               /* push.enabled */
	const char *topic;          /* NULL: nothing is offered */
	bool lowercase;             /* users.lowercase */
	const char *default_domain; /* users.default_domain, NULL: none */
	const struct str *allow;    /* push.allow; users or domains */
	size_t allow_count;
	const struct str *deny;
	size_t deny_count;
};

struct audience_list {
	struct str *items;
	size_t count;
};

struct audience {
	bool enabled;
	struct str topic;            /* one of |topics|; none: NULL */
	struct audience_list topics; /* all there were: sessions borrow them */
	bool lowercase;
	struct str default_domain;
	struct audience_list allow;
	struct audience_list deny;
};

void audience_init(struct audience *a, const struct audience_opts *opts);
void audience_done(struct audience *a);

/* audience_set_lists takes over push.allow and push.deny, for those who log in
 * or register from now on; the rest of |opts| is not looked at. */
void audience_set_lists(struct audience *a, const struct audience_opts *opts);

/*
 * audience_set_topic changes what those who log in from now on are offered;
 * NULL data: nothing. Sessions that run keep theirs.
 */
void audience_set_topic(struct audience *a, struct str topic);

/* audience_has_topic: it is one that was offered once. */
bool audience_has_topic(const struct audience *a, struct str topic);

/* audience_offers: to anybody. */
bool audience_offers(const struct audience *a);

/* audience_allows: |user|, as audience_user writes it, may be rung. */
bool audience_allows(const struct audience *a, struct str user);

/* audience_offer: |login_name| is offered |*topic_r|, borrowed for the life of
 * |a|. */
bool audience_offer(const struct audience *a, struct str login_name,
                    struct str *topic_r);

/* audience_user writes the name under which the registry knows a login to
 * |out|, which it begins. Results: 0; ERR_LIMIT, longer than any login. */
int audience_user(const struct audience *a, struct str login_name,
                  struct buf *out) __attribute__((warn_unused_result));

#endif
