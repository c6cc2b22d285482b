/* SPDX-License-Identifier: ISC */
/*
 * id - the arguments of the ID command: who a client says it is, without what
 * only proxies may say, and who we say it is.
 */
#ifndef IMAP_ID_H
#define IMAP_ID_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* RFC 2971 section 3.3. */
#define IMAP_ID_PAIRS_MAX 30
#define IMAP_ID_KEY_MAX 30
#define IMAP_ID_VALUE_MAX 1024

/* What such a list can come to, every octet escaped. */
#define IMAP_ID_LIST_MAX ((size_t)72 * 1024)

/* How many proxies may stand in a row: x-proxy-ttl of the first. */
#define IMAP_ID_TTL_MAX 5

struct imap_id {
	struct buf list;  /* "(...)", the pairs that may be passed on, quoted;
	                     empty: none */
	bool is_internal; /* it had pairs that only proxies may send */
	bool is_literal;  /* a string of it was a literal */
	unsigned ttl;     /* its x-proxy-ttl, IMAP_ID_TTL_MAX at most */
};

/*
 * imap_id_parse reads what stands behind the verb, literals in place. A pair
 * that no quoted string can hold is left out. Results: 0, ended by
 * imap_id_done; ERR_PARSE, malformed; ERR_LIMIT, more or longer strings than
 * RFC 2971 allows.
 */
int imap_id_parse(struct str args, struct imap_id *id_r)
	__attribute__((warn_unused_result));
void imap_id_done(struct imap_id *id);

/*
 * imap_id_add appends a pair to a list of our own, which begins empty and is
 * closed by imap_id_end. Results: 0; ERR_LIMIT; ERR_PARSE, not quotable.
 */
int imap_id_add(struct buf *list, struct str key, struct str value)
	__attribute__((warn_unused_result));
int imap_id_end(struct buf *list) __attribute__((warn_unused_result));

#endif
