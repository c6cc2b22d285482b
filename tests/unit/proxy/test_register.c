/* SPDX-License-Identifier: ISC */
/* XAPPLEPUSHSERVICE from the command to its OK. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/metric.h"
#include "proxy/ask.h"
#include "stage/stage.h"
#include "unit/unit.h"

#define TOKEN                              \
	"29180000000000000000000000000000" \
	"00000000000000000000000000002829"
#define COMMAND(version, mailboxes)                                         \
	"6 XAPPLEPUSHSERVICE aps-version " version " aps-account-id 0715A2" \
	" aps-device-token " TOKEN                                          \
	" aps-subtopic com.apple.mobilemail" mailboxes "\r\n"
#define ECHO(name) "* XAPPLEPUSHSERVICE \"mailbox\" \"" name "\"\r\n"
#define END                                                                     \
	"* XAPPLEPUSHSERVICE \"aps-version\" \"2\" \"aps-topic\" \"" FAKE_TOPIC \
	"\"\r\n6 OK XAPPLEPUSHSERVICE completed.\r\n"
#define REGISTERED(rest) "register user login=yes " rest "\n"

enum { ASKS = 4 };

/* The tags of our STATUS commands, in their order. */
struct asked {
	char tags[ASKS][ASK_TAG_LEN + 1];
	char names[ASKS][16];
	size_t count;
};

static void begin(struct stage *st)
{
	stage_init(st);
	stage_start(st);
	stage_login(st);
}

/* asked reads what the backend was asked and forgets it. */
static void asked(struct stage *st, struct asked *a)
{
	struct str in = fake_written(st->backend);

	*a = (struct asked){ 0 };
	while (in.len > 0) {
		struct str line = str_take(&in, str_find(in, '\n') + 1);
		struct str name;

		assert_true(a->count < ASKS);
		memcpy(a->tags[a->count], line.data, ASK_TAG_LEN);
		(void)str_take(&line, ASK_TAG_LEN);
		assert_true(str_starts(line, STR(" STATUS \"")));
		(void)str_take(&line, strlen(" STATUS \""));
		name = str_take(&line, str_find(line, '"'));
		memcpy(a->names[a->count], name.data, name.len);
		assert_str(line, "\" (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)"
		                 "\r\n");
		a->count++;
	}
	fake_written_clear(st->backend);
}

/* status makes the backend answer ask |i|: its STATUS, then "tag |result|". */
static void status(struct stage *st, const struct asked *a, size_t i,
                   const char *result)
{
	char text[256];

	if (strncmp(result, "OK", 2) == 0) {
		(void)snprintf(text, sizeof(text),
		               "* STATUS %s (UIDVALIDITY 1%zu UIDNEXT 2%zu "
		               "MESSAGES 3%zu UNSEEN 4%zu)\r\n",
		               a->names[i], i, i, i, i);
		stage_b(st, text);
	}
	(void)snprintf(text, sizeof(text), "%s %s\r\n", a->tags[i], result);
	stage_b(st, text);
}

static void service_heard(struct stage *st, const char *text)
{
	assert_str(fake_service_said(st->service), text);
}

static void proved_by_status(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, COMMAND("2", " mailboxes (Work INBOX Secret)"));
	asked(&st, &a);
	assert_int_equal(a.count, 3);
	assert_string_not_equal(a.tags[0], a.tags[1]);
	assert_false(fake_is_reading(st.client));
	status(&st, &a, 0, "OK");
	status(&st, &a, 1, "OK");
	stage_sees_c(&st, "");
	status(&st, &a, 2, "NO [NOPERM] not yours");
	stage_sees_c(&st, ECHO("INBOX") ECHO("Work") END);
	service_heard(&st, "logged-in user\nlookup user INBOX Work Secret\n"
	                   "register user login=yes "
	                   "INBOX:proved/10/20/30/40 "
	                   "Work:proved/11/21/31/41\n");
	assert_true(fake_is_reading(st.client));
	stage_c(&st, "7 NOOP\r\n");
	stage_sees_b(&st, "7 NOOP\r\n");
	stage_done(&st);
}

static void proved_before_is_not_asked(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	fake_service_prove(st.service, "INBOX");
	fake_service_prove(st.service, "Work");
	stage_c(&st, COMMAND("2", " mailboxes (INBOX Work)"));
	stage_sees_b(&st, "");
	stage_sees_c(&st, ECHO("INBOX") ECHO("Work") END);
	service_heard(&st, "logged-in user\nlookup user INBOX Work\n"
	                   "register user login=yes INBOX:proved Work:proved"
	                   "\n");
	stage_done(&st);
}

