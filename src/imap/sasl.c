/* SPDX-License-Identifier: ISC */
/*
 * sasl - RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC 5802 and 7677 (SCRAM), RFC
 * 7628 (OAUTHBEARER); LOGIN and XOAUTH2 as everybody does them. What two
 * servers might read differently is no message here, since the name in it is
 * believed. Whatever held a secret is wiped.
 */
#include "imap/sasl.h"

#include "base/codec.h"
#include "base/err.h"

/* A command line that any server takes (RFC 7162 section 4); a longer initial
 * response waits for "+". */
#define LINE_MAX ((size_t)8000)

#define PROOF_MAX ((size_t)8 * 1024)
#define DIGEST_LEN 32

/* Of what is around name and token, or goes with them and is not passed on. */
#define EXTRA_MAX 1024

/* Between the fields of the two OAuth mechanisms. */
#define SEPARATOR '\x01'
#define SEPARATOR_STR "\x01"

/* take_until moves what lies before |end| to the result, and drops |end|. */
static int take_until(struct str *in, char end, struct str *out_r)
{
	size_t at = str_find(*in, end);

	if (at == SIZE_MAX)
		return ERR_PARSE;
	*out_r = str_take(in, at);
	(void)str_take(in, 1);
	return ERR_OK;
}

/* take_word drops |word| from the front. */
static int take_word(struct str *in, struct str word)
{
	if (!str_starts(*in, word))
		return ERR_PARSE;
	(void)str_take(in, word.len);
	return ERR_OK;
}

/* add_all appends |count| parts. */
static int add_all(struct buf *out, const struct str *parts, size_t count)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < count && rc == ERR_OK; i++)
		rc = buf_add(out, parts[i]);
	return rc;
}

#define ADD_ALL(out, ...)                                     \
	add_all(out, (const struct str[]){ __VA_ARGS__ },     \
	        sizeof((const struct str[]){ __VA_ARGS__ }) / \
	                sizeof(struct str))

/*
 *   message   = [authzid] UTF8NUL authcid UTF8NUL passwd
 * A third NUL is in the password and found there.
 */
static int take_plain(struct imap_login *l, struct str message)
{
	struct str authzid;
	struct str user;

	if (take_until(&message, '\0', &authzid) != ERR_OK ||
	    take_until(&message, '\0', &user) != ERR_OK || user.len == 0)
		return ERR_PARSE;
	return imap_login_set(l, authzid, user, message, IMAP_PASSWORD_MAX);
}

static int make_plain(const struct imap_login *l, unsigned step,
                      struct buf *out)
{
	(void)step;
	return ADD_ALL(out, l->authzid, STR("\0"), l->user, STR("\0"),
	               secret_str(l->password));
}

/* The name, then the password. */
static int take_login(struct imap_login *l, struct str message)
{
	int rc;

	if (l->user.data != NULL)
		return imap_login_set(l, STR_NULL, l->user, message,
		                      IMAP_PASSWORD_MAX);
	if (message.len == 0)
		return ERR_PARSE;
	rc = imap_login_set(l, STR_NULL, message, STR_NULL, 0);
	return rc == ERR_OK ? ERR_MORE : rc;
}

static int make_login(const struct imap_login *l, unsigned step,
                      struct buf *out)
{
	return buf_add(out, step == 0 ? l->user : secret_str(l->password));
}

#define BEARER "Bearer "

/*
 * take_token takes the token out of the value of `auth=`, which is as in HTTP.
 * An empty value is how a client asks where tokens are had (RFC 7628 section
 * 4.3).
 */
static int take_token(struct str value, struct str *token_r)
{
	struct str scheme = str_take(&value, sizeof(BEARER) - 1);

	if (scheme.len > 0 && (!str_ieq(scheme, STR(BEARER)) ||
	                       value.len == 0 || !imap_quotable(value)))
		return ERR_PARSE;
	*token_r = value;
	return ERR_OK;
}

/* make_auth appends what is the same in both mechanisms. */
static int make_auth(const struct imap_login *l, struct buf *out)
{
	struct str token = secret_str(l->password);

	return ADD_ALL(out, STR(SEPARATOR_STR "auth="),
	               token.len > 0 ? STR(BEARER) : STR_NULL, token,
	               STR(SEPARATOR_STR SEPARATOR_STR));
}

/*
 *   "user=" {User} ^A "auth=Bearer " {token} ^A ^A
 */
