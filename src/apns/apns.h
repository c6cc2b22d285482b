/* SPDX-License-Identifier: ISC */
/*
 * apns - the transport to Apple: one warm HTTP/2 connection, opened when the
 * first push is due and kept; requests only after SETTINGS; every answer turned
 * into a verdict. In dry-run each push is logged and counted as delivered.
 */
#ifndef APNS_APNS_H
#define APNS_APNS_H

#include <stdbool.h>
#include <stdint.h>

#include "apns/credential.h"
#include "base/err.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "push/transport.h"

struct apns;
struct files;

struct apns_opts {
	const char *url;            /* https://host[:port], or "dry-run" */
	const char *topic;          /* the credential's; NULL: any */
	const char *ca_file;        /* NULL: the system's store */
	const struct files *files;  /* |ca_file| is looked for there first */
	const char *push_type;      /* "background" */
	unsigned priority;          /* 5; 0: header left out */
	unsigned expiration_s;      /* 86400 */
	unsigned request_timeout_s; /* 15 */
	unsigned retry_s;           /* 900 */
	unsigned in_flight_max;     /* 250 */
};

/*
 * apns_new makes the transport; nothing is dialled before it is needed.
 * |credential| may be NULL for dry-run only; it is copied as far as needed.
 * Results: 0; ERR_INVALID with a sentence (url), or as tls_client_new.
 */
int apns_new(struct loop *loop, struct resolver *resolver,
             const struct apns_opts *opts, const struct credential *credential,
             struct apns **a_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * apns_renew sends with |credential| and |opts|, but for their url, from now
 * on: what is in flight ends on the connection that there is, what follows goes
 * over a new one. Results: 0; as tls_client_new, nothing has changed.
 */
int apns_renew(struct apns *a, const struct apns_opts *opts,
               const struct credential *credential, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* apns_free ends the connection; open pushes end as PUSH_AGAIN from inside
 * this call. */
void apns_free(struct apns **a);

/* apns_transport is what the queue sends with; lives as long as |a|. */
struct push_transport *apns_transport(struct apns *a);

#endif
