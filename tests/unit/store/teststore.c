/* SPDX-License-Identifier: ISC */
/* teststore - what the tests of a store have in common. */
#include "store/teststore.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/mem.h"
#include "unit/unit.h"

enum { TEXT_MAX = 64 * 1024 * 1024 };

void testdir_init(struct testdir *d)
{
	(void)snprintf(d->path, sizeof(d->path), "/tmp/test_store.XXXXXX");
	assert_non_null(mkdtemp(d->path));
	(void)snprintf(d->db, sizeof(d->db), "%s/bell.db", d->path);
}

/* is_beside: the name of what SQLite keeps beside a file. */
static bool is_beside(const char *name)
{
	return str_ends(str_of(name), STR("-wal")) ||
	       str_ends(str_of(name), STR("-shm"));
}

/* next_file finds the next file of |dir| with |part| in its name; those beside
 * a database only when |part| is such a name or empty. */
static const struct dirent *next_file(DIR *dir, const char *part)
{
	const struct dirent *e;

	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || strstr(e->d_name, part) == NULL)
			continue;
		if (part[0] == '\0' || is_beside(part) || !is_beside(e->d_name))
			return e;
	}
	return NULL;
}

/* path_of returns the path of |name| in |d| on the heap. */
static char *path_of(const struct testdir *d, const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", d->path, name) > 0);
	return path;
}

void testdir_done(struct testdir *d)
{
	DIR *dir = opendir(d->path);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = next_file(dir, "")) != NULL) {
		char *path = path_of(d, e->d_name);

		assert_ok(unlink(path));
		free(path);
	}
	closedir(dir);
	assert_ok(rmdir(d->path));
}

int testdir_count(const struct testdir *d, const char *part)
{
	DIR *dir = opendir(d->path);
	int count = 0;

	assert_non_null(dir);
	while (next_file(dir, part) != NULL)
		count++;
	closedir(dir);
	return count;
}

char *testdir_only(const struct testdir *d, const char *part)
{
	DIR *dir = opendir(d->path);
	const struct dirent *e;
	char *path;

	assert_non_null(dir);
	e = next_file(dir, part);
	assert_non_null(e);
	path = path_of(d, e->d_name);
	assert_null(next_file(dir, part));
	closedir(dir);
	return path;
}

/* What is waited for. */
struct answer {
	struct loop *loop;
	struct buf *text;
	int rc;
	int calls;
};

static void on_commit(void *arg, int rc)
{
	struct answer *a = arg;

	a->rc = rc;
	a->calls++;
	loop_stop(a->loop);
}

int teststore_commit(struct loop *loop, struct store *s,
                     const struct store_batch *batch)
{
	struct answer a = { .loop = loop };

	store_commit(s, batch, on_commit, &a);
	assert_int_equal(a.calls, 0); /* on a later turn */
	loop_run(loop);
	assert_int_equal(a.calls, 1);
	return a.rc;
}

static void on_load(void *arg, int rc, const struct store_snapshot *snapshot)
{
	struct answer *a = arg;

	if (rc == ERR_IO)
		assert_null(snapshot);
	else if (a->text != NULL)
		teststore_text(snapshot, a->text);
	on_commit(a, rc);
}

int teststore_load(struct loop *loop, struct store *s, struct buf *text)
{
	struct answer a = { .loop = loop, .text = text };

	store_load(s, on_load, &a);
	assert_int_equal(a.calls, 0);
	loop_run(loop);
	assert_int_equal(a.calls, 1);
	return a.rc;
}

/* Lines of text on their way to be sorted. */
struct lines {
	struct buf *items;
	size_t len;
};

/* open_line begins a line. */
static struct buf *open_line(struct lines *l, const char *what)
{
	struct buf *line;

	l->items = xrealloc(l->items, l->len + 1, sizeof(*l->items));
	line = &l->items[l->len++];
	buf_init(line, TEXT_MAX);
	assert_ok(buf_adds(line, what));
	return line;
}

