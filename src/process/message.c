/* SPDX-License-Identifier: ISC */
/*
 * message - a head and the fields of its type; numbers are big endian:
 *
 *	message = version (1) type (1) id (4) fields
 *	text    = length (2) octets
 *	long    = length (4) octets
 *	login   = 0 / 1 digest (32) / 2 method (1) authzid user password
 *	mailbox = name flags (1) [uidvalidity uidnext messages unseen (4 each)]
 */
#include "process/message.h"

#include <assert.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/files.h"
#include "base/mem.h"

enum {
	ACCOUNT_ID_MAX = 64,
	TOKEN_MAX = 200,
	SUBTOPIC_MAX = 255,
	SECRET_MAX = 1024,
	FILE_NAME_MAX = 4096,
};

enum { LOGIN_NONE, LOGIN_DIGEST, LOGIN_WHOLE };

enum { MAILBOX_PROVED = 1, MAILBOX_STATUS = 2 };

/* Writing: the first failure stays. */

struct writer {
	struct buf *out;
	int rc;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (w->rc == ERR_OK && len > 0)
		w->rc = buf_append(w->out, data, len);
}

static void put_number(struct writer *w, uint32_t n, size_t len)
{
	unsigned char octets[4];

	for (size_t i = 0; i < len; i++)
		octets[i] = (unsigned char)(n >> (8 * (len - 1 - i)));
	put(w, octets, len);
}

static void put_text(struct writer *w, struct str text)
{
	if (text.len > UINT16_MAX) {
		w->rc = ERR_LIMIT;
		return;
	}
	put_number(w, (uint32_t)text.len, 2);
	put(w, text.data, text.len);
}

/* put_long writes one that may be a file. */
static void put_long(struct writer *w, struct str text)
{
	if (text.len > MESSAGE_MAX) {
		w->rc = ERR_LIMIT;
		return;
	}
	put_number(w, (uint32_t)text.len, 4);
	put(w, text.data, text.len);
}

static void put_login(struct writer *w, const struct message_login *login)
{
	const struct imap_login *l = login->whole;

	if (l != NULL) {
		put_number(w, LOGIN_WHOLE, 1);
		put_number(w, (uint32_t)l->method, 1);
		put_text(w, l->authzid);
		put_text(w, l->user);
		put_text(w, secret_str(l->password));
	} else if (login->digest.len > 0) {
		assert(login->digest.len == MESSAGE_DIGEST_BYTES);
		put_number(w, LOGIN_DIGEST, 1);
		put(w, login->digest.data, login->digest.len);
	} else {
		put_number(w, LOGIN_NONE, 1);
	}
}

static void put_offer(struct writer *w, const struct message *m)
{
	const struct message_offer *offer = &m->u.offer;

	put_text(w, offer->topic);
	put_number(w, offer->mailboxes_max, 4);
	put_number(w, offer->keeps_logins, 1);
}

static void put_lookup(struct writer *w, const struct message *m)
{
	const struct message_lookup *l = &m->u.lookup;

	put_text(w, l->login_name);
	put_number(w, (uint32_t)l->count, 2);
	for (size_t i = 0; i < l->count; i++)
		put_text(w, l->names[i]);
}

static void put_mailbox(struct writer *w, const struct service_mailbox *m)
{
	uint32_t flags = (m->proved ? MAILBOX_PROVED : 0u) |
	                 (m->has_status ? MAILBOX_STATUS : 0u);

	put_text(w, m->name);
	put_number(w, flags, 1);
	if (!m->has_status)
		return;
	put_number(w, m->uidvalidity, 4);
	put_number(w, m->uidnext, 4);
	put_number(w, m->messages, 4);
	put_number(w, m->unseen, 4);
}

