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
	assert_string_equal(c.listen.list[0].url, "imaps://*:993");
	assert_string_equal(c.listen.list[1].url, "imap://127.0.0.1:143");
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
	refused("a", "process = { runtime_dir = \"/r\"; };",
	        ":1: unknown key process.runtime_dir");
	refused("a", "control = { path = \"/run/c\"; };",
	        ":1: unknown key control");
	refused("a", "apns = { token_key = \"k.p8\"; };",
	        ":1: unknown key apns.token_key");
	refused("a", "watch = { session_max_h = 168; };",
	        ":1: unknown key watch.session_max_h");
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
	assert_ok(set("apns.topic", "\"c"));
	assert_string_equal(c.apns_topic, "\"c");
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
	/* It has a default, so this is one that is no url. */
	assert_int_equal(set("apns.url", ""), ERR_INVALID);
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
		"((\"imap://a\"))",
	};

	(void)state;
	assert_ok(set("listen", "({ url = \"imap://a\"; }, \"imap://b\")"));
	assert_int_equal(c.listen.count, 2);
	assert_string_equal(c.listen.list[0].url, "imap://a");
	assert_false(c.listen.list[0].proxy_protocol);
	assert_ok(set("listen", "[\"imap://a\", \"imap://b\"]"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(set("listen", bad[i]), ERR_INVALID);
		assert_non_null(strstr(detail.text, "-o: listen, entry 1: "));
	}
	assert_int_equal(c.listen.count, 2);
}

static void who_may_send_the_proxy_header(void **state)
{
	(void)state;
	assert_ok(set("listen", "({ url = \"imap://a\"; proxy_protocol = true;"
	                        " proxy_trusted = (\"10.0.0.0/8\", "
	                        "\"::1\"); })"));
	assert_true(c.listen.list[0].proxy_protocol);
	assert_int_equal(c.listen.list[0].proxy_trusted.count, 2);
	assert_string_equal(c.listen.list[0].proxy_trusted.list[1], "::1");
	refused("a",
	        "listen = ( \"imap://a\",\n"
	        "  { url = \"imap://b\"; proxy_protocol = true; } );\n",
	        ":2: listen, entry 2: proxy_trusted is missing: whose PROXY "
	        "header is believed? Everyone's: (\"0.0.0.0/0\", \"::/0\")");
	refused("b",
	        "listen = ( { url = \"imap://b\";\n"
	        "  proxy_trusted = (\"10.0.0.0/8\", \"10.0.0.0/33\"); } );\n",
	        ":2: listen, entry 1: proxy_trusted: \"10.0.0.0/33\" is neither "
	        "an address nor a network (192.0.2.1, 10.0.0.0/8, "
	        "2001:db8::/32)");
	assert_int_equal(c.listen.list[0].proxy_trusted.count, 2);
}

static void certificates_of_a_file(void **state)
{
	(void)state;
	assert_ok(conf_set_file(
		&c,
		files_put("a", "tls = { certificates = (\n"
	                       "  { certificate = \"/a\"; key = \"/b\"; },\n"
	                       "  { certificate = \"/c\"; } ); };\n"),
		&detail));
	assert_int_equal(c.tls_certificates.count, 2);
	assert_string_equal(c.tls_certificates.list[0].certificate, "/a");
	assert_string_equal(c.tls_certificates.list[0].key, "/b");
	assert_string_equal(c.tls_certificates.list[1].certificate, "/c");
	assert_null(c.tls_certificates.list[1].key);
	refused("b", "tls = { certificates = ( { key = \"/a\"; } ); };",
	        ":1: tls.certificates, entry 1: certificate is missing");
	refused("b", "tls = { certificates = ( \"/a\" ); };",
	        ":1: tls.certificates, entry 1: it must be "
	        "{ certificate = ...; }");
	refused("b", "tls = { certificates = \"/a\"; };",
	        ":1: tls.certificates must be a list of groups, "
	        "({ ... }, { ... })");
}