/* Untagged lines that are not the answer belong to the client. */
static void everything_else_passes(void **arg)
{
	static const char passes[] =
		"* 5 EXISTS\r\n* 1 RECENT\r\n"
		"* 2 FETCH (FLAGS (\\Seen) UID 7)\r\n* 3 EXPUNGE\r\n"
		"* STATUS Work (MESSAGES 1)\r\n"
		"* STATUS {6}\r\nAr b\r\n (UIDVALIDITY 1 UIDNEXT 2 MESSAGES 3 "
		"UNSEEN 4)\r\n"
		"* 4 FETCH (BODY[] {40}\r\n"
		"* STATUS INBOX (UIDVALIDITY 1 UIDNEXT 2)\r\n"
		")\r\n* OK [HIGHESTMODSEQ 9] x\r\n";
	struct asked a;
	struct stage st;

	(void)arg;
	for (size_t each = 1; each < sizeof(passes); each++) {
		begin(&st);
		stage_c(&st, COMMAND("2", " mailboxes (INBOX)"));
		asked(&st, &a);
		fake_push_split(st.backend, str_of(passes), each);
		fake_run(st.loop);
		status(&st, &a, 0, "OK");
		stage_b(&st, "* 6 EXISTS\r\n");
		assert_true(
			str_starts(fake_written(st.client), str_of(passes)));
		assert_str(str_sub(fake_written(st.client), sizeof(passes) - 1,
		                   SIZE_MAX),
		           ECHO("INBOX") END "* 6 EXISTS\r\n");
		stage_done(&st);
	}
}

static void in_command_order(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	fake_push(st.client, STR("b FETCH 1:* BODY[]\r\n"));
	fake_push(st.client, STR(COMMAND("2", " mailboxes ({5+}\r\nINBOX)")));
	stage_c(&st, "c NOOP\r\n");
	stage_sees_b(&st, "b FETCH 1:* BODY[]\r\n");
	stage_b(&st, "* 1 FETCH (BODY[] {3}\r\nabc)\r\nb OK\r\n");
	asked(&st, &a);
	assert_int_equal(a.count, 1);
	status(&st, &a, 0, "OK");
	stage_sees_b(&st, "c NOOP\r\n");
	stage_b(&st, "c OK\r\n");
	stage_sees_c(&st, "* 1 FETCH (BODY[] {3}\r\nabc)\r\nb OK\r\n" ECHO(
				  "INBOX") END "c OK\r\n");
	stage_done(&st);
}

static void answer_waits_for_a_boundary(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	fake_service_hold(st.service);
	stage_c(&st, COMMAND("2", ""));
	fake_service_release(st.service);
	fake_run(st.loop);
	asked(&st, &a);
	fake_service_hold(st.service);
	status(&st, &a, 0, "OK");
	stage_b(&st, "* 1 FETCH (BODY[] {4}\r\nab");
	fake_service_release(st.service);
	fake_run(st.loop);
	stage_sees_c(&st, "* 1 FETCH (BODY[] {4}\r\nab");
	stage_b(&st, "cd)\r\n");
	stage_sees_c(&st, "cd)\r\n" ECHO("INBOX") END);
	stage_done(&st);
}

static void late_answers_are_still_ours(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, COMMAND("2", " mailboxes (INBOX Work Slow)"));
	asked(&st, &a);
	status(&st, &a, 0, "OK");
	fake_clock_advance(st.loop, 1999);
	stage_sees_c(&st, "");
	fake_clock_advance(st.loop, 1);
	stage_sees_c(&st, ECHO("INBOX") ECHO("Work") ECHO("Slow") END);
	service_heard(&st, "logged-in user\nlookup user INBOX Work Slow\n"
	                   "register user login=yes INBOX:proved/10/20/30/40 "
	                   "Work:unproved Slow:unproved\n");
	/* The client goes on, and asks the same. */
	stage_c(&st, "7 STATUS Work (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n");
	fake_written_clear(st.backend);
	status(&st, &a, 1, "OK");
	status(&st, &a, 2, "NO gone");
	stage_sees_c(&st, "");
	stage_b(&st, "* STATUS Work (UIDVALIDITY 1 UIDNEXT 2 MESSAGES 3 UNSEEN "
	             "4)\r\n7 OK\r\n");
	stage_sees_c(&st, "* STATUS Work (UIDVALIDITY 1 UIDNEXT 2 MESSAGES 3 "
	                  "UNSEEN 4)\r\n7 OK\r\n");
	stage_done(&st);
}