static void put_registration(struct writer *w, const struct message *m)
{
	const struct service_registration *wish = &m->u.registration.wish;
	const struct imap_xaps *command = &m->u.registration.command;

	put_text(w, wish->login_name);
	put_text(w, wish->topic);
	put_number(w, imap_xaps_version(command), 1);
	put_text(w, command->account_id);
	put_text(w, command->device_token);
	put_text(w, command->subtopic);
	put_number(w, (uint32_t)wish->mailbox_count, 2);
	for (size_t i = 0; i < wish->mailbox_count; i++)
		put_mailbox(w, &wish->mailboxes[i]);
	put_login(w, &m->u.registration.login);
}

static void put_logged_in(struct writer *w, const struct message *m)
{
	put_text(w, m->u.logged_in.login_name);
	put_login(w, &m->u.logged_in.login);
}

static void put_option(struct writer *w, const struct message *m)
{
	put_long(w, m->u.option);
}

static void put_file(struct writer *w, const struct message *m)
{
	put_text(w, m->u.file.path);
	put_number(w, m->u.file.mode, 4);
	put_long(w, m->u.file.text);
}

static void put_secret(struct writer *w, const struct message *m)
{
	put_text(w, m->u.secret);
}

static void put_looked_up(struct writer *w, const struct message *m)
{
	put_text(w, m->u.proved);
}

static void put_done(struct writer *w, const struct message *m)
{
	put_number(w, m->u.kept, 1);
}

/* Reading: the first failure stays, and what follows reads as nothing. */

struct reader {
	struct str in;
	bool is_bad;
};

static struct str take(struct reader *r, size_t len)
{
	if (len > r->in.len)
		r->is_bad = true;
	return r->is_bad ? STR_NULL : str_take(&r->in, len);
}

static uint32_t take_number(struct reader *r, size_t len)
{
	struct str octets = take(r, len);
	uint32_t n = 0;

	for (size_t i = 0; i < octets.len; i++)
		n = n << 8 | (unsigned char)octets.data[i];
	return n;
}

static bool take_flag(struct reader *r)
{
	uint32_t n = take_number(r, 1);

	r->is_bad |= n > 1;
	return n == 1;
}

/* take_text reads a text of |min| to |max| octets. */
static struct str take_text(struct reader *r, size_t min, size_t max)
{
	struct str text = take(r, take_number(r, 2));

	r->is_bad |= text.len < min || text.len > max;
	return text;
}

/* take_word reads one that is printable and holds none of |but|. */
static struct str take_word(struct reader *r, size_t min, size_t max,
                            struct str but)
{
	struct str text = take_text(r, min, max);

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		r->is_bad |=
			c < 0x20 || c > 0x7e || str_find(but, c) != SIZE_MAX;
	}
	return text;
}

/* take_name reads the name of a login or a file: no NUL. */
static struct str take_name(struct reader *r, size_t min, size_t max)
{
	struct str text = take_text(r, min, max);

	r->is_bad |= str_find(text, '\0') != SIZE_MAX;
	return text;
}

static struct str take_mailbox_name(struct reader *r)
{
	return take_word(r, 1, IMAP_XAPS_MAILBOX_MAX, STR_NULL);
}

static size_t take_count(struct reader *r, size_t max)
{
	size_t count = take_number(r, 2);

	/* Each takes some octets: what is not there is not made room for. */
	r->is_bad |= count > max || count > r->in.len;
	return r->is_bad ? 0 : count;
}

static void take_whole(struct reader *r, struct imap_login *l)
{
	uint32_t method = take_number(r, 1);
	struct str authzid = take_name(r, 0, IMAP_USER_MAX);
	struct str user = take_name(r, 1, IMAP_USER_MAX);
	struct str password = take_name(r, 0, IMAP_PASSWORD_MAX);

	/* Those with a password: no other is ever kept. */
	r->is_bad |= method > IMAP_LOGIN_LOGIN;
	if (r->is_bad)
		return;
	l->method = (enum imap_login_method)method;
	r->is_bad = imap_login_set(l, authzid, user, password,
	                           IMAP_PASSWORD_MAX) != ERR_OK;
}

static void take_login(struct reader *r, struct message *m,
                       struct message_login *login)
{
	switch (take_number(r, 1)) {
	case LOGIN_NONE:
		break;
	case LOGIN_DIGEST:
		login->digest = take(r, MESSAGE_DIGEST_BYTES);
		break;
	case LOGIN_WHOLE:
		take_whole(r, &m->whole);
		login->whole = &m->whole;
		break;
	default:
		r->is_bad = true;
	}
}

