/* SPDX-License-Identifier: ISC */
/*
 * proxy_protocol - the header in front of a connection that says who is really
 * behind it (HAProxy's PROXY protocol, versions 1 and 2). Bytes only.
 */
#ifndef NET_PROXY_PROTOCOL_H
#define NET_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "net/address.h"

enum proxy_version { PROXY_V1 = 1, PROXY_V2 = 2 };

/* Longer ones are no headers: version 1 by its specification, version 2 by
 * what sane peers put behind the addresses. */
#define PROXY_V1_MAX ((size_t)107)
#define PROXY_V2_MAX ((size_t)16 + 2048)

struct proxy_header {
	enum proxy_version version;
	/* The sender speaks for itself, or does not know: the addresses of the
	 * connection itself are the ones. */
	bool is_local;
	struct address from; /* not |is_local|: the client */
	struct address to;   /* and what it connected to */
};

/*
 * proxy_protocol_emit appends a header. |from| and |to| NULL, or not of one IP
 * family: the connection is our own (LOCAL, or UNKNOWN in version 1). |tls| is
 * the version of TLS by which the client came, as "TLSv1.3", or empty; version
 * 1 of the header cannot say that. Results: 0; ERR_LIMIT.
 */
int proxy_protocol_emit(enum proxy_version version, const struct address *from,
                        const struct address *to, struct str tls,
                        struct buf *out) __attribute__((warn_unused_result));

/*
 * proxy_protocol_parse reads the header at the front of |in|, which is never
 * changed; |*used_r| octets are the header's. Results: 0; ERR_MORE, all of |in|
 * may be the beginning of one; ERR_PARSE, it is none or not for TCP.
 */
int proxy_protocol_parse(struct str in, size_t *used_r,
                         struct proxy_header *h_r)
	__attribute__((warn_unused_result));

#endif
