/* SPDX-License-Identifier: ISC */
/* tls_tickets - see tls_tickets.h. AES-256-CBC with HMAC-SHA-256, as RFC 5077
 * section 4 has it; OpenSSL puts the parts together. */
#include "net/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"

enum { IV_LEN = 16 }; /* of AES-CBC */

void tls_tickets_init(struct tls_tickets *t)
{
	rand_bytes(&t->now, sizeof(t->now));
	rand_bytes(&t->before, sizeof(t->before));
}

void tls_tickets_rotate(struct tls_tickets *t)
{
	t->before = t->now;
	rand_bytes(&t->now, sizeof(t->now));
}

void tls_tickets_done(struct tls_tickets *t)
{
	mem_wipe(t, sizeof(*t));
}

/* use_key makes |cipher| and |mac| ready to seal or open. */
static bool use_key(struct tls_ticket_key *key, const unsigned char *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac,
		                                  sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
		                                 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	       EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv,
	                          sealing, NULL) == 1;
}

/* find_key finds the key that |id| names. */
static struct tls_ticket_key *find_key(struct tls_tickets *t,
                                       const unsigned char *id)
{
	if (memcmp(id, t->now.id, sizeof(t->now.id)) == 0)
		return &t->now;
	if (memcmp(id, t->before.id, sizeof(t->before.id)) == 0)
		return &t->before;
	return NULL;
}

/*
 * on_ticket seals a session into a ticket, or opens one. Returns what OpenSSL
 * wants: -1 failed; 0 not ours, a full handshake follows; 1 done; 2 done, and
 * the client is given a new one.
 */
static int on_ticket(SSL *ssl, unsigned char *id, unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_ticket_key *key = &t->now;

	if (sealing == 1) {
		memcpy(id, key->id, sizeof(key->id));
		rand_bytes(iv, IV_LEN);
	} else {
		key = find_key(t, id);
	}
	if (key == NULL)
		return 0;
	if (!use_key(key, iv, cipher, mac, sealing))
		return -1;
	/* RFC 8446 appendix C.4: a ticket of TLS 1.3 is used once. */
	return key == &t->now && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

void tls_tickets_use(SSL_CTX *ctx, struct tls_tickets *t)
{
	if (t == NULL) {
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		(void)SSL_CTX_set_num_tickets(ctx, 0);
		return;
	}
	/* One is what a client uses; each costs memory and bytes. */
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_timeout(ctx, (long)(TLS_TICKETS_MS / 1000));
	(void)SSL_CTX_set_app_data(ctx, t);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
