/* SPDX-License-Identifier: ISC */
/*
 * login - LOGIN (RFC 9051 section 6.2.3) and SASL PLAIN (RFC 4616) taken apart
 * and put together again. Whatever held a password is wiped.
 */
#include "imap/login.h"

#include "base/codec.h"
#include "base/err.h"
#include "imap/command.h"
#include "imap/token.h"

void imap_login_done(struct imap_login *l)
{
	str_free(&l->user);
	str_free(&l->authzid);
	secret_free(&l->password);
}

bool imap_login_is_other(const struct imap_login *l)
{
	return l->authzid.len > 0 && !str_eq(l->authzid, l->user);
}

/* make fills |l_r| from parts that were checked for their lengths only. */
static int make(enum imap_login_method method, struct str authzid,
                struct str user, struct str password, struct imap_login *l_r)
{
	if (user.len == 0 || str_find(user, '\0') != SIZE_MAX ||
	    str_find(password, '\0') != SIZE_MAX)
		return ERR_PARSE;
	if (authzid.len > IMAP_USER_MAX || user.len > IMAP_USER_MAX ||
	    password.len > IMAP_PASSWORD_MAX)
		return ERR_LIMIT;
	*l_r = (struct imap_login){
		.method = method,
		.user = str_dup(user),
		.authzid = str_dup(authzid),
		.password = secret_new(password),
	};
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
	if (rc == ERR_OK && end.type != IMAP_TOKEN_END)
		rc = ERR_PARSE;
	if (rc == ERR_OK)
		rc = make(IMAP_LOGIN_COMMAND, STR_NULL, buf_str(&user),
		          buf_str(&password), l_r);
	buf_reset(&user);
	buf_reset(&password);
	return rc;
}

/*
 *   message   = [authzid] UTF8NUL authcid UTF8NUL passwd
 * A third NUL is in the password and found there.
 */
static int parse_message(struct str message, struct imap_login *l_r)
{
	size_t nul = str_find(message, '\0');
	struct str authzid = str_take(&message, nul);
	struct str user;

	if (!str_byte(&message, '\0'))
		return ERR_PARSE;
	nul = str_find(message, '\0');
	user = str_take(&message, nul);
	if (!str_byte(&message, '\0'))
		return ERR_PARSE;
	return make(IMAP_LOGIN_PLAIN, authzid, user, message, l_r);
}

int imap_login_parse_plain(struct str base64, struct imap_login *l_r)
{
	struct buf message;
	int rc;

	/* RFC 4959 section 3: "=" is a response of length zero. */
	if (str_eq(base64, STR("=")))
		return ERR_PARSE;
	buf_init(&message, IMAP_USER_MAX * 2 + 2 + IMAP_PASSWORD_MAX);
	rc = codec_unbase64(base64, &message);
	if (rc == ERR_OK)
		rc = parse_message(buf_str(&message), l_r);
	buf_reset(&message);
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

/* add_message adds the PLAIN message of |l|. */
static int add_message(const struct imap_login *l, struct buf *out)
{
	int rc;

	rc = buf_add(out, l->authzid);
	if (rc == ERR_OK)
		rc = buf_append(out, "", 1);
	if (rc == ERR_OK)
		rc = buf_add(out, l->user);
	if (rc == ERR_OK)
		rc = buf_append(out, "", 1);
	if (rc == ERR_OK)
		rc = buf_add(out, secret_str(l->password));
	return rc;
}

/*
 *   authenticate    = "AUTHENTICATE" SP auth-type [SP initial-resp]
 *                     *(CRLF base64)
 */
static int emit_plain(const struct imap_login *l, bool sasl_ir,
                      struct imap_emit *e)
{
	struct buf message;
	int rc;

	buf_init(&message, IMAP_USER_MAX * 2 + 2 + IMAP_PASSWORD_MAX);
	rc = imap_emit_text(e, STR(" AUTHENTICATE PLAIN"));
	if (rc == ERR_OK)
		rc = imap_emit_text(e, sasl_ir ? STR(" ") : STR("\r\n"));
	if (rc == ERR_OK && !sasl_ir)
		rc = imap_emit_stop(e);
	if (rc == ERR_OK)
		rc = add_message(l, &message);
	if (rc == ERR_OK)
		rc = codec_base64(buf_str(&message), &e->text);
	buf_reset(&message);
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
		             : emit_plain(l, sasl_ir, e);
	if (rc == ERR_OK)
		rc = imap_emit_text(e, STR("\r\n"));
	return rc;
}
