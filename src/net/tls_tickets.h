/* SPDX-License-Identifier: ISC */
/*
 * tls_tickets - the keys of session tickets (RFC 5077, RFC 8446 section 4.6.1):
 * sessions are kept by the clients, sealed, and resumed by whoever has the key.
 * A plain value in memory, never in a file: what recorded a ticket can be read
 * by nobody once its key is gone.
 */
#ifndef NET_TLS_TICKETS_H
#define NET_TLS_TICKETS_H

#include <openssl/types.h>
#include <stdint.h>

/* How long a key makes tickets, and then is still taken. */
#define TLS_TICKETS_MS ((uint64_t)12 * 3600 * 1000)

struct tls_ticket_key {
	unsigned char id[16]; /* in the ticket, in the clear */
	unsigned char cipher[32];
	unsigned char mac[32];
};

struct tls_tickets {
	struct tls_ticket_key now;
	struct tls_ticket_key before;
};

/* tls_tickets_init makes keys that nobody knows. */
void tls_tickets_init(struct tls_tickets *t);

/* tls_tickets_rotate makes a new key; the one of before is gone. */
void tls_tickets_rotate(struct tls_tickets *t);

/* tls_tickets_done wipes. */
void tls_tickets_done(struct tls_tickets *t);

/* tls_tickets_use lets connections of |ctx| be resumed by tickets under |t|,
 * borrowed; NULL: they are not resumed. For rooms of net. */
void tls_tickets_use(SSL_CTX *ctx, struct tls_tickets *t);

#endif
