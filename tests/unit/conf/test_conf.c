/* SPDX-License-Identifier: ISC */
/* The layers and what is judged at the end. log_warn is ours, and the cores. */
#include <sched.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/conf_set.h"
#include "unit/conf_files.h"
#include "unit/unit.h"

#define ARGS_MAX 16

void __wrap_log_warn(const struct log_ctx *ctx, const char *fmt, ...);

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set_r);

static struct conf c;
static struct err_detail detail;
static enum conf_action action;
static unsigned warnings;

void __wrap_log_warn(const struct log_ctx *ctx, const char *fmt, ...)
{
	(void)ctx;
	(void)fmt;
	warnings++;
}

static unsigned cores = 3;

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set_r)
{
	(void)pid;
	memset(set_r, 0, size);
	for (unsigned i = 0; i < cores; i++)
		CPU_SET(i, set_r);
	return 0;
}

/* copy_words fills |argv| from |count| on with copies of |words|, which end in
 * NULL, and returns the new count. */
static int copy_words(char *argv[ARGS_MAX + 1], int count,
                      char room[ARGS_MAX][512], const char *const *words)
{
	for (; *words != NULL; words++) {
		assert_true(count < ARGS_MAX);
		snprintf(room[count], 512, "%s", *words);
		argv[count] = room[count];
		count++;
	}
	argv[count] = NULL;
	return count;
}

/* load_env runs conf_load with |words| and |args|, both with NULL at the end.
 * The file "a" comes first if the test made one, else an empty one. */
static int load_env(const char *const *words, const char *const *args)
{
	static char rooms[2][ARGS_MAX][512];
	char *env[ARGS_MAX + 1], *argv[ARGS_MAX + 1];
	const char *const first[] = { "imapbell", "-c", files_path("a"), NULL };
	int argc;

	if (access(files_path("a"), F_OK) != 0)
		files_put("a", "");
	copy_words(env, 0, rooms[0], words);
	argc = copy_words(argv, 0, rooms[1], first);
	argc = copy_words(argv, argc, rooms[1], args);
	conf_done(&c);
	detail.text[0] = '\0';
	return conf_load(&c, argc, argv, env, &action, &detail);
}

static const char *const no_environment[] = { NULL };

/* load("-t", "-b", "imap://a") */
#define load(...) \
	load_env(no_environment, (const char *[]){ __VA_ARGS__, NULL })

/* What every good command line needs. */
#define GOOD "-b", "imap://b", "-l", "imap://127.0.0.1:0"

static int end(void **state)
{
	conf_done(&c);
	warnings = 0;
	return files_clear(state);
}

static void defaults_are_the_interface(void **state)
{
	(void)state;
	assert_ok(load("-b", "imap://b", "--tls-cert", "/c"));
	assert_int_equal(action, CONF_RUN);
	assert_int_equal(c.listen.count, 1);
	assert_string_equal(c.listen.list[0].url, "imaps://*:993");
	assert_string_equal(c.apns_url, "https://api.push.apple.com");
	assert_string_equal(c.store_path, "/var/lib/imapbell/imapbell.db");
	assert_string_equal(c.watch_key_file, "/var/lib/imapbell/seal.key");
	assert_string_equal(c.watch_login, "sealed");
	assert_true(c.backend_verify);
	assert_true(c.push_enabled);
	assert_false(c.users_lowercase);
	assert_null(c.trace_user);
	assert_int_equal(c.debug_areas, 0);
	assert_int_equal(c.timeouts_idle_s, 1860);
	assert_int_equal(c.process_drain_s, 25);
}

