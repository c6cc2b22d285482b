/* SPDX-License-Identifier: ISC */
/* sqlite_rows - one function for each table and direction. */
#include "store/sqlite_rows.h"

#include <stdlib.h>

#include "base/mem.h"

void sqlite_rows_init(struct sqlite_rows *r)
{
	pool_init(&r->pool);
	r->snapshot = (struct store_snapshot){ 0 };
}

void sqlite_rows_done(struct sqlite_rows *r)
{
	free(r->snapshot.registrations);
	free(r->snapshot.states);
	free(r->snapshot.pendings);
	free(r->snapshot.logins);
	pool_done(&r->pool);
	r->snapshot = (struct store_snapshot){ 0 };
}

#define ADD_ROW(rows, count) \
	((rows) = xgrow((rows), &(count), sizeof(*(rows))), &(rows)[(count)-1])

/* read_str copies a column to the pool. */
static struct str read_str(struct sqlite_rows *r, sqlite3_stmt *stmt, int at)
{
	return pool_str(&r->pool, sqlite_sql_str(stmt, at));
}

/* end_query resets |stmt|; |rc| is the last of sqlite_sql_next. */
static int end_query(sqlite3_stmt *stmt, int rc)
{
	(void)sqlite3_reset(stmt);
	return -rc;
}

/* read_mailboxes reads the list of one registration. */
static int read_mailboxes(struct sqlite_sql *sql, struct sqlite_rows *r,
                          struct store_registration *row)
{
	sqlite3_stmt *stmt =
		sqlite_sql_bind(sql, SQL_MAILBOX_OF, "i", (int64_t)row->id);
	struct store_mailbox *found = NULL;
	struct store_mailbox *kept;
	size_t count = 0;
	int rc;

	while ((rc = sqlite_sql_next(stmt)) > 0) {
		struct store_mailbox *m = ADD_ROW(found, count);

		m->name = read_str(r, stmt, 0);
		m->proved = sqlite3_column_int(stmt, 1) != 0;
	}
	kept = pool_take(&r->pool, count, sizeof(*kept));
	for (size_t i = 0; i < count; i++)
		kept[i] = found[i];
	free(found);
	row->mailboxes = kept;
	row->mailbox_count = count;
	return end_query(stmt, rc);
}

static int read_registrations(struct sqlite_sql *sql, struct sqlite_rows *r)
{
	sqlite3_stmt *stmt = sql->stmts[SQL_REGISTRATION_ALL];
	struct store_snapshot *s = &r->snapshot;
	int bad = SQLITE_OK;
	int rc;

	while ((rc = sqlite_sql_next(stmt)) > 0) {
		struct store_registration *row =
			ADD_ROW(s->registrations, s->registration_count);
		int list;

		row->id = (uint64_t)sqlite3_column_int64(stmt, 0);
		row->user = read_str(r, stmt, 1);
		row->account_id = read_str(r, stmt, 2);
		row->device_token = read_str(r, stmt, 3);
		row->subtopic = read_str(r, stmt, 4);
		row->topic = read_str(r, stmt, 5);
		row->version = (uint32_t)sqlite3_column_int64(stmt, 6);
		row->first_seen_ms = sqlite3_column_int64(stmt, 7);
		row->last_seen_ms = sqlite3_column_int64(stmt, 8);
		row->last_push_ms = sqlite3_column_int64(stmt, 9);
		row->last_status = sqlite3_column_int(stmt, 10);
		row->last_reason = read_str(r, stmt, 11);
		list = read_mailboxes(sql, r, row);
		bad = bad == SQLITE_OK ? list : bad;
	}
	rc = end_query(stmt, rc);
	return rc != SQLITE_OK ? rc : bad;
}

static int read_states(struct sqlite_sql *sql, struct sqlite_rows *r)
{
	sqlite3_stmt *stmt = sql->stmts[SQL_STATE_ALL];
	struct store_snapshot *s = &r->snapshot;
	int rc;

	while ((rc = sqlite_sql_next(stmt)) > 0) {
		struct store_state *row = ADD_ROW(s->states, s->state_count);

		row->user = read_str(r, stmt, 0);
		row->mailbox = read_str(r, stmt, 1);
		row->uidvalidity = (uint32_t)sqlite3_column_int64(stmt, 2);
		row->uidnext = (uint32_t)sqlite3_column_int64(stmt, 3);
		row->modseq = (uint64_t)sqlite3_column_int64(stmt, 4);
		row->messages = sqlite3_column_int64(stmt, 5);
		row->unseen = sqlite3_column_int64(stmt, 6);
	}
	return end_query(stmt, rc);
}

