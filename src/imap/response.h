/* SPDX-License-Identifier: ISC */
/*
 * response - what a server's response says, as far as a watcher, the login and
 * a registration want to know (RFC 9051 section 7).
 */
#ifndef IMAP_RESPONSE_H
#define IMAP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "imap/framer.h"

enum imap_status {
	IMAP_STATUS_NONE, /* data, continuation, or not understood */
	IMAP_STATUS_OK,
	IMAP_STATUS_NO,
	IMAP_STATUS_BAD,
	IMAP_STATUS_BYE,
	IMAP_STATUS_PREAUTH
};

struct imap_response {
	enum imap_class cls;
	struct str tag;          /* tagged only */
	enum imap_status status; /* tagged and untagged status */
	struct str code;         /* between "[" and "]", empty if none */
	struct str text;         /* after the code; of "+": all after it */
	bool has_number;         /* data: "* 12 EXISTS" */
	uint64_t number;
	struct str keyword; /* data: EXISTS, FETCH, STATUS, CAPABILITY, ... */
	struct str rest;    /* data: after the keyword, without line end */
};

/*
 * imap_response_parse splits one whole response (or its first line). Parts
 * point into |response|. Results: 0; ERR_PARSE, |r_r->cls| is OTHER.
 */
int imap_response_parse(struct str response, struct imap_response *r_r)
	__attribute__((warn_unused_result));

/* imap_response_is compares the data keyword without case. */
bool imap_response_is(const struct imap_response *r, struct str keyword);

/* imap_response_code tells whether the code begins with |word| and gives what
 * follows it: `UIDNEXT 5` asked for "UIDNEXT" gives "5". */
bool imap_response_code(const struct imap_response *r, struct str word,
                        struct str *rest_r);

/*
 * imap_response_is_final tells of a reply NO or BAD whether asking again would
 * bring the same. A code other than those of RFC 5530 that deny for good says
 * that it may be had later. BAD is final: what is wrong with the command stays
 * wrong, and servers count what they call bad.
 */
bool imap_response_is_final(const struct imap_response *r);

/* What a STATUS response may hold; |has| tells which items came. */
enum imap_status_item {
	IMAP_ITEM_MESSAGES = 1,
	IMAP_ITEM_UIDNEXT = 2,
	IMAP_ITEM_UIDVALIDITY = 4,
	IMAP_ITEM_UNSEEN = 8,
	IMAP_ITEM_HIGHESTMODSEQ = 16
};

struct imap_status_data {
	unsigned has;
	uint32_t messages;
	uint32_t uidnext;
	uint32_t uidvalidity;
	uint32_t unseen;
	uint64_t highestmodseq;
};

/*
 * imap_response_status_data reads `* STATUS mailbox (...)`. The mailbox name,
 * as sent with quoting resolved, is appended to |name|. Unknown items are
 * skipped. Results: 0; ERR_PARSE; ERR_LIMIT for the name.
 */
int imap_response_status_data(const struct imap_response *r, struct buf *name,
                              struct imap_status_data *data_r)
	__attribute__((warn_unused_result));

/* What a mailbox is used for, as far as it matters (RFC 6154 section 2). */
enum imap_use {
	IMAP_USE_DRAFTS = 1,
	IMAP_USE_JUNK = 2,
	IMAP_USE_SENT = 4,
	IMAP_USE_TRASH = 8
};

/*
 * imap_response_list_data reads `* LIST (...) "/" mailbox`. The mailbox name,
 * as sent with quoting resolved, is appended to |name|; |*uses_r| are its uses.
 * Results: 0; ERR_PARSE; ERR_LIMIT for the name.
 */
int imap_response_list_data(const struct imap_response *r, struct buf *name,
                            unsigned *uses_r)
	__attribute__((warn_unused_result));

/* What of `* n FETCH (...)` matters: UID and FLAGS. */
struct imap_fetch_data {
	bool has_uid;
	bool has_flags;
	uint32_t uid;
	uint64_t modseq; /* 0: not there */
	bool seen;       /* FLAGS hold \Seen */
	bool deleted;    /* FLAGS hold \Deleted */
};

/* imap_response_fetch_data reads it, skipping unknown items. Results: 0;
 * ERR_PARSE. */
int imap_response_fetch_data(const struct imap_response *r,
                             struct imap_fetch_data *data_r)
	__attribute__((warn_unused_result));

#endif
