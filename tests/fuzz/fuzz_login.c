/* SPDX-License-Identifier: ISC */
/*
 * A login: a letter of kinds[] and what the client says, the command LOGIN or
 * messages of SASL in base64, a line each; the same letter in lower case asks
 * for the initial response, too. What is sent on says the same to the next
 * reader; and no password or token is left in memory that is given back, other
 * than a struct secret's, which wipes its own: every block is searched for it
 * before it is freed (see --wrap in meson.build).
 */
#include <assert.h>
#include <ctype.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "fuzz/input.h"
#include "imap/login.h"
#include "imap/sasl.h"

/* Shorter ones turn up by chance. */
enum { SECRET_LEAST = 6, EMIT_MAX = 256 * 1024, PIECES_MAX = 3 };

static const struct {
	char letter;
	enum imap_login_method method;
} kinds[] = {
	{ 'L', IMAP_LOGIN_COMMAND },       { 'P', IMAP_LOGIN_PLAIN },
	{ 'N', IMAP_LOGIN_LOGIN },         { 'X', IMAP_LOGIN_XOAUTH2 },
	{ 'B', IMAP_LOGIN_OAUTHBEARER },   { 'C', IMAP_LOGIN_CRAM_MD5 },
	{ 'S', IMAP_LOGIN_SCRAM_SHA_256 },
};

/* What no freed block may hold; empty: nothing is searched for. The seeds use
 * the first, so that a login that is refused is watched as well. */
static struct str wanted = { NULL, 0 };
static const struct str marker = { "Tr0ub4dor&3", 11 };

void __real_free(void *block);
void __wrap_free(void *block);

static bool holds(const void *block, struct str what)
{
	return what.len >= SECRET_LEAST &&
	       memmem(block, malloc_usable_size((void *)(uintptr_t)block),
	              what.data, what.len) != NULL;
}

void __wrap_free(void *block)
{
	if (block != NULL && wanted.data != NULL) {
		assert(!holds(block, wanted));
		assert(!holds(block, marker));
	}
	__real_free(block);
}

/* contains: |what| is somewhere in |text|. */
static bool contains(struct str text, struct str what)
{
	return what.len > 0 && text.len >= what.len &&
	       memmem(text.data, text.len, what.data, what.len) != NULL;
}

/* watch begins to look for |password|, unless the names show it themselves. */
static void watch(const struct imap_login *l, struct str password)
{
	struct str found[] = { password, marker };

	/* SCRAM says the password nowhere, and all the names. */
	if (l->method == IMAP_LOGIN_SCRAM_SHA_256)
		return;
	wanted = marker;
	for (size_t i = 0; i < 2; i++)
		if (contains(l->user, found[i]) ||
		    contains(l->authzid, found[i]))
			wanted = STR_NULL;
	if (wanted.data != NULL && password.len >= SECRET_LEAST)
		wanted = password;
}

static bool may_be_nameless(const struct imap_login *l)
{
	return l->method == IMAP_LOGIN_OAUTHBEARER;
}

static void check_limits(const struct imap_login *l)
{
	struct str password = secret_str(l->password);

	assert(l->user.len > 0 || may_be_nameless(l));
	assert(l->user.len <= IMAP_USER_MAX);
	assert(l->authzid.len <= IMAP_USER_MAX);
	assert(password.len <= (l->method <= IMAP_LOGIN_LOGIN
	                                ? IMAP_PASSWORD_MAX
	                                : IMAP_TOKEN_MAX));
	assert(str_find(l->user, '\0') == SIZE_MAX);
	assert(str_find(l->authzid, '\0') == SIZE_MAX);
	assert(str_find(password, '\0') == SIZE_MAX);
	assert(imap_login_has_password(l) == (l->method <= IMAP_LOGIN_LOGIN));
	assert(imap_login_is_other(l) ==
	       (l->user.len == 0 ||
	        (l->authzid.len > 0 && !str_eq(l->authzid, l->user))));
}

static void check_same(const struct imap_login *a, const struct imap_login *b)
{
	assert(a->method == b->method);
	assert(str_eq(a->user, b->user) && str_eq(a->authzid, b->authzid));
	assert(secret_eq(a->password, b->password));
}

