/* SPDX-License-Identifier: ISC */
/*
 * fake_service - the push side of push/service.h as a test plays it: what it
 * was asked is noted in words, completions come on a later turn or are held.
 */
#ifndef STAGE_FAKE_SERVICE_H
#define STAGE_FAKE_SERVICE_H

#include <stdbool.h>

#include "base/buf.h"
#include "net/loop.h"
#include "push/service.h"

/* fake_service_new: nothing is proved, every user but "denied" is offered
 * FAKE_TOPIC. Freed by service_free. */
#define FAKE_TOPIC "com.apple.mail.XServer.test"
struct service *fake_service_new(struct loop *loop);

/* fake_service_prove makes lookups find |mailbox| proved. */
void fake_service_prove(struct service *s, const char *mailbox);

/* fake_service_hold keeps completions back until fake_service_release. */
void fake_service_hold(struct service *s);
void fake_service_release(struct service *s);

/* fake_service_limit: that many mailboxes of a registration are kept, instead
 * of 64. */
void fake_service_limit(struct service *s, size_t mailboxes_max);

/* fake_service_no_logins: passwords are of no use. */
void fake_service_no_logins(struct service *s);

/* fake_service_topic: NULL, and nothing is offered. */
void fake_service_topic(struct service *s, const char *topic);

/*
 * fake_service_said is what the service was told, a line each:
 * "logged-in user", "lookup user a b", "register user login=yes v2 INBOX:proved
 * uidvalidity/uidnext/messages/unseen".
 */
struct str fake_service_said(const struct service *s);

#endif
