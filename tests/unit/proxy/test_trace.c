/* SPDX-License-Identifier: ISC */
/* What --trace shows of a session, and of whose. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "stage/stage.h"
#include "unit/unit.h"

static char text[16 * 1024];
static int file;
static int real_stderr;

/* begin traces |user|; the log goes to |file|. */
static void begin(struct stage *st, const char *user)
{
	struct log_opts opts = { .level = LOG_LEVEL_INFO };

	stage_init(st);
	st->opts.trace_user = user;
	log_setup(&opts);
	assert_ok(ftruncate(file, 0));
	assert_true(lseek(file, 0, SEEK_SET) == 0);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
	stage_start(st);
}

/* end reads what was logged. */
static void end(struct stage *st)
{
	ssize_t len;

	stage_done(st);
	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	assert_true(lseek(file, 0, SEEK_SET) == 0);
	len = read(file, text, sizeof(text) - 1);
	assert_true(len > 0);
	text[len] = '\0';
}

/* shows: there is a line that traces |what|, to its end. */
static bool shows(const char *what)
{
	char line[256];

	(void)snprintf(line, sizeof(line), " trace %s\n", what);
	return strstr(text, line) != NULL;
}

static void responses_are_shown_whoever_makes_them(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "user");
	stage_login_as(&st, "user",
	               "* CAPABILITY IMAP4rev1 {X\r\n"
	               "* LIST () NIL {6}\r\nsecret\r\nL OK Logged in\r\n");
	stage_c(&st, "a NOOP\r\n");
	stage_b(&st, "* 1 EXISTS\r\na OK\r\n");
	proxy_drain(st.proxy, 1, NULL, NULL);
	fake_clock_advance(st.loop, 1);
	end(&st);
	assert_true(shows("backend: * OK [CAPABILITY IMAP4rev1 SASL-IR "
	                  "LITERAL+ ID AUTH=PLAIN] ready"));
	assert_true(shows("backend: * CAPABILITY IMAP4rev1 {X"));
	assert_true(shows("backend: * LIST () NIL {6}"));
	assert_true(shows("backend: L OK Logged in"));
	assert_true(shows("client: a NOOP"));
	assert_true(shows("backend: * 1 EXISTS"));
	assert_true(shows("imapbell: * BYE Server is going down."));
	assert_null(strstr(text, "secret"));
}

static void who_fails_to_be_traced_is_not(void **arg)
{
	struct stage st;

	(void)arg;
	begin(&st, "user");
	stage_client(&st);
	st.backend = fake_dial_connect(st.loop, 0);
	stage_c(&st, "a LOGIN user wrong\r\n");
	stage_b(&st, STAGE_GREETING);
	stage_b(&st, "a NO no\r\n");
	fake_clock_advance(st.loop, 1000);
	fake_peer_free(&st.backend);
	st.backend = fake_dial_connect(st.loop, 0);
	stage_c(&st, "b LOGIN other right\r\n");
	stage_b(&st, STAGE_GREETING);
	stage_b(&st, "b OK in\r\n");
	end(&st);
	assert_true(shows("backend: a NO no"));
	assert_false(shows("backend: b OK in"));
	assert_null(strstr(text, "wrong"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_shown_whoever_makes_them),
		cmocka_unit_test(who_fails_to_be_traced_is_not),
	};
	FILE *log = tmpfile();

	if (log == NULL)
		return 1;
	file = fileno(log);
	real_stderr = dup(STDERR_FILENO);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
