/* SPDX-License-Identifier: ISC */
/*
 * login - LOGIN (RFC 9051 section 6.2.3) taken apart and put together again.
 * Whatever held a password is wiped.
 */
#include "imap/login.h"

#include "base/err.h"
#include "imap/command.h"
#include "imap/sasl.h"
#include "imap/token.h"

void imap_login_done(struct imap_login *l)
{
	str_free(&l->user);
	str_free(&l->authzid);
	secret_free(&l->password);
}

bool imap_login_is_other(const struct imap_login *l)
{
	return l->user.len == 0 ||
	       (l->authzid.len > 0 && !str_eq(l->authzid, l->user));
}

bool imap_login_has_password(const struct imap_login *l)
{
	return l->method <= IMAP_LOGIN_LOGIN && l->password != NULL;
}

/*
 * is_name: RFC 4013 section 2.3 wants no control characters in one. A server
 * that writes names into lines reads another one where there is a line end:
 * Courier takes "bob" LF "secret" for bob and his password.
 */
static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
	return true;
}

int imap_login_set(struct imap_login *l, struct str authzid, struct str user,
                   struct str password, size_t max)
{
	struct imap_login old = *l;

	if (!is_name(authzid) || !is_name(user) ||
	    str_find(password, '\0') != SIZE_MAX)
		return ERR_PARSE;
	if (authzid.len > IMAP_USER_MAX || user.len > IMAP_USER_MAX ||
	    password.len > max)
		return ERR_LIMIT;
	l->user = str_dup(user);
	l->authzid = str_dup(authzid);
	l->password = secret_new(password);
	imap_login_done(&old);
	return ERR_OK;
}

/* take_astring appends what the next token says to |out|. */
static int take_astring(struct str *in, struct buf *out)
{
	struct imap_token token;
	int rc;

	rc = imap_token_next(in, &token);
	return rc == ERR_OK ? imap_token_value(&token, out) : rc;
}

/*
 *   login           = "LOGIN" SP userid SP password
 *   userid          = astring
 *   password        = astring
 */
int imap_login_parse(struct str command, struct imap_login *l_r)
{
	struct imap_login l = { .method = IMAP_LOGIN_COMMAND };
	struct imap_command c;
	struct imap_token end;
	struct buf user;
	struct buf password;
	int rc;

	if (imap_command_parse(command, &c) != ERR_OK ||
	    !imap_command_is(&c, STR("LOGIN")) || c.args.len == 0)
		return ERR_PARSE;
	/* The arguments with their literals, which |args| ends before. */
	(void)str_take(&command, (size_t)(c.args.data - command.data));

	buf_init(&user, IMAP_USER_MAX);
	buf_init(&password, IMAP_PASSWORD_MAX);
	rc = take_astring(&command, &user);
	if (rc == ERR_OK)
		rc = take_astring(&command, &password);
	if (rc == ERR_OK)
		rc = imap_token_next(&command, &end);
	if (rc == ERR_OK && (end.type != IMAP_TOKEN_END || user.len == 0))
		rc = ERR_PARSE;
	if (rc == ERR_OK)
		rc = imap_login_set(&l, STR_NULL, buf_str(&user),
		                    buf_str(&password), IMAP_PASSWORD_MAX);
	if (rc == ERR_OK)
		*l_r = l;
	buf_reset(&user);
	buf_reset(&password);
	return rc;
}

/* emit_login adds `LOGIN user password`. */
static int emit_login(const struct imap_login *l, struct imap_emit *e)
{
	int rc;

	rc = imap_emit_text(e, STR(" LOGIN "));
	if (rc == ERR_OK)
		rc = imap_emit_string(e, l->user);
	if (rc == ERR_OK)
		rc = imap_emit_text(e, STR(" "));
	if (rc == ERR_OK)
		rc = imap_emit_string(e, secret_str(l->password));
	return rc;
}

int imap_login_emit(const struct imap_login *l, struct str tag, bool sasl_ir,
                    struct imap_emit *e)
{
	int rc;

	rc = imap_emit_text(e, tag);
	if (rc == ERR_OK)
		rc = l->method == IMAP_LOGIN_COMMAND
		             ? emit_login(l, e)
		             : imap_sasl_emit(l, sasl_ir, e);
	if (rc == ERR_OK)
		rc = imap_emit_text(e, STR("\r\n"));
	return rc;
}
