/* SPDX-License-Identifier: ISC */
/*
 * sqlite_file - what happens to the file as a whole. Rows are the business of
 * sqlite_rows. SQLite maps the index of the log (-shm) into memory: whoever
 * cuts that short in place ends us by SIGBUS, though no row is lost. It would
 * be in the heap if we locked the file for ourselves, but then nobody else
 * could look into it, -t and check among them.
 */
#include "store/sqlite_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite_schema.h"

enum {
	FILE_BUSY_MS = 5000, /* another process looks into the file */
	FILE_ASIDE_TRIES = 100,
};

static const struct log_ctx file_log = { .area = LOG_STORE };

/* What SQLite keeps beside the file; the file itself first. */
static const char *const suffixes[SQLITE_FILES] = { "", "-wal", "-shm" };

void sqlite_file_init(struct sqlite_file *f, const char *path)
{
	*f = (struct sqlite_file){ .path = xstrdup(path) };
}

void sqlite_file_done(struct sqlite_file *f)
{
	sqlite_file_close(f, false);
	free(f->path);
	f->path = NULL;
}

int sqlite_file_fail(const struct sqlite_file *f, int rc,
                     struct err_detail *why)
{
	/* Of its last call, which may have been the roll-back. */
	const char *text = f->db != NULL && sqlite3_errcode(f->db) == rc
	                           ? sqlite3_errmsg(f->db)
	                           : sqlite3_errstr(rc);

	switch (rc & 0xff) { /* the primary code */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return err_set(why, ERR_INVALID, "%s: %s", f->path, text);
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return err_set(why, ERR_PERMISSION, "%s: %s", f->path, text);
	default:
		return err_set(why, ERR_IO, "%s: %s", f->path, text);
	}
}

/* fail_system explains errno for the file. */
static int fail_system(const struct sqlite_file *f, int error,
                       struct err_detail *why)
{
	int rc = error == EACCES || error == EPERM || error == EROFS
	                 ? ERR_PERMISSION
	                 : ERR_IO;

	return err_set(why, rc, "%s: %s", f->path, strerror(error));
}

/*
 * touch makes the file, so that it is never readable by others, not even for
 * a moment; SQLite gives those beside it the same mode. A file that we may
 * only read passes: its rows are wanted. Which one it is, is noted before
 * SQLite opens it, so that one taken away meanwhile is missed.
 */
static int touch(struct sqlite_file *f, struct err_detail *why)
{
	struct stat st = { 0 };
	int fd = open(f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);

	if (fd < 0 && (errno == EACCES || errno == EROFS))
		fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail_system(f, errno, why);
	(void)fstat(fd, &st);
	f->ids[0] = (struct sqlite_file_id){ st.st_dev, st.st_ino };
	close(fd);
	return ERR_OK;
}

