/* SPDX-License-Identifier: ISC */
/*
 * response_data - the kinds of data that decide what a watcher does: STATUS
 * (RFC 9051 section 7.3.4), LIST (section 7.3.1) with the uses of RFC 6154,
 * and FETCH (section 7.5.2) with MODSEQ of RFC 7162. What is not wanted is
 * skipped, whatever its shape.
 */
#include "base/err.h"
#include "imap/response.h"
#include "imap/token.h"

/* take_number takes an atom that is a number of at most |max|. */
static int take_number(struct str *in, uint64_t max, uint64_t *value_r)
{
	struct imap_token token;
	struct str rest = *in;
	uint64_t value = 0;

	if (imap_token_next(&rest, &token) != ERR_OK ||
	    token.type != IMAP_TOKEN_ATOM ||
	    str_number(&token.raw, max, &value) != ERR_OK || token.raw.len > 0)
		return ERR_PARSE;
	*in = rest;
	*value_r = value;
	return ERR_OK;
}

/* take_type takes a token that must be of |type|. */
static int take_type(struct str *in, enum imap_token_type type)
{
	struct imap_token token;
	struct str rest = *in;

	if (imap_token_next(&rest, &token) != ERR_OK || token.type != type)
		return ERR_PARSE;
	*in = rest;
	return ERR_OK;
}

/* take_word takes an atom of a parenthesised list that was opened. Results: 0;
 * ERR_NOT_FOUND, the ")" was taken instead; ERR_PARSE. */
static int take_word(struct str *in, struct imap_token *word_r)
{
	if (imap_token_next(in, word_r) != ERR_OK)
		return ERR_PARSE;
	if (word_r->type == IMAP_TOKEN_CLOSE)
		return ERR_NOT_FOUND;
	return word_r->type == IMAP_TOKEN_ATOM ? ERR_OK : ERR_PARSE;
}

/* Nesting of values that nobody here wants. */
enum { SKIP_DEPTH = 100 };

/*
 *   status-att-list = status-att-val *(SP status-att-val)
 *   status-att-val  = ("MESSAGES" SP number) / ("UIDNEXT" SP nz-number) /
 *                     ("UIDVALIDITY" SP nz-number) / ("UNSEEN" SP number) / ...
 */
static int take_status_item(struct str *in, const struct imap_token *name,
                            struct imap_status_data *data)
{
	const struct {
		const char *name;
		unsigned item;
		uint32_t *value;
	} items[] = {
		{ "MESSAGES", IMAP_ITEM_MESSAGES, &data->messages },
		{ "UIDNEXT", IMAP_ITEM_UIDNEXT, &data->uidnext },
		{ "UIDVALIDITY", IMAP_ITEM_UIDVALIDITY, &data->uidvalidity },
		{ "UNSEEN", IMAP_ITEM_UNSEEN, &data->unseen },
	};

	uint64_t value;

	if (imap_token_is(name, STR("HIGHESTMODSEQ"))) {
		if (take_number(in, INT64_MAX, &data->highestmodseq) != ERR_OK)
			return ERR_PARSE;
		data->has |= IMAP_ITEM_HIGHESTMODSEQ;
		return ERR_OK;
	}
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		if (!imap_token_is(name, str_of(items[i].name)))
			continue;
		if (take_number(in, UINT32_MAX, &value) != ERR_OK)
			return ERR_PARSE;
		*items[i].value = (uint32_t)value;
		data->has |= items[i].item;
		return ERR_OK;
	}
	return imap_token_skip_value(in, SKIP_DEPTH);
}

/* take_status_items reads `name value` pairs up to the ")". */
static int take_status_items(struct str *in, struct imap_status_data *data)
{
	struct imap_token token;
	int rc;

	while ((rc = take_word(in, &token)) == ERR_OK) {
		if (take_status_item(in, &token, data) != ERR_OK)
			return ERR_PARSE;
	}
	return rc == ERR_NOT_FOUND ? ERR_OK : ERR_PARSE;
}

int imap_response_status_data(const struct imap_response *r, struct buf *name,
                              struct imap_status_data *data_r)
{
	struct imap_status_data data = { .has = 0 };
	struct imap_token mailbox;
	struct str in = r->rest;
	int rc;

	if (!imap_response_is(r, STR("STATUS")) || r->has_number)
		return ERR_PARSE;
	if (imap_token_next(&in, &mailbox) != ERR_OK ||
	    take_type(&in, IMAP_TOKEN_OPEN) != ERR_OK ||
	    take_status_items(&in, &data) != ERR_OK ||
	    take_type(&in, IMAP_TOKEN_END) != ERR_OK)
		return ERR_PARSE;
	rc = imap_token_value(&mailbox, name);
	if (rc == ERR_OK)
		*data_r = data;
	return rc;
}

