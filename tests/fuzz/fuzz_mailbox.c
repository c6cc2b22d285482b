/* SPDX-License-Identifier: ISC */
/*
 * The name of a mailbox, as a server writes it and as UTF-8. Both ways and back
 * nothing changes, since a name has one spelling; what comes out is what it
 * should be; equal names have equal hashes.
 */
#include <assert.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "fuzz/input.h"
#include "imap/mailbox.h"

#define NAME_MAX_LEN ((size_t)1024 * 1024)

/* utf8_len is the length of the character at the front of |in| (Unicode 15,
 * table 3-7), 0 if there is none. */
static size_t utf8_len(struct str in)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t len;
	} rows[] = {
		{ 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	const unsigned char *c = (const unsigned char *)in.data;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (c[0] < rows[i].first || c[0] > rows[i].last ||
		    in.len < rows[i].len)
			continue;
		if (rows[i].len > 1 &&
		    (c[1] < rows[i].low || c[1] > rows[i].high))
			continue;
		for (size_t j = 2; j < rows[i].len; j++)
			if ((c[j] & 0xc0) != 0x80)
				return 0;
		return rows[i].len;
	}
	return 0;
}

/* is_utf8: and no NUL in it. */
static bool is_utf8(struct str in)
{
	while (in.len > 0) {
		size_t len = utf8_len(in);

		if (len == 0 || in.data[0] == '\0')
			return false;
		(void)str_take(&in, len);
	}
	return true;
}

static bool is_printable(struct str in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.data[i] < 0x20 || in.data[i] > 0x7e)
			return false;
	return true;
}

/* check_back: |out| of |there| is |in| again by the way |back|. */
static void check_back(struct str in, struct str out,
                       int (*back)(struct str, struct buf *))
{
	struct buf again;

	buf_init(&again, NAME_MAX_LEN);
	must(back(out, &again));
	assert(str_eq(buf_str(&again), in));
	buf_reset(&again);
}

static void check_decode(struct str name)
{
	struct buf out;
	int rc;

	buf_init(&out, NAME_MAX_LEN);
	rc = imap_mailbox_utf8(name, &out);
	if (rc == ERR_OK) {
		assert(is_printable(name) && is_utf8(buf_str(&out)));
		check_back(name, buf_str(&out), imap_mailbox_utf7);
	} else {
		assert(rc == ERR_PARSE && out.len == 0);
	}
	buf_reset(&out);
}

static void check_encode(struct str utf8)
{
	struct buf out;
	int rc;

	buf_init(&out, NAME_MAX_LEN);
	rc = imap_mailbox_utf7(utf8, &out);
	assert((rc == ERR_OK) == is_utf8(utf8));
	if (rc == ERR_OK) {
		assert(is_printable(buf_str(&out)));
		check_back(utf8, buf_str(&out), imap_mailbox_utf8);
	} else {
		assert(rc == ERR_PARSE && out.len == 0);
	}
	buf_reset(&out);
}

static void check_hash(struct str name)
{
	char inbox[IMAP_MAILBOX_HASH_LEN + 1];
	char hash[IMAP_MAILBOX_HASH_LEN + 1];
	struct str digits = { hash, IMAP_MAILBOX_HASH_LEN };

	imap_mailbox_hash(name, hash);
	imap_mailbox_hash(STR("INBOX"), inbox);
	assert(hash[IMAP_MAILBOX_HASH_LEN] == '\0' && codec_is_hex(digits));
	assert((strcmp(hash, inbox) == 0) == imap_mailbox_is_inbox(name));
	assert(imap_mailbox_eq(name, name));
	assert(imap_mailbox_eq(name, STR("inbox")) ==
	       imap_mailbox_is_inbox(name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);

	check_decode(in);
	check_encode(in);
	check_hash(in);
	return 0;
}
