/* SPDX-License-Identifier: ISC */
/*
 * A login, "L" and the command or "P" and the base64 of SASL PLAIN; other
 * letters ask for the initial response, too. What is sent on says the same to
 * the next reader; and no password is left in memory that is given back, other
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

/* Shorter ones turn up by chance. */
enum { SECRET_LEAST = 6, EMIT_MAX = 64 * 1024, OCTETS_SHOWN = 3 };

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

	wanted = marker;
	for (size_t i = 0; i < 2; i++)
		if (contains(l->user, found[i]) ||
		    contains(l->authzid, found[i]))
			wanted = STR_NULL;
	if (wanted.data != NULL && password.len >= SECRET_LEAST)
		wanted = password;
}

static void check_limits(const struct imap_login *l)
{
	struct str password = secret_str(l->password);

	assert(l->user.len > 0 && l->user.len <= IMAP_USER_MAX);
	assert(l->authzid.len <= IMAP_USER_MAX);
	assert(password.len <= IMAP_PASSWORD_MAX);
	assert(str_find(l->user, '\0') == SIZE_MAX);
	assert(str_find(l->authzid, '\0') == SIZE_MAX);
	assert(str_find(password, '\0') == SIZE_MAX);
	assert(imap_login_is_other(l) ==
	       (l->authzid.len > 0 && !str_eq(l->authzid, l->user)));
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
	assert(pieces <= OCTETS_SHOWN);
	assert(imap_emit_next(e).len == 0);
}

/* read_again reads what was sent as a server would. */
static int read_again(const struct imap_login *l, struct str sent, bool sasl_ir,
                      struct imap_login *again_r)
{
	struct str head = sasl_ir ? STR("t AUTHENTICATE PLAIN ")
	                          : STR("t AUTHENTICATE PLAIN\r\n");

	if (l->method == IMAP_LOGIN_COMMAND)
		return imap_login_parse(sent, again_r);
	assert(str_starts(sent, head) && str_ends(sent, STR("\r\n")));
	(void)str_take(&sent, head.len);
	sent.len -= 2;
	return imap_login_parse_plain(sent, again_r);
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
	must(read_again(l, buf_str(&sent), sasl_ir, &again));
	check_same(l, &again);
	imap_login_done(&again);
	imap_emit_done(&e);
	buf_reset(&sent);
}

static int parse(char how, struct str in, struct imap_login *l)
{
	return toupper((unsigned char)how) == 'L'
	               ? imap_login_parse(in, l)
	               : imap_login_parse_plain(in, l);
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
	check_emit(&l, islower((unsigned char)how));
	imap_login_done(&l);
	wanted = STR_NULL;
	str_free(&copy);
	return 0;
}
