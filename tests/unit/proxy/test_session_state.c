/* SPDX-License-Identifier: ISC */
/* The two machines of a session, by their tables. */
#include "proxy/session_state.h"
#include "unit/unit.h"

static void every_state_has_a_name_and_may_close(void **arg)
{
	(void)arg;
	for (int s = 0; s < SESSION_STATES; s++) {
		enum session_state state = (enum session_state)s;

		assert_non_null(session_state_name(state));
		assert_int_equal(session_state_allowed(state, SESSION_CLOSING),
		                 state != SESSION_CLOSING);
		assert_false(session_state_allowed(state, state));
		assert_false(session_state_allowed(SESSION_CLOSING, state));
	}
}

static void login_is_left_by_verdict_only(void **arg)
{
	(void)arg;
	assert_true(session_state_allowed(SESSION_OPENING, SESSION_PRELOGIN));
	assert_false(session_state_allowed(SESSION_PRELOGIN, SESSION_RELAY));
	assert_true(session_state_allowed(SESSION_LOGIN, SESSION_RELAY));
	assert_false(session_state_allowed(SESSION_REFUSED, SESSION_RELAY));
	assert_false(session_state_allowed(SESSION_RELAY, SESSION_PRELOGIN));
}

static void every_input_leads_back_to_commands(void **arg)
{
	(void)arg;
	for (int i = 0; i < INPUTS; i++) {
		enum session_input input = (enum session_input)i;

		assert_int_equal(input != INPUT_COMMAND,
		                 session_input_allowed(input, INPUT_COMMAND));
	}
}

static void plain_lines_are_sasl_and_idle(void **arg)
{
	(void)arg;
	for (int i = 0; i < INPUTS; i++)
		assert_int_equal(session_input_is_plain((enum session_input)i),
		                 i == INPUT_SASL || i == INPUT_IDLE);
	assert_false(session_input_is_read(INPUT_LITERAL));
	assert_false(session_input_is_read(INPUT_IDLE_WAIT));
	assert_false(session_input_is_read(INPUT_BUSY));
	assert_false(session_input_is_read(INPUT_HELD));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_has_a_name_and_may_close),
		cmocka_unit_test(login_is_left_by_verdict_only),
		cmocka_unit_test(every_input_leads_back_to_commands),
		cmocka_unit_test(plain_lines_are_sasl_and_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