static void later_layers_win(void **state)
{
	static const char *const environ[] = {
		"PATH=/bin", "IMAPBELL_PUSH_MERGE_MS=3",
		"IMAPBELL_BACKEND_NAME=env", "IMAPBELL_BACKEND_CA=env", NULL
	};
	const char *none[] = { NULL };
	const char *some[] = { "-o",
		               "push.merge_ms=5",
		               "--backend-ca",
		               "opt",
		               "-o",
		               "backend.name=set",
		               NULL };

	(void)state;
	files_put("a", "listen = (\"imap://file\");\n"
	               "backend = { url = \"imap://file\"; name = \"file\";\n"
	               "            ca = \"file\"; };\n"
	               "push = { merge_ms = 2; merge_max_ms = 2222; };\n");
	assert_ok(load_env(no_environment, none));
	assert_int_equal(c.push_merge_ms, 2);
	assert_string_equal(c.backend_ca, "file");

	assert_ok(load_env(environ, none));
	assert_string_equal(c.backend_url, "imap://file");
	assert_int_equal(c.push_merge_max_ms, 2222);
	assert_int_equal(c.push_merge_ms, 3);
	assert_string_equal(c.backend_ca, "env");
	assert_string_equal(c.backend_name, "env");

	assert_ok(load_env(environ, some));
	assert_string_equal(c.backend_url, "imap://file");
	assert_int_equal(c.push_merge_ms, 5);
	assert_string_equal(c.backend_ca, "opt");
	assert_string_equal(c.backend_name, "set");
	assert_int_equal(warnings, 0);
}

static void set_wins_wherever_it_stands(void **state)
{
	(void)state;
	assert_ok(load("-o", "backend.url=imap://set", GOOD));
	assert_string_equal(c.backend_url, "imap://set");
	assert_ok(load(GOOD, "-o", "push.merge_ms=4", "-o", "push.merge_ms=6"));
	assert_int_equal(c.push_merge_ms, 6);
	assert_ok(load("-l", "imap://a", "-b", "imap://b", "--set",
	               "listen=(\"imap://c\")", "-l", "imap://d"));
	assert_int_equal(c.listen.count, 1);
	assert_string_equal(c.listen.list[0].url, "imap://c");
}

static void listen_options_replace_the_file(void **state)
{
	(void)state;
	files_put("a", "listen = (\"imap://1\", \"imap://2\");\n");
	assert_ok(load("-b", "imap://b"));
	assert_int_equal(c.listen.count, 2);
	assert_ok(load("-b", "imap://b", "-l", "imap://3", "--listen",
	               "imap://4", "-limap://5"));
	assert_int_equal(c.listen.count, 3);
	assert_string_equal(c.listen.list[0].url, "imap://3");
	assert_string_equal(c.listen.list[2].url, "imap://5");
}

static void environment_has_every_type(void **state)
{
	static const char *const environ[] = {
		"IMAPBELL_LISTEN=(\"imap://a\", \"imap://b\")",
		"IMAPBELL_BACKEND_URL=imap://c",
		"IMAPBELL_BACKEND_VERIFY=false",
		"IMAPBELL_TLS_MIN_VERSION=1.3",
		"IMAPBELL_LIMITS_LOGINS_PENDING_PER_ADDRESS=7",
		"IMAPBELL_APNS_CA=",
		NULL
	};
	const char *none[] = { NULL };

	(void)state;
	assert_ok(load_env(environ, none));
	assert_int_equal(c.listen.count, 2);
	assert_string_equal(c.backend_url, "imap://c");
	assert_false(c.backend_verify);
	assert_string_equal(c.tls_min_version, "1.3");
	assert_int_equal(c.limits_logins_pending_per_address, 7);
	assert_null(c.apns_ca);
	assert_int_equal(warnings, 0);
}

static void unknown_variables_are_warned_about(void **state)
{
	static const char *const environ[] = {
		"IMAPBELL_PORT=tcp://10.0.0.1:993",
		"IMAPBELL_backend_url=imap://no",
		"IMAPBELL_=x",
		"IMAPBELL_BACKEND_URL_=x",
		"IMAPBELL=x",
		"XIMAPBELL_PORT=x",
		"IMAPBELL_NOTHING",
		NULL
	};
	const char *good[] = { GOOD, NULL };

	(void)state;
	assert_ok(load_env(environ, good));
	assert_int_equal(warnings, 4);
	assert_string_equal(c.backend_url, "imap://b");
}

static void bad_variable_is_refused_by_name(void **state)
{
	static const char *const environ[] = { "IMAPBELL_PUSH_MERGE_MS=0",
		                               NULL };
	const char *good[] = { GOOD, NULL };

	(void)state;
	assert_int_equal(load_env(environ, good), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "environment IMAPBELL_PUSH_MERGE_MS: push.merge_ms "
	                    "= 0 is out of range, 1 to 3600000");
}

