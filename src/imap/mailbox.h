/* SPDX-License-Identifier: ISC */
/* mailbox - names of mailboxes: INBOX, modified UTF-7, Apple's hash. */
#ifndef IMAP_MAILBOX_H
#define IMAP_MAILBOX_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* imap_mailbox_is_inbox: INBOX in any case (RFC 9051 section 5.1). */
bool imap_mailbox_is_inbox(struct str name);

/* imap_mailbox_key is the one spelling of |name|: "INBOX", or as it is. */
struct str imap_mailbox_key(struct str name);

/* imap_mailbox_eq: the same name; INBOX without case, all else exactly. */
bool imap_mailbox_eq(struct str a, struct str b);

/*
 * imap_mailbox_utf8 appends the UTF-8 of a name in modified UTF-7 (RFC 3501
 * section 5.1.3). Results: 0; ERR_PARSE, not valid; ERR_LIMIT. |out| is
 * unchanged on failure.
 */
int imap_mailbox_utf8(struct str name, struct buf *out)
	__attribute__((warn_unused_result));

/* imap_mailbox_utf7 is the way back. ERR_PARSE: not valid UTF-8. */
int imap_mailbox_utf7(struct str utf8, struct buf *out)
	__attribute__((warn_unused_result));

#define IMAP_MAILBOX_HASH_LEN 32

/*
 * imap_mailbox_hash writes the lower-case hex MD5 of the decoded name, which
 * is how Apple names a mailbox in a push (INBOX as "INBOX"). A name that is not
 * valid modified UTF-7 is hashed as it stands. All zeros if this machine has no
 * MD5 at all: a name that no phone knows.
 */
void imap_mailbox_hash(struct str name, char hash_r[IMAP_MAILBOX_HASH_LEN + 1]);

#endif
