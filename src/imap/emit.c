/* SPDX-License-Identifier: ISC */
/*
 * emit - commands of our own, cut where a server must be waited for. Always
 * {n}, never {n+}: a server that refuses the command has then seen nothing of
 * the octets and cannot run them (RFC 9051 section 4.3).
 */
#include "imap/emit.h"

#include "base/err.h"

void imap_emit_init(struct imap_emit *e, size_t max)
{
	*e = (struct imap_emit){ .sent = 0 };
	buf_init(&e->text, max);
}

void imap_emit_done(struct imap_emit *e)
{
	size_t max = e->text.max;

	buf_reset(&e->text);
	imap_emit_init(e, max);
}

int imap_emit_text(struct imap_emit *e, struct str text)
{
	return buf_add(&e->text, text);
}

int imap_emit_stop(struct imap_emit *e)
{
	if (e->stop_count == IMAP_EMIT_STOPS)
		return ERR_LIMIT;
	e->stops[e->stop_count++] = e->text.len;
	return ERR_OK;
}

/* add_literal appends the announcement, the stop and the octets. */
static int add_literal(struct imap_emit *e, struct str value)
{
	int rc;

	rc = buf_printf(&e->text, "{%zu}\r\n", value.len);
	if (rc == ERR_OK)
		rc = imap_emit_stop(e);
	if (rc == ERR_OK)
		rc = buf_add(&e->text, value);
	return rc;
}

int imap_emit_string(struct imap_emit *e, struct str value)
{
	size_t start = e->text.len;
	unsigned stops = e->stop_count;
	int rc;

	rc = imap_quotable(value) ? imap_quote(value, &e->text)
	                          : add_literal(e, value);
	if (rc != ERR_OK) {
		buf_cut(&e->text, start);
		e->stop_count = stops;
	}
	return rc;
}

struct str imap_emit_next(struct imap_emit *e)
{
	size_t end = e->text.len;
	struct str piece;

	if (e->stop_next < e->stop_count)
		end = e->stops[e->stop_next++];
	piece = str_sub(buf_str(&e->text), e->sent, end - e->sent);
	e->sent = end;
	return piece;
}

bool imap_emit_finished(const struct imap_emit *e)
{
	return e->sent == e->text.len;
}

bool imap_quotable(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.data[i] < 0x20 ||
		    (unsigned char)value.data[i] > 0x7e)
			return false;
	return true;
}

/*
 *   quoted          = DQUOTE *QUOTED-CHAR DQUOTE
 *   QUOTED-CHAR     = <any TEXT-CHAR except quoted-specials> /
 *                     "\" quoted-specials
 *   quoted-specials = DQUOTE / "\"
 */
int imap_quote(struct str value, struct buf *out)
{
	size_t start = out->len;
	size_t plain = 0;
	int rc;

	if (!imap_quotable(value))
		return ERR_PARSE;
	rc = buf_adds(out, "\"");
	while (rc == ERR_OK && value.len > 0) {
		while (plain < value.len && value.data[plain] != '"' &&
		       value.data[plain] != '\\')
			plain++;
		rc = buf_add(out, str_take(&value, plain));
		if (rc == ERR_OK && value.len > 0)
			rc = buf_adds(out, "\\");
		/* The special itself leads the next run. */
		plain = 1;
	}
	if (rc == ERR_OK)
		rc = buf_adds(out, "\"");
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}