/* read_pending_mailboxes reads the set of one pending row. */
static int read_pending_mailboxes(struct sqlite_sql *sql, struct sqlite_rows *r,
                                  struct store_pending *row)
{
	sqlite3_stmt *stmt = sqlite_sql_bind(sql, SQL_PENDING_MAILBOX_OF, "i",
	                                     (int64_t)row->registration_id);
	struct str *found = NULL;
	struct str *kept;
	size_t count = 0;
	int rc;

	while ((rc = sqlite_sql_next(stmt)) > 0)
		*ADD_ROW(found, count) = read_str(r, stmt, 0);
	kept = pool_take(&r->pool, count, sizeof(*kept));
	for (size_t i = 0; i < count; i++)
		kept[i] = found[i];
	free(found);
	row->mailboxes = kept;
	row->mailbox_count = count;
	return end_query(stmt, rc);
}

static int read_pendings(struct sqlite_sql *sql, struct sqlite_rows *r)
{
	sqlite3_stmt *stmt = sql->stmts[SQL_PENDING_ALL];
	struct store_snapshot *s = &r->snapshot;
	int bad = SQLITE_OK;
	int rc;

	while ((rc = sqlite_sql_next(stmt)) > 0) {
		struct store_pending *row =
			ADD_ROW(s->pendings, s->pending_count);
		int list;

		row->registration_id = (uint64_t)sqlite3_column_int64(stmt, 0);
		row->generation = (uint64_t)sqlite3_column_int64(stmt, 1);
		row->due_ms = sqlite3_column_int64(stmt, 2);
		row->attempts = (uint32_t)sqlite3_column_int64(stmt, 3);
		row->event_ms = sqlite3_column_int64(stmt, 4);
		list = read_pending_mailboxes(sql, r, row);
		bad = bad == SQLITE_OK ? list : bad;
	}
	rc = end_query(stmt, rc);
	return rc != SQLITE_OK ? rc : bad;
}

static int read_logins(struct sqlite_sql *sql, struct sqlite_rows *r)
{
	sqlite3_stmt *stmt = sql->stmts[SQL_LOGIN_ALL];
	struct store_snapshot *s = &r->snapshot;
	int rc;

	while ((rc = sqlite_sql_next(stmt)) > 0) {
		struct store_login *row = ADD_ROW(s->logins, s->login_count);

		row->user = read_str(r, stmt, 0);
		row->blob = read_str(r, stmt, 1);
		row->rejected = sqlite3_column_int(stmt, 2) != 0;
	}
	return end_query(stmt, rc);
}

int sqlite_rows_read(struct sqlite_sql *sql, struct sqlite_rows *r)
{
	static int (*const readers[])(struct sqlite_sql *,
	                              struct sqlite_rows *) = {
		read_registrations,
		read_states,
		read_pendings,
		read_logins,
	};
	int bad = SQLITE_OK;

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		int rc = readers[i](sql, r);

		bad = bad == SQLITE_OK ? rc : bad;
	}
	return bad;
}

/* TRY leaves a function with SQLite's code unless it is SQLITE_OK. */
#define TRY(call)                        \
	do {                             \
		int try_rc = (call);     \
		if (try_rc != SQLITE_OK) \
			return try_rc;   \
	} while (0)

static int delete_rows(struct sqlite_sql *sql, const struct store_batch *b)
{
	for (size_t i = 0; i < b->registration_gone_count; i++)
		TRY(sqlite_sql_run(
			sqlite_sql_bind(sql, SQL_REGISTRATION_DELETE, "i",
		                        (int64_t)b->registrations_gone[i])));
	for (size_t i = 0; i < b->state_gone_count; i++)
		TRY(sqlite_sql_run(sqlite_sql_bind(sql, SQL_STATE_DELETE, "ss",
		                                   b->states_gone[i].user,
		                                   b->states_gone[i].mailbox)));
	for (size_t i = 0; i < b->pending_gone_count; i++)
		TRY(sqlite_sql_run(
			sqlite_sql_bind(sql, SQL_PENDING_DELETE, "i",
		                        (int64_t)b->pendings_gone[i])));
	for (size_t i = 0; i < b->login_gone_count; i++)
		TRY(sqlite_sql_run(sqlite_sql_bind(sql, SQL_LOGIN_DELETE, "s",
		                                   b->logins_gone[i])));
	return SQLITE_OK;
}

