/* SPDX-License-Identifier: ISC */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/metric.h"
#include "unit/unit.h"

/* So many mappings more are given; -1: any number. */
static int mappings = -1;

/* The second name is that for 64 bits of |from|, which |off_t| has anyway. */
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd,
                  off_t from);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd,
                  off_t from);
void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd,
                    off_t from);

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t from)
{
	if (mappings == 0)
		return MAP_FAILED;
	if (mappings > 0)
		mappings--;
	return __real_mmap(at, len, prot, flags, fd, from);
}

void *__wrap_mmap64(void *at, size_t len, int prot, int flags, int fd,
                    off_t from)
{
	return __wrap_mmap(at, len, prot, flags, fd, from);
}

#define NOW_MS ((int64_t)1700000000 * 1000)

struct seen {
	char name[200];
	int64_t value;
};

static void look(void *arg, const struct metric_sample *sample)
{
	struct seen *s = arg;

	if (strcmp(sample->name, s->name) == 0)
		s->value = sample->value;
}

/* shown is the value under |name|, -1 if that is not shown. */
static int64_t shown(const char *name)
{
	struct seen s = { .value = -1 };

	strncpy(s.name, name, sizeof(s.name) - 1);
	metric_show(NOW_MS, look, &s);
	return s.value;
}

static void counters_add_and_gauges_are_set(void **state)
{
	(void)state;
	metric_add(METRIC_LOGINS_OK, 1);
	metric_add(METRIC_LOGINS_OK, 2);
	metric_set(METRIC_STORE_UP, 5);
	metric_set(METRIC_STORE_UP, 1);
	assert_int_equal(metric_get(METRIC_LOGINS_OK), 3);
	assert_int_equal(shown("imapbell_logins_total{result=\"ok\"}"), 3);
	assert_int_equal(shown("imapbell_store_up"), 1);
	assert_int_equal(shown("imapbell_wake_rings_total"), 0);
}

static void labels_make_series_and_their_sum(void **state)
{
	(void)state;
	metric_add_labelled(METRIC_PUSHES, "status=\"200\",reason=\"\"", 2);
	metric_add_labelled(METRIC_PUSHES, "status=\"200\",reason=\"\"", 1);
	metric_add_labelled(METRIC_PUSHES, "status=\"410\",reason=\"x\"", 1);
	assert_int_equal(
		shown("imapbell_pushes_total{status=\"200\",reason=\"\"}"), 3);
	assert_int_equal(
		shown("imapbell_pushes_total{status=\"410\",reason=\"x\"}"), 1);
	assert_int_equal(metric_get(METRIC_PUSHES), 4);
	assert_int_equal(shown("imapbell_pushes_total"), -1);
}

static void series_are_bounded(void **state)
{
	int64_t before = metric_get(METRIC_PUSHES);
	char labels[40];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(labels, sizeof(labels), "n=\"%d\"", i);
		metric_add_labelled(METRIC_PUSHES, labels, 1);
	}
	assert_int_equal(metric_get(METRIC_PUSHES), before + 1000);
	assert_true(shown("imapbell_pushes_total{other=\"true\"}") > 900);
}

