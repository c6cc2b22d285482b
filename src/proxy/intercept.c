/* SPDX-License-Identifier: ISC */
/*
 * intercept - the table. Before login imapbell is the server, so what is not
 * listed is unknown; after it the backend is, so what is not listed passes,
 * but for commands whose capability is stripped.
 */
#include "proxy/intercept.h"

#include "imap/capability.h"
#include "imap/login.h"
#include "imap/xaps.h"
#include "proxy/authenticate.h"
#include "proxy/identify.h"
#include "proxy/login.h"
#include "proxy/prelogin.h"
#include "proxy/register.h"
#include "proxy/session.h"

#define BEFORE SESSION_IN(SESSION_PRELOGIN)
#define AFTER SESSION_IN(SESSION_RELAY)

/* Room for name and password with each octet escaped, or in base64. */
#define LOGIN_MAX ((size_t)16 * 1024)

/* RFC 2971: 30 pairs, 30 and 1,024 octets, quoted: 33 kB without escapes. */
#define ID_MAX ((size_t)64 * 1024)

/* Nothing that a short command may carry matters. */
#define SHORT_MAX ((size_t)1024)

/* What a login is told where TLS has to come first. Nobody asks for the
 * literals, and those that come are dropped. */
#define NEEDS_TLS "NO [PRIVACYREQUIRED] Log in after STARTTLS."

static const struct intercept table[] = {
	{ .verb = "AUTHENTICATE",
	  .states = BEFORE,
	  .action = INTERCEPT_REFUSE,
	  .applies = prelogin_needs_tls,
	  .refusal = NEEDS_TLS },
	{ .verb = "LOGIN",
	  .states = BEFORE,
	  .action = INTERCEPT_REFUSE,
	  .applies = prelogin_needs_tls,
	  .refusal = NEEDS_TLS },
	{ .verb = "STARTTLS",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .applies = prelogin_needs_tls,
	  .answer = prelogin_starttls,
	  .max_bytes = SHORT_MAX },

	{ .verb = "AUTHENTICATE",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .answer = authenticate_command,
	  .max_for = authenticate_max },
	{ .verb = "CAPABILITY",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .answer = prelogin_capability,
	  .max_bytes = SHORT_MAX,
	  .front_only = true },
	{ .verb = "ID",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .answer = identify_prelogin,
	  .max_bytes = ID_MAX },
	{ .verb = "LOGIN",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .answer = login_command,
	  .max_bytes = LOGIN_MAX },
	{ .verb = "LOGOUT",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .answer = prelogin_logout,
	  .max_bytes = SHORT_MAX,
	  .front_only = true },
	{ .verb = "NOOP",
	  .states = BEFORE,
	  .action = INTERCEPT_ANSWER,
	  .answer = prelogin_noop,
	  .max_bytes = SHORT_MAX,
	  .front_only = true },
	{ .verb = "STARTTLS",
	  .states = BEFORE,
	  .action = INTERCEPT_REFUSE,
	  .refusal = "BAD STARTTLS is not offered here." },

	/* The identity we believe cannot change behind our back. */
	{ .verb = "AUTHENTICATE",
	  .states = AFTER,
	  .action = INTERCEPT_REFUSE,
	  .refusal = "BAD Already logged in." },
	{ .verb = "LOGIN",
	  .states = AFTER,
	  .action = INTERCEPT_REFUSE,
	  .refusal = "BAD Already logged in." },
	{ .verb = "STARTTLS",
	  .states = AFTER,
	  .action = INTERCEPT_REFUSE,
	  .refusal = "BAD TLS starts before login." },
	{ .verb = "XCLIENT",
	  .states = AFTER,
	  .action = INTERCEPT_REFUSE,
	  .refusal = "BAD Unknown command." },
	{ .verb = "ID",
	  .states = AFTER,
	  .action = INTERCEPT_ANSWER,
	  .applies = relay_answers_id,
	  .answer = identify_answer,
	  .max_bytes = ID_MAX,
	  .front_only = true },
	{ .verb = "ID",
	  .states = AFTER,
	  .action = INTERCEPT_ANSWER,
	  .answer = identify_relay,
	  .max_bytes = ID_MAX },
	{ .verb = "IDLE", .states = AFTER, .action = INTERCEPT_IDLE },
	{ .verb = "XAPPLEPUSHSERVICE",
	  .states = AFTER,
	  .action = INTERCEPT_FORWARD,
	  .applies = register_is_passed },
	{ .verb = "XAPPLEPUSHSERVICE",
	  .states = AFTER,
	  .action = INTERCEPT_ANSWER,
	  .applies = register_is_offered,
	  .answer = register_command,
	  .max_bytes = IMAP_XAPS_COMMAND_MAX },
	{ .verb = "XAPPLEPUSHSERVICE",
	  .states = AFTER,
	  .action = INTERCEPT_REFUSE,
	  .refusal = "BAD Unknown command." },
};

enum { TABLE_ROWS = sizeof(table) / sizeof(table[0]) };

static const struct intercept unknown = {
	.action = INTERCEPT_REFUSE,
	.refusal = "BAD Unknown command, or not before login.",
};

static const struct intercept stripped = {
	.action = INTERCEPT_REFUSE,
	.refusal = "NO Not available here.",
};

static const struct intercept forward = {
	.action = INTERCEPT_FORWARD,
};

const struct intercept *intercept_table(size_t *count_r)
{
	*count_r = TABLE_ROWS;
	return table;
}

const struct intercept *intercept_find(const struct session *s, struct str verb)
{
	for (size_t i = 0; i < TABLE_ROWS; i++) {
		const struct intercept *row = &table[i];

		if ((row->states & SESSION_IN(s->state)) != 0 &&
		    str_ieq(str_of(row->verb), verb) &&
		    (row->applies == NULL || row->applies(s)))
			return row;
	}
	if (s->state != SESSION_RELAY)
		return &unknown;
	return imap_capability_refused(verb) ? &stripped : &forward;
}

/* next_word takes a run of octets that are no blanks, behind any blanks. */
static struct str next_word(struct str *in)
{
	size_t n = 0;

	while (str_byte(in, ' ') || str_byte(in, '\t'))
		;
	while (n < in->len && in->data[n] != ' ' && in->data[n] != '\t' &&
	       in->data[n] != '\r' && in->data[n] != '\n')
		n++;
	return str_take(in, n);
}

bool intercept_is_owned(const struct session *s, struct str line)
{
	struct str rest = line;
	struct str verb;

	(void)next_word(&rest); /* the tag, or what stands for it */
	verb = next_word(&rest);
	/* Nothing behind it, not even a line end: what is too long to be held
	 * was cut here, and the verb is not known. */
	if (rest.len == 0)
		return true;
	return intercept_find(s, verb)->action != INTERCEPT_FORWARD;
}
