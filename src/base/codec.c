/* SPDX-License-Identifier: ISC */
/* codec - base64 (RFC 4648 section 4) and hexadecimal. */
#include "base/codec.h"

#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_digits[] = "0123456789abcdef";

/* room_of tells how many bytes |out| still takes. */
static size_t room_of(const struct buf *out)
{
	return out->len < out->max ? out->max - out->len : 0;
}

/* roll_back returns |out| to |len| bytes and |rc| to the caller. */
static int roll_back(struct buf *out, size_t len, int rc)
{
	buf_cut(out, len);
	return rc;
}

/* encode_group writes the four digits of one to three bytes at |in|. */
static void encode_group(const char *in, size_t len, char digits[4])
{
	uint32_t bits = (uint32_t)(unsigned char)in[0] << 16;

	if (len > 1)
		bits |= (uint32_t)(unsigned char)in[1] << 8;
	if (len > 2)
		bits |= (uint32_t)(unsigned char)in[2];
	digits[0] = base64_digits[bits >> 18 & 63];
	digits[1] = base64_digits[bits >> 12 & 63];
	digits[2] = len > 1 ? base64_digits[bits >> 6 & 63] : '=';
	digits[3] = len > 2 ? base64_digits[bits & 63] : '=';
}

int codec_base64(struct str in, struct buf *out)
{
	size_t start = out->len;
	size_t groups = in.len / 3 + (in.len % 3 != 0);
	int rc = ERR_OK;

	/* Divide, never multiply: groups * 4 may wrap. */
	if (groups > room_of(out) / 4)
		return ERR_LIMIT;
	while (in.len > 0 && rc == ERR_OK) {
		struct str group = str_take(&in, 3);
		char digits[4];

		encode_group(group.data, group.len, digits);
		rc = buf_append(out, digits, sizeof(digits));
	}
	return rc == ERR_OK ? ERR_OK : roll_back(out, start, rc);
}

/* digit_value returns 0 to 63, or -1 for what is no base64 digit. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/*
 * decode_group reads four digits, of which |pad| at the end are '=', into
 * 3 - |pad| bytes. Results: 0; ERR_PARSE, also when bits that encode nothing
 * are set (RFC 4648 section 3.5): one content has one encoding.
 */
static int decode_group(struct str digits, size_t pad, char bytes[3])
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - pad ? digit_value(digits.data[i]) : 0;

		if (value < 0)
			return ERR_PARSE;
		bits = bits << 6 | (uint32_t)value;
	}
	if (pad > 0 && (bits & ((1U << 8 * pad) - 1)) != 0)
		return ERR_PARSE;
	bytes[0] = (char)(unsigned char)(bits >> 16 & 255);
	bytes[1] = (char)(unsigned char)(bits >> 8 & 255);
	bytes[2] = (char)(unsigned char)(bits & 255);
	return ERR_OK;
}

/* padding_of counts the '=' that end |in|, at most two. */
static size_t padding_of(struct str in)
{
	if (str_ends(in, STR("==")))
		return 2;
	return str_ends(in, STR("=")) ? 1 : 0;
}

int codec_unbase64(struct str in, struct buf *out)
{
	size_t start = out->len;
	size_t last_pad = padding_of(in);
	char bytes[3];
	int rc = ERR_OK;

	if (in.len % 4 != 0)
		return ERR_PARSE;
	while (in.len > 0 && rc == ERR_OK) {
		struct str group = str_take(&in, 4);
		size_t pad = in.len == 0 ? last_pad : 0;

		rc = decode_group(group, pad, bytes);
		if (rc == ERR_OK)
			rc = buf_append(out, bytes, 3 - pad);
	}
	mem_wipe(bytes, sizeof(bytes)); /* SASL passwords come this way */
	return rc == ERR_OK ? ERR_OK : roll_back(out, start, rc);
}

int codec_hex(struct str in, struct buf *out)
{
	size_t start = out->len;
	int rc = ERR_OK;

	if (in.len > room_of(out) / 2)
		return ERR_LIMIT;
	for (size_t i = 0; i < in.len && rc == ERR_OK; i++) {
		unsigned char byte = (unsigned char)in.data[i];
		char digits[2] = { hex_digits[byte >> 4],
			           hex_digits[byte & 15] };

		rc = buf_append(out, digits, sizeof(digits));
	}
	return rc == ERR_OK ? ERR_OK : roll_back(out, start, rc);
}

bool codec_is_hex(struct str in)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		      (c >= 'A' && c <= 'F')))
			return false;
	}
	return in.len > 0;
}
