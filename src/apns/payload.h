/* SPDX-License-Identifier: ISC */
/* payload - what Apple Mail reads in a push: the account, and which of its
 * mailboxes changed. */
#ifndef APNS_PAYLOAD_H
#define APNS_PAYLOAD_H

#include "base/buf.h"
#include "push/transport.h"

/* APNs refuses more (413). */
#define APNS_PAYLOAD_MAX ((size_t)4096)

/*
 * apns_payload_render appends the JSON for |job| to |out|, an empty buf with
 * the ceiling APNS_PAYLOAD_MAX: printable ASCII only. Without "m" the phone
 * looks at INBOX: so for INBOX alone, for no mailbox and for version 1; any
 * other set is listed whole, INBOX first. Of more than fit, more than a
 * hundred, those that fit are listed. Results: 0; ERR_PARSE, the account-id is
 * no UTF-8; ERR_LIMIT, the account-id alone does not fit.
 */
int apns_payload_render(const struct push_job *job, struct buf *out)
	__attribute__((warn_unused_result));

#endif
