/* SPDX-License-Identifier: ISC */
/*
 * proxy_protocol - https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt,
 * sections 2.1 (version 1) and 2.2 (version 2). What follows the addresses of
 * version 2 is checked for its lengths and skipped.
 */
#include "net/proxy_protocol.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

enum {
	V2_FIXED = 16, /* signature, version and command, family, length */
	V2_LOCAL = 0x20,
	V2_PROXY = 0x21,
	V2_UNSPEC = 0x00,
	V2_TCP4 = 0x11,
	V2_TCP6 = 0x21,
	V2_UNIX = 0x31,
	V2_UNIX_LEN = 216,
	V2_TLV = 3,            /* an extra: its type and its length */
	V2_SSL = 0x20,         /* how the client came, section 2.2.6 */
	V2_SSL_LEN = 5,        /* client, verify in four octets, more extras */
	V2_CLIENT_SSL = 0x01,  /* by TLS */
	V2_SSL_VERSION = 0x21, /* which must be told then */
	V2_SSL_VERSION_MAX = 16,
};

static const struct str v1_signature = { "PROXY ", 6 };
static const struct str v2_signature = { "\r\n\r\n\0\r\nQUIT\n", 12 };

/* are_known: both ends are known, and in one family. */
static bool are_known(const struct address *from, const struct address *to)
{
	return from != NULL && to != NULL && from->family == to->family &&
	       address_len(from) > 0;
}

static int emit_v1(const struct address *from, const struct address *to,
                   struct buf *out)
{
	char source[ADDRESS_TEXT_MAX];
	char target[ADDRESS_TEXT_MAX];
	unsigned int from_port;
	unsigned int to_port;

	if (!are_known(from, to))
		return buf_adds(out, "PROXY UNKNOWN\r\n");
	address_print_host(from, source, sizeof(source));
	address_print_host(to, target, sizeof(target));
	from_port = from->port;
	to_port = to->port;
	return buf_printf(out, "PROXY %s %s %s %u %u\r\n",
	                  from->family == AF_INET ? "TCP4" : "TCP6", source,
	                  target, from_port, to_port);
}

/* put_port writes |port| in network order. */
static unsigned char *put_port(unsigned char *at, uint16_t port)
{
	at[0] = (unsigned char)(port >> 8);
	at[1] = (unsigned char)(port & 0xff);
	return at + 2;
}

/* put_tlv writes what stands before |len| octets of an extra. */
static unsigned char *put_tlv(unsigned char *at, unsigned char type, size_t len)
{
	at[0] = type;
	at[2] = (unsigned char)len;
	return at + V2_TLV;
}

/* put_tls writes that the client came by TLS of |version|, and that no
 * certificate of its own was verified. */
static unsigned char *put_tls(unsigned char *at, struct str version)
{
	assert(version.len <= V2_SSL_VERSION_MAX);
	at = put_tlv(at, V2_SSL, V2_SSL_LEN + V2_TLV + version.len);
	at[0] = V2_CLIENT_SSL;
	at[4] = 1;
	at = put_tlv(at + V2_SSL_LEN, V2_SSL_VERSION, version.len);
	memcpy(at, version.data, version.len);
	return at + version.len;
}

static int emit_v2(const struct address *from, const struct address *to,
                   struct str tls, struct buf *out)
{
	unsigned char header[V2_FIXED + 2 * sizeof(from->bytes) + 4 + V2_TLV +
	                     V2_SSL_LEN + V2_TLV + V2_SSL_VERSION_MAX] = { 0 };
	unsigned char *at = header + V2_FIXED;
	bool known = are_known(from, to);
	size_t len = known ? address_len(from) : 0;

