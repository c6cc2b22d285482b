/* SPDX-License-Identifier: ISC */
/*
 * id - RFC 2971. Servers let proxies say in an ID where a client comes from
 * (x-originating-ip and others), so that a client that says it itself must not
 * be passed on, however it writes it.
 */
#include "imap/id.h"

#include "base/err.h"
#include "imap/emit.h"
#include "imap/token.h"

/* A list under way. */
struct parse {
	struct str in;
	struct buf key; /* of the pair at hand */
	struct buf value;
	size_t pairs;
	struct imap_id id;
};

/* add_pair appends one; |value| NULL is NIL. */
static int add_pair(struct buf *list, struct str key, const struct str *value)
{
	size_t before = list->len;
	int rc = buf_adds(list, before > 0 ? " " : "(");

	if (rc == ERR_OK)
		rc = imap_quote(key, list);
	if (rc == ERR_OK)
		rc = buf_adds(list, value != NULL ? " " : " NIL");
	if (rc == ERR_OK && value != NULL)
		rc = imap_quote(*value, list);
	if (rc != ERR_OK)
		buf_cut(list, before);
	return rc;
}

int imap_id_add(struct buf *list, struct str key, struct str value)
{
	return add_pair(list, key, &value);
}

int imap_id_end(struct buf *list)
{
	return list->len > 0 ? buf_adds(list, ")") : ERR_OK;
}

/* note_ttl: a number that makes no sense is none. */
static void note_ttl(struct imap_id *id, struct str value)
{
	uint64_t ttl;

	if (str_number(&value, IMAP_ID_TTL_MAX, &ttl) == ERR_OK &&
	    value.len == 0 && ttl < id->ttl)
		id->ttl = (unsigned)ttl;
}

/* keep_pair takes over one that may be passed on. */
static int keep_pair(struct parse *p, bool is_nil)
{
	struct str key = buf_str(&p->key);
	struct str value = buf_str(&p->value);
	int rc;

	if (str_istarts(key, STR("x-"))) {
		p->id.is_internal = true;
		if (str_ieq(key, STR("x-proxy-ttl")))
			note_ttl(&p->id, value);
		return ERR_OK;
	}
	rc = add_pair(&p->id.list, key, is_nil ? NULL : &value);
	return rc == ERR_PARSE ? ERR_OK : rc; /* not quotable: left out */
}

/* next takes a token behind any number of spaces, as servers do. */
static int next(struct parse *p, struct imap_token *token_r)
{
	while (str_byte(&p->in, ' '))
		;
	return imap_token_next(&p->in, token_r);
}

/* take_string reads |token|; an atom passes for a string, as with servers. */
static int take_string(struct parse *p, const struct imap_token *token,
                       struct buf *out)
{
	buf_clear(out);
	if (token->type == IMAP_TOKEN_LITERAL)
		p->id.is_literal = true;
	return imap_token_value(token, out);
}

/* take_pair reads the key that |token| is, and the value behind it. */
static int take_pair(struct parse *p, struct imap_token token)
{
	int rc = take_string(p, &token, &p->key);

	if (rc == ERR_OK)
		rc = next(p, &token);
	if (rc == ERR_OK)
		rc = take_string(p, &token, &p->value);
	if (rc == ERR_OK && ++p->pairs > IMAP_ID_PAIRS_MAX)
		rc = ERR_LIMIT;
	if (rc == ERR_OK)
		rc = keep_pair(p, imap_token_is(&token, STR("NIL")));
	return rc;
}

/*
 *   id_params_list  = "(" [string SP nstring *(SP string SP nstring)] ")" / nil
 */
static int take_list(struct parse *p)
{
	struct imap_token token;
	int rc = next(p, &token);

	if (rc != ERR_OK)
		return rc;
	if (imap_token_is(&token, STR("NIL")))
		return ERR_OK;
	if (token.type != IMAP_TOKEN_OPEN)
		return ERR_PARSE;
	for (;;) {
		rc = next(p, &token);
		if (rc != ERR_OK || token.type == IMAP_TOKEN_CLOSE)
			return rc;
		rc = take_pair(p, token);
		if (rc != ERR_OK)
			return rc;
	}
}

int imap_id_parse(struct str args, struct imap_id *id_r)
{
	struct parse p = { .in = args, .id.ttl = IMAP_ID_TTL_MAX };
	struct imap_token end;
	int rc;

	buf_init(&p.key, IMAP_ID_KEY_MAX);
	buf_init(&p.value, IMAP_ID_VALUE_MAX);
	buf_init(&p.id.list, IMAP_ID_LIST_MAX);
	rc = take_list(&p);
	if (rc == ERR_OK)
		rc = next(&p, &end);
	if (rc == ERR_OK && end.type != IMAP_TOKEN_END)
		rc = ERR_PARSE;
	if (rc == ERR_OK)
		rc = imap_id_end(&p.id.list);
	buf_reset(&p.key);
	buf_reset(&p.value);
	if (rc == ERR_OK)
		*id_r = p.id;
	else
		imap_id_done(&p.id);
	return rc;
}

void imap_id_done(struct imap_id *id)
{
	buf_reset(&id->list);
}
