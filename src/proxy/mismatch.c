/* SPDX-License-Identifier: ISC */
/*
 * mismatch - as Dovecot and its like behave: a port for the PROXY protocol
 * waits for the header and hangs up without it, a TLS port waits for a
 * handshake, and each of the others takes what it did not expect for commands
 * or for a broken handshake.
 */
#include "proxy/mismatch.h"

#include <stddef.h>

#define EXPECTS_HEADER "does this port expect a PROXY header (backend.forward)?"

static const struct {
	enum mismatch_sign sign;
	bool is_proxied;
	bool is_tls; /* from the first octet on */
	const char *hint;
} rows[] = {
	{ MISMATCH_NO_TLS, false, true,
	  "is this a port without TLS (imap://, imap+starttls://), or does it "
	  "expect a PROXY header (backend.forward)?" },
	{ MISMATCH_NO_TLS, true, true, EXPECTS_HEADER },
	{ MISMATCH_TLS, false, false, "this looks like TLS: imaps://?" },
	{ MISMATCH_TLS, true, false, "this looks like TLS: imaps://?" },
	{ MISMATCH_SILENCE, false, false,
	  "is this a TLS port (imaps://), or does it expect a PROXY header "
	  "(backend.forward)?" },
	{ MISMATCH_SILENCE, true, false,
	  "is this a TLS port (imaps://), or one that expects no PROXY header "
	  "(backend.forward)?" },
	{ MISMATCH_TROUBLE, true, false, EXPECTS_HEADER },
};

const char *mismatch_hint(const struct dial_target *target,
                          enum mismatch_sign sign)
{
	bool is_proxied = target->forward == DIAL_FORWARD_PROXY_V1 ||
	                  target->forward == DIAL_FORWARD_PROXY_V2;
	bool is_tls = target->tls != NULL && !target->starttls;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].sign == sign && rows[i].is_tls == is_tls &&
		    rows[i].is_proxied == is_proxied)
			return rows[i].hint;
	return NULL;
}