static void registered_again_while_answers_are_late(void **arg)
{
	struct asked a;
	struct asked b;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, COMMAND("2", ""));
	asked(&st, &a);
	fake_clock_advance(st.loop, 2000);
	stage_sees_c(&st, ECHO("INBOX") END);
	stage_c(&st, COMMAND("2", ""));
	asked(&st, &b);
	assert_int_equal(b.count, 1);
	status(&st, &a, 0, "NO no");
	stage_sees_c(&st, "");
	status(&st, &b, 0, "OK");
	stage_sees_c(&st, ECHO("INBOX") END);
	stage_done(&st);
}

static void inbox_is_always_echoed(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, COMMAND("2", " mailboxes (Work)"));
	asked(&st, &a);
	status(&st, &a, 0, "NO nope");
	status(&st, &a, 1, "BAD what");
	stage_sees_c(&st, ECHO("INBOX") END);
	service_heard(&st, "logged-in user\nlookup user INBOX Work\n"
	                   "register user login=yes INBOX:unproved\n");
	stage_done(&st);
}

/* What is refused for now is kept, to be proved by the watcher: not to echo it
 * would cost the phone a day. */
static void refused_for_now_is_unproved(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, COMMAND("2", " mailboxes (Busy Work Secret)"));
	asked(&st, &a);
	status(&st, &a, 0, "OK");
	status(&st, &a, 1, "NO [INUSE] later");
	status(&st, &a, 2, "NO [SERVERBUG] oops");
	status(&st, &a, 3, "NO [NOPERM] never");
	stage_sees_c(&st, ECHO("INBOX") ECHO("Busy") ECHO("Work") END);
	service_heard(&st, "logged-in user\n"
	                   "lookup user INBOX Busy Work Secret\n"
	                   "register user login=yes INBOX:proved/10/20/30/40 "
	                   "Busy:unproved Work:unproved\n");
	stage_done(&st);
}

static void version_one_is_inbox_alone(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, COMMAND("1", " mailboxes (Work)"));
	asked(&st, &a);
	assert_int_equal(a.count, 1);
	status(&st, &a, 0, "OK");
	stage_sees_c(&st, "* XAPPLEPUSHSERVICE \"aps-version\" \"1\" "
	                  "\"aps-topic\" \"" FAKE_TOPIC "\"\r\n"
	                  "6 OK XAPPLEPUSHSERVICE completed.\r\n");
	stage_done(&st);
}

static void over_the_limit_is_not_echoed(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	stage_init(&st);
	fake_service_limit(st.service, 2);
	stage_start(&st);
	stage_login(&st);
	stage_c(&st, COMMAND("2", " mailboxes (A B C)"));
	asked(&st, &a);
	assert_int_equal(a.count, 2);
	status(&st, &a, 0, "OK");
	status(&st, &a, 1, "OK");
	stage_sees_c(&st, ECHO("INBOX") ECHO("A") END);
	stage_done(&st);
}

static void what_does_not_parse_is_bad(void **arg)
{
	int64_t bad = metric_get(METRIC_REGISTRATION_COMMANDS_BAD);
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "6 XAPPLEPUSHSERVICE aps-version 2\r\n"
	             "7 XAPPLEPUSHSERVICE aps-version (\r\n8 NOOP\r\n");
	assert_true(str_starts(fake_written(st.client), STR("6 BAD ")));
	stage_sees_b(&st, "8 NOOP\r\n");
	assert_int_equal(metric_get(METRIC_REGISTRATION_COMMANDS_BAD) - bad, 2);
	service_heard(&st, "logged-in user\n");
	stage_done(&st);
}

