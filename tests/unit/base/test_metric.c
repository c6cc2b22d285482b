/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/metric.h"
#include "unit/unit.h"

struct seen {
	char name[200];
	int64_t value;
	int names;
};

static void look(void *arg, const char *name, int64_t value)
{
	struct seen *s = arg;

	s->names++;
	if (strcmp(name, s->name) == 0)
		s->value = value;
}

/* shown is the value under |name|, -1 if that is not shown. */
static int64_t shown(const char *name)
{
	struct seen s = { .value = -1 };

	strncpy(s.name, name, sizeof(s.name) - 1);
	metric_walk(look, &s);
	assert_true(s.names >= METRICS);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_add_and_gauges_are_set),
		cmocka_unit_test(labels_make_series_and_their_sum),
		cmocka_unit_test(processes_add_up),
		cmocka_unit_test(nonsense_is_not_inherited),
		cmocka_unit_test(series_are_bounded), /* fills it */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