static void file_that_was_asked_for_must_exist(void **state)
{
	(void)state;
	assert_int_equal(load("-c", "/nonexistent/x", GOOD), ERR_NOT_FOUND);
	assert_string_equal(detail.text,
	                    "/nonexistent/x: No such file or directory");
}

static void usage_errors(void **state)
{
	(void)state;
	assert_int_equal(load(GOOD, "--nonsense"), ERR_PARSE);
	assert_string_equal(detail.text, "--nonsense: no such option");
	assert_int_equal(load(GOOD, "-tx"), ERR_PARSE);
	assert_string_equal(detail.text, "-x: no such option");
	assert_int_equal(load(GOOD, "-xt"), ERR_PARSE);
	assert_string_equal(detail.text, "-x: no such option");
	assert_int_equal(load(GOOD, "--test=5"), ERR_PARSE);
	assert_string_equal(detail.text, "--test=5: takes no argument");
	assert_int_equal(load("-b"), ERR_PARSE);
	assert_string_equal(detail.text, "-b: its argument is missing");
	assert_int_equal(load("--backend"), ERR_PARSE);
	assert_string_equal(detail.text, "--backend: its argument is missing");
	assert_int_equal(load(GOOD, "-o", "push.merge_ms"), ERR_PARSE);
	assert_non_null(strstr(detail.text, "KEY=VALUE"));
	assert_int_equal(load(GOOD, "-d", "proxy,nonsense"), ERR_PARSE);
	assert_string_equal(detail.text, "-d nonsense: no such area");
	assert_int_equal(load(GOOD, "-d", "proxy,"), ERR_PARSE);
}

static void command_anywhere(void **state)
{
	(void)state;
	assert_ok(load("check", GOOD));
	assert_int_equal(action, CONF_CHECK);
	assert_false(c.json);
	assert_ok(load(GOOD, "check", "--json"));
	assert_int_equal(action, CONF_CHECK);
	assert_true(c.json);
	assert_ok(load("--json", "check", GOOD));
	assert_true(c.json);
	assert_ok(load(GOOD, "check", "-h"));
	assert_int_equal(action, CONF_HELP);
	assert_ok(load("-V", "check"));
	assert_int_equal(action, CONF_VERSION);
}

static void commands_that_are_none(void **state)
{
	(void)state;
	assert_int_equal(load(GOOD, "chec"), ERR_PARSE);
	assert_string_equal(detail.text,
	                    "chec: no such command, there is: check");
	assert_int_equal(load(GOOD, ""), ERR_PARSE);
	assert_int_equal(load(GOOD, "ch\x1b[1m"), ERR_PARSE);
	assert_string_equal(detail.text,
	                    "ch\\x1b[1m: no such command, there is: check");
	assert_int_equal(load(GOOD, "check", "check"), ERR_PARSE);
	assert_string_equal(detail.text, "check: takes no argument");
	assert_int_equal(load(GOOD, "check", "-t"), ERR_PARSE);
	assert_string_equal(detail.text, "-t: not with a command");
	assert_int_equal(load(GOOD, "--json"), ERR_PARSE);
	assert_int_equal(load(GOOD, "--json", "-t"), ERR_PARSE);
	assert_string_equal(detail.text, "--json: only a command prints any");
}

/* Of the interface, each with its own sentence until it is there. */
static void commands_that_are_not_built_are_named(void **state)
{
	static const char *const names[] = { "status",   "devices", "watches",
		                             "sessions", "explain", "push",
		                             "forget",   "import",  "trace",
		                             "debug",    "kick",    "reload",
		                             "drain" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(load(GOOD, names[i]), ERR_PARSE);
		assert_memory_equal(detail.text, names[i], strlen(names[i]));
		assert_non_null(strstr(detail.text, ": not built yet"));
	}
}

static void file_that_was_read_is_known(void **state)
{
	(void)state;
	files_put("a", "push = { enabled = true; };\n");
	assert_ok(load("-c", files_path("a"), GOOD));
	assert_string_equal(c.file, files_path("a"));
}

