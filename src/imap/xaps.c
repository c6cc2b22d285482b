/* SPDX-License-Identifier: ISC */
/*
 * xaps - what iOS says to be told of new mail, and the answer it wants. There
 * is no specification: a wrong answer costs a phone 23 hours of silence, so
 * the command is read as widely as it can be understood.
 */
#include "imap/xaps.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/mem.h"
#include "imap/command.h"
#include "imap/emit.h"
#include "imap/mailbox.h"
#include "imap/token.h"

enum {
	ACCOUNT_ID_MAX = 64,
	TOKEN_MIN = 32, /* digits; iOS sends 64, Apple may make them longer */
	TOKEN_MAX = 200,
	SUBTOPIC_MAX = 255,
	VERSION_MAX = 2, /* that we answer */
	SKIP_DEPTH = 16, /* of a value behind a key that nobody knows */
};

/* A command under way. */
struct parse {
	struct str in;
	struct buf text; /* of the key or value at hand */
	struct imap_xaps x;
	size_t room;  /* of x.mailboxes */
	size_t names; /* that were looked for in a list, any of the command's */
	struct err_detail *detail;
};

static int refuse(const struct parse *p, const char *why)
{
	return err_set(p->detail, ERR_PARSE, "%s", why);
}

/* next takes a token behind any number of spaces. */
static int next(struct parse *p, struct imap_token *token_r)
{
	while (str_byte(&p->in, ' '))
		;
	if (imap_token_next(&p->in, token_r) != ERR_OK)
		return refuse(p, "Malformed arguments");
	return ERR_OK;
}

/* read_text puts what |token| says into |text|. */
static int read_text(struct parse *p, const struct imap_token *token)
{
	buf_clear(&p->text);
	if (imap_token_value(token, &p->text) != ERR_OK)
		return refuse(p, "Malformed arguments");
	return ERR_OK;
}

static void drop_mailboxes(struct imap_xaps *x)
{
	for (size_t i = 0; i < x->mailbox_count; i++)
		str_free(&x->mailboxes[i]);
	free(x->mailboxes);
	x->mailboxes = NULL;
	x->mailbox_count = 0;
}

/* push_mailbox appends a copy of |name|. */
static void push_mailbox(struct parse *p, struct str name)
{
	struct imap_xaps *x = &p->x;

	if (x->mailbox_count == p->room) {
		p->room = p->room > 0 ? p->room * 2 : 8;
		x->mailboxes = xrealloc(x->mailboxes, p->room,
		                        sizeof(x->mailboxes[0]));
	}
	x->mailboxes[x->mailbox_count++] = str_dup(name);
}

/* add_mailbox takes the name in |text| if it is fit and new. INBOX is there
 * from the start. */
static void add_mailbox(struct parse *p)
{
	struct str name = buf_str(&p->text);

	if (name.len == 0 || name.len > IMAP_XAPS_MAILBOX_MAX ||
	    !imap_quotable(name) || p->names == IMAP_XAPS_MAILBOXES_MAX - 1)
		return;
	p->names++;
	for (size_t i = 0; i < p->x.mailbox_count; i++)
		if (imap_mailbox_eq(name, p->x.mailboxes[i]))
			return;
	push_mailbox(p, name);
}

/* begin_mailboxes begins a list anew. */
static void begin_mailboxes(struct parse *p)
{
	drop_mailboxes(&p->x);
	p->room = 0;
	push_mailbox(p, STR("INBOX"));
}

/*
 *   mailboxes   = "(" [mailbox *(SP mailbox)] ")" / mailbox
 */
static int take_mailboxes(struct parse *p, const struct imap_token *first)
{
	struct imap_token token;
	int rc;

	begin_mailboxes(p);
	if (first->type != IMAP_TOKEN_OPEN) {
		rc = read_text(p, first);
		if (rc == ERR_OK)
			add_mailbox(p);
		return rc;
	}
	for (;;) {
		rc = next(p, &token);
		if (rc != ERR_OK || token.type == IMAP_TOKEN_CLOSE)
			return rc;
		rc = read_text(p, &token);
		if (rc != ERR_OK)
			return rc;
		add_mailbox(p);
	}
}

