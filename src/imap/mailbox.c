/* SPDX-License-Identifier: ISC */
/*
 * mailbox - INBOX in any case, modified UTF-7 (RFC 3501 section 5.1.3) with
 * UTF-16 (RFC 2781) and UTF-8 (RFC 3629), and the hash that iOS compares.
 * Strict both ways: a name has one spelling, the others are not valid.
 */
#include "imap/mailbox.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/err.h"

bool imap_mailbox_is_inbox(struct str name)
{
	return str_ieq(name, STR("INBOX"));
}

struct str imap_mailbox_key(struct str name)
{
	return imap_mailbox_is_inbox(name) ? STR("INBOX") : name;
}

bool imap_mailbox_eq(struct str a, struct str b)
{
	return str_eq(a, b) ||
	       (imap_mailbox_is_inbox(a) && imap_mailbox_is_inbox(b));
}

/* RFC 3501: "modified BASE64 is a further modification of BASE64, with "," used
 * instead of "/"". */
static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* stands_for_itself: printable US-ASCII, "&" included, is never encoded. */
static bool stands_for_itself(uint32_t code)
{
	return code >= 0x20 && code <= 0x7e;
}

static bool is_high(uint32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(uint32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* add_utf8 appends the character |code|, which is no surrogate. */
static int add_utf8(uint32_t code, struct buf *out)
{
	unsigned char bytes[4];
	size_t len = code < 0x80      ? 1
	             : code < 0x800   ? 2
	             : code < 0x10000 ? 3
	                              : 4;
	static const unsigned char marks[] = { 0x00, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len - 1; i > 0; i--) {
		bytes[i] = (unsigned char)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	bytes[0] = (unsigned char)(marks[len - 1] | code);
	return buf_append(out, bytes, len);
}

/* What was read of an encoded run. */
struct shift {
	uint32_t bits;
	unsigned bit_count;
	uint32_t high; /* surrogate that waits for its other half, or 0 */
	bool empty;
};

/* add_unit takes one UTF-16 unit. */
static int add_unit(struct shift *s, uint32_t unit, struct buf *out)
{
	uint32_t code = unit;

	s->empty = false;
	if (s->high != 0) {
		if (!is_low(unit))
			return ERR_PARSE;
		code = 0x10000 + ((s->high - 0xd800) << 10) + (unit - 0xdc00);
		s->high = 0;
	} else if (is_high(unit)) {
		s->high = unit;
		return ERR_OK;
	} else if (is_low(unit) || unit == 0 || stands_for_itself(unit)) {
		return ERR_PARSE;
	}
	return add_utf8(code, out);
}

/* add_digit takes six bits more. */
static int add_digit(struct shift *s, size_t value, struct buf *out)
{
	s->bits = s->bits << 6 | (uint32_t)value;
	s->bit_count += 6;
	if (s->bit_count < 16)
		return ERR_OK;
	s->bit_count -= 16;
	return add_unit(s, s->bits >> s->bit_count & 0xffff, out);
}

/* is_shift_done: no half of anything is left, and the fill bits are zero. */
static bool is_shift_done(const struct shift *s)
{
	return !s->empty && s->high == 0 && s->bit_count < 6 &&
	       (s->bits & ((1U << s->bit_count) - 1)) == 0;
}

/*
 * RFC 3501 section 5.1.3: "&" begins modified BASE64 and "-" ends it; "null
 * shifts ("-&" while in BASE64; note that "&-" while in US-ASCII means "&")
 * are not permitted".
 */
static int decode_shift(struct str *in, struct buf *out)
{
	struct shift s = { .empty = true };
	struct str run = str_take(in, str_find(*in, '-'));
	int rc = ERR_OK;

	if (!str_byte(in, '-'))
		return ERR_PARSE;
	if (run.len == 0)
		return buf_adds(out, "&");
	for (size_t i = 0; i < run.len && rc == ERR_OK; i++) {
		size_t value = str_find(str_of(digits), run.data[i]);

		rc = value < 64 ? add_digit(&s, value, out) : ERR_PARSE;
	}
	if (rc != ERR_OK)
		return rc;
	if (!is_shift_done(&s))
		return ERR_PARSE;
	return str_starts(*in, STR("&")) && !str_starts(*in, STR("&-"))
	               ? ERR_PARSE
	               : ERR_OK;
}

int imap_mailbox_utf8(struct str name, struct buf *out)
{
	size_t start = out->len;
	int rc = ERR_OK;

	while (name.len > 0 && rc == ERR_OK) {
		struct str one = str_take(&name, 1);

		if (one.data[0] == '&')
			rc = decode_shift(&name, out);
		else if (stands_for_itself((unsigned char)one.data[0]))
			rc = buf_add(out, one);
		else
			rc = ERR_PARSE;
	}
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

/*
 * RFC 3629 section 4: take_utf8 takes one character from |in|. No overlong
 * forms, no surrogates, nothing above U+10FFFF; and no NUL.
 */
static int take_utf8(struct str *in, uint32_t *code_r)
{
	static const struct {
		unsigned char mask, mark;
		uint32_t least;
	} forms[] = { { 0x80, 0x00, 1 },
		      { 0xe0, 0xc0, 0x80 },
		      { 0xf0, 0xe0, 0x800 },
		      { 0xf8, 0xf0, 0x10000 } };

	unsigned char lead = (unsigned char)in->data[0];
	size_t more = 0;
	uint32_t code;

	while (more < 4 && (lead & forms[more].mask) != forms[more].mark)
		more++;
	if (more == 4 || more >= in->len)
		return ERR_PARSE;
	code = lead & (unsigned char)~forms[more].mask;
	for (size_t i = 1; i <= more; i++) {
		unsigned char next = (unsigned char)in->data[i];

		if ((next & 0xc0) != 0x80)
			return ERR_PARSE;
		code = code << 6 | (next & 0x3f);
	}
	if (code < forms[more].least || code > 0x10ffff || is_high(code) ||
	    is_low(code))
		return ERR_PARSE;
	(void)str_take(in, more + 1);
	*code_r = code;
	return ERR_OK;
}

/* encode_unit appends the digits that one UTF-16 unit completes. */
static int encode_unit(struct shift *s, uint32_t unit, struct buf *out)
{
	int rc = ERR_OK;

	s->bits = s->bits << 16 | unit;
	s->bit_count += 16;
	while (s->bit_count >= 6 && rc == ERR_OK) {
		s->bit_count -= 6;
		rc = buf_append(out, &digits[s->bits >> s->bit_count & 63], 1);
	}
	return rc;
}

/* encode_char appends |code| to an encoded run. */
static int encode_char(struct shift *s, uint32_t code, struct buf *out)
{
	int rc;

	if (code < 0x10000)
		return encode_unit(s, code, out);
	code -= 0x10000;
	rc = encode_unit(s, 0xd800 + (code >> 10), out);
	return rc == ERR_OK ? encode_unit(s, 0xdc00 + (code & 0x3ff), out) : rc;
}

/* encode_shift encodes the run of characters that cannot stand for
 * themselves. */
static int encode_shift(struct str *in, struct buf *out)
{
	struct shift s = { .empty = true };
	int rc;

	rc = buf_adds(out, "&");
	while (rc == ERR_OK && in->len > 0 &&
	       !stands_for_itself((unsigned char)in->data[0])) {
		uint32_t code;

		rc = take_utf8(in, &code);
		if (rc == ERR_OK)
			rc = encode_char(&s, code, out);
	}
	if (rc == ERR_OK && s.bit_count > 0)
		rc = buf_append(out, &digits[s.bits << (6 - s.bit_count) & 63],
		                1);
	return rc == ERR_OK ? buf_adds(out, "-") : rc;
}

int imap_mailbox_utf7(struct str utf8, struct buf *out)
{
	size_t start = out->len;
	int rc = ERR_OK;

	while (utf8.len > 0 && rc == ERR_OK) {
		if (!stands_for_itself((unsigned char)utf8.data[0]))
			rc = encode_shift(&utf8, out);
		else if (str_byte(&utf8, '&'))
			rc = buf_adds(out, "&-");
		else
			rc = buf_add(out, str_take(&utf8, 1));
	}
	if (rc != ERR_OK)
		buf_cut(out, start);
	return rc;
}

/*
 * md5 is fetched past a FIPS policy: here it names mailboxes, and protects
 * nothing. Results: 0; ERR_UNAVAILABLE.
 */
static int md5(struct str in, unsigned char digest_r[16])
{
	EVP_MD *algorithm = EVP_MD_fetch(NULL, "MD5", "-fips");
	int ok = algorithm != NULL &&
	         EVP_Digest(in.data, in.len, digest_r, NULL, algorithm, NULL);

	EVP_MD_free(algorithm);
	return ok ? ERR_OK : ERR_UNAVAILABLE;
}

void imap_mailbox_hash(struct str name, char hash_r[IMAP_MAILBOX_HASH_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char digest[IMAP_MAILBOX_HASH_LEN / 2];
	struct buf utf8;

	/* Three octets of UTF-8 for 8/3 digits, at most. */
	buf_init(&utf8, name.len * 2);
	if (imap_mailbox_is_inbox(name))
		name = STR("INBOX");
	else if (imap_mailbox_utf8(name, &utf8) == ERR_OK)
		name = buf_str(&utf8);
	if (md5(name, digest) != ERR_OK)
		memset(digest, 0, sizeof(digest));
	for (size_t i = 0; i < sizeof(digest); i++) {
		hash_r[2 * i] = hex[digest[i] >> 4];
		hash_r[2 * i + 1] = hex[digest[i] & 15];
	}
	hash_r[IMAP_MAILBOX_HASH_LEN] = '\0';
	buf_reset(&utf8);
}
