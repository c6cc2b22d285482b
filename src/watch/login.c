/* SPDX-License-Identifier: ISC */
/*
 * login - a rejected login is never repeated until the user logs in again
 * (accounts get locked); a refusal for a while must not count as one, or an
 * hour without the user database would silence every phone. Knows nothing of
 * connections.
 */
#include "watch/login.h"

#include <stddef.h>

#include "base/err.h"

/*
 * Response codes with which a server refuses any login for a while: RFC 5530
 * section 3; LIMIT is what Dovecot says to too many connections of a user.
 */
static const char *const passing_codes[] = {
	"UNAVAILABLE",
	"LIMIT",
	"INUSE",
	"SERVERBUG",
};

/* The same, said without a code, by servers that know none. */
static const char *const passing_words[] = {
	"temporar", /* temporary, temporarily */
	"try again later",
	"too many",
};

int watch_login_open(const struct registry *registry, const struct seal *seal,
                     struct str user, struct imap_login *l_r,
                     struct str *sealed_r)
{
	struct store_login row;
	int rc;

	rc = registry_login(registry, user, &row);
	if (rc != ERR_OK)
		return rc;
	if (row.rejected)
		return ERR_NOT_FOUND;
	if (seal == NULL)
		return ERR_AUTH; /* no key at all */
	rc = seal_open(seal, user, row.blob, l_r);
	if (rc != ERR_OK)
		return rc;
	if (sealed_r != NULL)
		*sealed_r = row.blob;
	return ERR_OK;
}

static bool has_word(struct str text, struct str word)
{
	for (; text.len >= word.len; str_take(&text, 1))
		if (str_istarts(text, word))
			return true;
	return false;
}

bool watch_login_rejected(const struct imap_response *r)
{
	struct str rest;

	/* BAD says that the command was not understood: nothing of the login
	 * itself was looked at. */
	if (r->status != IMAP_STATUS_NO)
		return false;
	for (size_t i = 0; i < sizeof(passing_codes) / sizeof(*passing_codes);
	     i++)
		if (imap_response_code(r, str_of(passing_codes[i]), &rest))
			return false;
	/* ALERT says nothing of the reason: its text is all there is. */
	if (r->code.len > 0 && !str_ieq(r->code, STR("ALERT")))
		return true;
	for (size_t i = 0; i < sizeof(passing_words) / sizeof(*passing_words);
	     i++)
		if (has_word(r->text, str_of(passing_words[i])))
			return false;
	return true;
}
