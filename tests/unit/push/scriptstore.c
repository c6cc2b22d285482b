/* SPDX-License-Identifier: ISC */
/* scriptstore - rows are made of the batches by the memory store, anew each
 * time: slow, and nothing to go wrong. */
#include "push/scriptstore.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/copy.h"
#include "store/memory.h"
#include "store/pool.h"
#include "unit/unit.h"

enum { TEXT_MAX = 1024 * 1024 };

struct scriptstore_commit {
	struct pool pool;
	struct store_batch batch;
};

struct scriptstore_call {
	STAILQ_ENTRY(scriptstore_call) entry;
	store_load_fn *load; /* NULL: a commit */
	store_commit_fn *commit;
	void *arg;
	int rc;
};

/* The face that a ledger sees. */
struct face {
	struct store store;
	struct scriptstore *script;
};

static void ignore_commit(void *arg, int rc)
{
	(void)arg;
	(void)rc;
}

/* with_rows calls |fn| with the rows after |commits| batches. */
static void with_rows(const struct scriptstore *s, size_t commits,
                      store_load_fn *fn, void *arg)
{
	struct loop *loop = loop_new();
	struct store *rows = store_memory_new(loop);

	for (size_t i = s->begin; i < s->kept_count && i < commits; i++)
		store_commit(rows, &s->kept[i].batch, ignore_commit, NULL);
	store_load(rows, fn, arg);
	store_close(&rows);
	loop_free(&loop);
}

/* What a load is told. */
struct told {
	const struct scriptstore_call *call;
};

static void tell_rows(void *arg, int rc, const struct store_snapshot *snapshot)
{
	const struct told *told = arg;

	assert_ok(rc);
	told->call->load(told->call->arg, told->call->rc, snapshot);
}

/* answer makes the oldest call. */
static void answer(struct scriptstore *s)
{
	struct scriptstore_call *call = STAILQ_FIRST(&s->calls);
	struct told told = { call };

	STAILQ_REMOVE_HEAD(&s->calls, entry);
	if (call->load == NULL)
		call->commit(call->arg, call->rc);
	else if (call->rc == ERR_IO)
		call->load(call->arg, ERR_IO, NULL);
	else
		with_rows(s, SIZE_MAX, tell_rows, &told);
	free(call);
}

static void on_turn(void *arg)
{
	struct scriptstore *s = arg;

	if (!s->hold && !STAILQ_EMPTY(&s->calls))
		answer(s);
}

static struct scriptstore_call *add_call(struct scriptstore *s, int rc,
                                         void *arg)
{
	struct scriptstore_call *call = xcalloc(1, sizeof(*call));

	call->rc = rc;
	call->arg = arg;
	STAILQ_INSERT_TAIL(&s->calls, call, entry);
	loop_defer(s->loop, on_turn, s);
	return call;
}

static void face_load(struct store *store, store_load_fn *done, void *arg)
{
	struct scriptstore *s = ((struct face *)store)->script;

	s->loads++;
	add_call(s, s->load_rc, arg)->load = done;
}

static void keep(struct scriptstore *s, const struct store_batch *batch)
{
	struct scriptstore_commit *c;

	s->kept = xrealloc(s->kept, s->kept_count + 1, sizeof(*s->kept));
	c = &s->kept[s->kept_count++];
	pool_init(&c->pool);
	copy_batch(&c->pool, batch, &c->batch);
}

static void face_commit(struct store *store, const struct store_batch *batch,
                        store_commit_fn *done, void *arg)
{
	struct scriptstore *s = ((struct face *)store)->script;

	s->commits++;
	if (s->commit_rc == ERR_OK && !s->dead)
		keep(s, batch);
	if (s->commit_rc == ERR_INVALID)
		s->begin = s->kept_count;
	add_call(s, s->dead ? ERR_OK : s->commit_rc, arg)->commit = done;
}

static void face_close(struct store **store)
{
	struct scriptstore *s = ((struct face *)*store)->script;

	while (!STAILQ_EMPTY(&s->calls))
		answer(s);
	loop_defer_cancel(s->loop, on_turn, s);
	free(*store);
	*store = NULL;
}

static const struct store_ops face_ops = {
	.load = face_load,
	.commit = face_commit,
	.close = face_close,
};

void scriptstore_init(struct scriptstore *s, struct loop *loop)
{
	*s = (struct scriptstore){ .loop = loop };
	STAILQ_INIT(&s->calls);
}

void scriptstore_done(struct scriptstore *s)
{
	assert_true(STAILQ_EMPTY(&s->calls));
	for (size_t i = 0; i < s->kept_count; i++)
		pool_done(&s->kept[i].pool);
	free(s->kept);
	s->kept = NULL;
	s->kept_count = 0;
}