static int take_version(struct parse *p, const struct imap_token *token)
{
	struct str digits;
	uint64_t version = 0;
	int rc;

	rc = read_text(p, token);
	if (rc != ERR_OK)
		return rc;
	digits = buf_str(&p->text);
	if (str_number(&digits, UINT64_MAX, &version) != ERR_OK ||
	    digits.len > 0 || version == 0)
		return refuse(p, "aps-version is not a version");
	p->x.version = version;
	return ERR_OK;
}

/* take_account_id: printable, and without what would need care in a reply or
 * in a payload. */
static int take_account_id(struct parse *p, const struct imap_token *token)
{
	struct str id;
	int rc;

	rc = read_text(p, token);
	if (rc != ERR_OK)
		return rc;
	id = buf_str(&p->text);
	if (id.len == 0 || id.len > ACCOUNT_ID_MAX || !imap_quotable(id) ||
	    str_find(id, '"') != SIZE_MAX || str_find(id, '\\') != SIZE_MAX)
		return refuse(p, "aps-account-id is malformed");
	str_free(&p->x.account_id);
	p->x.account_id = str_dup(id);
	return ERR_OK;
}

/* take_device_token keeps the digits in lower case: clients and documents use
 * both, and the store knows a device by them. */
static int take_device_token(struct parse *p, const struct imap_token *token)
{
	struct str digits;
	int rc;

	rc = read_text(p, token);
	if (rc != ERR_OK)
		return rc;
	for (size_t i = 0; i < p->text.len; i++)
		if (p->text.data[i] >= 'A' && p->text.data[i] <= 'F')
			p->text.data[i] |= 'a' - 'A';
	digits = buf_str(&p->text);
	if (digits.len < TOKEN_MIN || digits.len > TOKEN_MAX ||
	    digits.len % 2 != 0 || !codec_is_hex(digits))
		return refuse(p, "aps-device-token is malformed");
	str_free(&p->x.device_token);
	p->x.device_token = str_dup(digits);
	return ERR_OK;
}

static int take_subtopic(struct parse *p, const struct imap_token *token)
{
	int rc;

	rc = read_text(p, token);
	if (rc != ERR_OK)
		return rc;
	str_free(&p->x.subtopic);
	if (p->text.len > 0 && p->text.len <= SUBTOPIC_MAX &&
	    imap_quotable(buf_str(&p->text)))
		p->x.subtopic = str_dup(buf_str(&p->text));
	return ERR_OK;
}

static const struct key {
	const char *name;
	int (*take)(struct parse *p, const struct imap_token *value);
} keys[] = {
	{ "aps-version", take_version },
	{ "aps-account-id", take_account_id },
	{ "aps-device-token", take_device_token },
	{ "aps-subtopic", take_subtopic },
	{ "mailboxes", take_mailboxes },
};

/* find_key returns the row of |name|, or NULL: unknown. */
static const struct key *find_key(struct str name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (str_ieq(name, str_of(keys[i].name)))
			return &keys[i];
	return NULL;
}

/* is_value_empty: iOS writes an empty value as nothing, so that the line end,
 * or two spaces and the next key follow. */
static bool is_value_empty(const struct parse *p)
{
	struct parse ahead = { .in = p->in };
	struct imap_token token;

	if (next(&ahead, &token) != ERR_OK)
		return false;
	return token.type == IMAP_TOKEN_END ||
	       (str_starts(p->in, STR("  ")) && find_key(token.raw) != NULL);
}

/* take_pairs reads keys and values to the end of the command. */
static int take_pairs(struct parse *p)
{
	struct imap_token token;
	const struct key *key;
	int rc;

	for (;;) {
		rc = next(p, &token);
		if (rc != ERR_OK || token.type == IMAP_TOKEN_END)
			return rc;
		rc = read_text(p, &token);
		if (rc != ERR_OK)
			return rc;
		key = find_key(buf_str(&p->text));
		if (is_value_empty(p))
			continue;
		if (key == NULL) {
			if (imap_token_skip_value(&p->in, SKIP_DEPTH) != ERR_OK)
				return refuse(p, "Malformed arguments");
			continue;
		}
		rc = next(p, &token);
		if (rc == ERR_OK)
			rc = key->take(p, &token);
		if (rc != ERR_OK)
			return rc;
	}
}