static void unknown_key_after_o(void **state)
{
	(void)state;
	assert_int_equal(load(GOOD, "-o", "push.merge=5"), ERR_INVALID);
	assert_string_equal(detail.text, "-o: unknown key push.merge");
	assert_int_equal(load(GOOD, "-o", "push=5"), ERR_INVALID);
	assert_int_equal(load(GOOD, "-o", "=5"), ERR_INVALID);
	assert_int_equal(load(GOOD, "-o", "process.runtime_dir=x"),
	                 ERR_INVALID);
	assert_string_equal(detail.text, "-o: unknown key process.runtime_dir");
}

static void status_has_a_host_and_a_port(void **state)
{
	(void)state;
	assert_ok(load(GOOD, "--status", "127.0.0.1:80"));
	assert_string_equal(c.status_listen, "127.0.0.1:80");
	assert_int_equal(load(GOOD, "--status", "127.0.0.1"), ERR_INVALID);
	assert_non_null(strstr(detail.text, "a port is wanted"));
}

static void values_that_are_not_built_are_named(void **state)
{
	(void)state;
	assert_int_equal(load(GOOD, "--watch-login", "session"), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "--watch-login: watch.login: \"session\" is not "
	                    "built yet: \"sealed\" and \"master\" are");
	assert_int_equal(load(GOOD, "--watch-login", "other"), ERR_INVALID);
	assert_non_null(strstr(detail.text, "one of: sealed session master"));
	assert_int_equal(load(GOOD, "--apns-cert", "a.p12"), ERR_INVALID);
	assert_non_null(strstr(detail.text, "--apns-cert: apns.certificate: "
	                                    "PKCS#12"));
	assert_int_equal(load(GOOD, "--apns-cert", "a.PFX"), ERR_INVALID);
	assert_int_equal(
		load(GOOD, "--apns-cert", "a.pem", "--apns-key", "a.pfx"),
		ERR_INVALID);
	assert_non_null(strstr(detail.text, "--apns-key: apns.key: PKCS#12"));
	assert_ok(load(GOOD, "--apns-cert", "p12"));
}

static void master_needs_a_name_and_a_password_file(void **state)
{
	(void)state;
	assert_int_equal(load(GOOD, "--watch-login", "master"), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "watch.master_user is missing: watch.login = "
	                    "\"master\" needs one");
	assert_int_equal(load(GOOD, "--watch-login", "master", "-o",
	                      "watch.master_user=imapbell"),
	                 ERR_INVALID);
	assert_string_equal(detail.text,
	                    "watch.master_password_file is missing: "
	                    "watch.login = \"master\" needs one");
	assert_ok(load(GOOD, "--watch-login", "master", "-o",
	               "watch.master_user=imapbell", "-o",
	               "watch.master_password_file=/nonexistent"));
	assert_string_equal(c.watch_master_style, "authzid");
	assert_string_equal(c.watch_master_separator, "*");
	assert_int_equal(load(GOOD, "--watch-login", "master", "-o",
	                      "watch.master_user=imapbell", "-o",
	                      "watch.master_password_file=/nonexistent", "-o",
	                      "watch.master_separator=\"\""),
	                 ERR_INVALID);
	assert_string_equal(detail.text,
	                    "-o: watch.master_separator: is empty");
	/* Of no use, but no fault. */
	assert_ok(load(GOOD, "-o", "watch.master_separator=\"\""));
}

static void backend_is_required(void **state)
{
	(void)state;
	assert_int_equal(load("-l", "imap://a"), ERR_INVALID);
	assert_non_null(strstr(detail.text, "backend.url is missing"));
	assert_int_equal(load("-l", "imap://a", "-b", ""), ERR_INVALID);
	assert_non_null(strstr(detail.text, "backend.url is missing"));
	assert_int_equal(load("-l", "imap://a", "-b", "imap://*"), ERR_INVALID);
	assert_int_equal(load("-l", "imap://a", "-b", "imap://b:0"),
	                 ERR_INVALID);
	assert_int_equal(load("-l", "imap://a", "-b", "https://b"),
	                 ERR_INVALID);
	assert_int_equal(load("-l", "imap://a", "-b", "mail"), ERR_INVALID);
	assert_non_null(strstr(detail.text, "--backend: backend.url: "
	                                    "\"mail\": must begin with"));
}

static void routes_may_do_without_a_backend(void **state)
{
	(void)state;
	assert_int_equal(load("-l", "imap://a", "-o",
	                      "routes=({domain=\"d\"; url=\"imap://b\";})"),
	                 ERR_OK);
	assert_null(c.backend_url);
	conf_done(&c);
}

