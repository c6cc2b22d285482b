/* SPDX-License-Identifier: ISC */
/*
 * token - one token after the other from a command or response that is whole
 * in memory. No tree is built: nesting costs a peer octets, not us memory.
 * RFC 9051 section 9, RFC 7888 and 3516.
 */
#include "imap/token.h"

#include "base/err.h"
#include "imap/line.h"

/* at_line_end: |in| is empty or goes on with LF or CR LF. */
static bool at_line_end(struct str in)
{
	return in.len == 0 || in.data[0] == '\n' || str_starts(in, STR("\r\n"));
}

/* may_follow_string: only SP, ")" or the line end come after a string. */
static bool may_follow_string(struct str in)
{
	return at_line_end(in) || in.data[0] == ' ' || in.data[0] == ')';
}

/*
 *   quoted          = DQUOTE *QUOTED-CHAR DQUOTE
 * Wider: "\" may stand before any octet, as servers take it.
 */
static int take_quoted(struct str *in, struct imap_token *token)
{
	struct str rest = *in;
	size_t len = 0;

	(void)str_take(&rest, 1);
	while (len < rest.len && rest.data[len] != '"') {
		if (rest.data[len] == '\\')
			len++;
		if (len == rest.len || rest.data[len] == '\0' ||
		    rest.data[len] == '\r' || rest.data[len] == '\n')
			return ERR_PARSE;
		len++;
	}
	if (len >= rest.len)
		return ERR_PARSE;
	token->type = IMAP_TOKEN_QUOTED;
	token->raw = str_take(&rest, len);
	(void)str_take(&rest, 1);
	if (!may_follow_string(rest))
		return ERR_PARSE;
	*in = rest;
	return ERR_OK;
}

/*
 *   literal         = "{" number64 ["+"] "}" CRLF *CHAR8
 *   literal8        = "~{" number64 ["+"] "}" CRLF *OCTET
 * Results: 0; ERR_NOT_FOUND, no announcement but an atom; ERR_PARSE.
 */
static int take_literal(struct str *in, struct imap_token *token)
{
	/* No further: a thousand braces must not mean a thousand searches. */
	struct str line = imap_line_first(str_sub(*in, 0, IMAP_LINE_TAIL));
	struct imap_announcement a = imap_line_announcement(line);
	struct str rest = *in;

	/* An announcement ends its line; it must begin here, too. */
	if (a.ending != IMAP_ENDING_LITERAL || a.at != 0 ||
	    !str_ends(line, STR("\n")))
		return ERR_NOT_FOUND;
	(void)str_take(&rest, line.len);
	if (a.size > rest.len)
		return ERR_PARSE;
	token->type = IMAP_TOKEN_LITERAL;
	token->raw = str_take(&rest, (size_t)a.size);
	if (!may_follow_string(rest))
		return ERR_PARSE;
	*in = rest;
	return ERR_OK;
}

/* ends_atom: what cannot be inside even our wide atom. */
static bool ends_atom(char c)
{
	return c == ' ' || c == '(' || c == ')' || c == '"' || c == '\r' ||
	       c == '\n' || c == '\0';
}

static int take_atom(struct str *in, struct imap_token *token)
{
	struct str rest = *in;
	size_t len = 0;

	while (len < rest.len && !ends_atom(rest.data[len]))
		len++;
	token->type = IMAP_TOKEN_ATOM;
	token->raw = str_take(&rest, len);
	if (len == 0 || (rest.len > 0 && rest.data[0] == '"'))
		return ERR_PARSE;
	*in = rest;
	return ERR_OK;
}

/* take_one takes a token where no SP stands before it. */
static int take_one(struct str *in, struct imap_token *token)
{
	int rc;

	*token = (struct imap_token){ .type = IMAP_TOKEN_END };
	if (at_line_end(*in))
		return ERR_OK;
	switch (in->data[0]) {
	case '(':
		token->type = IMAP_TOKEN_OPEN;
		token->raw = str_take(in, 1);
		return ERR_OK;
	case ')':
		token->type = IMAP_TOKEN_CLOSE;
		token->raw = str_take(in, 1);
		return ERR_OK;
	case '"':
		return take_quoted(in, token);
	case '{':
	case '~':
		rc = take_literal(in, token);
		return rc == ERR_NOT_FOUND ? take_atom(in, token) : rc;
	default:
		return take_atom(in, token);
	}
}

int imap_token_next(struct str *in, struct imap_token *token_r)
{
	struct str rest = *in;
	struct imap_token token;
	int rc;

	(void)str_byte(&rest, ' ');
	rc = take_one(&rest, &token);
	if (rc != ERR_OK)
		return rc;
	*in = rest;
	*token_r = token;
	return ERR_OK;
}

/* add_unquoted appends |raw| with its backslashes resolved. */
static int add_unquoted(struct str raw, struct buf *out)
{
	int rc = ERR_OK;

	while (raw.len > 0 && rc == ERR_OK) {
		rc = buf_add(out, str_take(&raw, str_find(raw, '\\')));
		if (rc == ERR_OK && str_byte(&raw, '\\'))
			rc = buf_add(out, str_take(&raw, 1));
	}
	return rc;
}

int imap_token_value(const struct imap_token *token, struct buf *out)
{
	size_t start = out->len;
	int rc = ERR_PARSE;

	switch (token->type) {
	case IMAP_TOKEN_ATOM:
	case IMAP_TOKEN_LITERAL:
		rc = buf_add(out, token->raw);
		break;
	case IMAP_TOKEN_QUOTED:
		rc = add_unquoted(token->raw, out);
		break;
	case IMAP_TOKEN_OPEN:
	case IMAP_TOKEN_CLOSE:
	case IMAP_TOKEN_END:
		break;
	}
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

bool imap_token_is(const struct imap_token *token, struct str word)
{
	return token->type == IMAP_TOKEN_ATOM && str_ieq(token->raw, word);
}

int imap_token_skip_value(struct str *in, unsigned depth)
{
	struct str rest = *in;
	unsigned open = 0;

	do {
		struct imap_token token;

		if (imap_token_next(&rest, &token) != ERR_OK)
			return ERR_PARSE;
		if (token.type == IMAP_TOKEN_OPEN && open++ == depth)
			return ERR_LIMIT;
		if (token.type == IMAP_TOKEN_CLOSE && open-- == 0)
			return ERR_PARSE;
		if (token.type == IMAP_TOKEN_END)
			return ERR_PARSE;
	} while (open > 0);
	*in = rest;
	return ERR_OK;
}
