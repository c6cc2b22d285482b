/* SPDX-License-Identifier: ISC */
/*
 * sasl - the mechanisms of AUTHENTICATE that get through here: their messages
 * taken apart and put together again. A mechanism that may put a layer around
 * what follows, binds itself to a TLS channel or speaks of a certificate is not
 * among them: it cannot work through a proxy.
 */
#ifndef IMAP_SASL_H
#define IMAP_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "imap/emit.h"
#include "imap/login.h"

#define IMAP_SASL_MESSAGES 2

struct imap_sasl {
	const char *name;
	/* The client's messages that are taken before there is a server, each
	 * by the base64 of what it is asked with. None: the server speaks
	 * first, and there is no initial response. */
	const char *prompts[IMAP_SASL_MESSAGES];
	size_t message_max; /* octets of a message */
	enum imap_login_method method;
	/* The server's challenges, which the client itself answers: so many
	 * before an OK is believed, and no more. */
	unsigned challenges_min;
	unsigned challenges_max;
	bool hides_password; /* it is proved without being said */
	bool sends_initial;  /* one message says all, and may be in line */

	/* private: */
	int (*take)(struct imap_login *l, struct str message);
	int (*make)(const struct imap_login *l, unsigned step, struct buf *out);
};

/* imap_sasl_find returns the mechanism |name|, without case; NULL: it is not
 * handled here. */
const struct imap_sasl *imap_sasl_find(struct str name);

/* imap_sasl_of returns that of |method|; NULL for IMAP_LOGIN_COMMAND. */
const struct imap_sasl *imap_sasl_of(enum imap_login_method method);

/* imap_sasl_binds: among the words of a capability list is a mechanism with
 * channel binding. It cannot work through here; but the server must refuse a
 * client that could bind and was not shown that (RFC 5802 section 6), so no
 * SCRAM works then. */
bool imap_sasl_binds(struct str list);

/*
 * imap_sasl_take adds the client's next message, in base64, to |l|, of which
 * the method is set. Results: 0, |l| is whole; ERR_MORE, the next prompt is
 * due; ERR_PARSE; ERR_LIMIT.
 */
int imap_sasl_take(struct imap_login *l, struct str base64)
	__attribute__((warn_unused_result));

/* imap_sasl_prompt is what the client is asked with now. */
const char *imap_sasl_prompt(const struct imap_login *l);

/*
 * imap_sasl_answer appends the line that the server gets for the client's
 * answer |base64| to its challenge; in CRAM-MD5 it names the user of |l|.
 * Results: 0; ERR_PARSE; ERR_LIMIT.
 */
int imap_sasl_answer(struct imap_login *l, struct str base64, struct buf *out)
	__attribute__((warn_unused_result));

/* imap_sasl_emit adds the command of |l| behind its tag, without the last line
 * end. Results: 0; ERR_LIMIT. */
int imap_sasl_emit(const struct imap_login *l, bool sasl_ir,
                   struct imap_emit *e) __attribute__((warn_unused_result));

#endif
