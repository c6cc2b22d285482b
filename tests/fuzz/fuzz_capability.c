/* SPDX-License-Identifier: ISC */
/*
 * A server's line, edited. The first octet is the policy, a digit and letters
 * after it in bits. A word that must not be seen never is; ours is there when
 * it is offered; kept words keep their order; nothing else of the line changes;
 * editing twice is editing once.
 */
#include <assert.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/capability.h"
#include "imap/line.h"

#define LINE_MAX_LEN ((size_t)256 * 1024)

enum { OFFER = 1, PASS = 2, PRELOGIN = 4, HIDE = 8, NEEDS = 16, BINDS = 32 };

static const struct str hidden[] = { { "IDLE", 4 },
	                             { "x-hidden", 8 },
	                             { "ID", 2 } };

/* What is never shown; "=" at the end: whatever follows it. A list of its own,
 * so that a row lost from capability.c is noticed. */
static const char *const banned[] = {
	"COMPRESS=",     "UNAUTHENTICATE",  "STARTTLS",
	"LOGINDISABLED", "LOGIN-REFERRALS", "MAILBOX-REFERRALS",
	"URLAUTH",       "URLAUTH=",        "MUPDATE=",
	"X-REPLICATION", "X-SIEVE-MAILBOX", "XIMAPPROXY",
	"XCLIENT",
};

/* The only ones that may be shown, and where the password must be said. */
static const char *const mechanisms[] = { "AUTH=PLAIN", "AUTH=LOGIN",
	                                  "AUTH=XOAUTH2", "AUTH=OAUTHBEARER" };
static const char *const proofs[] = {
	"AUTH=CRAM-MD5",      "AUTH=SCRAM-SHA-1",   "AUTH=SCRAM-SHA-224",
	"AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-384", "AUTH=SCRAM-SHA-512"
};

/* A case at hand. */
struct setup {
	unsigned bits;
	struct imap_capability_policy policy;
	enum imap_capability_phase phase;
};

static struct str take_word(struct str *list)
{
	struct str word = str_take(list, str_find(*list, ' '));

	(void)str_byte(list, ' ');
	return word;
}

static bool is_one_of(struct str word, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_ieq(word, str_of(names[i])))
			return true;
	return false;
}

#define IS_ONE_OF(word, names) \
	is_one_of(word, names, sizeof(names) / sizeof((names)[0]))

/* is_banned_mechanism: |word| begins with AUTH=. */
static bool is_banned_mechanism(const struct setup *s, struct str word)
{
	if (IS_ONE_OF(word, mechanisms))
		return false;
	return !IS_ONE_OF(word, proofs) || s->policy.needs_passwords ||
	       (s->policy.binds && str_istarts(word, STR("AUTH=SCRAM-")));
}

static bool is_banned(const struct setup *s, struct str word)
{
	if (str_istarts(word, STR("AUTH=")))
		return is_banned_mechanism(s, word);
	for (size_t i = 0; i < sizeof(banned) / sizeof(banned[0]); i++) {
		struct str name = str_of(banned[i]);

		if (str_ieq(word, name) ||
		    (str_ends(name, STR("=")) && str_istarts(word, name)))
			return true;
	}
	return false;
}

static bool is_hidden(const struct setup *s, struct str word)
{
	for (size_t i = 0; i < s->policy.hide_count; i++)
		if (str_ieq(word, hidden[i]))
			return true;
	return false;
}

static size_t count_word(struct str list, struct str name)
{
	size_t n = 0;

	while (list.len > 0)
		n += str_ieq(take_word(&list), name);
	return n;
}

/* check_words looks at a list that a client sees. */
static void check_words(const struct setup *s, struct str list)
{
	struct str words = list;
	size_t push = count_word(list, STR("XAPPLEPUSHSERVICE"));

	while (words.len > 0) {
		struct str word = take_word(&words);

		assert(word.len > 0);
		assert(!is_banned(s, word));
		assert(!is_hidden(s, word));
		assert(imap_capability_has(list, word));
	}
	if (s->policy.offer_push)
		assert(push == 1);
	else
		assert(push == 0 || s->policy.pass_push);
	if (!is_hidden(s, STR("ID")))
		assert(count_word(list, STR("ID")) > 0);
}

/* check_order: |list| is words of |before| in their order, then ours. */
static void check_order(struct str before, struct str list)
{
	struct str word = take_word(&list);

	while (before.len > 0)
		if (str_eq(take_word(&before), word))
			word = take_word(&list);
	while (word.len > 0) {
		assert(imap_capability_has(STR("SASL-IR LITERAL+ ID "
		                               "XAPPLEPUSHSERVICE"),
		                           word));
		word = take_word(&list);
	}
}