static void bad_url_in_a_file_names_its_line(void **state)
{
	char wanted[128];

	(void)state;
	files_put("a", "listen = (\"imap://a\");\n"
	               "backend = {\n"
	               "  url = \"imap://b:x\";\n"
	               "};\n");
	assert_int_equal(load("-t"), ERR_INVALID);
	snprintf(wanted, sizeof(wanted),
	         "%s:3: backend.url: ", files_path("a"));
	assert_ptr_equal(strstr(detail.text, wanted), detail.text);
}

static void listeners_are_judged(void **state)
{
	(void)state;
	assert_int_equal(load("-b", "imap://b"), ERR_INVALID);
	assert_non_null(strstr(detail.text, "tls.certificate is missing"));
	assert_int_equal(load("-b", "imap://b", "-o", "listen=()"),
	                 ERR_INVALID);
	assert_string_equal(detail.text, "-o: listen: is empty");
	assert_int_equal(load("-b", "imap://b", "-l", "https://a"),
	                 ERR_INVALID);
	assert_ok(load("-b", "imap://b", "-l", "imap://[::1]:0"));
	assert_ok(load("-b", "imap://b", "-l", "imaps://*:0", "--tls-cert",
	               "/c", "--tls-key", "/k"));
}

/* One of many, as good as the only one. */
static void certificates_are_enough_for_tls(void **state)
{
	(void)state;
	assert_ok(load("-b", "imap://b", "-o",
	               "tls.certificates=({certificate=\"/c\";})"));
	assert_null(c.tls_certificate);
	assert_int_equal(c.tls_certificates.count, 1);
}

static void environment_has_groups(void **state)
{
	static const char *const good[] = {
		"IMAPBELL_LISTEN=({ url = \"imap://a\"; }, \"imap://b\")",
		"IMAPBELL_ROUTES=({ domain = \"d\"; url = \"imap://e\"; })",
		"IMAPBELL_BACKEND_URL=imap://b",
		"IMAPBELL_BACKEND_FORWARD=proxy-v2", NULL
	};
	static const char *const bad[] = {
		"IMAPBELL_ROUTES=({ domain = \"d\"; })", NULL
	};
	static const char *const none[] = { NULL };

	(void)state;
	assert_ok(load_env(good, none));
	assert_int_equal(c.listen.count, 2);
	assert_string_equal(c.listen.list[1].url, "imap://b");
	assert_int_equal(c.routes.count, 1);
	assert_string_equal(c.routes.list[0].domain, "d");
	assert_string_equal(c.backend_forward, "proxy-v2");
	assert_int_equal(load_env(bad, none), ERR_INVALID);
	assert_string_equal(detail.text, "environment IMAPBELL_ROUTES: routes, "
	                                 "entry 1: url is missing");
}

static void apns_url_is_judged(void **state)
{
	static const char *const bad[] = {
		"",         "apple",     "http://a",    "imaps://a",
		"https://", "https://*", "https://a:0", "DRY-RUN"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(load(GOOD, "--apns", bad[i]), ERR_INVALID);
		assert_ptr_equal(strstr(detail.text, "--apns: apns.url: "),
		                 detail.text);
	}
	assert_ok(load(GOOD, "--apns", "https://localhost:8443"));
	assert_ok(load(GOOD, "--apns", "dry-run"));
}

static void windows_must_fit_each_other(void **state)
{
	(void)state;
	assert_int_equal(load(GOOD, "-o", "push.merge_ms=60001"), ERR_INVALID);
	assert_string_equal(detail.text,
	                    "default: push.merge_max_ms = 60000 is below "
	                    "push.merge_ms = 60001 (-o)");
	assert_int_equal(load(GOOD, "-o", "push.change_max_ms=19999"),
	                 ERR_INVALID);
	assert_ok(load(GOOD, "-o", "push.merge_ms=60000"));
}