/* take_uses reads the attributes of a mailbox up to the ")". */
static int take_uses(struct str *in, unsigned *uses)
{
	static const struct {
		const char *word;
		enum imap_use use;
	} rows[] = {
		{ "\\Drafts", IMAP_USE_DRAFTS },
		{ "\\Junk", IMAP_USE_JUNK },
		{ "\\Sent", IMAP_USE_SENT },
		{ "\\Trash", IMAP_USE_TRASH },
	};
	struct imap_token token;
	int rc;

	while ((rc = take_word(in, &token)) == ERR_OK) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			if (imap_token_is(&token, str_of(rows[i].word)))
				*uses |= rows[i].use;
	}
	return rc == ERR_NOT_FOUND ? ERR_OK : ERR_PARSE;
}

/*
 *   mailbox-list = "(" [mbx-list-flags] ")" SP
 *                  (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
 *                  [SP mbox-list-extended]
 */
int imap_response_list_data(const struct imap_response *r, struct buf *name,
                            unsigned *uses_r)
{
	struct imap_token separator;
	struct imap_token mailbox;
	struct str in = r->rest;
	unsigned uses = 0;
	int rc;

	if (!imap_response_is(r, STR("LIST")) || r->has_number ||
	    take_type(&in, IMAP_TOKEN_OPEN) != ERR_OK ||
	    take_uses(&in, &uses) != ERR_OK ||
	    imap_token_next(&in, &separator) != ERR_OK ||
	    imap_token_next(&in, &mailbox) != ERR_OK)
		return ERR_PARSE;
	rc = imap_token_value(&mailbox, name);
	if (rc == ERR_OK)
		*uses_r = uses;
	return rc;
}

/* take_flags reads `(\Seen \Deleted ...)`. */
static int take_flags(struct str *in, struct imap_fetch_data *data)
{
	struct imap_token token;
	int rc;

	if (take_type(in, IMAP_TOKEN_OPEN) != ERR_OK)
		return ERR_PARSE;
	while ((rc = take_word(in, &token)) == ERR_OK) {
		if (imap_token_is(&token, STR("\\Seen")))
			data->seen = true;
		if (imap_token_is(&token, STR("\\Deleted")))
			data->deleted = true;
	}
	if (rc != ERR_NOT_FOUND)
		return ERR_PARSE;
	data->has_flags = true;
	return ERR_OK;
}

/* take_modseq reads `(12345)`, RFC 7162 section 3.1.4.2. */
static int take_modseq(struct str *in, struct imap_fetch_data *data)
{
	if (take_type(in, IMAP_TOKEN_OPEN) != ERR_OK ||
	    take_number(in, INT64_MAX, &data->modseq) != ERR_OK)
		return ERR_PARSE;
	return take_type(in, IMAP_TOKEN_CLOSE);
}

/*
 * skip_section takes the rest of an item's name when it has spaces in it:
 *   msg-att-static  = ... / "BODY" section ["<" number ">"] SP nstring
 *   section         = "[" [section-spec] "]"
 *   section-msgtext = ... / "HEADER.FIELDS" [".NOT"] SP header-list
 */
static int skip_section(struct str *in, struct str name)
{
	struct imap_token token;

	if (str_find(name, '[') == SIZE_MAX || str_find(name, ']') != SIZE_MAX)
		return ERR_OK;
	do {
		if (imap_token_next(in, &token) != ERR_OK ||
		    token.type == IMAP_TOKEN_END)
			return ERR_PARSE;
	} while (token.type != IMAP_TOKEN_ATOM ||
	         str_find(token.raw, ']') == SIZE_MAX);
	return ERR_OK;
}

/*
 *   msg-att         = "(" (msg-att-dynamic / msg-att-static)
 *                     *(SP (msg-att-dynamic / msg-att-static)) ")"
 */
static int take_fetch_item(struct str *in, const struct imap_token *name,
                           struct imap_fetch_data *data)
{
	uint64_t uid;

	if (imap_token_is(name, STR("UID"))) {
		if (take_number(in, UINT32_MAX, &uid) != ERR_OK)
			return ERR_PARSE;
		data->uid = (uint32_t)uid;
		data->has_uid = true;
		return ERR_OK;
	}
	if (imap_token_is(name, STR("FLAGS")))
		return take_flags(in, data);
	if (imap_token_is(name, STR("MODSEQ")))
		return take_modseq(in, data);
	if (skip_section(in, name->raw) != ERR_OK)
		return ERR_PARSE;
	return imap_token_skip_value(in, SKIP_DEPTH);
}

int imap_response_fetch_data(const struct imap_response *r,
                             struct imap_fetch_data *data_r)
{
	struct imap_fetch_data data = { .has_uid = false };
	struct imap_token token;
	struct str in = r->rest;
	int rc;

	if (!imap_response_is(r, STR("FETCH")) || !r->has_number ||
	    take_type(&in, IMAP_TOKEN_OPEN) != ERR_OK)
		return ERR_PARSE;
	while ((rc = take_word(&in, &token)) == ERR_OK) {
		if (take_fetch_item(&in, &token, &data) != ERR_OK)
			return ERR_PARSE;
	}
	if (rc != ERR_NOT_FOUND || take_type(&in, IMAP_TOKEN_END) != ERR_OK)
		return ERR_PARSE;
	*data_r = data;
	return ERR_OK;
}