/* list_of gives the words of a line, empty if it has none. */
static struct str list_of(struct str line, struct buf *out)
{
	int rc;

	buf_reset(out);
	rc = imap_capability_list(line, out);
	assert(rc == ERR_OK || (rc == ERR_NOT_FOUND && out->len == 0));
	return buf_str(out);
}

/* edit_again: a second edit changes nothing. */
static void edit_again(const struct setup *s, struct str line)
{
	struct buf twice;
	int rc;

	buf_init(&twice, LINE_MAX_LEN);
	rc = imap_capability_edit(line, &s->policy, s->phase, &twice);
	if (rc == ERR_OK)
		assert(str_eq(buf_str(&twice), line));
	else
		assert(rc == ERR_NOT_FOUND && twice.len == 0);
	buf_reset(&twice);
}

/* check_frame: it begins and ends as before. */
static void check_frame(struct str line, struct str edited)
{
	struct str before;
	struct str after;
	struct str end = imap_line_body(line);

	end = str_sub(line, end.len, SIZE_MAX);
	assert(str_ends(edited, end));
	assert(imap_line_class(line, &before) ==
	       imap_line_class(edited, &after));
	if (before.data != NULL)
		assert(str_starts(
			edited,
			str_sub(line, 0, (size_t)(before.data - line.data))));
}

static void check_edited(const struct setup *s, struct str line,
                         struct str edited)
{
	struct buf before;
	struct buf after;
	struct str list;
	struct str had;

	buf_init(&before, LINE_MAX_LEN);
	buf_init(&after, LINE_MAX_LEN);
	had = list_of(line, &before);
	list = list_of(edited, &after);
	check_frame(line, edited);
	if (list.len > 0)
		check_words(s, list);
	/* A word with a CR is none, and goes. */
	if (had.len > 0 && str_find(had, '\r') == SIZE_MAX)
		check_order(had, list);
	edit_again(s, edited);
	buf_reset(&before);
	buf_reset(&after);
}

static void check_edit(const struct setup *s, struct str line)
{
	struct buf out;
	struct buf words;
	int rc;

	buf_init(&out, LINE_MAX_LEN);
	buf_init(&words, LINE_MAX_LEN);
	must(buf_adds(&out, "before"));
	rc = imap_capability_edit(line, &s->policy, s->phase, &out);
	assert(str_starts(buf_str(&out), STR("before")));
	if (rc == ERR_OK) {
		check_edited(s, line, str_sub(buf_str(&out), 6, SIZE_MAX));
	} else {
		assert(rc == ERR_NOT_FOUND && out.len == 6);
		assert(list_of(line, &words).len == 0);
	}
	buf_reset(&out);
	buf_reset(&words);
}

/* prelogin makes the list that is shown before login. */
static struct str prelogin(const struct setup *s, struct str words,
                           struct buf *out)
{
	must(imap_capability_prelogin(words, &s->policy, out));
	return buf_str(out);
}

static void check_prelogin(const struct setup *s, struct str line)
{
	struct setup before = *s;
	struct buf words;
	struct buf once;
	struct buf twice;
	struct str list;

	before.phase = IMAP_CAPABILITY_PRELOGIN;
	buf_init(&words, LINE_MAX_LEN);
	buf_init(&once, LINE_MAX_LEN);
	buf_init(&twice, LINE_MAX_LEN);
	list = prelogin(s, list_of(line, &words), &once);
	check_words(&before, list);
	assert(imap_capability_has(list, STR("SASL-IR")));
	assert(imap_capability_has(list, STR("LITERAL+")));
	assert(!imap_capability_has(list, STR("LITERAL-")));
	assert(str_eq(list, prelogin(s, list, &twice)));
	buf_reset(&words);
	buf_reset(&once);
	buf_reset(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str line = str_new(data, size);
	struct setup s = { .bits = (unsigned char)take_char(&line) };

	s.policy.offer_push = (s.bits & OFFER) != 0;
	s.policy.pass_push = (s.bits & PASS) != 0;
	s.policy.needs_passwords = (s.bits & NEEDS) != 0;
	s.policy.binds = (s.bits & BINDS) != 0;
	s.policy.hide = hidden;
	s.policy.hide_count =
		(s.bits & HIDE) != 0 ? sizeof(hidden) / sizeof(hidden[0]) : 0;
	s.phase = (s.bits & PRELOGIN) != 0 ? IMAP_CAPABILITY_PRELOGIN
	                                   : IMAP_CAPABILITY_SESSION;
	check_edit(&s, line);
	check_prelogin(&s, line);
	(void)imap_capability_refused(line);
	return 0;
}
