/* SPDX-License-Identifier: ISC */
/*
 * opening - the client side of a new connection to a server, from its greeting
 * to an open session: used for a client's login, for a watcher's, and to probe
 * what a server offers before login. No I/O: responses in, text to send out;
 * TLS is the caller's to start where it says so.
 */
#ifndef IMAP_OPENING_H
#define IMAP_OPENING_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "imap/emit.h"
#include "imap/login.h"
#include "imap/response.h"

/* Room for what is sent at once: a token in base64. */
#define IMAP_OPENING_SEND_MAX ((size_t)192 * 1024)

/* Ours, and the client's. */
enum { IMAP_OPENING_IDS = 2 };

struct imap_opening_opts {
	const struct imap_login *login; /* NULL: a probe; borrowed */
	struct str tag;                 /* of the login command; copied */
	bool sasl_ir;  /* known from before; the greeting may say so too */
	bool starttls; /* nothing but STARTTLS is said before TLS is up */
	/* Arguments of ID commands, "(...)" without literals, sent in order in
	 * front of the login; empty: none. Borrowed until then. */
	struct str id[IMAP_OPENING_IDS];
};

enum imap_opening_state {
	IMAP_OPENING_GREETING,   /* waiting for the greeting */
	IMAP_OPENING_STARTTLS,   /* STARTTLS was sent */
	IMAP_OPENING_TLS,        /* it got its OK: the caller starts TLS */
	IMAP_OPENING_CAPABILITY, /* probe: CAPABILITY was sent */
	IMAP_OPENING_LOGIN,      /* the login was sent, perhaps in part */
	IMAP_OPENING_CHALLENGE,  /* see |challenge|: the caller responds */
	IMAP_OPENING_OPEN,       /* tagged OK: authenticated */
	IMAP_OPENING_REFUSED,    /* tagged NO or BAD to the login */
	IMAP_OPENING_PROBED,     /* both lists are known */
	IMAP_OPENING_FAILED      /* BYE, PREAUTH, garbage: see |why| */
};

struct imap_opening {
	enum imap_opening_state state;
	struct imap_opening_opts opts;
	char tag[72];
	unsigned ids_open; /* ID commands without a tagged reply */
	unsigned challenges;
	/* In base64; lies in the response that led to that state. */
	struct str challenge;
	struct imap_emit emit;
	struct buf greeting_list; /* words of the greeting, if believed */
	struct buf list;          /* probe: of the CAPABILITY command */
	struct err_detail why;    /* FAILED, REFUSED: a sentence, made safe */
};

void imap_opening_init(struct imap_opening *o,
                       const struct imap_opening_opts *opts);
void imap_opening_done(struct imap_opening *o);

/*
 * imap_opening_feed takes one whole response. What is to be sent now is
 * appended to |send|. |for_client_r| tells whether a client that waits for this
 * login should see the response (untagged data and the tagged reply after the
 * login was sent; never the greeting or a continuation). Returns the new
 * state. A tagged reply ends a pending literal whatever its status.
 */
enum imap_opening_state imap_opening_feed(struct imap_opening *o,
                                          struct str response, struct buf *send,
                                          bool *for_client_r);

/*
 * imap_opening_respond appends to |send|, in IMAP_OPENING_CHALLENGE, what the
 * owner of the login, |l|, answers in base64. Results: 0; ERR_PARSE, ERR_LIMIT:
 * that is no answer, nothing is sent.
 */
int imap_opening_respond(struct imap_opening *o, struct imap_login *l,
                         struct str base64, struct buf *send)
	__attribute__((warn_unused_result));

/*
 * imap_opening_left tells, in IMAP_OPENING_TLS, that |len| octets were received
 * behind the OK. Returns whether TLS may be started; if not, somebody put
 * commands into the plain part (CVE-2011-0411) and the opening has failed.
 */
bool imap_opening_left(struct imap_opening *o, size_t len);

/* imap_opening_secured: TLS is up. What the server said before is forgotten,
 * and |send| gets what is to be said first. Returns the new state. */
enum imap_opening_state imap_opening_secured(struct imap_opening *o,
                                             struct buf *send);

#endif