static int put_registration(struct sqlite_sql *sql,
                            const struct store_registration *row)
{
	int64_t id = (int64_t)row->id;

	TRY(sqlite_sql_run(sqlite_sql_bind(
		sql, SQL_REGISTRATION_OUST, "ssssi", row->user, row->account_id,
		row->device_token, row->subtopic, id)));
	TRY(sqlite_sql_run(sqlite_sql_bind(
		sql, SQL_REGISTRATION_PUT, "isssssiiiiis", id, row->user,
		row->account_id, row->device_token, row->subtopic, row->topic,
		(int64_t)row->version, row->first_seen_ms, row->last_seen_ms,
		row->last_push_ms, (int64_t)row->last_status,
		row->last_reason)));
	TRY(sqlite_sql_run(sqlite_sql_bind(sql, SQL_MAILBOX_CLEAR, "i", id)));
	for (size_t i = 0; i < row->mailbox_count; i++)
		TRY(sqlite_sql_run(
			sqlite_sql_bind(sql, SQL_MAILBOX_PUT, "iisi", id,
		                        (int64_t)i, row->mailboxes[i].name,
		                        (int64_t)row->mailboxes[i].proved)));
	return SQLITE_OK;
}

static int put_state(struct sqlite_sql *sql, const struct store_state *row)
{
	return sqlite_sql_run(sqlite_sql_bind(
		sql, SQL_STATE_PUT, "ssiiiii", row->user, row->mailbox,
		(int64_t)row->uidvalidity, (int64_t)row->uidnext,
		(int64_t)row->modseq, row->messages, row->unseen));
}

static int put_pending(struct sqlite_sql *sql, const struct store_pending *row)
{
	int64_t id = (int64_t)row->registration_id;

	TRY(sqlite_sql_run(sqlite_sql_bind(
		sql, SQL_PENDING_PUT, "iiiii", id, (int64_t)row->generation,
		row->due_ms, (int64_t)row->attempts, row->event_ms)));
	TRY(sqlite_sql_run(
		sqlite_sql_bind(sql, SQL_PENDING_MAILBOX_CLEAR, "i", id)));
	for (size_t i = 0; i < row->mailbox_count; i++)
		TRY(sqlite_sql_run(sqlite_sql_bind(sql, SQL_PENDING_MAILBOX_PUT,
		                                   "iis", id, (int64_t)i,
		                                   row->mailboxes[i])));
	return SQLITE_OK;
}

static int put_login(struct sqlite_sql *sql, const struct store_login *row)
{
	return sqlite_sql_run(sqlite_sql_bind(sql, SQL_LOGIN_PUT, "ssi",
	                                      row->user, row->blob,
	                                      (int64_t)row->rejected));
}

static int put_rows(struct sqlite_sql *sql, const struct store_batch *b)
{
	for (size_t i = 0; i < b->registration_count; i++)
		TRY(put_registration(sql, &b->registrations[i]));
	for (size_t i = 0; i < b->state_count; i++)
		TRY(put_state(sql, &b->states[i]));
	for (size_t i = 0; i < b->pending_count; i++)
		TRY(put_pending(sql, &b->pendings[i]));
	for (size_t i = 0; i < b->login_count; i++)
		TRY(put_login(sql, &b->logins[i]));
	return SQLITE_OK;
}

/* roll_back undoes what was begun, unless SQLite did that already. */
static void roll_back(struct sqlite_sql *sql)
{
	int rc = sqlite_sql_run(sql->stmts[SQL_ROLLBACK]);

	(void)rc;
}

int sqlite_rows_write(struct sqlite_sql *sql, const struct store_batch *batch)
{
	int rc;

	TRY(sqlite_sql_run(sql->stmts[SQL_BEGIN]));
	rc = delete_rows(sql, batch);
	if (rc == SQLITE_OK)
		rc = put_rows(sql, batch);
	if (rc == SQLITE_OK)
		rc = sqlite_sql_run(sql->stmts[SQL_COMMIT]);
	if (rc != SQLITE_OK)
		roll_back(sql);
	return rc;
}
