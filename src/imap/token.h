/* SPDX-License-Identifier: ISC */
/*
 * token - atoms, strings and parentheses of a whole command or response, with
 * its literals in place (RFC 9051 section 9).
 */
#ifndef IMAP_TOKEN_H
#define IMAP_TOKEN_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

enum imap_token_type {
	IMAP_TOKEN_ATOM, /* a run of octets without SP, parentheses, quotes:
	                    wider than the grammar, "]" and "}" included */
	IMAP_TOKEN_QUOTED,
	IMAP_TOKEN_LITERAL,
	IMAP_TOKEN_OPEN,
	IMAP_TOKEN_CLOSE,
	IMAP_TOKEN_END /* the line end, or the end of the input */
};

struct imap_token {
	enum imap_token_type type;
	struct str raw; /* as sent; a quoted string without its quotes, a
	                   literal without its announcement */
};

/*
 * imap_token_next skips single spaces and takes the next token from |in|.
 * Results: 0; ERR_PARSE, the cursor did not move.
 */
int imap_token_next(struct str *in, struct imap_token *token_r)
	__attribute__((warn_unused_result));

/* imap_token_value appends what the token says, quoted escapes resolved.
 * Results: 0; ERR_LIMIT; ERR_PARSE for a parenthesis or the end. */
int imap_token_value(const struct imap_token *token, struct buf *out)
	__attribute__((warn_unused_result));

/* imap_token_is compares an atom with |word|, without case. */
bool imap_token_is(const struct imap_token *token, struct str word);

/* imap_token_skip_value takes one value from |in|, a whole parenthesised
 * list included, nested at most |depth|. Results: 0; ERR_PARSE; ERR_LIMIT. */
int imap_token_skip_value(struct str *in, unsigned depth)
	__attribute__((warn_unused_result));

#endif