	memcpy(header, v2_signature.data, v2_signature.len);
	header[12] = known ? V2_PROXY : V2_LOCAL;
	if (known) {
		header[13] = from->family == AF_INET ? V2_TCP4 : V2_TCP6;
		memcpy(at, from->bytes, len);
		memcpy(at + len, to->bytes, len);
		at = put_port(put_port(at + 2 * len, from->port), to->port);
		if (tls.len > 0)
			at = put_tls(at, tls);
		header[15] = (unsigned char)(at - header - V2_FIXED);
	}
	return buf_append(out, header, (size_t)(at - header));
}

int proxy_protocol_emit(enum proxy_version version, const struct address *from,
                        const struct address *to, struct str tls,
                        struct buf *out)
{
	return version == PROXY_V1 ? emit_v1(from, to, out)
	                           : emit_v2(from, to, tls, out);
}

/* take_word takes what stands before the next |end|, and |end| itself. */
static int take_word(struct str *in, char end, struct str *word_r)
{
	size_t at = str_find(*in, end);

	if (at == SIZE_MAX || at == 0)
		return ERR_PARSE;
	*word_r = str_take(in, at);
	(void)str_byte(in, end);
	return ERR_OK;
}

/* v1_host reads an address of the family that |proto| names. */
static int v1_host(struct str proto, struct str text, struct address *a_r)
{
	bool has_colon = str_find(text, ':') != SIZE_MAX;

	if (has_colon != str_eq(proto, STR("TCP6")))
		return ERR_PARSE;
	return address_parse(text, a_r);
}

/* v1_port reads 0 to 65535 as a decimal without leading zeros. */
static int v1_port(struct str text, uint16_t *port_r)
{
	uint64_t port;

	if (text.len > 1 && text.data[0] == '0')
		return ERR_PARSE;
	if (str_number(&text, UINT16_MAX, &port) != ERR_OK || text.len > 0)
		return ERR_PARSE;
	*port_r = (uint16_t)port;
	return ERR_OK;
}

/*
 *   "PROXY" SP ("TCP4" / "TCP6") SP address SP address SP port SP port CRLF
 *   "PROXY UNKNOWN" anything CRLF
 * |line| is what stands behind the first space, without CRLF.
 */
static int v1_line(struct str line, struct proxy_header *h_r)
{
	struct proxy_header h = { .version = PROXY_V1 };
	struct str word[4];
	struct str proto;

	if (str_starts(line, STR("UNKNOWN")) &&
	    (line.len == 7 || line.data[7] == ' ')) {
		h.is_local = true;
		*h_r = h;
		return ERR_OK;
	}
	if (take_word(&line, ' ', &proto) != ERR_OK ||
	    take_word(&line, ' ', &word[0]) != ERR_OK ||
	    take_word(&line, ' ', &word[1]) != ERR_OK ||
	    take_word(&line, ' ', &word[2]) != ERR_OK)
		return ERR_PARSE;
	word[3] = line;
	if (!str_eq(proto, STR("TCP4")) && !str_eq(proto, STR("TCP6")))
		return ERR_PARSE;
	if (v1_host(proto, word[0], &h.from) != ERR_OK ||
	    v1_host(proto, word[1], &h.to) != ERR_OK ||
	    v1_port(word[2], &h.from.port) != ERR_OK ||
	    v1_port(word[3], &h.to.port) != ERR_OK)
		return ERR_PARSE;
	*h_r = h;
	return ERR_OK;
}

static int parse_v1(struct str in, size_t *used_r, struct proxy_header *h_r)
{
	struct str head = str_sub(in, 0, PROXY_V1_MAX);
	size_t end = str_find(head, '\n');
	int rc;

	if (end == SIZE_MAX)
		return head.len < PROXY_V1_MAX ? ERR_MORE : ERR_PARSE;
	if (end <= v1_signature.len || head.data[end - 1] != '\r')
		return ERR_PARSE;
	rc = v1_line(
		str_sub(head, v1_signature.len, end - 1 - v1_signature.len),
		h_r);
	if (rc == ERR_OK)
		*used_r = end + 1;
	return rc;
}

