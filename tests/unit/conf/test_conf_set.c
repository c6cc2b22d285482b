/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <sys/stat.h>

#include "conf/conf_set.h"
#include "unit/conf_files.h"
#include "unit/unit.h"

static struct conf c;
static struct err_detail detail;

static int begin(void **state)
{
	(void)state;
	conf_set_defaults(&c);
	detail.text[0] = '\0';
	return 0;
}

static int end(void **state)
{
	conf_done(&c);
	return files_clear(state);
}

/* The file |name| with |text| is refused: "<its path><tail>". */
static void refused(const char *name, const char *text, const char *tail)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "%s%s", files_path(name), tail);
	assert_int_equal(conf_set_file(&c, files_put(name, text), &detail),
	                 ERR_INVALID);
	assert_string_equal(detail.text, wanted);
}

/* set is -o key=text. */
static int set(const char *key, const char *text)
{
	return conf_set_text(&c, conf_key_find(str_of(key)), text, "-o",
	                     &detail);
}

static void every_form_of_a_file(void **state)
{
	(void)state;
	assert_ok(conf_set_file(
		&c,
		files_put("a",
	                  "# a comment\n"
	                  "listen = ( \"imaps://*:993\",\n"
	                  "           { url = \"imap://127.0.0.1:143\"; } );\n"
	                  "backend: { url = \"imap://127.0.0.1:1143\"\n"
	                  "           verify = FALSE };\n"
	                  "push = { allow = [ \"a\", \"b.example\" ];\n"
	                  "         deny = ();\n"
	                  "         merge_ms = 0x10; merge_max_ms = 17L; };\n"
	                  "// the end\n"),
		&detail));
	assert_int_equal(c.listen.count, 2);
	assert_string_equal(c.listen.list[0], "imaps://*:993");
	assert_string_equal(c.listen.list[1], "imap://127.0.0.1:143");
	assert_string_equal(c.backend_url, "imap://127.0.0.1:1143");
	assert_false(c.backend_verify);
	assert_int_equal(c.push_allow.count, 2);
	assert_string_equal(c.push_allow.list[1], "b.example");
	assert_int_equal(c.push_deny.count, 0);
	assert_int_equal(c.push_merge_ms, 16);
	assert_int_equal(c.push_merge_max_ms, 17);
}

static void empty_file_changes_nothing(void **state)
{
	(void)state;
	assert_ok(conf_set_file(&c, files_put("a", ""), &detail));
	assert_ok(conf_set_file(&c, files_put("a", "\n# nothing\n"), &detail));
	assert_int_equal(c.push_merge_ms, 2000);
}

static void unknown_key_is_named(void **state)
{
	(void)state;
	refused("a", "\nbackend = { url = \"imap://a\";\n hots = \"b\"; };\n",
	        ":3: unknown key backend.hots");
	refused("a", "colour = \"red\";", ":1: unknown key colour");
	refused("a", "listens = ();", ":1: unknown key listens");
	refused("a", "tls = { };\ntls2 = { };", ":2: unknown key tls2");
}

/* Keys of the interface that come later are not taken in silence. */
static void key_that_is_not_built_is_named(void **state)
{
	(void)state;
	refused("a", "process = { workers = 4; };",
	        ":1: unknown key process.workers");
	refused("a", "status = { listen = \"127.0.0.1:8080\"; };",
	        ":1: unknown key status");
	refused("a", "routes = ( { domain = \"a\"; url = \"imap://a\"; } );",
	        ":1: unknown key routes");
	refused("a", "tls = {\n certificates = (); };",
	        ":2: unknown key tls.certificates");
	refused("a", "apns = { token_key = \"k.p8\"; };",
	        ":1: unknown key apns.token_key");
	refused("a", "watch = { session_max_h = 168; };",
	        ":1: unknown key watch.session_max_h");
	refused("a", "backend = { forward = \"id\"; };",
	        ":1: unknown key backend.forward");
}

static void group_and_value_are_told_apart(void **state)
{
	(void)state;
	refused("a", "\nbackend = \"imap://a\";\n",
	        ":2: backend is a group, write backend = { ... }");
	refused("a", "backend = ( { url = \"imap://a\"; } );",
	        ":1: backend is a group, write backend = { ... }");
	refused("a", "backend = { url = { host = \"a\"; }; };",
	        ":1: backend.url must be a string in double quotes");
	refused("a", "listen = { url = \"imap://a\"; };",
	        ":1: listen must be a list of strings, (\"a\", \"b\")");
	refused("a", "listen = \"imap://a\";",
	        ":1: listen must be a list of strings, (\"a\", \"b\")");
}

static void syntax_error_names_the_line(void **state)
{
	(void)state;
	refused("a", "\n\nbackend = { url = imap; };\n", ":3: syntax error");
	refused("a", "backend { url = \"a\"; };", ":1: syntax error");
	refused("a", "backend.url = \"a\";\n", ":1: syntax error");
	refused("a", "push = { merge_ms = 5;\n merge_ms = 6; };",
	        ":2: duplicate setting name");
	refused("a", "tls = { };\n\ntls = { };", ":3: duplicate setting name");
	refused("a", "push = { allow = [ \"a\", 1 ]; };",
	        ":1: mismatched element type in array");
}

