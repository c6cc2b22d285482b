/* SPDX-License-Identifier: ISC */
/* What a reload takes over, what it only names, and what it refuses. */
#include <string.h>

#include "conf/conf_reload.h"
#include "conf/conf_set.h"
#include "unit/conf_files.h"
#include "unit/unit.h"

static char *no_environment[] = { NULL };
static char words[8][256];
static char *argv[9];
static struct conf running;
static struct conf_reload r;
static struct err_detail detail;

/* What every good file needs, and a key of each kind. */
#define GOOD                                   \
	"backend = { url = \"imap://b\"; };\n" \
	"listen = ( \"imap://127.0.0.1:143\" );\n"

/* begin loads a file with |text|, and -o |pair| unless that is NULL. */
static void begin(const char *text, const char *pair)
{
	enum conf_action action;
	int argc = 3;

	snprintf(words[0], sizeof(words[0]), "imapbell");
	snprintf(words[1], sizeof(words[1]), "-c");
	snprintf(words[2], sizeof(words[2]), "%s", files_put("a", text));
	if (pair != NULL) {
		snprintf(words[3], sizeof(words[3]), "-o");
		snprintf(words[4], sizeof(words[4]), "%s", pair);
		argc = 5;
	}
	for (int i = 0; i < argc; i++)
		argv[i] = words[i];
	argv[argc] = NULL;
	detail.text[0] = '\0';
	if (conf_load(&running, argc, argv, no_environment, &action, &detail) !=
	    ERR_OK)
		fail_msg("%s", detail.text);
}

/* reload has the file hold |text| and reads it again. */
static int reload(const char *text)
{
	files_put("a", text);
	return conf_reload(&running, no_environment, &r, &detail);
}

/* take is what a running program does with the changes. */
static void take(void)
{
	for (size_t i = 0; i < r.changes.count; i++)
		if (conf_set_pair(&running, r.changes.list[i], "reload",
		                  &detail) != ERR_OK)
			fail_msg("%s", detail.text);
}

static int end(void **state)
{
	conf_reload_done(&r);
	conf_done(&running);
	return files_clear(state);
}

static void same_file_changes_nothing(void **state)
{
	(void)state;
	begin(GOOD "push = { merge_ms = 7; allow = ( \"anna\" ); };\n", NULL);
	assert_ok(reload(
		GOOD "push = { allow = [ \"anna\" ]; merge_ms = 0x7; };\n"));
	assert_int_equal(r.changes.count, 0);
	assert_int_equal(r.restart.count, 0);
}

static void live_keys_are_changes(void **state)
{
	(void)state;
	begin(GOOD "push = { merge_ms = 7; };\n", NULL);
	assert_ok(reload(GOOD "push = { allow = ( \"anna\" ); };\n"
	                      "apns = { topic = \"t\"; };\n"));
	assert_int_equal(r.changes.count, 3);
	assert_string_equal(r.changes.list[0], "push.allow=(\"anna\")");
	assert_string_equal(r.changes.list[1], "push.merge_ms=2000");
	assert_string_equal(r.changes.list[2], "apns.topic=\"t\"");
	assert_int_equal(r.restart.count, 0);
	take();
	assert_int_equal(running.push_merge_ms, 2000);
	assert_string_equal(running.apns_topic, "t");
	conf_reload_done(&r);
	assert_ok(reload(GOOD));
	assert_int_equal(r.changes.count, 2);
	take();
	assert_null(running.apns_topic);
	assert_int_equal(running.push_allow.count, 0);
}

static void other_keys_stay_and_are_named(void **state)
{
	(void)state;
	begin(GOOD, NULL);
	assert_ok(reload("backend = { url = \"imap://c\"; };\n"
	                 "listen = ( \"imap://127.0.0.1:144\" );\n"
	                 "timeouts = { idle_s = 5; };\n"));
	assert_int_equal(r.restart.count, 2);
	assert_string_equal(r.restart.list[0], "listen");
	assert_string_equal(r.restart.list[1], "backend.url");
	assert_int_equal(r.changes.count, 1);
	assert_string_equal(r.changes.list[0], "timeouts.idle_s=5");
	assert_string_equal(r.conf.backend_url, "imap://b");
	assert_string_equal(r.conf.listen.list[0].url, "imap://127.0.0.1:143");
	assert_int_equal(r.conf.timeouts_idle_s, 5);
}

static void command_line_still_wins(void **state)
{
	(void)state;
	begin(GOOD, "push.merge_ms=9");
	assert_ok(reload(GOOD "push = { merge_ms = 7; };\n"));
	assert_int_equal(r.changes.count, 0);
}

static void bad_file_is_refused_with_its_line(void **state)
{
	char wanted[128];

	(void)state;
	begin(GOOD, NULL);
	assert_int_equal(reload(GOOD "push = { merge = 7; };\n"), ERR_INVALID);
	snprintf(wanted, sizeof(wanted), "%s:3: unknown key push.merge",
	         files_path("a"));
	assert_string_equal(detail.text, wanted);
	assert_int_equal(r.changes.count, 0);
	assert_int_equal(reload(GOOD "push = {\n"), ERR_INVALID);
	assert_int_equal(unlink(files_path("a")), 0);
	assert_int_equal(conf_reload(&running, no_environment, &r, &detail),
	                 ERR_NOT_FOUND);
	assert_non_null(strstr(detail.text, files_path("a")));
}

/* The listener stays, so its certificate is still needed; what the file says is
 * right by itself. */
static void what_stays_must_go_with_what_changes(void **state)
{
	(void)state;
	begin("backend = { url = \"imap://b\"; };\n"
	      "listen = ( \"imaps://127.0.0.1:993\" );\n"
	      "tls = { certificate = \"/a.pem\"; };\n",
	      NULL);
	assert_int_equal(reload(GOOD), ERR_INVALID);
	assert_non_null(strstr(detail.text, "tls.certificate is missing"));
}

static void pairs_are_judged_together(void **state)
{
	(void)state;
	begin(GOOD, NULL);
	assert_int_equal(reload(GOOD "push = { merge_max_ms = 7; };\n"),
	                 ERR_INVALID);
	assert_non_null(strstr(detail.text, "push.merge_max_ms = 7 is below"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(same_file_changes_nothing, end),
		cmocka_unit_test_teardown(live_keys_are_changes, end),
		cmocka_unit_test_teardown(other_keys_stay_and_are_named, end),
		cmocka_unit_test_teardown(command_line_still_wins, end),
		cmocka_unit_test_teardown(bad_file_is_refused_with_its_line,
		                          end),
		cmocka_unit_test_teardown(what_stays_must_go_with_what_changes,
		                          end),
		cmocka_unit_test_teardown(pairs_are_judged_together, end),
	};

	return cmocka_run_group_tests(tests, files_begin, files_end);
}
