/* SPDX-License-Identifier: ISC */
/* The lock, between processes. log_warn is ours. */
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "store/sqlite_lock.h"
#include "unit/unit.h"

void __wrap_log_warn(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What the one that waits has said, and is to wait no more after that. */
static struct sqlite_lock *waits;
static char warning[256];

void __wrap_log_warn(const struct log_ctx *ctx, const char *fmt, ...)
{
	va_list args;

	(void)ctx;
	va_start(args, fmt);
	(void)vsnprintf(warning, sizeof(warning), fmt, args);
	va_end(args);
	if (waits != NULL)
		sqlite_lock_leave(waits);
}

/* Another process that has the lock, and a file to have it of. */
struct other {
	char folder[32];
	char database[64];
	pid_t pid;
	int go; /* closed: it ends */
};

static void hold(const char *database, int told, int go)
{
	struct sqlite_lock lock;
	struct err_detail why;
	char c = 'x';

	sqlite_lock_init(&lock, database);
	if (sqlite_lock_take(&lock, &why) == ERR_OK)
		(void)!write(told, &c, 1);
	(void)!read(go, &c, 1);
	_exit(0);
}

static struct other begin(void)
{
	struct other o = { .folder = "/tmp/test_lock.XXXXXX" };
	int told[2];
	int go[2];
	char c;

	assert_non_null(mkdtemp(o.folder));
	(void)snprintf(o.database, sizeof(o.database), "%s/db", o.folder);
	assert_ok(pipe(told));
	assert_ok(pipe(go));
	o.pid = fork();
	assert_true(o.pid >= 0);
	if (o.pid == 0) {
		(void)close(go[1]);
		hold(o.database, told[1], go[0]);
	}
	(void)close(told[1]);
	(void)close(go[0]);
	assert_int_equal(read(told[0], &c, 1), 1);
	(void)close(told[0]);
	o.go = go[1];
	return o;
}

static void end(struct other *o)
{
	char path[80];

	(void)close(o->go);
	(void)waitpid(o->pid, NULL, 0);
	(void)snprintf(path, sizeof(path), "%s-lock", o->database);
	(void)unlink(path);
	assert_ok(rmdir(o->folder));
}

static void held_by_another_is_waited_for(void **state)
{
	struct other o = begin();
	struct sqlite_lock lock;
	struct err_detail why;
	char text[40];

	(void)state;
	sqlite_lock_init(&lock, o.database);
	waits = &lock;
	assert_int_equal(sqlite_lock_take(&lock, &why), ERR_UNAVAILABLE);
	waits = NULL;
	assert_non_null(strstr(why.text, "in use by another process"));
	(void)snprintf(text, sizeof(text), "waits for pid %d, ", (int)o.pid);
	assert_non_null(strstr(warning, text));
	sqlite_lock_done(&lock);
	end(&o);
}

static void ends_with_its_process(void **state)
{
	struct other o = begin();
	struct sqlite_lock lock;
	struct err_detail why;

	(void)state;
	sqlite_lock_init(&lock, o.database);
	assert_ok(kill(o.pid, SIGKILL));
	assert_ok(sqlite_lock_take(&lock, &why)); /* sooner or later */
	assert_ok(sqlite_lock_take(&lock, &why)); /* it has it */
	sqlite_lock_done(&lock);
	end(&o);
}

/* take_elsewhere tries where no process of ours has a number, as in another
 * container. Returns the result, or 77 if there is no such place. */
static int take_elsewhere(const char *database)
{
	struct sqlite_lock lock;
	struct err_detail why;
	int status = 0;
	pid_t pid;

	if (unshare(CLONE_NEWPID) != 0)
		return 77;
	pid = fork();
	if (pid != 0) {
		(void)waitpid(pid, &status, 0);
		return WEXITSTATUS(status);
	}
	sqlite_lock_init(&lock, database);
	waits = &lock;
	status = sqlite_lock_take(&lock, &why);
	if (strstr(warning, "waits for another process, ") == NULL)
		_exit(1);
	_exit(-status);
}

static void held_in_another_container_is_held(void **state)
{
	struct other o = begin();
	pid_t pid = fork();
	int status = 0;

	(void)state;
	if (pid == 0)
		_exit(take_elsewhere(o.database));
	(void)waitpid(pid, &status, 0);
	end(&o);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), -ERR_UNAVAILABLE);
}

static void is_let_go_of(void **state)
{
	struct other o = begin();
	struct sqlite_lock lock;
	struct err_detail why;

	(void)state;
	(void)close(o.go);
	for (int i = 0; i < 2; i++) {
		sqlite_lock_init(&lock, o.database);
		assert_ok(sqlite_lock_take(&lock, &why));
		sqlite_lock_done(&lock);
	}
	o.go = -1;
	end(&o);
}

static void there_is_none_where_none_can_be(void **state)
{
	struct sqlite_lock lock;
	struct err_detail why;

	(void)state;
	sqlite_lock_init(&lock, "/nonexistent/db");
	assert_ok(sqlite_lock_take(&lock, &why));
	sqlite_lock_done(&lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_by_another_is_waited_for),
		cmocka_unit_test(ends_with_its_process),
		cmocka_unit_test(held_in_another_container_is_held),
		cmocka_unit_test(is_let_go_of),
		cmocka_unit_test(there_is_none_where_none_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
