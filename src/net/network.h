/* SPDX-License-Identifier: ISC */
/* network - a range of IP addresses: 10.0.0.0/8, 2001:db8::/32, or just one. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "net/address.h"

struct network {
	struct address address; /* the bits behind the prefix are 0, the port */
	unsigned bits;          /* that count */
};

/*
 * network_parse reads ADDRESS or ADDRESS/BITS; bits of the address behind the
 * prefix are ignored. Results: 0; ERR_PARSE.
 */
int network_parse(struct str text, struct network *n_r)
	__attribute__((warn_unused_result));

/* network_of is the network of |bits| in which |a| is, at most all it has. */
struct network network_of(const struct address *a, unsigned bits);

/* network_has tells whether |a| is in |n|; of another family it is not. */
bool network_has(const struct network *n, const struct address *a);

#endif