static void state_moves_the_files_below_it(void **state)
{
	(void)state;
	assert_ok(load(GOOD, "--state", "/s"));
	assert_string_equal(c.store_path, "/s/imapbell.db");
	assert_string_equal(c.watch_key_file, "/s/seal.key");
	assert_ok(load(GOOD, "--state", "/s", "--state", "/t", "-o",
	               "store.path=/u/x.db"));
	assert_string_equal(c.store_path, "/u/x.db");
	assert_string_equal(c.watch_key_file, "/t/seal.key");
}

static void trace_and_debug(void **state)
{
	(void)state;
	assert_ok(load(GOOD, "--trace", "a", "--trace", "b@c", "-d",
	               "conf,proxy", "--debug", "store"));
	assert_string_equal(c.trace_user, "b@c");
	assert_int_equal(c.debug_areas,
	                 1U << LOG_CONF | 1U << LOG_PROXY | 1U << LOG_STORE);
	assert_ok(load(GOOD, "-d", "all"));
	assert_int_equal(c.debug_areas, (1U << LOG_AREAS) - 1);
}

static void log_options_are_read(void **state)
{
	struct log_opts o;

	(void)state;
	assert_ok(load(GOOD));
	o = conf_log_opts(&c);
	assert_int_equal(o.level, LOG_LEVEL_INFO);
	assert_int_equal(o.format, LOG_FORMAT_TEXT);
	assert_int_equal(o.target, LOG_TARGET_STDERR);
	assert_ok(load(GOOD, "-o", "log.level=error", "-o", "log.format=json",
	               "-o", "log.target=journal", "-d", "net"));
	o = conf_log_opts(&c);
	assert_int_equal(o.level, LOG_LEVEL_ERROR);
	assert_int_equal(o.format, LOG_FORMAT_JSON);
	assert_int_equal(o.target, LOG_TARGET_JOURNAL);
	assert_int_equal(o.debug_areas, 1U << LOG_NET);
}

static void actions_are_told(void **state)
{
	(void)state;
	assert_ok(load(GOOD, "-t"));
	assert_int_equal(action, CONF_TEST);
	assert_int_equal(load("-t"), ERR_INVALID); /* it checks */
	/* Neither looks at the configuration. */
	assert_ok(load("-c", "/nonexistent", "-V"));
	assert_int_equal(action, CONF_VERSION);
	assert_ok(load("--help", "--workers", "5"));
	assert_int_equal(action, CONF_HELP);
}

static void can_be_loaded_again(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_ok(load("-l", "imap://a", "-b", "imap://b"));
		assert_int_equal(c.listen.count, 1);
	}
}

/* A default is in the range of its key: a reload sets it again. */
static void worker_for_each_core_within_the_range(void **state)
{
	(void)state;
	assert_ok(load(GOOD));
	assert_int_equal(c.process_workers, 3);
	cores = 300;
	assert_ok(load(GOOD));
	assert_int_equal(c.process_workers, 256);
	cores = 3;
}

#define TEST(fn) cmocka_unit_test_teardown(fn, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(defaults_are_the_interface),
		TEST(worker_for_each_core_within_the_range),
		TEST(later_layers_win),
		TEST(set_wins_wherever_it_stands),
		TEST(listen_options_replace_the_file),
		TEST(environment_has_every_type),
		TEST(unknown_variables_are_warned_about),
		TEST(bad_variable_is_refused_by_name),
		TEST(file_that_was_asked_for_must_exist),
		TEST(usage_errors),
		TEST(command_anywhere),
		TEST(commands_that_are_none),
		TEST(commands_that_are_not_built_are_named),
		TEST(file_that_was_read_is_known),
		TEST(unknown_key_after_o),
		TEST(status_has_a_host_and_a_port),
		TEST(values_that_are_not_built_are_named),
		TEST(master_needs_a_name_and_a_password_file),
		TEST(backend_is_required),
		TEST(routes_may_do_without_a_backend),
		TEST(bad_url_in_a_file_names_its_line),
		TEST(listeners_are_judged),
		TEST(certificates_are_enough_for_tls),
		TEST(environment_has_groups),
		TEST(apns_url_is_judged),
		TEST(windows_must_fit_each_other),
		TEST(state_moves_the_files_below_it),
		TEST(trace_and_debug),
		TEST(log_options_are_read),
		TEST(actions_are_told),
		TEST(can_be_loaded_again),
	};

	return cmocka_run_group_tests_name("conf", tests, files_begin,
	                                   files_end);
}
