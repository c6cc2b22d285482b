/* SPDX-License-Identifier: ISC */
/*
 * capability - what may be shown of a server's capabilities, and what is ours.
 * RFC 9051 sections 6.1.1 and 7.2.2. A stripped capability's commands are
 * refused by the same table, so that nobody gets past the list by guessing.
 */
#include "imap/capability.h"

#include <assert.h>
#include <stdint.h>

#include "base/err.h"
#include "imap/line.h"
#include "imap/sasl.h"

enum action {
	PASS,      /* as the server has it */
	STRIP,     /* never shown */
	OWN_LOGIN, /* before login ours, always listed; after it the server's */
	OWN,       /* always listed */
	OWN_PUSH,  /* by policy */
	OWN_TLS,   /* by policy */
	MECHANISM, /* if it is handled here, and by policy */
	NOT_LOGIN  /* stripped before login, after it the server's */
};

enum match { WORD, PREFIX };

#define AUTH "AUTH="

/* The first row that matches decides; what matches none passes. */
static const struct row {
	const char *name;
	enum match match;
	enum action action;
	const char *commands; /* refused with it, single spaces between */
} rows[] = {
	/* After its OK both streams are deflate and cannot be read. */
	{ "COMPRESS=", PREFIX, STRIP, "COMPRESS" },
	/* Identity, ENABLE set and layers would all have to be reset. */
	{ "UNAUTHENTICATE", WORD, STRIP, "UNAUTHENTICATE" },

	/* Of the client's leg: the listener's own state. */
	{ "STARTTLS", WORD, OWN_TLS, "STARTTLS" },
	/* Cyrus lists it after login too, where it means nothing. */
	{ "LOGINDISABLED", WORD, OWN_TLS, NULL },

	/* A mechanism is handled here or it is not offered: a security layer
	 * (GSSAPI, DIGEST-MD5), a channel binding (-PLUS) or the peer's
	 * certificate (EXTERNAL) does not survive a proxy. */
	{ AUTH, PREFIX, MECHANISM, NULL },

	/* Clients would leave the proxy. URLAUTH: the server compares the
	 * host in the URL with its own name. */
	{ "LOGIN-REFERRALS", WORD, STRIP, NULL },
	{ "MAILBOX-REFERRALS", WORD, STRIP, "RLIST RLSUB" },
	{ "URLAUTH", WORD, STRIP, "GENURLAUTH RESETKEY URLFETCH" },
	{ "URLAUTH=", PREFIX, STRIP, NULL },

	/* Internal to a cluster, or to another proxy. */
	{ "MUPDATE=", PREFIX, STRIP, NULL },
	{ "X-REPLICATION", WORD, STRIP,
	  "SYNCAPPLY SYNCGET SYNCRESTART SYNCRESTORE" },
	{ "X-REPLICATION", PREFIX, STRIP, NULL },
	{ "X-SIEVE-MAILBOX", WORD, STRIP, NULL },
	{ "XIMAPPROXY", WORD, STRIP, NULL },
	/* A client must not choose its own address. */
	{ "XCLIENT", WORD, STRIP, "XCLIENT" },

	{ "SASL-IR", WORD, OWN_LOGIN, NULL },
	{ "LITERAL+", WORD, OWN_LOGIN, NULL },
	/* Never both (RFC 7888 section 5). */
	{ "LITERAL-", WORD, NOT_LOGIN, NULL },
	/* Answered here where the server has none. */
	{ "ID", WORD, OWN, NULL },
	{ "XAPPLEPUSHSERVICE", WORD, OWN_PUSH, NULL },
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static_assert(ROWS <= 32, "rows that were seen are bits");

/* What is shown before any backend was reached. */
static const char default_list[] = "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN";

/* take_word takes the run of spaces and the word at the front of |list|. */
static struct str take_word(struct str *list, struct str *gap_r)
{
	size_t blanks = 0;
	size_t sp;

	while (blanks < list->len && list->data[blanks] == ' ')
		blanks++;
	*gap_r = str_take(list, blanks);
	sp = str_find(*list, ' ');
	return str_take(list, sp);
}

bool imap_capability_has(struct str list, struct str word)
{
	struct str gap;

	while (list.len > 0)
		if (str_ieq(take_word(&list, &gap), word))
			return word.len > 0;
	return false;
}

/* find_row returns the row of |word|, or NULL: it passes. */
static const struct row *find_row(struct str word)
{
	for (size_t i = 0; i < ROWS; i++) {
		struct str name = str_of(rows[i].name);

		if (rows[i].match == WORD ? str_ieq(word, name)
		                          : str_istarts(word, name))
			return &rows[i];
	}
	return NULL;
}

/* An edit under way. */
struct edit {
	const struct imap_capability_policy *policy;
	enum imap_capability_phase phase;
	bool binds;    /* a mechanism with channel binding is listed */
	uint32_t seen; /* rows of which a word was kept */
	size_t bare;   /* a word at this length of |out| needs no gap */
	struct buf *out;
};

static bool is_hidden(const struct edit *e, struct str word)
{
	for (size_t i = 0; i < e->policy->hide_count; i++)
		if (str_ieq(word, e->policy->hide[i]))
			return true;
	return false;
}

/* is_usable: a login by this mechanism works through here. */
static bool is_usable(const struct edit *e, struct str word)
{
	const struct imap_sasl *m =
		imap_sasl_find(str_sub(word, sizeof(AUTH) - 1, SIZE_MAX));

	if (m == NULL || e->policy->before_tls)
		return false;
	if ((m->hides_password && e->policy->needs_passwords) ||
	    (m->prompts[0] == NULL && e->policy->needs_names))
		return false;
	return !(e->binds && str_starts(str_of(m->name), STR("SCRAM-")));
}

/* is_kept: |word| of the server's, with |action|, stays. */
static bool is_kept(const struct edit *e, struct str word, enum action action)
{
	switch (action) {
	case MECHANISM:
		return is_usable(e, word);
	case PASS:
	case OWN:
	case OWN_LOGIN:
		return true;
	case STRIP:
		return false;
	case NOT_LOGIN:
		return e->phase == IMAP_CAPABILITY_SESSION;
	case OWN_TLS:
		return e->policy->before_tls;
	case OWN_PUSH:
		/* The server's goes even if ours comes: once, in our letters,
		 * which is what iOS looks for. */
		return e->policy->pass_push && !e->policy->offer_push;
	}
	return false;
}

/* is_ours: a word with |action| is listed whatever the server says. */
static bool is_ours(const struct edit *e, enum action action)
{
	switch (action) {
	case PASS:
	case STRIP:
	case NOT_LOGIN:
	case MECHANISM:
		return false;
	case OWN:
		return true;
	case OWN_LOGIN:
		return e->phase == IMAP_CAPABILITY_PRELOGIN;
	case OWN_PUSH:
		return e->policy->offer_push;
	case OWN_TLS:
		return e->policy->before_tls;
	}
	return false;
}

static int add_word(struct edit *e, struct str gap, struct str word)
{
	int rc = ERR_OK;

	if (e->out->len != e->bare)
		rc = buf_add(e->out, gap);
	return rc == ERR_OK ? buf_add(e->out, word) : rc;
}

/* edit_word keeps a word of the server's, or drops it with its gap. One with a
 * CR is no atom: last in the list, it could come to be another with the line's
 * end behind it. */
static int edit_word(struct edit *e, struct str gap, struct str word)
{
	const struct row *row = find_row(word);

	if (is_hidden(e, word) || str_find(word, '\r') != SIZE_MAX ||
	    (row != NULL && !is_kept(e, word, row->action)))
		return ERR_OK;
	if (row != NULL)
		e->seen |= UINT32_C(1) << (row - rows);
	return add_word(e, gap, word);
}

/* add_ours appends what is ours and was not there. */
static int add_ours(struct edit *e)
{
	int rc = ERR_OK;

	for (size_t i = 0; i < ROWS && rc == ERR_OK; i++) {
		struct str name = str_of(rows[i].name);

		if (is_ours(e, rows[i].action) &&
		    (e->seen & UINT32_C(1) << i) == 0 && !is_hidden(e, name))
			rc = add_word(e, STR(" "), name);
	}
	return rc;
}

/* edit_list writes |list| anew; blanks at its end stay there. */
static int edit_list(struct edit *e, struct str list)
{
	struct str gap = STR_NULL;
	int rc = ERR_OK;

	e->binds = e->policy->binds || imap_sasl_binds(list);
	while (rc == ERR_OK && list.len > 0) {
		struct str word = take_word(&list, &gap);

		if (word.len == 0)
			break;
		rc = edit_word(e, gap, word);
		gap = STR_NULL;
	}
	if (rc == ERR_OK)
		rc = add_ours(e);
	return rc == ERR_OK ? buf_add(e->out, gap) : rc;
}

/* What stands where capability text may stand. */
enum place { PLACE_NONE, PLACE_LIST, PLACE_REFERRAL };

/* has_words: not only blanks. */
static bool has_words(struct str list)
{
	struct str gap;

	return take_word(&list, &gap).len > 0;
}

/*
 *   resp-text-code  = ... / capability-data / "REFERRAL" SP imapurl / ...
 *   capability-data = "CAPABILITY" *(SP capability) SP "IMAP4rev2"
 *                     *(SP capability)
 * The code ends at the first "]". |*found_r| is the list, or all of a referral
 * with its brackets and the SP behind.
 */
static enum place find_in_code(struct str text, struct str *found_r)
{
	struct str code = str_sub(text, 0, str_find(text, ']'));
	struct str gap;
	struct str name;

	if (!str_starts(text, STR("[")) || code.len == text.len)
		return PLACE_NONE;
	*found_r = str_sub(text, 0, code.len + 1);
	if (str_starts(str_sub(text, found_r->len, 1), STR(" ")))
		found_r->len++;
	(void)str_take(&code, 1);
	name = take_word(&code, &gap);
	if (gap.len > 0)
		return PLACE_NONE;
	if (str_ieq(name, STR("REFERRAL")))
		return PLACE_REFERRAL;
	if (!str_ieq(name, STR("CAPABILITY")) || !has_words(code))
		return PLACE_NONE;
	*found_r = code;
	return PLACE_LIST;
}

/* find_place looks for capability text, or a referral, in |line|. */
static enum place find_place(struct str line, struct str *found_r)
{
	struct imap_announcement a = imap_line_announcement(line);
	struct str body = imap_line_body(line);
	struct str text;

	/* Of a response with literals there is no whole line to edit. */
	if (str_find(body, '\n') != SIZE_MAX)
		return PLACE_NONE;
	switch (imap_line_class(line, &text)) {
	case IMAP_CLASS_STATUS:
	case IMAP_CLASS_TAGGED:
		return find_in_code(text, found_r);
	case IMAP_CLASS_DATA:
		if (!imap_line_is_capability(body) ||
		    (a.ending == IMAP_ENDING_LITERAL && !a.plus))
			break;
		*found_r = str_sub(body, sizeof("* CAPABILITY") - 1, SIZE_MAX);
		return has_words(*found_r) ? PLACE_LIST : PLACE_NONE;
	case IMAP_CLASS_NONE:
	case IMAP_CLASS_CONTINUATION:
	case IMAP_CLASS_OTHER:
		break;
	}
	return PLACE_NONE;
}

/* copy_to copies |rest| up to |found|, which lies in it, and moves behind. */
static int copy_to(struct str *rest, struct str found, struct buf *out)
{
	int rc =
		buf_add(out, str_take(rest, (size_t)(found.data - rest->data)));

	(void)str_take(rest, found.len);
	return rc;
}

/* find_next looks at what a referral leaves in its place. */
static enum place find_next(struct str rest, struct str *found_r)
{
	while (str_byte(&rest, ' '))
		;
	return find_in_code(rest, found_r);
}

int imap_capability_edit(struct str line,
                         const struct imap_capability_policy *policy,
                         enum imap_capability_phase phase, struct buf *out)
{
	struct edit e = {
		.policy = policy, .phase = phase, .bare = SIZE_MAX, .out = out
	};
	size_t start = out->len;
	struct str rest = line;
	struct str found;
	enum place place = find_place(line, &found);
	int rc;

	if (place == PLACE_NONE)
		return ERR_NOT_FOUND;
	rc = copy_to(&rest, found, out);
	while (rc == ERR_OK && place == PLACE_REFERRAL) {
		place = find_next(rest, &found);
		if (place != PLACE_NONE)
			rc = copy_to(&rest, found, out);
	}
	if (rc == ERR_OK && place == PLACE_LIST)
		rc = edit_list(&e, found);
	if (rc == ERR_OK)
		rc = buf_add(out, rest);
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

int imap_capability_list(struct str line, struct buf *out)
{
	size_t start = out->len;
	struct str list;
	struct str gap;
	int rc = ERR_OK;

	if (find_place(line, &list) != PLACE_LIST)
		return ERR_NOT_FOUND;
	while (rc == ERR_OK && has_words(list)) {
		struct str word = take_word(&list, &gap);

		if (out->len > start)
			rc = buf_adds(out, " ");
		if (rc == ERR_OK)
			rc = buf_add(out, word);
	}
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

int imap_capability_prelogin(struct str backend,
                             const struct imap_capability_policy *policy,
                             struct buf *out)
{
	struct edit e = { .policy = policy,
		          .phase = IMAP_CAPABILITY_PRELOGIN,
		          .bare = out->len,
		          .out = out };
	size_t start = out->len;
	int rc;

	rc = edit_list(&e, has_words(backend) ? backend : str_of(default_list));
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

int imap_capability_share(struct str list, struct str other, struct buf *out)
{
	size_t start = out->len;
	int rc = ERR_OK;

	while (rc == ERR_OK && has_words(list)) {
		struct str gap;
		struct str word = take_word(&list, &gap);

		if (!imap_capability_has(other, word))
			continue;
		if (out->len > start)
			rc = buf_adds(out, " ");
		if (rc == ERR_OK)
			rc = buf_add(out, word);
	}
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

bool imap_capability_refused(struct str verb)
{
	for (size_t i = 0; i < ROWS; i++)
		if (imap_capability_has(str_of(rows[i].commands), verb))
			return true;
	return false;
}
