/* SPDX-License-Identifier: ISC */
/*
 * The arguments of an ID command. What is passed on is a list that reads as
 * itself, on one line, within the limits, and without a key that only proxies
 * may send; what was left out was seen.
 */
#include <assert.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/id.h"
#include "imap/token.h"

/* check_keys: every other string of |list| is a key. */
static size_t check_keys(struct str list)
{
	struct imap_token token;
	size_t strings = 0;
	struct buf key;

	must(imap_token_next(&list, &token));
	assert(token.type == IMAP_TOKEN_OPEN);
	buf_init(&key, IMAP_ID_VALUE_MAX);
	for (;;) {
		must(imap_token_next(&list, &token));
		if (token.type == IMAP_TOKEN_CLOSE)
			break;
		buf_clear(&key);
		must(imap_token_value(&token, &key));
		assert(token.type == IMAP_TOKEN_QUOTED ||
		       (strings % 2 == 1 && imap_token_is(&token, STR("NIL"))));
		if (strings++ % 2 == 0)
			assert(!str_istarts(buf_str(&key), STR("x-")));
	}
	buf_reset(&key);
	assert(list.len == 0 && strings > 0 && strings % 2 == 0);
	return strings / 2;
}

static void check_list(struct str list)
{
	struct imap_id again;

	assert(str_find(list, '\r') == SIZE_MAX);
	assert(str_find(list, '\n') == SIZE_MAX);
	assert(str_find(list, '\0') == SIZE_MAX);
	assert(check_keys(list) <= IMAP_ID_PAIRS_MAX);
	must(imap_id_parse(list, &again));
	assert(str_eq(buf_str(&again.list), list));
	assert(!again.is_internal && !again.is_literal);
	assert(again.ttl == IMAP_ID_TTL_MAX);
	imap_id_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_id id;

	if (imap_id_parse(str_new(data, size), &id) != ERR_OK)
		return 0;
	assert(id.ttl <= IMAP_ID_TTL_MAX);
	assert(id.ttl == IMAP_ID_TTL_MAX || id.is_internal);
	if (id.list.len > 0)
		check_list(buf_str(&id.list));
	imap_id_done(&id);
	return 0;
}