static void literals_are_asked_for(void **arg)
{
	struct asked a;
	int64_t ok;
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "a NOOP\r\n6 XAPPLEPUSHSERVICE aps-version {1}\r\n");
	stage_sees_c(&st, "");
	stage_b(&st, "a OK\r\n");
	stage_sees_c(&st, "a OK\r\n+ OK\r\n");
	fake_written_clear(st.backend);
	ok = metric_get(METRIC_REGISTRATION_COMMANDS_OK);
	stage_c(&st,
	        "2 aps-account-id {4+}\r\nABCD aps-device-token " TOKEN "\r\n");
	asked(&st, &a);
	status(&st, &a, 0, "OK");
	stage_sees_c(&st, ECHO("INBOX") END);
	assert_int_equal(metric_get(METRIC_REGISTRATION_COMMANDS_OK) - ok, 1);
	stage_done(&st);
}

static void too_large_is_bad_and_swallowed(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st);
	stage_c(&st, "6 XAPPLEPUSHSERVICE aps-version {300000}\r\n7 NOOP\r\n");
	stage_sees_c(&st, "6 BAD Command too large.\r\n");
	stage_sees_b(&st, "7 NOOP\r\n");
	stage_done(&st);
}

/* Mail first: a push side that hangs costs seconds, not the session. */
static void push_side_hangs(void **arg)
{
	int64_t kept = metric_get(METRIC_REGISTRATION_COMMANDS_MEMORY);
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	fake_service_hold(st.service);
	stage_c(&st, COMMAND("2", ""));
	stage_sees_b(&st, "");
	fake_clock_advance(st.loop, 5000);
	asked(&st, &a);
	status(&st, &a, 0, "OK");
	fake_clock_advance(st.loop, 5000);
	stage_sees_c(&st, ECHO("INBOX") END);
	assert_int_equal(metric_get(METRIC_REGISTRATION_COMMANDS_MEMORY) - kept,
	                 1);
	fake_service_release(st.service);
	fake_run(st.loop);
	stage_c(&st, "7 NOOP\r\n");
	stage_sees_b(&st, "7 NOOP\r\n");
	stage_done(&st);
}

/* The session ends at each stage of a registration. */
static void session_ends_meanwhile(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	for (int stage = 0; stage < 3; stage++) {
		begin(&st);
		if (stage == 0)
			fake_service_hold(st.service);
		stage_c(&st, COMMAND("2", ""));
		if (stage == 2) {
			asked(&st, &a);
			fake_service_hold(st.service);
			status(&st, &a, 0, "OK");
		}
		fake_push_eof(st.backend);
		fake_run(st.loop);
		assert_true(fake_is_closed(st.client));
		fake_service_release(st.service);
		fake_run(st.loop);
		stage_done(&st);
	}
}

static void password_is_kept_for_a_minute(void **arg)
{
	struct asked a;
	struct stage st;

	(void)arg;
	begin(&st);
	fake_clock_advance(st.loop, 60 * 1000);
	stage_c(&st, COMMAND("2", ""));
	asked(&st, &a);
	status(&st, &a, 0, "OK");
	service_heard(&st, "logged-in user\nlookup user INBOX\n"
	                   "register user login=no INBOX:proved/10/20/30/40\n");
	stage_done(&st);
}

static void password_of_no_use_is_not_kept(void **arg)
{
	struct stage st;

	(void)arg;
	stage_init(&st);
	fake_service_no_logins(st.service);
	fake_service_prove(st.service, "INBOX");
	stage_start(&st);
	stage_login(&st);
	stage_c(&st, COMMAND("2", ""));
	service_heard(&st, "logged-in user\nlookup user INBOX\n"
	                   "register user login=no INBOX:proved\n");
	stage_done(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proved_by_status),
		cmocka_unit_test(proved_before_is_not_asked),
		cmocka_unit_test(everything_else_passes),
		cmocka_unit_test(in_command_order),
		cmocka_unit_test(answer_waits_for_a_boundary),
		cmocka_unit_test(late_answers_are_still_ours),
		cmocka_unit_test(registered_again_while_answers_are_late),
		cmocka_unit_test(inbox_is_always_echoed),
		cmocka_unit_test(refused_for_now_is_unproved),
		cmocka_unit_test(version_one_is_inbox_alone),
		cmocka_unit_test(over_the_limit_is_not_echoed),
		cmocka_unit_test(what_does_not_parse_is_bad),
		cmocka_unit_test(literals_are_asked_for),
		cmocka_unit_test(too_large_is_bad_and_swallowed),
		cmocka_unit_test(push_side_hangs),
		cmocka_unit_test(session_ends_meanwhile),
		cmocka_unit_test(password_is_kept_for_a_minute),
		cmocka_unit_test(password_of_no_use_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