/* gather puts together what is sent piece by piece: literals come after their
 * announcement, a SASL response on a line of its own. */
static void gather(struct imap_emit *e, struct buf *out)
{
	unsigned pieces = 0;

	while (!imap_emit_finished(e)) {
		struct str piece = imap_emit_next(e);

		assert(str_ends(piece, STR("\r\n")));
		must(buf_add(out, piece));
		pieces++;
	}
	assert(pieces <= PIECES_MAX);
	assert(imap_emit_next(e).len == 0);
}

/* take gives |lines| of a client to |l|, one for each time it is asked. */
static int take(struct imap_login *l, struct str lines)
{
	int rc = ERR_MORE;

	while (rc == ERR_MORE) {
		struct str line = str_take(&lines, str_find(lines, '\n'));

		if (str_ends(line, STR("\r")))
			line.len--;
		if (!str_byte(&lines, '\n') && line.len == 0)
			rc = ERR_PARSE; /* says no more */
		else
			rc = imap_sasl_take(l, line);
		/* What a name shows is no secret. */
		if (contains(l->user, marker))
			wanted = STR_NULL;
	}
	if (rc != ERR_OK)
		imap_login_done(l);
	return rc;
}

/* read_again reads what was sent as a server would. */
static int read_again(const struct imap_login *l, struct str sent,
                      struct imap_login *again_r)
{
	const struct imap_sasl *m = imap_sasl_of(l->method);

	if (m == NULL)
		return imap_login_parse(sent, again_r);
	assert(str_starts(sent, STR("t AUTHENTICATE ")));
	(void)str_take(&sent, sizeof("t AUTHENTICATE ") - 1);
	assert(str_starts(sent, str_of(m->name)));
	(void)str_take(&sent, strlen(m->name));
	if (!str_byte(&sent, ' '))
		assert(str_byte(&sent, '\r') && str_byte(&sent, '\n'));
	again_r->method = l->method;
	return take(again_r, sent);
}

static void check_emit(const struct imap_login *l, bool sasl_ir)
{
	struct imap_login again = { 0 };
	struct imap_emit e;
	struct buf sent;

	buf_init(&sent, EMIT_MAX);
	imap_emit_init(&e, EMIT_MAX);
	must(imap_login_emit(l, STR("t"), sasl_ir, &e));
	gather(&e, &sent);
	must(read_again(l, buf_str(&sent), &again));
	check_same(l, &again);
	imap_login_done(&again);
	imap_emit_done(&e);
	buf_reset(&sent);
}

/* check_answer: CRAM-MD5 has no message that is sent before a challenge. */
static void check_answer(const struct imap_login *l, struct str base64)
{
	struct imap_login again = { .method = l->method };
	struct buf sent;

	buf_init(&sent, EMIT_MAX);
	must(imap_sasl_answer(&again, base64, &sent));
	check_same(l, &again);
	assert(str_starts(buf_str(&sent), base64));
	assert(sent.len == base64.len + 2);
	imap_login_done(&again);
	buf_reset(&sent);
}

static int parse(char how, struct str in, struct imap_login *l)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].letter == toupper((unsigned char)how))
			l->method = kinds[i].method;
	return l->method == IMAP_LOGIN_COMMAND ? imap_login_parse(in, l)
	                                       : take(l, in);
}

static struct str first_line(struct str in)
{
	struct str line = str_take(&in, str_find(in, '\n'));

	if (str_ends(line, STR("\r")))
		line.len--;
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	char how = take_char(&in);
	struct imap_login l = { 0 };
	struct str copy = STR_NULL;
	int rc;

	/* Of a login that is refused nothing may be left at all. */
	wanted = marker;
	rc = parse(how, in, &l);
	wanted = STR_NULL;
	if (rc != ERR_OK) {
		assert(rc == ERR_PARSE || rc == ERR_LIMIT);
		assert(l.user.data == NULL && l.password == NULL);
		return 0;
	}
	check_limits(&l);
	copy = str_dup(secret_str(l.password));
	watch(&l, copy);
	if (l.method == IMAP_LOGIN_CRAM_MD5)
		check_answer(&l, first_line(in));
	else
		check_emit(&l, islower((unsigned char)how));
	imap_login_done(&l);
	wanted = STR_NULL;
	str_free(&copy);
	return 0;
}
