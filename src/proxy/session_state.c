/* SPDX-License-Identifier: ISC */
/*
 * session_state - allowed moves, and names of states. Closing is allowed from
 * everywhere and left for nowhere.
 */
#include "proxy/session_state.h"

#include <assert.h>
#include <stddef.h>

#define TO(state) (1U << (state))

struct state_row {
	const char *name;
	unsigned moves;
};

static const struct state_row states[] = {
	[SESSION_OPENING] = { "opening", TO(SESSION_PRELOGIN) },
	[SESSION_PRELOGIN] = { "prelogin",
	                       TO(SESSION_OPENING) | TO(SESSION_LOGIN) },
	[SESSION_LOGIN] = { "login", TO(SESSION_PRELOGIN) |
	                                     TO(SESSION_REFUSED) |
	                                     TO(SESSION_RELAY) },
	[SESSION_REFUSED] = { "refused", TO(SESSION_PRELOGIN) },
	[SESSION_RELAY] = { "relay", 0 },
	[SESSION_CLOSING] = { "closing", 0 },
};

static_assert(sizeof(states) / sizeof(states[0]) == SESSION_STATES,
              "one row per state");

struct input_row {
	unsigned moves;
	bool is_read;
	bool is_plain;
};

static const struct input_row inputs[] = {
	[INPUT_COMMAND] = { TO(INPUT_COLLECT) | TO(INPUT_SWALLOW) |
	                            TO(INPUT_SASL) | TO(INPUT_HELD) |
	                            TO(INPUT_LITERAL) | TO(INPUT_IDLE_WAIT) |
	                            TO(INPUT_BUSY),
	                    true, false },
	[INPUT_COLLECT] = { TO(INPUT_COMMAND) | TO(INPUT_SWALLOW), true,
	                    false },
	[INPUT_SWALLOW] = { TO(INPUT_COMMAND), true, false },
	[INPUT_SASL] = { TO(INPUT_COMMAND) | TO(INPUT_SWALLOW) | TO(INPUT_BUSY),
	                 true, true },
	[INPUT_IDLE] = { TO(INPUT_IDLE_DONE) | TO(INPUT_COMMAND), true, true },
	[INPUT_HELD] = { TO(INPUT_COMMAND), false, false },
	[INPUT_LITERAL] = { TO(INPUT_COMMAND) | TO(INPUT_SWALLOW), false,
	                    false },
	[INPUT_IDLE_WAIT] = { TO(INPUT_IDLE) | TO(INPUT_COMMAND), false,
	                      false },
	[INPUT_IDLE_DONE] = { TO(INPUT_COMMAND), false, false },
	[INPUT_BUSY] = { TO(INPUT_COMMAND) | TO(INPUT_SASL), false, false },
};

static_assert(sizeof(inputs) / sizeof(inputs[0]) == INPUTS,
              "one row per input");

bool session_state_allowed(enum session_state from, enum session_state to)
{
	if (to == SESSION_CLOSING)
		return from != SESSION_CLOSING;
	return (states[from].moves & TO(to)) != 0;
}

const char *session_state_name(enum session_state state)
{
	return states[state].name;
}

bool session_input_allowed(enum session_input from, enum session_input to)
{
	return (inputs[from].moves & TO(to)) != 0;
}

bool session_input_is_read(enum session_input input)
{
	return inputs[input].is_read;
}

bool session_input_is_plain(enum session_input input)
{
	return inputs[input].is_plain;
}