/* complete wants what cannot be missing and fills in what can. */
static int complete(struct parse *p)
{
	if (p->x.version == 0)
		return refuse(p, "aps-version is missing");
	if (p->x.account_id.len == 0)
		return refuse(p, "aps-account-id is missing");
	if (p->x.device_token.len == 0)
		return refuse(p, "aps-device-token is missing");
	if (p->x.subtopic.len == 0)
		p->x.subtopic = str_dup(STR("com.apple.mobilemail"));
	if (p->x.mailbox_count == 0)
		begin_mailboxes(p);
	return ERR_OK;
}

/*
 *   command = tag SP "XAPPLEPUSHSERVICE" *(SP key SP value)
 *   key     = astring
 *   value   = astring / "(" ... ")"
 */
int imap_xaps_parse(struct str command, struct imap_xaps *x_r,
                    struct err_detail *detail)
{
	struct parse p = { .in = command, .detail = detail };
	struct imap_command c;
	int rc;

	if (command.len > IMAP_XAPS_COMMAND_MAX)
		return refuse(&p, "Command too long");
	if (imap_command_parse(command, &c) != ERR_OK ||
	    !imap_command_is(&c, STR("XAPPLEPUSHSERVICE")))
		return refuse(&p, "Malformed command");
	(void)str_take(&p.in,
	               (size_t)(c.verb.data - command.data) + c.verb.len);
	buf_init(&p.text, IMAP_XAPS_COMMAND_MAX);
	rc = take_pairs(&p);
	if (rc == ERR_OK)
		rc = complete(&p);
	buf_reset(&p.text);
	if (rc == ERR_OK)
		*x_r = p.x;
	else
		imap_xaps_done(&p.x);
	return rc;
}

void imap_xaps_done(struct imap_xaps *x)
{
	str_free(&x->account_id);
	str_free(&x->device_token);
	str_free(&x->subtopic);
	drop_mailboxes(x);
}

unsigned imap_xaps_version(const struct imap_xaps *x)
{
	return x->version < VERSION_MAX ? (unsigned)x->version : VERSION_MAX;
}

/* add_echo appends one `"mailbox" "<name>"` line. */
static int add_echo(struct str name, struct buf *out)
{
	int rc;

	rc = buf_adds(out, "* XAPPLEPUSHSERVICE \"mailbox\" ");
	if (rc == ERR_OK)
		rc = imap_quote(name, out);
	return rc == ERR_OK ? buf_adds(out, "\r\n") : rc;
}

/* add_end appends the version and topic line and the tagged OK. */
static int add_end(const struct imap_xaps *x, struct str tag, struct str topic,
                   struct buf *out)
{
	int rc;

	rc = buf_printf(out,
	                "* XAPPLEPUSHSERVICE \"aps-version\" \"%u\" "
	                "\"aps-topic\" ",
	                imap_xaps_version(x));
	if (rc == ERR_OK)
		rc = imap_quote(topic, out);
	if (rc == ERR_OK)
		rc = buf_adds(out, "\r\n");
	if (rc == ERR_OK)
		rc = buf_add(out, tag);
	return rc == ERR_OK ? buf_adds(out, " OK XAPPLEPUSHSERVICE completed."
	                                    "\r\n")
	                    : rc;
}

int imap_xaps_reply(const struct imap_xaps *x, struct str tag, struct str topic,
                    const struct str *echo, size_t echo_count, struct buf *out)
{
	size_t start = out->len;
	int rc = ERR_OK;

	if (imap_xaps_version(x) < 2)
		echo_count = 0;
	for (size_t i = 0; i < echo_count && rc == ERR_OK; i++)
		rc = add_echo(echo[i], out);
	if (rc == ERR_OK)
		rc = add_end(x, tag, topic, out);
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}