static void take_offer(struct reader *r, struct message *m)
{
	struct message_offer *offer = &m->u.offer;

	offer->topic = take_word(r, 0, MESSAGE_TOPIC_MAX, STR(" "));
	offer->mailboxes_max = take_number(r, 4);
	offer->keeps_logins = take_flag(r);
}

static void take_lookup(struct reader *r, struct message *m)
{
	struct message_lookup *l = &m->u.lookup;

	l->login_name = take_name(r, 1, IMAP_USER_MAX);
	l->count = take_count(r, IMAP_XAPS_MAILBOXES_MAX);
	m->names = xcalloc(l->count, sizeof(*m->names));
	for (size_t i = 0; i < l->count; i++)
		m->names[i] = take_mailbox_name(r);
	l->names = m->names;
}

static void take_mailbox(struct reader *r, struct service_mailbox *m)
{
	uint32_t flags;

	m->name = take_mailbox_name(r);
	flags = take_number(r, 1);
	r->is_bad |= flags > (MAILBOX_PROVED | MAILBOX_STATUS);
	m->proved = (flags & MAILBOX_PROVED) != 0;
	m->has_status = (flags & MAILBOX_STATUS) != 0;
	if (!m->has_status)
		return;
	m->uidvalidity = take_number(r, 4);
	m->uidnext = take_number(r, 4);
	m->messages = take_number(r, 4);
	m->unseen = take_number(r, 4);
}

static struct str take_token(struct reader *r)
{
	struct str token = take_text(r, 1, TOKEN_MAX);

	r->is_bad |= !codec_is_hex(token) || token.len % 2 != 0;
	for (size_t i = 0; i < token.len; i++)
		r->is_bad |= token.data[i] >= 'A' && token.data[i] <= 'F';
	return token;
}

static void take_registration(struct reader *r, struct message *m)
{
	struct service_registration *wish = &m->u.registration.wish;
	struct imap_xaps *command = &m->u.registration.command;

	wish->login_name = take_name(r, 1, IMAP_USER_MAX);
	wish->topic = take_word(r, 1, MESSAGE_TOPIC_MAX, STR(" "));
	command->version = take_number(r, 1);
	r->is_bad |= command->version < 1 || command->version > 2;
	command->account_id = take_word(r, 1, ACCOUNT_ID_MAX, STR("\"\\"));
	command->device_token = take_token(r);
	command->subtopic = take_word(r, 1, SUBTOPIC_MAX, STR_NULL);
	wish->command = command;
	wish->mailbox_count = take_count(r, IMAP_XAPS_MAILBOXES_MAX);
	m->mailboxes = xcalloc(wish->mailbox_count, sizeof(*m->mailboxes));
	for (size_t i = 0; i < wish->mailbox_count; i++)
		take_mailbox(r, &m->mailboxes[i]);
	wish->mailboxes = m->mailboxes;
	take_login(r, m, &m->u.registration.login);
}

static void take_logged_in(struct reader *r, struct message *m)
{
	m->u.logged_in.login_name = take_name(r, 1, IMAP_USER_MAX);
	take_login(r, m, &m->u.logged_in.login);
}

/* take_option: the value is the configuration's to judge. */
static void take_option(struct reader *r, struct message *m)
{
	struct str option = take(r, take_number(r, 4));

	r->is_bad |= option.len == 0 || str_find(option, '\0') != SIZE_MAX;
	m->u.option = option;
}

static void take_file(struct reader *r, struct message *m)
{
	struct message_file *f = &m->u.file;

	f->path = take_name(r, 1, FILE_NAME_MAX);
	f->mode = take_number(r, 4);
	f->text = take(r, take_number(r, 4));
	r->is_bad |= f->text.len > FILES_MAX;
}

static void take_secret(struct reader *r, struct message *m)
{
	m->u.secret = take_text(r, 0, SECRET_MAX);
}

