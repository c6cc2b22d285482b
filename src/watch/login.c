/* SPDX-License-Identifier: ISC */
/*
 * login - a rejected login is never repeated until the user logs in again
 * (accounts get locked); a refusal for a while must not count as one, or an
 * hour without the user database would silence every phone. Knows nothing of
 * connections.
 */
#include "watch/login.h"

#include <stddef.h>

#include "base/buf.h"

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

static bool has_word(struct str text, struct str word)
{
	for (; text.len >= word.len; str_take(&text, 1))
		if (str_istarts(text, word))
			return true;
	return false;
}

/* find_row finds what is stored of the login of |user|. */
static int find_row(const struct registry *registry, struct str user,
                    struct str *row_r, struct err_detail *why)
{
	struct store_login row;

	if (registry_login(registry, user, &row) != ERR_OK)
		return err_set(why, ERR_NOT_FOUND, "no login is stored");
	if (row.rejected)
		return err_set(why, ERR_NOT_FOUND,
		               "the stored login was rejected");
	*row_r = row.blob;
	return ERR_OK;
}

static int open_sealed(const struct watch_login_opts *o, struct str user,
                       struct str row, struct imap_login *l_r,
                       struct err_detail *why)
{
	if (o->seal == NULL)
		return err_set(why, ERR_AUTH, "there is no key");
	if (seal_open(o->seal, user, row, l_r) != ERR_OK)
		return err_set(why, ERR_AUTH,
		               "the sealed login cannot be opened: under "
		               "another key, or damaged");
	return ERR_OK;
}

/* add_master makes |l_r| the master's login with these names. */
static int add_master(const struct watch_login_opts *o,
                      enum imap_login_method method, struct str user,
                      struct str authzid, struct imap_login *l_r,
                      struct err_detail *why)
{
	if (o->master_password == NULL)
		return err_set(why, ERR_AUTH,
		               "the password of watch.master_user is missing");
	*l_r = (struct imap_login){
		.method = method,
		.user = str_dup(user),
		.authzid = str_dup(authzid),
		.password = secret_copy(o->master_password),
	};
	return ERR_OK;
}

/* open_separator makes `name*master`. A name with a separator of its own would
 * be split in the wrong place, and name somebody else. */
static int open_separator(const struct watch_login_opts *o, struct str name,
                          struct imap_login *l_r, struct err_detail *why)
{
	struct str separator = str_of(o->master_separator);
	struct buf user;
	int rc;

	if (has_word(name, separator))
		return err_set(why, ERR_AUTH,
		               "watch.master_separator is in the user's name");
	buf_init(&user, IMAP_USER_MAX);
	rc = buf_add(&user, name);
	if (rc == ERR_OK)
		rc = buf_add(&user, separator);
	if (rc == ERR_OK)
		rc = buf_adds(&user, o->master_user);
	if (rc == ERR_OK)
		rc = add_master(o, IMAP_LOGIN_COMMAND, buf_str(&user), STR(""),
		                l_r, why);
	else
		rc = err_set(why, ERR_AUTH, "the name is too long");
	buf_reset(&user);
	return rc;
}

/* open_master: without what the user's own session has shown of the INBOX
 * there is nothing to prove the master's one by. */
static int open_master(const struct watch_login_opts *o,
                       const struct registry *registry, struct str user,
                       struct str row, struct imap_login *l_r,
                       struct err_detail *why)
{
	struct store_state inbox;
	struct str name;

	if (seal_name_open(row, &name) != ERR_OK)
		return err_set(why, ERR_NOT_FOUND,
		               "the user has not logged in since watch.login "
		               "is \"master\"");
	if (registry_state(registry, user, STR("INBOX"), &inbox) != ERR_OK)
		return err_set(why, ERR_NOT_FOUND,
		               "no session of the user has shown the INBOX");
	if (o->mode == WATCH_LOGIN_SEPARATOR)
		return open_separator(o, name, l_r, why);
	return add_master(o, IMAP_LOGIN_PLAIN, str_of(o->master_user), name,
	                  l_r, why);
}

int watch_login_open(const struct watch_login_opts *o,
                     const struct registry *registry, struct str user,
                     struct imap_login *l_r, struct str *row_r,
                     struct err_detail *why)
{
	struct str row = STR_NULL;
	int rc = find_row(registry, user, &row, why);

	if (rc == ERR_OK)
		rc = o->mode == WATCH_LOGIN_SEALED
		             ? open_sealed(o, user, row, l_r, why)
		             : open_master(o, registry, user, row, l_r, why);
	if (rc == ERR_OK)
		*row_r = row;
	return rc;
}

int watch_login_alone(const struct watch_login_opts *o, struct imap_login *l_r,
                      struct err_detail *why)
{
	return add_master(o, IMAP_LOGIN_PLAIN, str_of(o->master_user), STR(""),
	                  l_r, why);
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
