/* SPDX-License-Identifier: ISC */
/* What happens to the file: crashes, damage, disks that refuse. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/sqlite.h"
#include "store/teststore.h"
#include "unit/unit.h"

enum { TEXT_MAX = 16 * 1024 * 1024, PAGE = 4096, NOBODY = 65534 };

static const char *const suffixes[] = { "", "-wal", "-shm" };

struct fixture {
	struct testdir dir;
	struct loop *loop;
	struct store *store;
	struct buf text;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	testdir_init(&f->dir);
	f->loop = loop_new();
	buf_init(&f->text, TEXT_MAX);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	loop_free(&f->loop);
	testdir_done(&f->dir);
	buf_reset(&f->text);
	free(f);
	return 0;
}

static void open_store(struct fixture *f)
{
	store_close(&f->store);
	f->store = store_sqlite_open(f->loop, f->dir.db);
}

static int load(struct fixture *f)
{
	buf_clear(&f->text);
	return teststore_load(f->loop, f->store, &f->text);
}

/* commit_login writes the login of |user|. */
static int commit_login(struct fixture *f, const char *user)
{
	const struct store_login login = { str_of(user), STR("x"), false };

	return teststore_commit(
		f->loop, f->store,
		&(struct store_batch){ .logins = &login, .login_count = 1 });
}

static void want_text(struct fixture *f, const char *text)
{
	assert_str(buf_str(&f->text), text);
}

static const char only_a[] = "login user=a blob=x rejected=0\n";
static const char only_b[] = "login user=b blob=x rejected=0\n";

/* make_file leaves a closed file with the login of "a". */
static void make_file(struct fixture *f)
{
	open_store(f);
	assert_ok(load(f));
	assert_ok(commit_login(f, "a"));
	store_close(&f->store);
}

static void rows_survive_a_close(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_a);
}

static void files_are_for_the_owner_alone(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0);
	struct stat st;
	char path[100];

	open_store(f);
	assert_ok(load(f));
	assert_ok(commit_login(f, "a"));
	(void)umask(old);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->dir.db,
		               suffixes[i]);
		assert_ok(stat(path, &st));
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

/* die is a commit's answer in the child: no close, no flush. */
static void die(void *arg, int rc)
{
	(void)arg;
	if (rc == ERR_OK)
		(void)kill(getpid(), SIGKILL);
	_exit(1);
}

/* child commits and is killed when it is told that it is on disk. */
static void __attribute__((noreturn)) child(const char *path)
{
	const struct store_login login = { STR("a"), STR("x"), false };
	struct loop *loop = loop_new();
	struct store *s = store_sqlite_open(loop, path);

	store_commit(
		s, &(struct store_batch){ .logins = &login, .login_count = 1 },
		die, NULL);
	loop_run(loop);
	_exit(2);
}

static void acknowledged_commit_survives_a_kill(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0)
		child(f->dir.db);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_a);
}

/* overwrite puts |len| bytes of |value| at |at| of the database. */
static void overwrite(const struct fixture *f, off_t at, int value, size_t len)
{
	int fd = open(f->dir.db, O_RDWR);
	char *bytes = malloc(len);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	memset(bytes, value, len);
	assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
	free(bytes);
	close(fd);
}

static void damaged_file_is_set_aside_whole(void **state)
{
	struct fixture *f = *state;
	struct buf before;
	struct buf after;
	char *aside;

	make_file(f);
	overwrite(f, 0, 'x', 100);
	buf_init(&before, TEXT_MAX);
	buf_init(&after, TEXT_MAX);
	assert_ok(file_read(f->dir.db, &before, NULL));
	open_store(f);
	assert_ok(load(f));
	want_text(f, "");
	assert_ok(commit_login(f, "b"));
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_b);
	aside = testdir_only(&f->dir, "bell.db.damaged-");
	assert_ok(file_read(aside, &after, NULL));
	assert_true(str_eq(buf_str(&before), buf_str(&after)));
	free(aside);
	buf_reset(&before);
	buf_reset(&after);
}