static void number_cut_by_libconfig_is_refused(void **state)
{
	(void)state;
	refused("a", "push = {\n merge_ms = 4294967297; };",
	        ":2: a number is out of range, at most 2147483647");
	assert_int_equal(c.push_merge_ms, 2000);
	assert_int_equal(set("push.merge_ms", "4294967297"), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "-o: push.merge_ms: a number is out of range, at "
	                    "most 2147483647");
}

static void error_in_an_included_file_names_it(void **state)
{
	char text[128], wanted[160];
	const char *inner = files_path("b");

	(void)state;
	snprintf(text, sizeof(text), "\n@include \"%s\"\n", inner);
	files_put("b", "backend = {\n url = \"imap://b\"; };\n");
	assert_ok(conf_set_file(&c, files_put("a", text), &detail));
	assert_string_equal(c.backend_url, "imap://b");
	snprintf(wanted, sizeof(wanted), "%s:2", inner);
	assert_string_equal(conf_origin(&c, "backend.url"), wanted);

	files_put("b", "backend = {\n\n uri = \"imap://b\"; };\n");
	assert_int_equal(conf_set_file(&c, files_path("a"), &detail),
	                 ERR_INVALID);
	snprintf(wanted, sizeof(wanted), "%s:3: unknown key backend.uri",
	         inner);
	assert_string_equal(detail.text, wanted);

	files_put("b", "backend = {\n\n url = ; };\n");
	assert_int_equal(conf_set_file(&c, files_path("a"), &detail),
	                 ERR_INVALID);
	snprintf(wanted, sizeof(wanted), "%s:3: syntax error", inner);
	assert_string_equal(detail.text, wanted);

	unlink(inner);
	snprintf(wanted, sizeof(wanted), "%s:2: %s: No such file or directory",
	         files_path("a"), inner);
	assert_int_equal(conf_set_file(&c, files_path("a"), &detail),
	                 ERR_INVALID);
	assert_string_equal(detail.text, wanted);
}

static void include_of_itself_is_refused(void **state)
{
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "@include \"%s\"\n", files_path("a"));
	refused("a", text, ":1: include file nesting too deep");
}

static void missing_file_is_not_found(void **state)
{
	(void)state;
	assert_int_equal(conf_set_file(&c, "/nonexistent/a", &detail),
	                 ERR_NOT_FOUND);
	assert_string_equal(detail.text,
	                    "/nonexistent/a: No such file or directory");
}

static void directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(conf_set_file(&c, "/", &detail), ERR_INVALID);
	assert_string_equal(detail.text, "/: Is a directory");
}

static void unreadable_file_is_a_permission_error(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip(); /* root reads everything */
	assert_ok(chmod(files_put("a", ""), 0));
	assert_int_equal(conf_set_file(&c, files_path("a"), &detail),
	                 ERR_PERMISSION);
	assert_non_null(strstr(detail.text, files_path("a")));
}

static void text_of_a_string_stands_as_it_is(void **state)
{
	(void)state;
	assert_ok(set("backend.url", "imap://a"));
	assert_string_equal(c.backend_url, "imap://a");
	assert_ok(set("backend.url", "\"imap://b\""));
	assert_string_equal(c.backend_url, "imap://b");
	assert_ok(set("backend.url", "\"imap://c"));
	assert_string_equal(c.backend_url, "\"imap://c");
	assert_ok(set("apns.topic", "\""));
	assert_string_equal(c.apns_topic, "\"");
	assert_ok(set("apns.topic", "a \\ \"b\" ; # c = d"));
	assert_string_equal(c.apns_topic, "a \\ \"b\" ; # c = d");
	assert_ok(set("log.level", "debug"));
	assert_ok(set("log.level", "\"warn\""));
	assert_string_equal(c.log_level, "warn");
	assert_int_equal(set("log.level", "loud"), ERR_INVALID);
	assert_string_equal(detail.text, "-o: log.level must be one of: error "
	                                 "warn info debug");
	assert_string_equal(c.log_level, "warn");
}

static void empty_string_is_not_set(void **state)
{
	(void)state;
	assert_ok(set("backend.ca", "/a"));
	assert_ok(set("backend.ca", ""));
	assert_null(c.backend_ca);
	assert_ok(set("backend.ca", "\"\""));
	assert_null(c.backend_ca);
	assert_ok(conf_set_file(&c, files_put("a", "backend = { ca = \"\"; };"),
	                        &detail));
	assert_null(c.backend_ca);
	assert_ok(set("apns.url", "")); /* it has a default: judged later */
	assert_string_equal(c.apns_url, "");
}