/* configure sets what is a property of the connection, not of the file. */
static int configure(struct sqlite_file *f)
{
	int rc;

	(void)sqlite3_busy_timeout(f->db, FILE_BUSY_MS);
	(void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	f->readonly = sqlite3_db_readonly(f->db, "main") == 1;
	rc = sqlite3_exec(f->db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
	if (rc == SQLITE_OK && !f->readonly)
		rc = sqlite3_exec(f->db, "PRAGMA journal_mode = WAL", NULL,
		                  NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(f->db, "PRAGMA synchronous = FULL", NULL,
		                  NULL, NULL);
	return rc;
}

/* check_version refuses what this imapbell must not touch. */
static int check_version(const struct sqlite_file *f, int version, int newest,
                         struct err_detail *why)
{
	int empty = 1;
	int rc;

	if (version < 0)
		return err_set(why, ERR_INVALID, "%s: version %d", f->path,
		               version);
	if (version > newest)
		return err_set(why, ERR_LIMIT,
		               "%s: version %d, this imapbell knows %d",
		               f->path, version, newest);
	if (version > 0)
		return ERR_OK;
	rc = sqlite_schema_is_empty(f->db, &empty);
	if (rc != SQLITE_OK)
		return sqlite_file_fail(f, rc, why);
	if (!empty)
		return err_set(why, ERR_IO, "%s: a database, but not ours",
		               f->path);
	return ERR_OK;
}

/* upgrade brings the file from |version| to ours and prepares the statements.
 */
static int upgrade(struct sqlite_file *f, int version, struct err_detail *why)
{
	int newest;
	const char *const *list = sqlite_schema_steps(&newest);
	int rc;

	f->began = version == 0;
	rc = sqlite_schema_migrate(f->db, version, list, newest);
	if (rc != SQLITE_OK)
		return sqlite_file_fail(f, rc, why);
	rc = sqlite_sql_prepare(&f->sql, f->db);
	if (rc == SQLITE_ERROR) /* tables of our version are not there */
		return err_set(why, ERR_INVALID, "%s: %s", f->path,
		               sqlite3_errmsg(f->db));
	return rc != SQLITE_OK ? sqlite_file_fail(f, rc, why) : ERR_OK;
}

/* join returns "<a><b>" on the heap. */
static char *join(const char *a, const char *b)
{
	char *joined = NULL;

	if (asprintf(&joined, "%s%s", a, b) < 0)
		abort();
	return joined;
}

/* look_at is stat for one of the files; |*st_r| is zero for one that is not
 * there. Returns 0 or errno. */
static int look_at(const struct sqlite_file *f, const char *suffix,
                   struct stat *st_r)
{
	char *path = join(f->path, suffix);
	int error;

	memset(st_r, 0, sizeof(*st_r));
	error = stat(path, st_r) != 0 && errno != ENOENT ? errno : 0;
	free(path);
	return error;
}

/* identify notes which files SQLite keeps beside ours, and how that is. */
static int identify(struct sqlite_file *f, struct err_detail *why)
{
	struct stat st;

	for (size_t i = 1; i < SQLITE_FILES; i++) {
		int error = look_at(f, suffixes[i], &st);

		if (error != 0)
			return fail_system(f, error, why);
		f->ids[i] = (struct sqlite_file_id){ st.st_dev, st.st_ino };
	}
	sqlite_file_used(f);
	return ERR_OK;
}

/* keep_log leaves the log behind when the file is closed, empty: without it,
 * and its index, a disk that has become read-only could not be read. */
static int keep_log(struct sqlite_file *f, struct err_detail *why)
{
	int on = 1;
	int rc = sqlite3_file_control(f->db, "main", SQLITE_FCNTL_PERSIST_WAL,
	                              &on);

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(f->db, "PRAGMA journal_size_limit = 0", NULL,
		                  NULL, NULL);
	return rc != SQLITE_OK ? sqlite_file_fail(f, rc, why) : ERR_OK;
}

/* connect_to opens the file and reads its version. |f| is open on failure
 * too. */
static int connect_to(struct sqlite_file *f, int *version_r,
                      struct err_detail *why)
{
	int newest;
	int rc;

	assert(f->db == NULL);
	rc = touch(f, why);
	if (rc != ERR_OK)
		return rc;
	/* One thread at a time: no mutexes needed. */
	rc = sqlite3_open_v2(f->path, &f->db,
	                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = configure(f);
	if (rc == SQLITE_OK)
		rc = sqlite_schema_version(f->db, version_r);
	if (rc != SQLITE_OK)
		return sqlite_file_fail(f, rc, why);
	(void)sqlite_schema_steps(&newest);
	return check_version(f, *version_r, newest, why);
}

int sqlite_file_open(struct sqlite_file *f, struct err_detail *why)
{
	int version = 0;
	int rc;

	rc = connect_to(f, &version, why);
	if (rc == ERR_OK)
		rc = upgrade(f, version, why);
	if (rc == ERR_OK)
		rc = keep_log(f, why);
	if (rc == ERR_OK)
		rc = identify(f, why);
	if (rc != ERR_OK)
		sqlite_file_close(f, true);
	return rc;
}

/* verify looks at each page, which may take a second or two. */
static int verify(const struct sqlite_file *f, struct err_detail *why)
{
	sqlite3_stmt *stmt = NULL;
	struct log_text safe;
	struct str verdict;
	int rc = sqlite3_prepare_v2(f->db, "PRAGMA quick_check(1)", -1, &stmt,
	                            NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	verdict = rc == SQLITE_ROW ? sqlite_sql_str(stmt, 0) : STR_NULL;
	if (rc != SQLITE_ROW)
		rc = sqlite_file_fail(f, rc, why);
	else if (str_eq(verdict, STR("ok")))
		rc = ERR_OK;
	else
		rc = err_set(why, ERR_INVALID, "%s: damaged: %s", f->path,
		             log_safe(verdict, &safe));
	(void)sqlite3_finalize(stmt);
	return rc;
}

int sqlite_file_check(struct sqlite_file *f, struct err_detail *why)
{
	bool absent = access(f->path, F_OK) != 0;
	int version = 0;
	int rc;

	rc = connect_to(f, &version, why);
	if (rc == ERR_OK)
		rc = verify(f, why);
	if (rc == ERR_OK) {
		rc = sqlite_schema_stamp(f->db, version);
		rc = rc != SQLITE_OK ? sqlite_file_fail(f, rc, why) : ERR_OK;
	}
	sqlite_file_close(f, rc == ERR_INVALID);
	/* Checked by root, it would be root's when we run as another. */
	if (absent)
		(void)unlink(f->path);
	return rc == ERR_LIMIT ? ERR_INVALID : rc;
}

void sqlite_file_close(struct sqlite_file *f, bool lost)
{
	if (f->db == NULL)
		return;
	sqlite_sql_done(&f->sql);
	/* A checkpoint would write to a damaged file or a newer one, and remove
	 * by name what may belong to another by now. */
	if (lost)
		(void)sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
		                        1, NULL);
	(void)sqlite3_close_v2(f->db);
	f->db = NULL;
	f->readonly = false;
	f->began = false;
}

void sqlite_file_used(struct sqlite_file *f)
{
	struct stat st;

	if (look_at(f, "", &st) != 0)
		return;
	f->size = st.st_size;
	f->written = st.st_mtim;
}

/* is_written: |st| of the file itself is not as we left it. */
static bool is_written(const struct sqlite_file *f, const struct stat *st)
{
	return st->st_size != f->size ||
	       st->st_mtim.tv_sec != f->written.tv_sec ||
	       st->st_mtim.tv_nsec != f->written.tv_nsec;
}

enum sqlite_file_change sqlite_file_look(const struct sqlite_file *f)
{
	bool written = false;
	struct stat st;

	for (size_t i = 0; i < SQLITE_FILES; i++) {
		if (look_at(f, suffixes[i], &st) != 0)
			continue; /* for the write to find */
		if (st.st_dev != f->ids[i].dev || st.st_ino != f->ids[i].ino)
			return SQLITE_FILE_TAKEN;
		if (i == 0)
			written = is_written(f, &st);
	}
	return written ? SQLITE_FILE_WRITTEN : SQLITE_FILE_SAME;
}

/* aside_name returns a name on the heap that nothing has yet, or NULL. */
static char *aside_name(const struct sqlite_file *f, const char *what)
{
	/* Not a matter of time passing, but of telling files apart. */
	long long now = (long long)time(NULL);

	for (int i = 0; i < FILE_ASIDE_TRIES; i++) {
		char *name = NULL;

		if (asprintf(&name, "%s.%s-%lld", f->path, what, now + i) < 0)
			abort();
		if (access(name, F_OK) != 0)
			return name;
		free(name);
	}
	return NULL;
}

/* move renames <from><suffix> to <to><suffix>; it may be absent. Returns 0 or
 * errno. */
static int move(const char *from, const char *to, const char *suffix)
{
	char *old = join(from, suffix);
	char *new = join(to, suffix);
	int error = rename(old, new) != 0 && errno != ENOENT ? errno : 0;

	free(old);
	free(new);
	return error;
}

int sqlite_file_set_aside(struct sqlite_file *f, const char *what,
                          const char *reason, struct err_detail *why)
{
	bool there = access(f->path, F_OK) == 0;
	char *name = aside_name(f, what);
	int error = name != NULL ? 0 : EEXIST;

	assert(f->db == NULL);
	for (size_t i = 0; error == 0 && i < SQLITE_FILES; i++)
		error = move(f->path, name, suffixes[i]);
	if (error == 0 && there)
		log_error(&file_log,
		          "database set aside as %s, a new one is begun: %s",
		          name, reason);
	free(name);
	if (error != 0)
		return err_set(why, ERR_IO, "%s: cannot be set aside: %s",
		               f->path, strerror(error));
	return ERR_OK;
}