static int take_xoauth2(struct imap_login *l, struct str message)
{
	struct str user;
	struct str value;
	struct str token;

	if (take_word(&message, STR("user=")) != ERR_OK ||
	    take_until(&message, SEPARATOR, &user) != ERR_OK || user.len == 0 ||
	    take_word(&message, STR("auth=")) != ERR_OK ||
	    take_until(&message, SEPARATOR, &value) != ERR_OK ||
	    !str_eq(message, STR(SEPARATOR_STR)) ||
	    take_token(value, &token) != ERR_OK)
		return ERR_PARSE;
	return imap_login_set(l, STR_NULL, user, token, IMAP_TOKEN_MAX);
}

static int make_xoauth2(const struct imap_login *l, unsigned step,
                        struct buf *out)
{
	int rc;

	(void)step;
	rc = ADD_ALL(out, STR("user="), l->user);
	return rc == ERR_OK ? make_auth(l, out) : rc;
}

/*
 *   saslname        = 1*(value-safe-char / "=2C" / "=3D")
 *   value-safe-char = <any UTF8 but NUL, "=" and ",">
 */
static int decode_name(struct str in, struct buf *out)
{
	int rc = in.len > 0 ? ERR_OK : ERR_PARSE;

	while (in.len > 0 && rc == ERR_OK) {
		struct str plain = str_take(&in, str_find(in, '='));

		rc = buf_add(out, plain);
		if (rc != ERR_OK || in.len == 0)
			continue;
		if (take_word(&in, STR("=2C")) == ERR_OK)
			rc = buf_adds(out, ",");
		else if (take_word(&in, STR("=3D")) == ERR_OK)
			rc = buf_adds(out, "=");
		else
			rc = ERR_PARSE;
	}
	return rc;
}

static int encode_name(struct str in, struct buf *out)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < in.len && rc == ERR_OK; i++)
		rc = in.data[i] == ','   ? buf_adds(out, "=2C")
		     : in.data[i] == '=' ? buf_adds(out, "=3D")
		                         : buf_add(out, str_sub(in, i, 1));
	return rc;
}

/*
 *   gs2-header      = [gs2-nonstd-flag ","] gs2-cb-flag "," [gs2-authzid] ","
 *   gs2-cb-flag     = ("p=" 1*cb-name) / "n" / "y"
 *   gs2-authzid     = "a=" saslname
 * A flag p is for a channel that ends here. |name| gets the authzid decoded.
 */
static int take_gs2(struct str *in, struct buf *name)
{
	struct str authzid;

	if (take_word(in, STR("n,")) != ERR_OK &&
	    take_word(in, STR("y,")) != ERR_OK)
		return ERR_PARSE;
	if (take_until(in, ',', &authzid) != ERR_OK)
		return ERR_PARSE;
	if (authzid.len == 0)
		return ERR_OK;
	if (take_word(&authzid, STR("a=")) != ERR_OK)
		return ERR_PARSE;
	return decode_name(authzid, name);
}

/*
 *   kvpair = key "=" value kvsep
 * Of the pairs only `auth` matters to a server; `host` and `port` name us.
 */
static int take_pairs(struct str in, struct str *token_r)
{
	struct str pair;
	struct str value = STR_NULL;

	while (!str_eq(in, STR(SEPARATOR_STR))) {
		if (take_until(&in, SEPARATOR, &pair) != ERR_OK)
			return ERR_PARSE;
		if (take_word(&pair, STR("auth=")) != ERR_OK)
			continue;
		if (value.data != NULL)
			return ERR_PARSE;
		value = pair;
	}
	return value.data != NULL ? take_token(value, token_r) : ERR_PARSE;
}

/*
 *   client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
 * The authzid is who it is. Without one the server finds that in the token, and
 * there is no name that we could believe.
 */
static int take_oauthbearer(struct imap_login *l, struct str message)
{
	struct str token = STR_NULL;
	struct buf name;
	int rc;

	buf_init(&name, IMAP_USER_MAX);
	rc = take_gs2(&message, &name);
	if (rc == ERR_OK)
		rc = take_word(&message, STR(SEPARATOR_STR));
	if (rc == ERR_OK)
		rc = take_pairs(message, &token);
	if (rc == ERR_OK)
		rc = imap_login_set(l, STR_NULL, buf_str(&name), token,
		                    IMAP_TOKEN_MAX);
	buf_reset(&name);
	return rc;
}

