/* SPDX-License-Identifier: ISC */
/*
 * session_state - where a session stands, and what its client's next frame is:
 * two small machines, each an enum with a table of allowed moves.
 */
#ifndef PROXY_SESSION_STATE_H
#define PROXY_SESSION_STATE_H

#include <stdbool.h>

enum session_state {
	SESSION_OPENING, /* the TLS handshake with the client, or after STARTTLS
	                  */
	SESSION_PRELOGIN, /* imapbell is the server */
	SESSION_LOGIN,    /* the backend is asked who this is */
	SESSION_REFUSED,  /* it said no; the answer takes its time */
	SESSION_RELAY,    /* logged in */
	SESSION_CLOSING,  /* over; freed after the turn */
	SESSION_STATES
};

/* A state as a bit, for tables that name several. */
#define SESSION_IN(state) (1U << (state))

/* What comes next from the client. */
enum session_input {
	INPUT_COMMAND, /* a command, or the rest of one that is forwarded */
	INPUT_COLLECT, /* the rest of a command that is answered here */
	INPUT_SWALLOW, /* the rest of a command that was refused */
	INPUT_SASL,    /* the response to our "+" */
	INPUT_IDLE,    /* the line that ends IDLE */
	/* The client is not read while: */
	INPUT_HELD,      /* a first line waits for replies to earlier ones */
	INPUT_LITERAL,   /* "+" or a tagged reply decides about a literal */
	INPUT_IDLE_WAIT, /* likewise about IDLE */
	INPUT_IDLE_DONE, /* IDLE's tagged reply is awaited */
	INPUT_BUSY,      /* a login or a registration is under way */
	INPUTS
};

/* session_state_allowed: |from| may become |to|. */
bool session_state_allowed(enum session_state from, enum session_state to);

/* session_state_name is for a log line. */
const char *session_state_name(enum session_state state);

/* session_input_allowed: |from| may become |to|. */
bool session_input_allowed(enum session_input from, enum session_input to);

/* session_input_is_read: the client's bytes are wanted. */
bool session_input_is_read(enum session_input input);

/* session_input_is_plain: its lines are lines and announce no literals. */
bool session_input_is_plain(enum session_input input);

#endif