static void text_of_other_types_is_libconfig(void **state)
{
	static const char *const bad[] = {
		"",     ";",  "5; x = 6", "5 6",   "= 5",       "{ a = }",
		"five", "5)", "\"5",      "5 /* ", "5\n;x = 1", "yes"
	};

	(void)state;
	assert_ok(set("push.merge_ms", "5"));
	assert_ok(set("push.merge_ms", " 0x10 "));
	assert_int_equal(c.push_merge_ms, 16);
	assert_ok(set("push.enabled", "false"));
	assert_false(c.push_enabled);
	assert_ok(set("push.enabled", "TRUE"));
	assert_true(c.push_enabled);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(set("push.merge_ms", bad[i]), ERR_INVALID);
	assert_int_equal(c.push_merge_ms, 16);
	assert_int_equal(set("push.merge_ms", "five"), ERR_INVALID);
	assert_string_equal(detail.text, "-o: the value of push.merge_ms is "
	                                 "not libconfig syntax");
	assert_int_equal(set("push.merge_ms", "\"5\""), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "-o: push.merge_ms must be a whole number");
	assert_int_equal(set("push.merge_ms", "0"), ERR_INVALID);
	assert_string_equal(detail.text, "-o: push.merge_ms = 0 is out of "
	                                 "range, 1 to 3600000");
}

static void lists_replace_what_was_there(void **state)
{
	(void)state;
	assert_ok(set("push.deny", "(\"a\", \"b\")"));
	assert_ok(set("push.deny", "[\"c\"]"));
	assert_int_equal(c.push_deny.count, 1);
	assert_string_equal(c.push_deny.list[0], "c");
	assert_int_equal(set("push.deny", "(\"d\", 5)"), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "-o: entry 2 of push.deny must be a string");
	assert_string_equal(c.push_deny.list[0], "c");
	assert_ok(set("push.deny", "()"));
	assert_int_equal(c.push_deny.count, 0);
}

static void listen_takes_strings_and_groups(void **state)
{
	static const char *const bad[] = {
		"(5)",
		"({ })",
		"({ url = 5; })",
		"({ uri = \"imap://a\"; })",
		/* not built yet: refused, not ignored */
		"({ url = \"imap://a\"; proxy_protocol = true; })",
		"((\"imap://a\"))",
	};

	(void)state;
	assert_ok(set("listen", "({ url = \"imap://a\"; }, \"imap://b\")"));
	assert_int_equal(c.listen.count, 2);
	assert_string_equal(c.listen.list[0], "imap://a");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(set("listen", bad[i]), ERR_INVALID);
		assert_non_null(strstr(detail.text, "entry 1 of listen"));
	}
	assert_int_equal(c.listen.count, 2);
}

static void origin_is_what_set_it_last(void **state)
{
	char wanted[64];

	(void)state;
	assert_string_equal(conf_origin(&c, "push.merge_ms"), "default");
	assert_string_equal(conf_origin(&c, "backend.url"), "default");
	assert_ok(conf_set_file(
		&c, files_put("a", "push = {\n merge_ms = 5; };"), &detail));
	snprintf(wanted, sizeof(wanted), "%s:2", files_path("a"));
	assert_string_equal(conf_origin(&c, "push.merge_ms"), wanted);
	assert_ok(set("push.merge_ms", "6"));
	assert_string_equal(conf_origin(&c, "push.merge_ms"), "-o");
	assert_int_equal(set("push.merge_ms", "0"), ERR_INVALID);
	assert_string_equal(conf_origin(&c, "push.merge_ms"), "-o");
}

static void long_names_are_unknown_keys(void **state)
{
	char text[1200] = "push = { ";
	size_t at = strlen(text);

	(void)state;
	memset(text + at, 'a', 1000);
	memcpy(text + at + 1000, " = 1; };", sizeof(" = 1; };"));
	assert_int_equal(conf_set_file(&c, files_put("a", text), &detail),
	                 ERR_INVALID);
	assert_non_null(strstr(detail.text, ":1: unknown key push.aaaa"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_form_of_a_file),
		TEST(empty_file_changes_nothing),
		TEST(unknown_key_is_named),
		TEST(key_that_is_not_built_is_named),
		TEST(group_and_value_are_told_apart),
		TEST(syntax_error_names_the_line),
		TEST(number_cut_by_libconfig_is_refused),
		TEST(error_in_an_included_file_names_it),
		TEST(include_of_itself_is_refused),
		TEST(missing_file_is_not_found),
		TEST(directory_is_refused),
		TEST(unreadable_file_is_a_permission_error),
		TEST(text_of_a_string_stands_as_it_is),
		TEST(empty_string_is_not_set),
		TEST(text_of_other_types_is_libconfig),
		TEST(lists_replace_what_was_there),
		TEST(listen_takes_strings_and_groups),
		TEST(origin_is_what_set_it_last),
		TEST(long_names_are_unknown_keys),
	};

	return cmocka_run_group_tests_name("conf_set", tests, files_begin,
	                                   files_end);
}