static int make_oauthbearer(const struct imap_login *l, unsigned step,
                            struct buf *out)
{
	int rc;

	(void)step;
	rc = buf_adds(out, l->user.len > 0 ? "n,a=" : "n,");
	if (rc == ERR_OK)
		rc = encode_name(l->user, out);
	if (rc == ERR_OK)
		rc = buf_adds(out, ",");
	return rc == ERR_OK ? make_auth(l, out) : rc;
}

/*
 *   response = user SP digest
 * A name may have spaces.
 */
static int take_cram_md5(struct imap_login *l, struct str message)
{
	struct str user;
	struct str digest;

	if (message.len < DIGEST_LEN + 2)
		return ERR_PARSE;
	user = str_take(&message, message.len - DIGEST_LEN - 1);
	digest = str_sub(message, 1, DIGEST_LEN);
	if (message.data[0] != ' ' || !codec_is_hex(digest))
		return ERR_PARSE;
	return imap_login_set(l, STR_NULL, user, STR_NULL, 0);
}

static bool is_nonce(struct str s)
{
	return s.len > 0 && imap_quotable(s) && str_find(s, ',') == SIZE_MAX &&
	       str_find(s, ' ') == SIZE_MAX;
}

/*
 *   client-first-message-bare = [reserved-mext ","] username "," nonce
 *                               ["," extensions]
 *   username                  = "n=" saslname
 *   nonce                     = "r=" c-nonce
 * There are no extensions yet, and one might be another name to somebody.
 */
static int take_bare(struct str in, struct buf *user)
{
	struct str name;

	if (take_word(&in, STR("n=")) != ERR_OK ||
	    take_until(&in, ',', &name) != ERR_OK ||
	    take_word(&in, STR("r=")) != ERR_OK || !is_nonce(in))
		return ERR_PARSE;
	return decode_name(name, user);
}

/*
 *   client-first-message = gs2-header client-first-message-bare
 * It is sent as it came: what the client proves later covers each octet.
 */
static int take_scram(struct imap_login *l, struct str message)
{
	struct str rest = message;
	struct buf authzid;
	struct buf user;
	int rc;

	buf_init(&authzid, IMAP_USER_MAX);
	buf_init(&user, IMAP_USER_MAX);
	rc = take_gs2(&rest, &authzid);
	if (rc == ERR_OK)
		rc = take_bare(rest, &user);
	if (rc == ERR_OK)
		rc = imap_login_set(l, buf_str(&authzid), buf_str(&user),
		                    message, PROOF_MAX);
	buf_reset(&authzid);
	buf_reset(&user);
	return rc;
}

static int make_scram(const struct imap_login *l, unsigned step,
                      struct buf *out)
{
	(void)step;
	return buf_add(out, secret_str(l->password));
}

#define SCRAM(hash, id)                                                        \
	{                                                                      \
		.name = "SCRAM-" hash, .method = (id), .hides_password = true, \
		.prompts = { "" }, .sends_initial = true,                      \
		.message_max = PROOF_MAX, .challenges_min = 1,                 \
		.challenges_max = 2, .take = take_scram, .make = make_scram    \
	}

