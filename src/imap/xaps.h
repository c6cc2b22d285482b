/* SPDX-License-Identifier: ISC */
/*
 * xaps - Apple's XAPPLEPUSHSERVICE command and its replies. No public
 * specification; the form is what iOS sends and accepts and what Cyrus answers:
 * key and value pairs in any order and any case, bare, quoted or literal, with
 * "mailboxes" followed by a list; unknown keys are skipped with their value.
 */
#ifndef IMAP_XAPS_H
#define IMAP_XAPS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define IMAP_XAPS_COMMAND_MAX ((size_t)256 * 1024)
#define IMAP_XAPS_MAILBOX_MAX 1000 /* octets; longer ones are not echoed */
/* With INBOX. The first names of a command count, duplicates too: the time to
 * find those grows with its square. Far above push.mailboxes_per_device. */
#define IMAP_XAPS_MAILBOXES_MAX 1024

struct imap_xaps {
	uint64_t version;        /* 1 and above */
	struct str account_id;   /* as sent; owned, as all below */
	struct str device_token; /* 32 to 200 hex digits, lower case */
	struct str subtopic;     /* "com.apple.mobilemail" when missing, empty
	                            or unfit (over 255 octets, not 0x20-0x7E) */
	struct str *mailboxes;   /* as sent, decoded from quotes, in the order
	                            of the client; "INBOX" first and once, in
	                            capitals, added when missing; duplicates
	                            out; unfit names (empty, over 1,000
	                            octets, not 0x20-0x7E) out */
	size_t mailbox_count;
};

/*
 * imap_xaps_parse reads a whole command, literals in place. Of a key that
 * comes twice the last value counts; two spaces behind a key are an empty
 * value, as iOS writes it. Results: 0 with
 * |x_r| to be freed by imap_xaps_done; ERR_PARSE, to be answered BAD with the
 * sentence in |detail| (no client octets in it): does not parse, account-id or
 * device token missing or malformed, version missing or 0. account-id: 1 to 64
 * printable ASCII without quote and backslash.
 */
int imap_xaps_parse(struct str command, struct imap_xaps *x_r,
                    struct err_detail *detail)
	__attribute__((warn_unused_result));

void imap_xaps_done(struct imap_xaps *x);

/* imap_xaps_version is the version to answer: the lower of it and 2. */
unsigned imap_xaps_version(const struct imap_xaps *x);

/*
 * imap_xaps_reply appends the untagged lines and the tagged OK. Version 2:
 * one `* XAPPLEPUSHSERVICE "mailbox" "<name>"` for each of |echo|, as sent by
 * the client; then `"aps-version" "2" "aps-topic" "<topic>"`. Version 1: only
 * the second, with "1". Results: 0; ERR_LIMIT; ERR_PARSE, a name or the topic
 * holds what a quoted string cannot. |out| is unchanged on failure.
 */
int imap_xaps_reply(const struct imap_xaps *x, struct str tag, struct str topic,
                    const struct str *echo, size_t echo_count, struct buf *out)
	__attribute__((warn_unused_result));

#endif