static unsigned int get_16(struct str in)
{
	const unsigned char *at = (const unsigned char *)in.data;

	return ((unsigned int)at[0] << 8) | at[1];
}

/* v2_extras: type, length in two octets and that many more, to the end. */
static bool v2_extras(struct str in)
{
	while (in.len >= 3) {
		size_t len = get_16(str_sub(in, 1, 2));

		(void)str_take(&in, 3);
		if (len > in.len)
			return false;
		(void)str_take(&in, len);
	}
	return in.len == 0;
}

/* v2_end reads an address of |family| in all its octets. */
static void v2_end(uint8_t family, struct str bytes, struct address *a_r)
{
	*a_r = (struct address){ .family = family };
	if (family == AF_INET6)
		address_set_six(a_r, (const uint8_t *)bytes.data);
	else
		memcpy(a_r->bytes, bytes.data, bytes.len);
}

/* v2_addresses reads both ends from |body|, and looks at what follows. */
static int v2_addresses(uint8_t family, struct str body, struct proxy_header *h)
{
	size_t len = family == AF_INET ? 4 : 16;

	if (body.len < 2 * len + 4)
		return ERR_PARSE;
	v2_end(family, str_take(&body, len), &h->from);
	v2_end(family, str_take(&body, len), &h->to);
	h->from.port = (uint16_t)get_16(str_take(&body, 2));
	h->to.port = (uint16_t)get_16(str_take(&body, 2));
	return v2_extras(body) ? ERR_OK : ERR_PARSE;
}

/* v2_body reads what the fixed part announced. */
static int v2_body(unsigned char command, unsigned char family, struct str body,
                   struct proxy_header *h)
{
	h->is_local = command == V2_LOCAL;
	if (h->is_local)
		return ERR_OK;
	switch (family) {
	case V2_TCP4:
		return v2_addresses(AF_INET, body, h);
	case V2_TCP6:
		return v2_addresses(AF_INET6, body, h);
	case V2_UNIX:
		h->is_local = true;
		if (body.len < V2_UNIX_LEN)
			return ERR_PARSE;
		(void)str_take(&body, V2_UNIX_LEN);
		return v2_extras(body) ? ERR_OK : ERR_PARSE;
	case V2_UNSPEC:
		h->is_local = true;
		return ERR_OK;
	default:
		return ERR_PARSE;
	}
}

static int parse_v2(struct str in, size_t *used_r, struct proxy_header *h_r)
{
	struct proxy_header h = { .version = PROXY_V2 };
	unsigned char command;
	size_t len;
	int rc;

	if (in.len < V2_FIXED)
		return ERR_MORE;
	command = (unsigned char)in.data[12];
	len = V2_FIXED + (size_t)get_16(str_sub(in, 14, 2));
	if ((command != V2_LOCAL && command != V2_PROXY) || len > PROXY_V2_MAX)
		return ERR_PARSE;
	if (in.len < len)
		return ERR_MORE;
	rc = v2_body(command, (unsigned char)in.data[13],
	             str_sub(in, V2_FIXED, len - V2_FIXED), &h);
	if (rc != ERR_OK)
		return rc;
	*used_r = len;
	*h_r = h;
	return ERR_OK;
}

/* may_be: |in| starts with |signature|, as far as it goes. */
static bool may_be(struct str in, struct str signature)
{
	return str_starts(signature, str_sub(in, 0, signature.len));
}

int proxy_protocol_parse(struct str in, size_t *used_r,
                         struct proxy_header *h_r)
{
	if (may_be(in, v1_signature))
		return in.len < v1_signature.len ? ERR_MORE
		                                 : parse_v1(in, used_r, h_r);
	if (may_be(in, v2_signature))
		return in.len < v2_signature.len ? ERR_MORE
		                                 : parse_v2(in, used_r, h_r);
	return ERR_PARSE;
}
