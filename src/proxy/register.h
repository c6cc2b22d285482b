/* SPDX-License-Identifier: ISC */
/*
 * register - the XAPPLEPUSHSERVICE command: which of the mailboxes this user
 * may read is asked on the user's own backend session, then the push side
 * stores the registration, then it is answered. Always OK once it parses.
 */
#ifndef PROXY_REGISTER_H
#define PROXY_REGISTER_H

#include <stdbool.h>

#include "base/str.h"
#include "imap/response.h"

struct session;

/* intercept_fn */
void register_command(struct session *s, struct str command);

/* For intercept's table. */
bool register_is_passed(const struct session *s); /* push.enabled = false */
bool register_is_offered(const struct session *s);

/* register_is_waiting: some of our STATUS commands are not answered yet. */
bool register_is_waiting(const struct session *s);

/* register_on_tagged takes a tagged reply if it is to one of ours. */
bool register_on_tagged(struct session *s, const struct imap_response *r);

/* register_on_status takes a whole `* STATUS` response if it was asked for by
 * one of ours. */
bool register_on_status(struct session *s, struct str response);

/* register_end: the session is over. */
void register_end(struct session *s);

#endif
