/* SPDX-License-Identifier: ISC */
/*
 * payload - the JSON of a push (RFC 8259), written by hand: two keys, a few
 * hashes. Everything outside printable ASCII is escaped, so that a payload may
 * stand in a log line as it is.
 */
#include "apns/payload.h"

#include <stdbool.h>

#include "imap/mailbox.h"

/* A mailbox in "m": its hash in quotes and a comma. */
#define HASH_ROOM ((size_t)IMAP_MAILBOX_HASH_LEN + 3)

/* The end of every payload: "}}", and "]" behind hashes. */
#define END_ROOM ((size_t)3)

/*
 * take_char moves one character of UTF-8 from the front of |in| (RFC 3629
 * section 4: no overlong form, no surrogate, nothing above U+10FFFF).
 */
static int take_char(struct str *in, uint32_t *char_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)in->data[0];
	uint32_t c = first;
	size_t len = 1;

	if (first >= 0xf0 && first <= 0xf4) {
		len = 4;
		c = first & 0x07U;
	} else if (first >= 0xe0 && first < 0xf0) {
		len = 3;
		c = first & 0x0fU;
	} else if (first >= 0xc2 && first < 0xe0) {
		len = 2;
		c = first & 0x1fU;
	} else if (first >= 0x80) {
		return ERR_PARSE;
	}
	if (len > in->len)
		return ERR_PARSE;
	for (size_t i = 1; i < len; i++) {
		unsigned char next = (unsigned char)in->data[i];

		if ((next & 0xc0) != 0x80)
			return ERR_PARSE;
		c = c << 6 | (next & 0x3fU);
	}
	if (c < least[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return ERR_PARSE;
	(void)str_take(in, len);
	*char_r = c;
	return 0;
}

/* RFC 8259 section 7: a character outside the Basic Multilingual Plane is
 * escaped as a pair of surrogates. */
static int add_char(struct buf *out, uint32_t c)
{
	char plain = (char)c;

	if (c == '"' || c == '\\')
		return buf_printf(out, "\\%c", plain);
	if (c >= 0x20 && c < 0x7f)
		return buf_append(out, &plain, 1);
	if (c < 0x10000)
		return buf_printf(out, "\\u%04x", c);
	c -= 0x10000;
	return buf_printf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10),
	                  0xdc00 + (c & 0x3ffU));
}

static int add_string(struct buf *out, struct str s)
{
	int rc = buf_adds(out, "\"");

	while (rc == 0 && s.len > 0) {
		uint32_t c;

		rc = take_char(&s, &c);
		if (rc == 0)
			rc = add_char(out, c);
	}
	return rc == 0 ? buf_adds(out, "\"") : rc;
}

/* is_inbox_only: nothing but INBOX changed, which needs no "m". */
static bool is_inbox_only(const struct push_job *job)
{
	for (size_t i = 0; i < job->mailbox_count; i++)
		if (!imap_mailbox_is_inbox(job->mailboxes[i]))
			return false;
	return true;
}

/* add_hashes adds those mailboxes that are INBOX, or those that are not, as
 * far as they fit. |*count| counts what is listed. */
static int add_hashes(struct buf *out, const struct push_job *job, bool inbox,
                      size_t *count)
{
	for (size_t i = 0; i < job->mailbox_count; i++) {
		char hash[IMAP_MAILBOX_HASH_LEN + 1];
		int rc;

		if (imap_mailbox_is_inbox(job->mailboxes[i]) != inbox)
			continue;
		if (out->max - out->len < HASH_ROOM + END_ROOM)
			return 0;
		imap_mailbox_hash(job->mailboxes[i], hash);
		rc = buf_printf(out, "%s\"%s\"", *count > 0 ? "," : "", hash);
		if (rc != 0)
			return rc;
		(*count)++;
	}
	return 0;
}

/* add_mailboxes adds the key "m", or nothing if not even one hash fits. */
static int add_mailboxes(struct buf *out, const struct push_job *job)
{
	struct str key = STR(",\"m\":[");
	size_t count = 0;
	int rc;

	if (out->max - out->len < key.len + HASH_ROOM + END_ROOM)
		return 0;
	rc = buf_add(out, key);
	if (rc == 0)
		rc = add_hashes(out, job, true, &count);
	if (rc == 0)
		rc = add_hashes(out, job, false, &count);
	return rc == 0 ? buf_adds(out, "]") : rc;
}

int apns_payload_render(const struct push_job *job, struct buf *out)
{
	int rc;

	rc = buf_adds(out, "{\"aps\":{\"account-id\":");
	if (rc == 0)
		rc = add_string(out, job->account_id);
	if (rc == 0 && job->version >= 2 && !is_inbox_only(job))
		rc = add_mailboxes(out, job);
	if (rc == 0)
		rc = buf_adds(out, "}}");
	return rc;
}
