/* SPDX-License-Identifier: ISC */
/*
 * A command or response token by token. Each moves the cursor and lies where
 * the cursor was; written anew they are read again as the same values; a list
 * that is skipped ends where its tokens do, and no deeper than allowed.
 */
#include <assert.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/emit.h"
#include "imap/token.h"

#define VALUE_MAX ((size_t)1024 * 1024)

static bool is_string(const struct imap_token *t)
{
	return t->type == IMAP_TOKEN_QUOTED || t->type == IMAP_TOKEN_LITERAL;
}

/* check_raw: no octet stands in a token that would have ended it. */
static void check_raw(const struct imap_token *t)
{
	static const char ends[] = " ()\"\r\n";

	if (t->type == IMAP_TOKEN_ATOM) {
		assert(t->raw.len > 0);
		for (size_t i = 0; i < sizeof(ends); i++)
			assert(str_find(t->raw, ends[i]) == SIZE_MAX);
	}
	if (t->type == IMAP_TOKEN_QUOTED) {
		assert(str_find(t->raw, '\0') == SIZE_MAX);
		assert(str_find(t->raw, '\n') == SIZE_MAX);
	}
}

/* next takes a token and wants of the cursor what must always be true. */
static int next(struct str *in, struct imap_token *token)
{
	struct str before = *in;
	int rc = imap_token_next(in, token);

	if (rc != ERR_OK) {
		assert(rc == ERR_PARSE);
		assert(in->data == before.data && in->len == before.len);
		return rc;
	}
	assert(in->data + in->len == before.data + before.len);
	assert(inside(before, token->raw));
	assert(in->len < before.len || token->type == IMAP_TOKEN_END);
	check_raw(token);
	return ERR_OK;
}

/* add_string writes a string as we would send it. */
static void add_string(struct str value, struct buf *out)
{
	if (imap_quotable(value)) {
		must(imap_quote(value, out));
	} else {
		must(buf_printf(out, "{%zu}\r\n", value.len));
		must(buf_add(out, value));
	}
}

/* add_token writes |t| behind a space. */
static void add_token(const struct imap_token *t, struct buf *out)
{
	struct buf value;
	int rc;

	buf_init(&value, VALUE_MAX);
	rc = imap_token_value(t, &value);
	assert((rc == ERR_OK) == (is_string(t) || t->type == IMAP_TOKEN_ATOM));
	assert(value.len <= t->raw.len);
	must(buf_adds(out, " "));
	if (is_string(t))
		add_string(buf_str(&value), out);
	else
		must(buf_add(out, t->raw));
	buf_reset(&value);
}

/* write_anew appends the tokens of |in|, as far as they go. */
static void write_anew(struct str in, struct buf *out)
{
	struct imap_token token;

	while (next(&in, &token) == ERR_OK && token.type != IMAP_TOKEN_END)
		add_token(&token, out);
}

/* check_anew: what was written is read as the same again. */
static void check_anew(struct str in)
{
	struct buf once;
	struct buf twice;

	buf_init(&once, VALUE_MAX);
	buf_init(&twice, VALUE_MAX);
	write_anew(in, &once);
	write_anew(buf_str(&once), &twice);
	assert(str_eq(buf_str(&once), buf_str(&twice)));
	buf_reset(&once);
	buf_reset(&twice);
}

/* walk does what imap_token_skip_value does, and tells how deep it was. */
static int walk(struct str *in, unsigned *depth_r)
{
	struct imap_token token;
	unsigned open = 0;

	*depth_r = 0;
	do {
		if (next(in, &token) != ERR_OK || token.type == IMAP_TOKEN_END)
			return ERR_PARSE;
		if (token.type == IMAP_TOKEN_CLOSE && open == 0)
			return ERR_PARSE;
		open += token.type == IMAP_TOKEN_OPEN;
		open -= token.type == IMAP_TOKEN_CLOSE;
		if (open > *depth_r)
			*depth_r = open;
	} while (open > 0);
	return ERR_OK;
}

static void check_skip(struct str in)
{
	struct str walked = in;
	struct str skipped = in;
	unsigned depth;
	int rc = walk(&walked, &depth);

	if (rc != ERR_OK) {
		assert(imap_token_skip_value(&skipped, 100000) == rc);
		assert(skipped.data == in.data);
		return;
	}
	assert(imap_token_skip_value(&skipped, depth) == ERR_OK);
	assert(skipped.data == walked.data && skipped.len == walked.len);
	skipped = in;
	if (depth > 0) {
		rc = imap_token_skip_value(&skipped, depth - 1);
		assert(rc == ERR_LIMIT && skipped.data == in.data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);

	check_skip(in);
	check_anew(in);
	return 0;
}