static void take_looked_up(struct reader *r, struct message *m)
{
	struct str proved = take_text(r, 0, IMAP_XAPS_MAILBOXES_MAX);

	for (size_t i = 0; i < proved.len; i++)
		r->is_bad |= proved.data[i] != '\0' && proved.data[i] != '\1';
	m->u.proved = proved;
}

static void take_done(struct reader *r, struct message *m)
{
	m->u.kept = take_flag(r);
}

static const struct row {
	const char *name;
	void (*put)(struct writer *w,
	            const struct message *m); /* or no field */
	void (*take)(struct reader *r, struct message *m);
} rows[] = {
	[MESSAGE_PEER] = { "peer", NULL, NULL },
	[MESSAGE_RELOAD] = { "reload", NULL, NULL },
	[MESSAGE_TICKETS] = { "tickets", put_secret, take_secret },
	[MESSAGE_DRAIN] = { "drain", NULL, NULL },
	[MESSAGE_STOP] = { "stop", NULL, NULL },
	[MESSAGE_READY] = { "ready", NULL, NULL },
	[MESSAGE_RELOADED] = { "reloaded", NULL, NULL },
	[MESSAGE_CULPRIT] = { "culprit", NULL, NULL },
	[MESSAGE_OFFER] = { "offer", put_offer, take_offer },
	[MESSAGE_LOOKUP] = { "lookup", put_lookup, take_lookup },
	[MESSAGE_REGISTER] = { "register", put_registration,
	                       take_registration },
	[MESSAGE_LOGGED_IN] = { "logged-in", put_logged_in, take_logged_in },
	[MESSAGE_LOOKED_UP] = { "looked-up", put_looked_up, take_looked_up },
	[MESSAGE_DONE] = { "done", put_done, take_done },
	[MESSAGE_WANTED] = { "wanted", NULL, NULL },
	[MESSAGE_KEY] = { "key", put_secret, take_secret },
	[MESSAGE_LEAD] = { "lead", NULL, NULL },
	[MESSAGE_INTRODUCE] = { "introduce", NULL, NULL },
	[MESSAGE_PING] = { "ping", NULL, NULL },
	[MESSAGE_PONG] = { "pong", NULL, NULL },
	[MESSAGE_OPTION] = { "option", put_option, take_option },
	[MESSAGE_FILE] = { "file", put_file, take_file },
};

static_assert(sizeof(rows) / sizeof(rows[0]) == MESSAGE_TYPES,
              "every type has its fields");

int message_encode(const struct message *m, struct buf *out)
{
	struct writer w = { out, ERR_OK };
	size_t before = out->len;

	put_number(&w, m->version != 0 ? m->version : MESSAGE_VERSION, 1);
	put_number(&w, (uint32_t)m->type, 1);
	put_number(&w, m->id, 4);
	if (rows[m->type].put != NULL)
		rows[m->type].put(&w, m);
	if (w.rc != ERR_OK)
		buf_cut(out, before);
	return w.rc;
}

int message_decode(struct str in, struct message *m_r)
{
	struct reader r = { in, false };
	struct message m = { 0 };
	uint32_t type;

	r.is_bad |= take_number(&r, 1) != MESSAGE_VERSION;
	type = take_number(&r, 1);
	m.id = take_number(&r, 4);
	if (r.is_bad || type == 0 || type >= MESSAGE_TYPES)
		return ERR_PARSE;
	m.type = (enum message_type)type;
	m.bytes = in.len;
	/* Pointers into a message are to |m_r| itself. */
	*m_r = m;
	if (rows[type].take != NULL)
		rows[type].take(&r, m_r);
	if (!r.is_bad && r.in.len == 0)
		return ERR_OK;
	message_done(m_r);
	return ERR_PARSE;
}

void message_done(struct message *m)
{
	free(m->names);
	free(m->mailboxes);
	imap_login_done(&m->whole);
	*m = (struct message){ 0 };
}

const char *message_name(enum message_type type)
{
	return rows[type].name;
}
