/* SPDX-License-Identifier: ISC */
/* network - see network.h. CIDR notation: RFC 4632, RFC 4291 section 2.3. */
#include "net/network.h"

#include <string.h>

/* What stands before an IPv4 address in IPv6 clothes, RFC 4291 section
 * 2.5.5.2; address_parse takes it away. */
enum { MAPPED_BITS = 96 };

struct network network_of(const struct address *a, unsigned bits)
{
	const unsigned all = 8 * (unsigned)address_len(a);
	struct network n = { .address = *a, .bits = bits < all ? bits : all };

	n.address.port = 0;
	for (unsigned i = 0; i < address_len(a); i++) {
		unsigned keep = n.bits > 8 * i ? n.bits - 8 * i : 0;

		if (keep < 8)
			n.address.bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
	return n;
}

int network_parse(struct str text, struct network *n_r)
{
	const size_t slash = str_find(text, '/');
	struct str host = str_take(&text, slash == SIZE_MAX ? text.len : slash);
	unsigned before = 0;
	struct address a;
	uint64_t bits;
	unsigned all;

	if (address_parse(host, &a) != ERR_OK)
		return ERR_PARSE;
	if (a.family == AF_INET && str_find(host, ':') != SIZE_MAX)
		before = MAPPED_BITS;
	all = before + 8 * (unsigned)address_len(&a);
	bits = all;
	if (str_byte(&text, '/') && (str_number(&text, all, &bits) != ERR_OK ||
	                             text.len > 0 || bits < before))
		return ERR_PARSE;
	*n_r = network_of(&a, (unsigned)bits - before);
	return ERR_OK;
}

bool network_has(const struct network *n, const struct address *a)
{
	const struct network its = network_of(a, n->bits);

	return a->family == n->address.family && its.bits == n->bits &&
	       memcmp(its.address.bytes, n->address.bytes, address_len(a)) == 0;
}
