/* SPDX-License-Identifier: ISC */
/*
 * capability - the one function that edits capability lists, wherever the text
 * occurs: `* CAPABILITY`, and `[CAPABILITY ...]` at the start of the text of a
 * greeting, of an untagged status or of a tagged reply. Words are compared
 * whole and without case, order is kept, nothing else of the line changes.
 * A `[REFERRAL ...]` in the same place would lead clients around us: it goes.
 */
#ifndef IMAP_CAPABILITY_H
#define IMAP_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

/* What a domain or listener wants; made once per configuration. */
struct imap_capability_policy {
	/* Show XAPPLEPUSHSERVICE (once, the backend's own replaced). */
	bool offer_push;
	/* push.enabled = false: the backend's own XAPPLEPUSHSERVICE passes. */
	bool pass_push;
	/* TLS has to come first: STARTTLS and LOGINDISABLED are shown, and no
	 * AUTH= (RFC 9051 section 6.2.3). */
	bool before_tls;
	/* Passwords are of use: no mechanism that hides them. */
	bool needs_passwords;
	/* The user must be known before there is a server to ask: no mechanism
	 * in which the server speaks first. */
	bool needs_names;
	/* The backend has a mechanism with channel binding, in this list or
	 * another: no SCRAM (see imap/sasl.h). */
	bool binds;
	/* capability.hide: further words to take out, whatever else is said
	 * of them here; borrowed. */
	const struct str *hide;
	size_t hide_count;
};

/* Where a list is shown, which decides what imapbell adds of its own. */
enum imap_capability_phase {
	IMAP_CAPABILITY_PRELOGIN, /* SASL-IR, LITERAL+, ID always listed */
	IMAP_CAPABILITY_SESSION   /* after login: the server's, less what is
	                             stripped; ID always, answered here if the
	                             server has none */
};

/*
 * imap_capability_edit rewrites the capability text of |line| (a whole line
 * with its end) and appends the whole new line to |out|. Results: 0;
 * ERR_NOT_FOUND, no capability text there, or it ends in a literal; ERR_LIMIT.
 * |out| is unchanged on failure.
 */
int imap_capability_edit(struct str line,
                         const struct imap_capability_policy *policy,
                         enum imap_capability_phase phase, struct buf *out)
	__attribute__((warn_unused_result));

/*
 * imap_capability_list appends the words of |line|'s capability text, single
 * spaces between them, e.g. "IMAP4rev1 IDLE". Results: 0; ERR_NOT_FOUND;
 * ERR_LIMIT. |out| is unchanged on failure.
 */
int imap_capability_list(struct str line, struct buf *out)
	__attribute__((warn_unused_result));

/*
 * imap_capability_prelogin appends the list that is shown before login, made
 * from the backend's own pre-login list |backend| (words as from
 * imap_capability_list; empty: "IMAP4rev1 SASL-IR LITERAL+ ID AUTH=PLAIN").
 * Only AUTH= mechanisms that imapbell handles stay; STARTTLS and LOGINDISABLED
 * are by policy, whatever the backend says. Results: 0; ERR_LIMIT, |out| is
 * unchanged.
 */
int imap_capability_prelogin(struct str backend,
                             const struct imap_capability_policy *policy,
                             struct buf *out)
	__attribute__((warn_unused_result));

/* imap_capability_has looks |word| up in a list of words, without case. */
bool imap_capability_has(struct str list, struct str word);

/* imap_capability_share appends those words of |list| that |other| has, too.
 * Results: 0; ERR_LIMIT, |out| is unchanged. */
int imap_capability_share(struct str list, struct str other, struct buf *out)
	__attribute__((warn_unused_result));

/*
 * imap_capability_refused tells whether the command |verb| belongs to a
 * capability that cannot be carried through a proxy and is stripped
 * (COMPRESS, UNAUTHENTICATE, STARTTLS, ...; see the table in capability.c): it
 * is then answered here with NO, in any case of letters. Before login it is the
 * listener's STARTTLS that comes first.
 */
bool imap_capability_refused(struct str verb);

#endif