/* The server's only challenge to a token is the reason why it is refused. */
static const struct imap_sasl mechanisms[] = {
	{ .name = "PLAIN",
	  .method = IMAP_LOGIN_PLAIN,
	  .prompts = { "" },
	  .sends_initial = true,
	  .message_max = IMAP_USER_MAX * 2 + 2 + IMAP_PASSWORD_MAX,
	  .take = take_plain,
	  .make = make_plain },
	{ .name = "LOGIN",
	  .method = IMAP_LOGIN_LOGIN,
	  /* "Username:", "Password:" */
	  .prompts = { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
	  .message_max = IMAP_PASSWORD_MAX,
	  .take = take_login,
	  .make = make_login },
	{ .name = "XOAUTH2",
	  .method = IMAP_LOGIN_XOAUTH2,
	  .prompts = { "" },
	  .sends_initial = true,
	  .message_max = IMAP_USER_MAX + IMAP_TOKEN_MAX + EXTRA_MAX,
	  .challenges_max = 1,
	  .take = take_xoauth2,
	  .make = make_xoauth2 },
	{ .name = "OAUTHBEARER",
	  .method = IMAP_LOGIN_OAUTHBEARER,
	  .prompts = { "" },
	  .sends_initial = true,
	  .message_max = IMAP_USER_MAX * 3 + IMAP_TOKEN_MAX + EXTRA_MAX,
	  .challenges_max = 1,
	  .take = take_oauthbearer,
	  .make = make_oauthbearer },
	{ .name = "CRAM-MD5",
	  .method = IMAP_LOGIN_CRAM_MD5,
	  .hides_password = true,
	  .message_max = IMAP_USER_MAX + 1 + DIGEST_LEN,
	  .challenges_min = 1,
	  .challenges_max = 1,
	  .take = take_cram_md5 },
	SCRAM("SHA-1", IMAP_LOGIN_SCRAM_SHA_1),
	SCRAM("SHA-224", IMAP_LOGIN_SCRAM_SHA_224),
	SCRAM("SHA-256", IMAP_LOGIN_SCRAM_SHA_256),
	SCRAM("SHA-384", IMAP_LOGIN_SCRAM_SHA_384),
	SCRAM("SHA-512", IMAP_LOGIN_SCRAM_SHA_512),
};

enum { MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

const struct imap_sasl *imap_sasl_find(struct str name)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (str_ieq(name, str_of(mechanisms[i].name)))
			return &mechanisms[i];
	return NULL;
}

const struct imap_sasl *imap_sasl_of(enum imap_login_method method)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if (mechanisms[i].method == method)
			return &mechanisms[i];
	return NULL;
}

bool imap_sasl_binds(struct str list)
{
	while (list.len > 0) {
		struct str word = str_take(&list, str_find(list, ' '));

		(void)str_byte(&list, ' ');
		if (str_istarts(word, STR("AUTH=")) && word.len >= 10 &&
		    str_ieq(str_sub(word, word.len - 5, 5), STR("-PLUS")))
			return true;
	}
	return false;
}

int imap_sasl_take(struct imap_login *l, struct str base64)
{
	const struct imap_sasl *m = imap_sasl_of(l->method);
	struct buf message;
	int rc;

	buf_init(&message, m->message_max);
	rc = codec_unbase64(base64, &message);
	if (rc == ERR_OK)
		rc = m->take(l, buf_str(&message));
	buf_reset(&message);
	return rc;
}

const char *imap_sasl_prompt(const struct imap_login *l)
{
	return imap_sasl_of(l->method)->prompts[l->user.data != NULL];
}

int imap_sasl_answer(struct imap_login *l, struct str base64, struct buf *out)
{
	const struct imap_sasl *m = imap_sasl_of(l->method);
	struct buf message;
	int rc;

	buf_init(&message, PROOF_MAX);
	rc = codec_unbase64(base64, &message);
	if (rc == ERR_OK && m->prompts[0] == NULL)
		rc = m->take(l, buf_str(&message));
	if (rc == ERR_OK)
		rc = codec_base64(buf_str(&message), out);
	if (rc == ERR_OK)
		rc = buf_adds(out, "\r\n");
	buf_reset(&message);
	return rc;
}

/* add_message adds the |step|-th message in base64, in line or after a stop. */
static int add_message(const struct imap_login *l, const struct imap_sasl *m,
                       unsigned step, bool in_line, struct imap_emit *e)
{
	struct buf message;
	int rc;

	buf_init(&message, m->message_max);
	rc = m->make(l, step, &message);
	in_line = in_line && message.len / 3 * 4 < LINE_MAX;
	if (rc == ERR_OK)
		rc = imap_emit_text(e, in_line ? STR(" ") : STR("\r\n"));
	if (rc == ERR_OK && !in_line)
		rc = imap_emit_stop(e);
	if (rc == ERR_OK)
		rc = codec_base64(buf_str(&message), &e->text);
	buf_reset(&message);
	return rc;
}

/*
 *   authenticate    = "AUTHENTICATE" SP auth-type [SP initial-resp]
 *                     *(CRLF base64)
 */
int imap_sasl_emit(const struct imap_login *l, bool sasl_ir,
                   struct imap_emit *e)
{
	const struct imap_sasl *m = imap_sasl_of(l->method);
	int rc;

	rc = imap_emit_text(e, STR(" AUTHENTICATE "));
	if (rc == ERR_OK)
		rc = imap_emit_text(e, str_of(m->name));
	for (unsigned i = 0; i < IMAP_SASL_MESSAGES && rc == ERR_OK; i++)
		if (m->prompts[i] != NULL)
			rc = add_message(l, m, i, sasl_ir && m->sends_initial,
			                 e);
	return rc;
}
