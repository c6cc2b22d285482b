/* SPDX-License-Identifier: ISC */
/* network - see network.h. CIDR notation: RFC 4632, RFC 4291 section 2.3. */
#include "net/network.h"

#include <arpa/inet.h>
#include <string.h>

/* An IPv4 address in IPv6's clothes: RFC 4291 section 2.5.5.2. */
static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Turns ::ffff:a.b.c.d/96+n into a.b.c.d/n. */
static void unmap(struct network *n)
{
	if (n->family != AF_INET6 || n->bits < 8 * sizeof(mapped) ||
	    memcmp(n->bytes, mapped, sizeof(mapped)) != 0)
		return;
	n->family = AF_INET;
	n->bits = (unsigned char)(n->bits - 8 * sizeof(mapped));
	memmove(n->bytes, n->bytes + sizeof(mapped), 4);
	memset(n->bytes + 4, 0, sizeof(n->bytes) - 4);
}

/* Clears what lies behind the prefix. */
static void mask(struct network *n)
{
	for (unsigned i = 0; i < sizeof(n->bytes); i++) {
		unsigned keep = n->bits > 8 * i ? n->bits - 8 * i : 0;

		if (keep < 8)
			n->bytes[i] &= (unsigned char)(0xff00 >> keep);
	}
}

int network_parse(struct str text, struct network *n_r)
{
	struct network n = { .family = AF_INET, .bits = 32 };
	char host[INET6_ADDRSTRLEN];
	size_t slash = str_find(text, '/');
	struct str address =
		str_take(&text, slash == SIZE_MAX ? text.len : slash);
	uint64_t bits;

	if (address.len >= sizeof(host) || str_find(address, '\0') != SIZE_MAX)
		return ERR_INVALID;
	memcpy(host, address.data, address.len);
	host[address.len] = '\0';
	if (inet_pton(AF_INET, host, n.bytes) != 1) {
		n = (struct network){ .family = AF_INET6, .bits = 128 };
		if (inet_pton(AF_INET6, host, n.bytes) != 1)
			return ERR_INVALID;
	}
	if (str_byte(&text, '/')) {
		if (str_number(&text, n.bits, &bits) != 0 || text.len > 0)
			return ERR_INVALID;
		n.bits = (unsigned char)bits;
	}
	unmap(&n);
	mask(&n);
	*n_r = n;
	return ERR_OK;
}