/* Each member with a value of its own; the rest has its default. */
static void routes_of_a_file(void **state)
{
	const struct conf_route *r;

	(void)state;
	assert_ok(conf_set_file(
		&c,
		files_put("a",
	                  "routes = (\n"
	                  "  { domain = \"a.example\"; url = \"imap://a\"; },\n"
	                  "  { domain = \"b.example\"; url = \"imaps://b\";\n"
	                  "    ca = \"/ca\"; verify = false; name = \"n\";\n"
	                  "    forward = \"id\"; } );\n"),
		&detail));
	assert_int_equal(c.routes.count, 2);
	r = c.routes.list;
	assert_string_equal(r[0].domain, "a.example");
	assert_string_equal(r[0].url, "imap://a");
	assert_string_equal(r[0].forward, "none");
	assert_true(r[0].verify);
	assert_null(r[0].ca);
	assert_null(r[0].name);
	assert_string_equal(r[1].ca, "/ca");
	assert_string_equal(r[1].name, "n");
	assert_string_equal(r[1].forward, "id");
	assert_false(r[1].verify);
}

static void wrong_members_are_named(void **state)
{
	static const struct {
		const char *member;
		const char *tail;
	} bad[] = {
		{ "uri = \"imap://a\";", "unknown key uri" },
		{ "verify = 1;", "verify must be true or false" },
		{ "forward = \"xclient\";",
		  "forward must be one of: none proxy-v1 proxy-v2 id" },
		{ "ca = 5;", "ca must be a string in double quotes" },
		{ "url = \"imap://*\";",
		  "url: a host and a port above 0 are wanted" },
		{ "url = \"https://a\";",
		  "url: an imaps:// or imap:// url is wanted" },
		{ "domain = \"a@b\";",
		  "domain: \"a@b\" is no domain: what stands behind the @ of a "
		  "user is wanted" },
	};

	char text[256], tail[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "routes = ( {\n%s } );\n",
		         bad[i].member);
		snprintf(tail, sizeof(tail), ":2: routes, entry 1: %s",
		         bad[i].tail);
		refused("a", text, tail);
		files_clear(NULL);
	}
	refused("a", "routes = ( { domain = \"d\"; } );",
	        ":1: routes, entry 1: url is missing");
	refused("a", "routes = ( { domain = \"\"; url = \"imap://a\"; } );",
	        ":1: routes, entry 1: domain is missing");
	refused("a", "routes = ( \"imap://a\" );",
	        ":1: routes, entry 1: it must be { domain = ...; }");
	assert_int_equal(c.routes.count, 0);
}

static void domain_is_routed_once(void **state)
{
	(void)state;
	refused("a",
	        "routes = (\n"
	        "  { domain = \"example.org\"; url = \"imap://a\"; },\n"
	        "  { domain = \"b.example\"; url = \"imap://a\"; },\n"
	        "  { domain = \"Example.ORG\"; url = \"imap://b\"; } );\n",
	        ":4: routes, entry 3: domain \"Example.ORG\" is that of "
	        "entry 1, too");
}

/* It is compared with those of the routes, and put behind an @. */
static void default_domain_has_no_at(void **state)
{
	(void)state;
	refused("a", "users = { default_domain = \"@a.example\"; };",
	        ":1: users.default_domain: \"@a.example\" is no domain: what "
	        "stands behind the @ of a user is wanted");
}

/* The line is that of the file in which the member stands. */
static void included_entry_names_its_own_file(void **state)
{
	char text[128], wanted[256];

	(void)state;
	files_put("b", "\n{ domain = \"d\"; colour = 1; }\n");
	snprintf(text, sizeof(text), "routes = (\n@include \"%s\"\n);\n",
	         files_path("b"));
	assert_int_equal(conf_set_file(&c, files_put("a", text), &detail),
	                 ERR_INVALID);
	snprintf(wanted, sizeof(wanted),
	         "%s:2: routes, entry 1: unknown key colour", files_path("b"));
	assert_string_equal(detail.text, wanted);
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
		TEST(who_may_send_the_proxy_header),
		TEST(certificates_of_a_file),
		TEST(routes_of_a_file),
		TEST(wrong_members_are_named),
		TEST(domain_is_routed_once),
		TEST(default_domain_has_no_at),
		TEST(included_entry_names_its_own_file),
		TEST(origin_is_what_set_it_last),
		TEST(long_names_are_unknown_keys),
	};

	return cmocka_run_group_tests_name("conf_set", tests, files_begin,
	                                   files_end);
}