struct store *scriptstore_open(struct scriptstore *s)
{
	struct face *face = xcalloc(1, sizeof(*face));

	face->store.ops = &face_ops;
	(void)err_set(&face->store.why, ERR_IO, "as the test wants it");
	face->script = s;
	return &face->store;
}

void scriptstore_release(struct scriptstore *s)
{
	struct scriptstore_call *call;

	s->hold = false;
	STAILQ_FOREACH(call, &s->calls, entry)
		loop_defer(s->loop, on_turn, s);
}

const struct store_batch *scriptstore_last(const struct scriptstore *s)
{
	assert_true(s->kept_count > 0);
	return &s->kept[s->kept_count - 1].batch;
}

/* Rows as text. */

struct lines {
	struct buf *items;
	size_t len;
};

static struct buf *add_line(struct lines *l, const char *what, struct str user)
{
	struct buf *line;

	l->items = xrealloc(l->items, l->len + 1, sizeof(*l->items));
	line = &l->items[l->len++];
	buf_init(line, TEXT_MAX);
	assert_ok(buf_adds(line, what));
	assert_ok(buf_adds(line, " "));
	assert_ok(buf_add(line, user));
	return line;
}

static void add_part(struct buf *line, const char *before, struct str part)
{
	assert_ok(buf_adds(line, before));
	assert_ok(buf_add(line, part));
}

static void add_phone(struct lines *l, const struct store_registration *r)
{
	struct buf *line = add_line(l, "phone", r->user);

	add_part(line, "/", r->device_token);
	for (size_t i = 0; i < r->mailbox_count; i++) {
		add_part(line, " ", r->mailboxes[i].name);
		if (r->mailboxes[i].proved)
			assert_ok(buf_adds(line, "*"));
	}
}

static void add_state(struct lines *l, const struct store_state *s)
{
	struct buf *line = add_line(l, "state", s->user);

	add_part(line, " ", s->mailbox);
	assert_ok(buf_printf(
		line,
		" %" PRIu32 ":%" PRIu32 " messages=%" PRId64 " unseen=%" PRId64,
		s->uidvalidity, s->uidnext, s->messages, s->unseen));
}

static void add_owed(struct lines *l, const struct store_snapshot *rows,
                     const struct store_pending *p)
{
	const struct store_registration *r = NULL;
	struct buf *line;

	for (size_t i = 0; i < rows->registration_count; i++) {
		if (rows->registrations[i].id == p->registration_id)
			r = &rows->registrations[i];
	}
	assert_non_null(r); /* a pending row needs it */
	line = add_line(l, "owed", r->user);
	add_part(line, "/", r->device_token);
	for (size_t i = 0; i < p->mailbox_count; i++)
		add_part(line, " ", p->mailboxes[i]);
	assert_ok(buf_printf(line, " tries=%" PRIu32, p->attempts));
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(buf_str(a), buf_str(b));
}

static void write_rows(void *arg, int rc, const struct store_snapshot *rows)
{
	struct buf *out = arg;
	struct lines l = { 0 };

	assert_ok(rc);
	for (size_t i = 0; i < rows->registration_count; i++)
		add_phone(&l, &rows->registrations[i]);
	for (size_t i = 0; i < rows->state_count; i++)
		add_state(&l, &rows->states[i]);
	for (size_t i = 0; i < rows->pending_count; i++)
		add_owed(&l, rows, &rows->pendings[i]);
	for (size_t i = 0; i < rows->login_count; i++) {
		struct buf *line = add_line(&l, "login", rows->logins[i].user);

		add_part(line, " ", rows->logins[i].blob);
		if (rows->logins[i].rejected)
			assert_ok(buf_adds(line, " rejected"));
	}
	if (l.len > 0)
		qsort(l.items, l.len, sizeof(*l.items), by_bytes);
	for (size_t i = 0; i < l.len; i++) {
		add_part(out, "", buf_str(&l.items[i]));
		assert_ok(buf_adds(out, "\n"));
		buf_reset(&l.items[i]);
	}
	free(l.items);
}

void scriptstore_text(const struct scriptstore *s, size_t commits,
                      struct buf *out)
{
	with_rows(s, commits, write_rows, out);
}

void scriptstore_want(const struct scriptstore *s, const char *text)
{
	struct buf rows;

	buf_init(&rows, TEXT_MAX);
	scriptstore_text(s, SIZE_MAX, &rows);
	assert_ok(buf_append(&rows, "", 1));
	assert_string_equal(rows.data, text);
	buf_reset(&rows);
}
