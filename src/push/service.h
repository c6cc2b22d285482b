/* SPDX-License-Identifier: ISC */
/*
 * service - the push side as the proxy sees it: plain values in, one
 * completion on a later turn. push/service_local is there in the same process,
 * process/service_remote speaks with one that is not. It never fails a
 * registration for reasons of its own: anything but OK costs the phone 23 hours
 * of silence.
 */
#ifndef PUSH_SERVICE_H
#define PUSH_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "imap/login.h"
#include "imap/xaps.h"

struct service;

/* service_free answers what is still open (a registration: ERR_CANCELED, it
 * is kept all the same), so it comes before the askers end. */
void service_free(struct service **s);

/* service_offers: the capability is shown before login. */
bool service_offers(const struct service *s);

/* service_mailboxes_max is how many mailboxes of a registration are kept: the
 * first ones. The rest is not to be echoed. */
size_t service_mailboxes_max(const struct service *s);

/* service_offer: it is shown to |login_name|, whose topic is |*topic_r|
 * (borrowed for the life of |s|). */
bool service_offer(const struct service *s, struct str login_name,
                   struct str *topic_r);

/* service_keeps_logins: passwords are of use here. If not, none is to be held
 * for a registration that may follow. */
bool service_keeps_logins(const struct service *s);

/*
 * service_logged_in: the backend accepted |login| (borrowed). If that user is
 * registered and what is kept of a login is absent, rejected or different, it
 * is kept anew; otherwise nothing is.
 */
void service_logged_in(struct service *s, const struct imap_login *login);

/* Which of the asked mailboxes are proved; |proved| has one flag for each and
 * is borrowed for the call. */
typedef void service_lookup_fn(void *arg, const bool *proved, size_t count);

/* service_lookup asks that for |names| (copied); |done| on a later turn. */
void service_lookup(struct service *s, struct str login_name,
                    const struct str *names, size_t count,
                    service_lookup_fn *done, void *arg);

/* One mailbox of a registration as the user's own session showed it. */
struct service_mailbox {
	struct str name;
	bool proved;
	bool has_status; /* the four below are set: the first baseline */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint32_t messages;
	uint32_t unseen;
};

struct service_registration {
	struct str login_name;
	/* The login of this session while it may still be kept, else NULL. */
	const struct imap_login *login;
	const struct imap_xaps *command;
	struct str topic;
	const struct service_mailbox *mailboxes; /* what will be echoed */
	size_t mailbox_count;
};

/* |rc|: 0, on disk; ERR_IO, kept in memory and tried again. OK both times.
 * ERR_CANCELED: the service ends. */
typedef void service_done_fn(void *arg, int rc);

/*
 * service_register stores the registration, the baselines of mailboxes that
 * have none, and what is kept of the login in one transaction. Everything is
 * copied; |done| once, on a later turn.
 */
void service_register(struct service *s,
                      const struct service_registration *registration,
                      service_done_fn *done, void *arg);

/* What a service implements, each as the function of that name here; a service
 * begins with a struct service. */
struct service_ops {
	void (*free)(struct service *s);
	bool (*offers)(const struct service *s);
	size_t (*mailboxes_max)(const struct service *s);
	bool (*offer)(const struct service *s, struct str login_name,
	              struct str *topic_r);
	bool (*keeps_logins)(const struct service *s);
	void (*logged_in)(struct service *s, const struct imap_login *login);
	void (*lookup)(struct service *s, struct str login_name,
	               const struct str *names, size_t count,
	               service_lookup_fn *done, void *arg);
	void (*put)(struct service *s,
	            const struct service_registration *registration,
	            service_done_fn *done, void *arg);
};

struct service {
	const struct service_ops *ops;
};

#endif
