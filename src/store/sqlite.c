/* SPDX-License-Identifier: ISC */
/*
 * sqlite - the asynchronous face: jobs for one thread, which alone touches the
 * file, and their results back on the loop in the same order.
 */
#include "store/sqlite.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/offload.h"
#include "store/copy.h"
#include "store/pool.h"
#include "store/sqlite_file.h"
#include "store/sqlite_lock.h"
#include "store/sqlite_rows.h"

struct sqlite {
	struct store store;
	struct offload *thread;
	struct sqlite_lock lock; /* the thread's, but for sqlite_lock_leave */

	/* The thread's own. */
	struct sqlite_file file;
	bool trusted; /* the asker believes that its rows are in the file */
	bool lost;    /* they are not, and the asker was not told */
};

struct load {
	struct sqlite *s;
	store_load_fn *done;
	void *arg;
	struct sqlite_rows rows;
	int rc;
	struct err_detail why;
};

struct commit {
	struct sqlite *s;
	store_commit_fn *done;
	void *arg;
	struct pool pool;
	struct store_batch batch;
	int rc;
	struct err_detail why;
};

/* The rest of this part runs on the thread. */

/* set_aside makes room for a new file; its rows are lost. */
static int set_aside(struct sqlite *s, const char *what, struct err_detail *why)
{
	struct err_detail reason = *why;

	sqlite_file_close(&s->file, true);
	s->lost = s->trusted;
	return sqlite_file_set_aside(&s->file, what, reason.text, why);
}

/* open_file opens the file, or a new one in the place of what must be set
 * aside. Results: 0; ERR_IO. */
static int open_file(struct sqlite *s, struct err_detail *why)
{
	int rc = sqlite_lock_take(&s->lock, why);

	if (rc == ERR_OK)
		rc = sqlite_file_open(&s->file, why);
	if (rc == ERR_INVALID || rc == ERR_LIMIT) {
		rc = set_aside(s, rc == ERR_LIMIT ? "newer" : "damaged", why);
		if (rc == ERR_OK)
			rc = sqlite_file_open(&s->file, why);
	}
	if (rc != ERR_OK)
		return ERR_IO;
	if (s->file.began && s->trusted)
		s->lost = true;
	return ERR_OK;
}

/* fail turns a bad code of SQLite into a result of the store. */
static int fail(struct sqlite *s, int code, struct err_detail *why)
{
	if (sqlite_file_fail(&s->file, code, why) != ERR_INVALID)
		return ERR_IO;
	if (set_aside(s, "damaged", why) != ERR_OK)
		return ERR_IO;
	return ERR_INVALID;
}

static void load_work(void *arg)
{
	struct load *job = arg;
	struct sqlite *s = job->s;
	int code;

	job->rc = s->file.db != NULL ? ERR_OK : open_file(s, &job->why);
	if (job->rc != ERR_OK)
		return;
	code = sqlite_rows_read(&s->file.sql, &job->rows);
	if (code != SQLITE_OK)
		job->rc = fail(s, code, &job->why);
	if (job->rc == ERR_IO)
		return;
	s->trusted = job->rc == ERR_OK;
	s->lost = false;
}

/*
 * look_after closes the open file if it cannot be gone on with as it is.
 * Results: 0; ERR_IO, it is closed, but in the way.
 */
static int look_after(struct sqlite *s, struct err_detail *why)
{
	if (s->file.readonly) {
		sqlite_file_close(&s->file, false); /* perhaps no more */
		return ERR_OK;
	}
	switch (sqlite_file_look(&s->file)) {
	case SQLITE_FILE_SAME:
		break;
	case SQLITE_FILE_WRITTEN:
		(void)err_set(why, ERR_IO, "%s: written by another",
		              s->file.path);
		sqlite_file_close(&s->file, true);
		s->lost = s->trusted;
		break;
	case SQLITE_FILE_TAKEN:
		(void)err_set(why, ERR_IO, "%s: taken away", s->file.path);
		return set_aside(s, "replaced", why);
	}
	return ERR_OK;
}

/*
 * ready_to_write opens what is closed, and notices what happened to the file
 * since. Results: 0; ERR_IO; ERR_INVALID, a new file has none of the rows.
 */
static int ready_to_write(struct sqlite *s, struct err_detail *why)
{
	int rc = s->file.db != NULL ? look_after(s, why) : ERR_OK;

	if (rc == ERR_OK && s->file.db == NULL)
		rc = open_file(s, why);
	if (rc != ERR_OK)
		return rc;
	if (!s->lost)
		return ERR_OK;
	s->lost = false;
	s->trusted = false;
	return ERR_INVALID;
}

static void commit_work(void *arg)
{
	struct commit *job = arg;
	struct sqlite *s = job->s;
	int code;

	job->rc = ready_to_write(s, &job->why);
	if (job->rc != ERR_OK)
		return;
	code = sqlite_rows_write(&s->file.sql, &job->batch);
	sqlite_file_used(&s->file);
	if (code == SQLITE_OK) {
		s->trusted = true;
		return;
	}
	job->rc = fail(s, code, &job->why);
	if (job->rc == ERR_INVALID) {
		s->lost = false;
		s->trusted = false;
	}
}

/* From here on: the loop. */

static void load_done(void *arg)
{
	struct load *job = arg;

	job->s->store.why = job->why;
	job->done(job->arg, job->rc,
	          job->rc != ERR_IO ? &job->rows.snapshot : NULL);
	sqlite_rows_done(&job->rows);
	free(job);
}

static void commit_done(void *arg)
{
	struct commit *job = arg;

	job->s->store.why = job->why;
	job->done(job->arg, job->rc);
	pool_done(&job->pool);
	free(job);
}

static void sqlite_load(struct store *store, store_load_fn *done, void *arg)
{
	struct sqlite *s = (struct sqlite *)store;
	struct load *job = xcalloc(1, sizeof(*job));

	job->s = s;
	job->done = done;
	job->arg = arg;
	sqlite_rows_init(&job->rows);
	offload_submit(s->thread, load_work, load_done, job);
}

static void sqlite_commit(struct store *store, const struct store_batch *batch,
                          store_commit_fn *done, void *arg)
{
	struct sqlite *s = (struct sqlite *)store;
	struct commit *job = xcalloc(1, sizeof(*job));

	job->s = s;
	job->done = done;
	job->arg = arg;
	pool_init(&job->pool);
	copy_batch(&job->pool, batch, &job->batch);
	offload_submit(s->thread, commit_work, commit_done, job);
}

static void sqlite_close(struct store **store)
{
	struct sqlite *s = (struct sqlite *)*store;

	sqlite_lock_leave(&s->lock);
	offload_free(&s->thread);
	sqlite_file_done(&s->file);
	sqlite_lock_done(&s->lock);
	free(s);
	*store = NULL;
}

static const struct store_ops sqlite_ops = {
	.load = sqlite_load,
	.commit = sqlite_commit,
	.close = sqlite_close,
};

struct store *store_sqlite_open(struct loop *loop, const char *path)
{
	struct sqlite *s = xcalloc(1, sizeof(*s));

	s->store.ops = &sqlite_ops;
	sqlite_lock_init(&s->lock, path);
	sqlite_file_init(&s->file, path);
	s->thread = offload_new(loop, "store");
	return &s->store;
}

int store_sqlite_check(const char *path, struct err_detail *detail)
{
	struct sqlite_file f;
	int rc;

	sqlite_file_init(&f, path);
	rc = sqlite_file_check(&f, detail);
	sqlite_file_done(&f);
	return rc;
}