static void add_number(struct buf *line, const char *name, int64_t n)
{
	assert_ok(buf_printf(line, " %s=%" PRId64, name, n));
}

/* add_bytes adds printable bytes as they are, others as hex. */
static void add_bytes(struct buf *line, const char *name, struct str s)
{
	bool plain = true;

	for (size_t i = 0; i < s.len; i++)
		plain = plain && s.data[i] > ' ' && s.data[i] < 0x7f;
	assert_ok(buf_printf(line, " %s=%s", name, plain ? "" : "x"));
	if (plain)
		assert_ok(buf_add(line, s));
	else
		assert_ok(codec_hex(s, line));
}

static void add_registration(struct lines *l,
                             const struct store_registration *r)
{
	struct buf *line = open_line(l, "registration");

	add_number(line, "id", (int64_t)r->id);
	add_bytes(line, "user", r->user);
	add_bytes(line, "account", r->account_id);
	add_bytes(line, "token", r->device_token);
	add_bytes(line, "subtopic", r->subtopic);
	add_bytes(line, "topic", r->topic);
	add_number(line, "version", r->version);
	add_number(line, "first", r->first_seen_ms);
	add_number(line, "last", r->last_seen_ms);
	add_number(line, "push", r->last_push_ms);
	add_number(line, "status", r->last_status);
	add_bytes(line, "reason", r->last_reason);
	for (size_t i = 0; i < r->mailbox_count; i++)
		add_bytes(line, r->mailboxes[i].proved ? "proved" : "unproved",
		          r->mailboxes[i].name);
}

static void add_state(struct lines *l, const struct store_state *s)
{
	struct buf *line = open_line(l, "state");

	add_bytes(line, "user", s->user);
	add_bytes(line, "mailbox", s->mailbox);
	add_number(line, "uidvalidity", s->uidvalidity);
	add_number(line, "uidnext", s->uidnext);
	add_number(line, "modseq", (int64_t)s->modseq);
	add_number(line, "messages", s->messages);
	add_number(line, "unseen", s->unseen);
}

static void add_pending(struct lines *l, const struct store_pending *p)
{
	struct buf *line = open_line(l, "pending");

	add_number(line, "id", (int64_t)p->registration_id);
	add_number(line, "generation", (int64_t)p->generation);
	add_number(line, "due", p->due_ms);
	add_number(line, "attempts", p->attempts);
	add_number(line, "event", p->event_ms);
	for (size_t i = 0; i < p->mailbox_count; i++)
		add_bytes(line, "mailbox", p->mailboxes[i]);
}

static void add_login(struct lines *l, const struct store_login *login)
{
	struct buf *line = open_line(l, "login");

	add_bytes(line, "user", login->user);
	add_bytes(line, "blob", login->blob);
	add_number(line, "rejected", login->rejected);
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(buf_str(a), buf_str(b));
}

void teststore_text(const struct store_snapshot *snapshot, struct buf *text)
{
	struct lines l = { 0 };

	for (size_t i = 0; i < snapshot->registration_count; i++)
		add_registration(&l, &snapshot->registrations[i]);
	for (size_t i = 0; i < snapshot->state_count; i++)
		add_state(&l, &snapshot->states[i]);
	for (size_t i = 0; i < snapshot->pending_count; i++)
		add_pending(&l, &snapshot->pendings[i]);
	for (size_t i = 0; i < snapshot->login_count; i++)
		add_login(&l, &snapshot->logins[i]);
	if (l.len > 0)
		qsort(l.items, l.len, sizeof(*l.items), by_bytes);
	for (size_t i = 0; i < l.len; i++) {
		assert_ok(buf_add(text, buf_str(&l.items[i])));
		assert_ok(buf_adds(text, "\n"));
		buf_reset(&l.items[i]);
	}
	free(l.items);
}
