/* SPDX-License-Identifier: ISC */
/*
 * mismatch - what it may mean when a connection to a server does not begin
 * well: that it expects something else than the configuration says.
 */
#ifndef PROXY_MISMATCH_H
#define PROXY_MISMATCH_H

#include "net/dial.h"

/* What was seen of it. */
enum mismatch_sign {
	MISMATCH_NO_TLS,  /* the handshake failed */
	MISMATCH_TLS,     /* what came is TLS, and not expected */
	MISMATCH_SILENCE, /* no greeting */
	MISMATCH_TROUBLE  /* a greeting, and then no answers */
};

/*
 * mismatch_hint is a question to the operator that names the keys and is to be
 * put behind the sentence that says what happened. NULL: none is likely.
 */
const char *mismatch_hint(const struct dial_target *target,
                          enum mismatch_sign sign);

#endif
