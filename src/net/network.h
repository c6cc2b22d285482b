/* SPDX-License-Identifier: ISC */
/* network - a range of IP addresses: 10.0.0.0/8, 2001:db8::/32, or just one. */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/err.h"
#include "base/str.h"

struct network {
	unsigned char family;    /* AF_INET or AF_INET6 */
	unsigned char bits;      /* that count, 0 to 32 or 128 */
	unsigned char bytes[16]; /* in network order, 0 behind |bits| */
};

/*
 * network_parse reads ADDRESS or ADDRESS/BITS. Bits of the address behind the
 * prefix are ignored; an IPv6 address that holds an IPv4 one counts as that.
 * Results: 0; ERR_INVALID.
 */
int network_parse(struct str text, struct network *n_r)
	__attribute__((warn_unused_result));

#endif
