/* SPDX-License-Identifier: ISC */
/* A walk over the table, before and after login. */
#include <stdio.h>
#include <string.h>

#include "imap/capability.h"
#include "proxy/intercept.h"
#include "proxy/session_state.h"
#include "stage/stage.h"
#include "unit/unit.h"

static void rows_say_what_to_do(void **arg)
{
	size_t count;
	const struct intercept *row = intercept_table(&count);

	(void)arg;
	assert_true(count > 10);
	for (; count > 0; count--, row++) {
		assert_int_equal(row->action == INTERCEPT_ANSWER,
		                 row->answer != NULL && (row->max_bytes > 0 ||
		                                         row->max_for != NULL));
		assert_int_equal(row->action == INTERCEPT_REFUSE,
		                 row->refusal != NULL);
		assert_int_not_equal(row->states, 0);
	}
}

/* say sends a command: |front|, the verb in small letters, |end|. */
static void say(struct stage *st, const char *front, const char *verb,
                const char *end)
{
	char line[64];
	char small[32];
	size_t i;

	for (i = 0; verb[i] != '\0'; i++)
		small[i] = (char)(verb[i] | 0x20);
	small[i] = '\0';
	(void)snprintf(line, sizeof(line), "%s%s%s\r\n", front, small, end);
	stage_c(st, line);
}

static void nothing_before_login_dials(void **arg)
{
	size_t count;
	const struct intercept *row = intercept_table(&count);

	(void)arg;
	for (; count > 0; count--, row++) {
		struct stage st;

		stage_init(&st);
		stage_start(&st);
		stage_client(&st);
		say(&st, "t ", row->verb, " ");
		assert_int_equal(fake_dials(st.loop), 1); /* the probe */
		assert_true(fake_written(st.client).len > 0);
		stage_done(&st);
	}
}

/* owned verbs of this table and those of stripped capabilities. */
static void never_reaches_backend(const char *verb)
{
	static const char *const spellings[][2] = {
		{ "t ", "" },    { "t ", " " }, { "t  ", "" },
		{ "t\t", " x" }, { " t ", "" },
	};

	for (size_t i = 0; i < 5; i++) {
		struct stage st;

		stage_init(&st);
		stage_start(&st);
		stage_login_as(&st, "denied",
		               "L OK [CAPABILITY IMAP4rev1] x"
		               "\r\n");
		fake_written_clear(st.client);
		say(&st, spellings[i][0], verb, spellings[i][1]);
		stage_sees_b(&st, "");
		assert_true(fake_written(st.client).len > 0);
		stage_done(&st);
	}
}

static void owned_verbs_never_reach_the_backend(void **arg)
{
	size_t count;
	const struct intercept *row = intercept_table(&count);

	(void)arg;
	for (; count > 0; count--, row++)
		if ((row->states & SESSION_IN(SESSION_RELAY)) != 0 &&
		    row->action != INTERCEPT_IDLE)
			never_reaches_backend(row->verb);
	never_reaches_backend("COMPRESS");
	never_reaches_backend("UNAUTHENTICATE");
}

/* A line too long to be held is seen to its 8,192nd octet only: where that is
 * in the tag, in the verb or in the blanks between, nobody knows the verb. */
static void verb_is_not_hidden_behind_a_long_front(void **arg)
{
	static const char verb[] = " COMPRESS DEFLATE\r\n";
	static char line[9000 + sizeof(verb)];

	(void)arg;
	for (int blanks = 0; blanks < 2; blanks++) {
		for (size_t front = 8180; front < 8195; front++) {
			struct stage st;

			memset(line, blanks ? ' ' : 't', front);
			line[0] = 't';
			memcpy(line + front, verb, sizeof(verb));
			stage_init(&st);
			stage_start(&st);
			stage_login(&st);
			stage_c(&st, line);
			stage_sees_b(&st, "");
			assert_true(fake_written(st.client).len > 0);
			stage_c(&st, "a NOOP\r\n");
			stage_sees_b(&st, "a NOOP\r\n");
			stage_done(&st);
		}
	}
}

static void other_verbs_pass(void **arg)
{
	struct stage st;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_login(&st);
	stage_c(&st, "a select INBOX\r\nb XFOO bar\r\nc IDLEX\r\n");
	stage_sees_b(&st, "a select INBOX\r\nb XFOO bar\r\nc IDLEX\r\n");
	stage_done(&st);
}

static void push_disabled_passes_the_command(void **arg)
{
	struct stage st;

	(void)arg;
	stage_init(&st);
	st.opts.push_enabled = false;
	stage_start(&st);
	stage_login(&st);
	stage_c(&st, "a XAPPLEPUSHSERVICE aps-version 2\r\n");
	stage_sees_b(&st, "a XAPPLEPUSHSERVICE aps-version 2\r\n");
	assert_str(fake_service_said(st.service), "");
	stage_done(&st);
}

static void not_offered_is_unknown(void **arg)
{
	struct stage st;

	(void)arg;
	stage_init(&st);
	stage_start(&st);
	stage_login_as(&st, "denied", "L OK in\r\n");
	stage_sees_c(&st, "L OK in\r\n");
	stage_c(&st, "a XAPPLEPUSHSERVICE aps-version 2\r\n");
	stage_sees_b(&st, "");
	stage_sees_c(&st, "a BAD Unknown command.\r\n");
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_say_what_to_do),
		cmocka_unit_test(nothing_before_login_dials),
		cmocka_unit_test(owned_verbs_never_reach_the_backend),
		cmocka_unit_test(verb_is_not_hidden_behind_a_long_front),
		cmocka_unit_test(other_verbs_pass),
		cmocka_unit_test(push_disabled_passes_the_command),
		cmocka_unit_test(not_offered_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