/* child counts as the process with that number. */
static void child(size_t process, bool is_up)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		metric_be(process);
		metric_add(METRIC_LOGINS_REFUSED, 5);
		metric_add_labelled(METRIC_PROCESS_RESTARTS, "role=\"x\"", 2);
		if (is_up)
			metric_set(METRIC_BACKEND_UP, 1);
		_exit(metric_get(METRIC_LOGINS_REFUSED) % 5 == 0 ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Without memory for all there is none shared, and nothing is lost. */
static void shared_are_all_or_none(void **state)
{
	(void)state;
	metric_add(METRIC_WAKE_RINGS, 7);
	mappings = 2;
	assert_int_equal(metric_share(3), ERR_UNAVAILABLE);
	mappings = -1;
	assert_int_equal(metric_total(METRIC_WAKE_RINGS), 7);
	metric_gone(2);
	assert_ok(metric_share(3));
	assert_int_equal(metric_total(METRIC_WAKE_RINGS), 7);
	metric_unshare();
}

/* What a process of the next test does. */
typedef void work_fn(void);

static void run_as(size_t process, work_fn *work)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		metric_be(process);
		work();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void work_up(void)
{
	metric_set(METRIC_BACKEND_UP, 1);
	metric_set(METRIC_SESSIONS_RELAY, 5);
	metric_set(METRIC_BACKEND_SEEN_MS, 700);
	metric_set(METRIC_QUEUE_OLDEST, NOW_MS - 2500);
	metric_set(METRIC_CREDENTIAL_EXPIRY, 2000);
	metric_observe(METRIC_BACKEND_CONNECT, 3);
}

static void work_down(void)
{
	metric_set(METRIC_BACKEND_UP, 0);
	metric_set(METRIC_SESSIONS_RELAY, 3);
	metric_change(METRIC_SESSIONS_RELAY, -1);
	metric_set(METRIC_BACKEND_SEEN_MS, 300);
	metric_set(METRIC_QUEUE_OLDEST, NOW_MS - 1000);
	metric_set(METRIC_CREDENTIAL_EXPIRY, 1000);
	metric_observe(METRIC_BACKEND_CONNECT, 4000);
}

static void work_not(void)
{
}

/* Main, which has no backend and no queue, does not say that there is none. */
static void gauges_of_several_processes(void **state)
{
	static const char up[] = "imapbell_backend_up";
	static const char count[] =
		"imapbell_backend_connect_duration_seconds_count";

	(void)state;
	metric_set(METRIC_STORE_UP, 1);
	assert_ok(metric_share(4));
	run_as(1, work_up);
	assert_int_equal(shown(up), 1);
	run_as(2, work_down);
	run_as(3, work_not);
	assert_int_equal(shown(up), 0);
	assert_int_equal(shown("imapbell_store_up"), 1);
	assert_int_equal(shown("imapbell_sessions{state=\"relay\"}"), 7);
	assert_int_equal(metric_total(METRIC_BACKEND_SEEN_MS), 700);
	assert_int_equal(metric_total(METRIC_PROCESSES), 4);
	assert_int_equal(shown("imapbell_queue_oldest_seconds"), 2500);
	assert_int_equal(shown("imapbell_credential_expiry_timestamp_seconds"),
	                 1000);
	assert_int_equal(shown(count), 2);
	/* Those of the dead are nobody's; what they counted stays. */
	metric_gone(1);
	metric_gone(2);
	assert_int_equal(metric_total(METRIC_PROCESSES), 2);
	assert_int_equal(shown("imapbell_sessions{state=\"relay\"}"), 0);
	assert_int_equal(metric_total(METRIC_BACKEND_SEEN_MS), 0);
	assert_int_equal(shown("imapbell_queue_oldest_seconds"), 0);
	assert_int_equal(shown("imapbell_credential_expiry_timestamp_seconds"),
	                 -1);
	assert_int_equal(shown(count), 2);
	metric_unshare();
}

/* The process that shows them all cannot change what is not its own. */
static void reader_sees_all_and_changes_nothing(void **state)
{
	int status = 1;
	pid_t pid;

	(void)state;
	assert_ok(metric_share(3));
	run_as(1, work_up);
	pid = fork();
	if (pid == 0) {
		metric_be_reader(2);
		metric_add(METRIC_EDITS_SKIPPED, 1);
		_exit(metric_total(METRIC_SESSIONS_RELAY) == 5 &&
		                      metric_get(METRIC_SESSIONS_RELAY) == 0
		              ? 0
		              : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(shown("imapbell_edits_skipped_total"), 1);
	pid = fork();
	if (pid == 0) {
		metric_be_reader(2);
		(void)signal(SIGSEGV, SIG_DFL);
		metric_gone(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	metric_unshare();
}

/* A bound belongs to its bucket; buckets add up to the last. */
static void durations_fall_into_buckets(void **state)
{
	static const char le[] = "imapbell_push_duration_seconds_bucket{le=";

	static const struct {
		const char *bound;
		int64_t count;
	} wanted[] = {
		{ "\"0.05\"", 1 }, { "\"0.1\"", 2 },  { "\"2.5\"", 2 },
		{ "\"5\"", 3 },    { "\"3600\"", 3 }, { "\"+Inf\"", 4 },
	};

	char name[100];

	(void)state;
	metric_observe(METRIC_PUSH, 50);
	metric_observe(METRIC_PUSH, 51);
	metric_observe(METRIC_PUSH, 2501);
	metric_observe(METRIC_PUSH, 3600 * 1000 + 1);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		snprintf(name, sizeof(name), "%s%s}", le, wanted[i].bound);
		assert_int_equal(shown(name), wanted[i].count);
	}
	assert_int_equal(shown("imapbell_push_duration_seconds_sum"),
	                 50 + 51 + 2501 + 3600 * 1000 + 1);
	assert_int_equal(shown("imapbell_push_duration_seconds_count"), 4);
}

/* Each metric of the interface, with the names of its labels. */
static const char *const interface[] = {
	"imapbell_sessions{state}",
	"imapbell_sessions_accepted_total",
	"imapbell_logins_total{result}",
	"imapbell_tls_handshakes_total{kind}",
	"imapbell_relayed_bytes_total{direction}",
	"imapbell_backend_connect_duration_seconds_bucket{le}",
	"imapbell_backend_connect_duration_seconds_sum",
	"imapbell_backend_connect_duration_seconds_count",
	"imapbell_backend_up",
	"imapbell_registrations",
	"imapbell_registration_commands_total{result}",
	"imapbell_users{state}",
	"imapbell_watchers{state,method}",
	"imapbell_events_total{kind}",
	"imapbell_pushes_total{status,reason}",
	"imapbell_push_duration_seconds_bucket{le}",
	"imapbell_push_duration_seconds_sum",
	"imapbell_push_duration_seconds_count",
	"imapbell_wake_rings_total",
	"imapbell_queue_depth",
	"imapbell_queue_oldest_seconds",
	"imapbell_credential_expiry_timestamp_seconds",
	"imapbell_store_up",
	"imapbell_store_errors_total",
	"imapbell_process_restarts_total{role}",
	"imapbell_build_info{version}",
	"imapbell_edits_skipped_total",
};

enum { NAMES = sizeof(interface) / sizeof(interface[0]) };

/* label_names copies |name| without the values of its labels. */
static void label_names(const char *name, char text[static 100])
{
	bool in_value = false;
	size_t len = 0;

	for (; *name != '\0'; name++) {
		if (*name == '"')
			in_value = !in_value;
		else if (!in_value && *name != '=')
			text[len++] = *name;
	}
	text[len] = '\0';
}

static void note_name(void *arg, const struct metric_sample *sample)
{
	bool *is_there = arg;
	char name[100];
	size_t i = 0;

	label_names(sample->name, name);
	while (i < NAMES && strcmp(interface[i], name) != 0)
		i++;
	assert_true(i < NAMES);
	is_there[i] = true;
}

/* No name of the interface is missing, and there is no other. */
static void names_are_those_of_the_interface(void **state)
{
	bool is_there[NAMES] = { false };

	(void)state;
	metric_set(METRIC_CREDENTIAL_EXPIRY, 1); /* 0 is not shown */
	metric_add_labelled(METRIC_PUSHES, "status=\"200\",reason=\"\"", 0);
	metric_add_labelled(METRIC_PROCESS_RESTARTS, "role=\"push\"", 0);
	metric_show(NOW_MS, note_name, is_there);
	for (size_t i = 0; i < NAMES; i++)
		assert_true(is_there[i]);
	metric_set(METRIC_CREDENTIAL_EXPIRY, 0);
}

/* A process that was taken over cannot put words of its own between ours. */
static void work_forge(void)
{
	metric_add_labelled(METRIC_PUSHES, "user=\"a b\"", 1);
	metric_add_labelled(METRIC_PUSHES, "x=\"\"} 1\nfoo{y=\"\"", 1);
	metric_add_labelled(METRIC_PUSHES, "=\"\"", 1);
	metric_add_labelled(METRIC_PUSHES, "", 1);
	metric_add_labelled(METRIC_PUSHES, "a=\"1\",", 1);
	metric_add_labelled(METRIC_PUSHES, "a=\"1\",b=\"1\",a=\"2\"", 1);
	metric_add_labelled(METRIC_PUSHES, "__name__=\"x\"", 1);
	metric_add_labelled(METRIC_PUSHES, "good=\"1\"", 1);
}

static void count_good(void *arg, const struct metric_sample *sample)
{
	int *good = arg;

	if (strcmp(sample->family, "imapbell_pushes_total") != 0)
		return;
	assert_null(strchr(sample->name, '\n'));
	assert_null(strchr(sample->name, ' '));
	assert_null(strstr(sample->name, "a=\"2\""));
	assert_null(strstr(sample->name, "__name__"));
	*good += strcmp(sample->name, "imapbell_pushes_total{good=\"1\"}") == 0;
}

static void labels_that_are_none_are_not_shown(void **state)
{
	int good = 0;

	(void)state;
	assert_ok(metric_share(2));
	run_as(1, work_forge);
	metric_show(NOW_MS, count_good, &good);
	assert_int_equal(good, 1);
	assert_int_equal(shown("imapbell_pushes_total{}"), -1);
	metric_unshare();
}

/* Counters outlive their process, gauges do not; the replacement goes on. */
static void processes_add_up(void **state)
{
	static const char refused[] =
		"imapbell_logins_total{result=\"refused\"}";

	(void)state;
	metric_add(METRIC_LOGINS_REFUSED, 10);
	assert_ok(metric_share(3));
	assert_int_equal(shown(refused), 10);
	child(1, true);
	child(2, false);
	assert_int_equal(shown(refused), 20);
	assert_int_equal(shown("imapbell_backend_up"), 1);
	assert_int_equal(shown("imapbell_process_restarts_total{role=\"x\"}"),
	                 4);
	child(1, false);
	assert_int_equal(shown(refused), 25);
	assert_int_equal(shown("imapbell_backend_up"), 0);
	assert_int_equal(metric_get(METRIC_LOGINS_REFUSED), 10);
	metric_unshare();
	assert_int_equal(shown(refused), 10);
}

/* read_hex reads digits and the character behind them. */
static uintptr_t read_hex(const char **at)
{
	static const char digits[] = "0123456789abcdef";
	uintptr_t n = 0;
	const char *digit;

	while (**at != '\0' && (digit = strchr(digits, *(*at)++)) != NULL)
		n = n << 4 | (uintptr_t)(digit - digits);
	return n;
}

/* spoil fills what a process shares with the one that forked it. */
static void spoil(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		const char *at = line;
		uintptr_t from = read_hex(&at);
		uintptr_t to = read_hex(&at);

		if (strncmp(at, "rw-s ", 5) == 0)
			memset((void *)from, 0x7f, to - from);
	}
	(void)fclose(maps);
}

/* What one that was taken over leaves does no harm to its replacement, nor to
 * the one that adds up. */
static void nonsense_is_not_inherited(void **state)
{
	(void)state;
	assert_ok(metric_share(2));
	for (int i = 0; i < 2; i++) {
		int status = 1;
		pid_t pid = fork();

		if (pid == 0) {
			metric_be(1);
			metric_add_labelled(METRIC_PROCESS_RESTARTS,
			                    "role=\"y\"", 1);
			spoil();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		(void)shown("imapbell_store_up");
	}
	metric_unshare();
}

/* Whoever else may write what this process counts in changes the numbers, and
 * nothing besides. */
static void work_spoilt(void)
{
	spoil();
	metric_change(METRIC_SESSIONS_RELAY, INT64_MAX);
	metric_change(METRIC_SESSIONS_RELAY, 1);
	for (int i = 0; i < 100; i++)
		metric_add_labelled(METRIC_PUSHES, "reason=\"x\"", 1);
}

static void nonsense_is_counted_in(void **state)
{
	(void)state;
	assert_ok(metric_share(2));
	run_as(1, work_spoilt);
	(void)shown("imapbell_store_up");
	metric_unshare();
}

/* A process that was forked by one of these, to do something else, has nothing
 * that is shared any more. */
static void work_apart(void)
{
	int status = 1;
	pid_t pid;

	metric_add(METRIC_LOGINS_OK, 1);
	pid = fork();
	if (pid == 0) {
		metric_unshare();
		metric_add(METRIC_LOGINS_OK, 10);
		spoil();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(1);
	_exit(metric_get(METRIC_LOGINS_OK) % 10 == 1 ? 0 : 1);
}

static void what_is_shared_is_let_go_of(void **state)
{
	(void)state;
	assert_ok(metric_share(2));
	run_as(1, work_apart);
	metric_unshare();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_add_and_gauges_are_set),
		cmocka_unit_test(labels_make_series_and_their_sum),
		cmocka_unit_test(names_are_those_of_the_interface),
		cmocka_unit_test(durations_fall_into_buckets),
		cmocka_unit_test(shared_are_all_or_none),
		cmocka_unit_test(processes_add_up),
		cmocka_unit_test(gauges_of_several_processes),
		cmocka_unit_test(reader_sees_all_and_changes_nothing),
		cmocka_unit_test(labels_that_are_none_are_not_shown),
		cmocka_unit_test(nonsense_is_not_inherited),
		cmocka_unit_test(nonsense_is_counted_in),
		cmocka_unit_test(what_is_shared_is_let_go_of),
		cmocka_unit_test(series_are_bounded), /* fills it */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