static void cut_file_is_set_aside(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	assert_ok(truncate(f->dir.db, PAGE + 100));
	open_store(f);
	/* What is left says too little even to be opened, or to be read. */
	assert_int_not_equal(load(f), ERR_IO);
	want_text(f, "");
	assert_ok(commit_login(f, "b"));
	assert_int_equal(testdir_count(&f->dir, "damaged"), 1);
}

static void file_without_our_tables_is_set_aside(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->dir.db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                              "CREATE TABLE login (x);"
	                              "PRAGMA user_version = 1",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_store(f);
	assert_ok(load(f));
	assert_ok(commit_login(f, "b"));
	assert_int_equal(testdir_count(&f->dir, "damaged"), 1);
}

static void newer_file_is_set_aside(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;
	char *aside;

	make_file(f);
	assert_int_equal(sqlite3_open(f->dir.db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL,
	                              NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_store(f);
	assert_ok(load(f));
	want_text(f, "");
	assert_ok(commit_login(f, "b"));
	/* The newer imapbell finds its file as it was. */
	aside = testdir_only(&f->dir, "bell.db.newer-");
	assert_int_equal(sqlite3_open(aside, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM login WHERE user = 'a'",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	free(aside);
}

static void log_of_writes_goes_aside_with_its_file(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;
	char path[200];
	char *aside;

	make_file(f);
	/* A user_version that is only in the log, as after a kill. */
	assert_int_equal(sqlite3_open(f->dir.db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 1000", NULL,
	                              NULL, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
	                                   1, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_store(f);
	assert_ok(load(f));
	aside = testdir_only(&f->dir, ".newer-");
	(void)snprintf(path, sizeof(path), "%s-wal", aside);
	assert_ok(access(path, F_OK));
	free(aside);
	assert_ok(commit_login(f, "b"));
}

static void database_of_another_program_is_left_alone(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(f->dir.db, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "CREATE TABLE recipes (x)", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_store(f);
	assert_int_equal(load(f), ERR_IO);
	assert_non_null(strstr(f->store->why.text, "not ours"));
	assert_int_equal(commit_login(f, "a"), ERR_IO);
	assert_int_equal(testdir_count(&f->dir, "bell.db."), 0);
}

/* fill writes many users' logins, so that the table has many pages. */
static void fill(struct fixture *f, int count)
{
	struct store_login *logins = calloc((size_t)count, sizeof(*logins));
	char(*names)[16] = calloc((size_t)count, sizeof(*names));
	char blob[200];

	assert_non_null(logins);
	assert_non_null(names);
	memset(blob, 'b', sizeof(blob));
	for (int i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "u%05d", i);
		logins[i].user = str_of(names[i]);
		logins[i].blob = str_new(blob, sizeof(blob));
	}
	assert_ok(teststore_commit(
		f->loop, f->store,
		&(struct store_batch){ .logins = logins,
	                               .login_count = (size_t)count }));
	free(logins);
	free(names);
}

/* count_lines counts the rows of the last load. */
static int count_lines(const struct fixture *f)
{
	int lines = 0;

	for (size_t i = 0; i < f->text.len; i++)
		lines += f->text.data[i] == '\n';
	return lines;
}

static void rows_before_the_damage_are_saved(void **state)
{
	struct fixture *f = *state;
	const struct store_state st = { .user = STR("a"),
		                        .mailbox = STR("INBOX") };
	struct stat info;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	fill(f, 1000);
	assert_ok(teststore_commit(
		f->loop, f->store,
		&(struct store_batch){ .states = &st, .state_count = 1 }));
	store_close(&f->store);
	assert_ok(stat(f->dir.db, &info));
	/* In the middle of the logins; all that is read before is whole. */
	overwrite(f, info.st_size / PAGE * 3 / 4 * PAGE, 0xff, PAGE);
	open_store(f);
	assert_int_equal(load(f), ERR_INVALID);
	assert_non_null(strstr(f->text.data, "state user=a mailbox=INBOX"));
	assert_true(count_lines(f) > 100);
	assert_true(count_lines(f) < 1002);
	assert_int_equal(testdir_count(&f->dir, "damaged"), 1);
	/* The asker's rows go into a new file, without more ado. */
	assert_ok(commit_login(f, "b"));
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_b);
}

static void damage_found_by_a_commit_asks_for_every_row(void **state)
{
	struct fixture *f = *state;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat info;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	fill(f, 20000); /* more than SQLite keeps in memory */
	open_store(f);
	assert_ok(load(f));
	assert_ok(stat(f->dir.db, &info));
	overwrite(f, PAGE, 0xff, (size_t)info.st_size - PAGE);
	/* By the disk, not by somebody who wrote. */
	times[1] = info.st_mtim;
	assert_ok(utimensat(AT_FDCWD, f->dir.db, times, 0));
	assert_int_equal(commit_login(f, "u00100x"), ERR_INVALID);
	assert_int_equal(testdir_count(&f->dir, "damaged"), 1);
	assert_ok(commit_login(f, "b"));
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_b);
}

static void file_taken_away_asks_for_every_row(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	assert_ok(unlink(f->dir.db));
	assert_int_equal(commit_login(f, "b"), ERR_INVALID);
	assert_ok(commit_login(f, "b"));
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_b);
}

/* want_every_row_asked_for: what was done to the open file is noticed before
 * the next commit, and the rows of the asker are what is left. */
static void want_every_row_asked_for(struct fixture *f)
{
	assert_int_equal(commit_login(f, "b"), ERR_INVALID);
	assert_ok(commit_login(f, "a"));
	assert_ok(commit_login(f, "b"));
	open_store(f);
	assert_ok(load(f));
	assert_int_equal(count_lines(f), 2);
}

static void file_overwritten_asks_for_every_row(void **state)
{
	struct fixture *f = *state;
	struct stat info;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	assert_ok(stat(f->dir.db, &info));
	overwrite(f, 0, 'x', (size_t)info.st_size);
	want_every_row_asked_for(f);
	assert_int_equal(testdir_count(&f->dir, "damaged"), 1);
}

static void file_emptied_asks_for_every_row(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	assert_ok(truncate(f->dir.db, 0));
	want_every_row_asked_for(f);
}

static void file_replaced_asks_for_every_row(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;
	char other[100];

	make_file(f);
	(void)snprintf(other, sizeof(other), "%s-other", f->dir.db);
	assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "CREATE TABLE recipes (x)", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	open_store(f);
	assert_ok(load(f));
	assert_ok(rename(other, f->dir.db));
	want_every_row_asked_for(f);
	assert_int_equal(testdir_count(&f->dir, "replaced"), 1);
}

static void log_taken_away_asks_for_every_row(void **state)
{
	struct fixture *f = *state;
	char path[100];

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	(void)snprintf(path, sizeof(path), "%s-wal", f->dir.db);
	assert_ok(unlink(path));
	want_every_row_asked_for(f);
	assert_int_equal(testdir_count(&f->dir, "replaced"), 1);
}

static void reader_beside_us_is_no_change(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db = NULL;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	assert_ok(commit_login(f, "b"));
	assert_int_equal(sqlite3_open(f->dir.db, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "SELECT * FROM login", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_ok(commit_login(f, "c"));
}

static void our_own_checkpoint_is_no_change(void **state)
{
	struct fixture *f = *state;
	struct stat before;
	struct stat after;

	make_file(f);
	open_store(f);
	assert_ok(load(f));
	assert_ok(stat(f->dir.db, &before));
	fill(f, 20000); /* a log of more than 1,000 pages */
	assert_ok(stat(f->dir.db, &after));
	assert_true(after.st_size > before.st_size);
	assert_ok(commit_login(f, "c"));
}

static void directory_that_comes_back_is_used(void **state)
{
	struct fixture *f = *state;
	char moved[80];

	open_store(f);
	(void)snprintf(moved, sizeof(moved), "%s-away", f->dir.path);
	assert_ok(rename(f->dir.path, moved));
	assert_int_equal(load(f), ERR_IO);
	assert_string_not_equal(f->store->why.text, "");
	assert_int_equal(commit_login(f, "a"), ERR_IO);
	assert_ok(rename(moved, f->dir.path));
	assert_ok(commit_login(f, "a"));
	assert_ok(load(f));
	want_text(f, only_a);
}

static void directory_that_refuses_is_tried_again(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		assert_ok(chmod(f->dir.path, 0500));
	else
		assert_ok(seteuid(NOBODY)); /* root is never refused */
	open_store(f);
	assert_int_equal(load(f), ERR_IO);
	assert_int_equal(commit_login(f, "a"), ERR_IO);
	assert_non_null(strstr(f->store->why.text, "ermission denied"));
	if (geteuid() == NOBODY)
		assert_ok(seteuid(0));
	else
		assert_ok(chmod(f->dir.path, 0700));
	assert_ok(load(f));
	assert_ok(commit_login(f, "a"));
}

/* forbid_writing lets nobody but root write to the closed file, its log and
 * the index of that. */
static void forbid_writing(struct fixture *f)
{
	char path[100];

	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", f->dir.db,
		               suffixes[i]);
		assert_ok(chmod(path, 0444));
	}
}

/* be_nobody: root, who is never refused, is somebody else until be_root. */
static void be_nobody(void)
{
	if (geteuid() == 0)
		assert_ok(seteuid(NOBODY));
}

static void be_root(void)
{
	if (geteuid() == NOBODY)
		assert_ok(seteuid(0));
}

/* is_only_read opens the file for nobody, who gets its row and adds none. */
static void is_only_read(struct fixture *f)
{
	be_nobody();
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_a);
	assert_int_equal(commit_login(f, "b"), ERR_IO);
}

static void file_that_may_only_be_read_gives_its_rows(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	forbid_writing(f);
	assert_ok(chmod(f->dir.path, 0777));
	is_only_read(f);
	be_root();
	assert_ok(chmod(f->dir.db, 0600));
	/* The same open store writes once it may. */
	assert_ok(commit_login(f, "b"));
	assert_ok(load(f));
	assert_int_equal(count_lines(f), 2);
}

static void disk_that_may_only_be_read_gives_its_rows(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	forbid_writing(f);
	assert_ok(chmod(f->dir.path, 0555));
	is_only_read(f);
	store_close(&f->store);
	be_root();
	assert_ok(chmod(f->dir.path, 0700));
}

static void full_disk_keeps_nothing_of_a_batch(void **state)
{
	struct fixture *f = *state;
	struct rlimit old;
	struct rlimit small;

	open_store(f);
	assert_ok(load(f));
	assert_ok(commit_login(f, "a"));
	assert_ok(getrlimit(RLIMIT_FSIZE, &old));
	small = old;
	small.rlim_cur = 100;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_ok(setrlimit(RLIMIT_FSIZE, &small));
	assert_int_equal(commit_login(f, "b"), ERR_IO);
	assert_non_null(strstr(f->store->why.text, "disk I/O error"));
	assert_ok(load(f)); /* it can still be read */
	want_text(f, only_a);
	assert_ok(setrlimit(RLIMIT_FSIZE, &old));
	assert_ok(commit_login(f, "b"));
	assert_ok(load(f));
	assert_int_equal(count_lines(f), 2);
}

static void refused_row_undoes_its_whole_batch(void **state)
{
	struct fixture *f = *state;
	const struct store_login login = { STR("b"), STR("x"), false };
	const struct store_pending orphan = { .registration_id = 1 };

	make_file(f);
	open_store(f);
	assert_int_equal(
		teststore_commit(f->loop, f->store,
	                         &(struct store_batch){ .logins = &login,
	                                                .login_count = 1,
	                                                .pendings = &orphan,
	                                                .pending_count = 1 }),
		ERR_IO);
	assert_ok(load(f));
	want_text(f, only_a);
}

static void check_leaves_no_file_behind(void **state)
{
	struct fixture *f = *state;

	assert_ok(store_sqlite_check(f->dir.db, NULL));
	assert_int_equal(testdir_count(&f->dir, ""), 0);
}

static void check_of_a_good_file_changes_no_row(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	assert_ok(store_sqlite_check(f->dir.db, NULL));
	open_store(f);
	assert_ok(load(f));
	want_text(f, only_a);
	/* And beside one that is open. */
	assert_ok(store_sqlite_check(f->dir.db, NULL));
	assert_ok(commit_login(f, "b"));
}

static void check_says_what_is_wrong(void **state)
{
	struct fixture *f = *state;
	struct err_detail detail = { "" };
	sqlite3 *db = NULL;

	assert_int_equal(store_sqlite_check("/nonexistent/bell.db", &detail),
	                 ERR_IO);
	assert_non_null(strstr(detail.text, "/nonexistent/bell.db: No such"));
	make_file(f);
	assert_int_equal(sqlite3_open(f->dir.db, &db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(db, "PRAGMA user_version = 9", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(store_sqlite_check(f->dir.db, &detail), ERR_INVALID);
	assert_non_null(strstr(detail.text, "version 9"));
	overwrite(f, 0, 'x', 100);
	assert_int_equal(store_sqlite_check(f->dir.db, &detail), ERR_INVALID);
	assert_non_null(strstr(detail.text, "not a database"));
	/* Named, not touched. */
	assert_int_equal(testdir_count(&f->dir, "bell.db."), 0);
}

/* Where no row is read, so that nothing else would meet it. */
static void check_finds_damage_of_any_page(void **state)
{
	struct fixture *f = *state;
	struct err_detail detail = { "" };
	struct stat st;

	make_file(f);
	assert_ok(stat(f->dir.db, &st));
	overwrite(f, st.st_size - PAGE, 'x', 100);
	assert_int_equal(store_sqlite_check(f->dir.db, &detail), ERR_INVALID);
	assert_non_null(strstr(detail.text, "damaged: "));
	assert_null(strchr(detail.text, '\n'));
	assert_int_equal(testdir_count(&f->dir, "bell.db."), 0);
}

static void check_needs_to_write(void **state)
{
	struct fixture *f = *state;

	make_file(f);
	forbid_writing(f);
	assert_ok(chmod(f->dir.path, 0777));
	be_nobody();
	assert_int_equal(store_sqlite_check(f->dir.db, NULL), ERR_PERMISSION);
	be_root();
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(rows_survive_a_close),
		TEST(files_are_for_the_owner_alone),
		TEST(acknowledged_commit_survives_a_kill),
		TEST(damaged_file_is_set_aside_whole),
		TEST(cut_file_is_set_aside),
		TEST(file_without_our_tables_is_set_aside),
		TEST(newer_file_is_set_aside),
		TEST(log_of_writes_goes_aside_with_its_file),
		TEST(database_of_another_program_is_left_alone),
		TEST(rows_before_the_damage_are_saved),
		TEST(damage_found_by_a_commit_asks_for_every_row),
		TEST(file_taken_away_asks_for_every_row),
		TEST(file_overwritten_asks_for_every_row),
		TEST(file_emptied_asks_for_every_row),
		TEST(file_replaced_asks_for_every_row),
		TEST(log_taken_away_asks_for_every_row),
		TEST(reader_beside_us_is_no_change),
		TEST(our_own_checkpoint_is_no_change),
		TEST(directory_that_comes_back_is_used),
		TEST(directory_that_refuses_is_tried_again),
		TEST(file_that_may_only_be_read_gives_its_rows),
		TEST(disk_that_may_only_be_read_gives_its_rows),
		TEST(full_disk_keeps_nothing_of_a_batch),
		TEST(refused_row_undoes_its_whole_batch),
		TEST(check_leaves_no_file_behind),
		TEST(check_of_a_good_file_changes_no_row),
		TEST(check_says_what_is_wrong),
		TEST(check_finds_damage_of_any_page),
		TEST(check_needs_to_write),
	};

	return cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);
}
