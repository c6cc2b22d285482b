/* SPDX-License-Identifier: ISC */
#include "push/testledger.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "unit/unit.h"

int testledger_set_up(void **state)
{
	const struct log_opts quiet = { .level = LOG_LEVEL_ERROR };
	struct testledger *f = xcalloc(1, sizeof(*f));

	log_setup(&quiet);
	f->loop = loop_new();
	scriptstore_init(&f->disk, f->loop);
	for (size_t i = 0; i < 4; i++)
		f->waiters[i].disk = &f->disk;
	*state = f;
	return 0;
}

int testledger_tear_down(void **state)
{
	struct testledger *f = *state;

	ledger_free(&f->ledger);
	scriptstore_done(&f->disk);
	loop_free(&f->loop);
	free(f);
	return 0;
}

static void on_loaded(void *arg, int rc)
{
	struct testledger *f = arg;

	f->loaded++;
	f->loaded_rc = rc;
}

static void on_listened(void *arg)
{
	struct testledger *f = arg;

	f->listened++;
	f->listened_at = f->loaded;
}

void testledger_begin(struct testledger *f)
{
	f->ledger =
		ledger_new(f->loop, scriptstore_open(&f->disk), on_loaded, f);
	ledger_on_loaded(f->ledger, on_listened, f);
}

void testledger_start(struct testledger *f)
{
	testledger_begin(f);
	fake_run(f->loop);
	assert_int_equal(f->loaded, 1);
	assert_ok(f->loaded_rc);
}

void testledger_restart(struct testledger *f)
{
	ledger_free(&f->ledger);
	f->loaded = 0;
	testledger_start(f);
}

static void on_flushed(void *arg, int rc)
{
	struct testledger_waiter *w = arg;

	w->calls++;
	w->rc = rc;
	w->at = w->disk->kept_count;
}

void testledger_flush(struct testledger *f, size_t i)
{
	f->waiters[i].calls = 0;
	ledger_flush(f->ledger, on_flushed, &f->waiters[i]);
	assert_int_equal(f->waiters[i].calls, 0); /* on a later turn */
}

void testledger_want_told(const struct testledger *f, size_t i, int rc)
{
	assert_int_equal(f->waiters[i].calls, 1);
	assert_int_equal(f->waiters[i].rc, rc);
}

uint64_t testledger_put_phone(struct testledger *f, const char *user,
                              const char *token)
{
	const struct store_mailbox boxes[] = { { STR("INBOX"), true },
		                               { STR("Sent"), false } };
	const struct store_registration row = {
		.user = str_of(user),
		.account_id = STR("acc"),
		.device_token = str_of(token),
		.subtopic = STR("sub"),
		.topic = STR("top"),
		.version = 2,
		.first_seen_ms = 1000,
		.last_seen_ms = 2000,
		.last_reason = STR(""),
		.mailboxes = boxes,
		.mailbox_count = 2,
	};

	return ledger_registration_put(f->ledger, &row);
}

void testledger_put_state(struct testledger *f, const char *user,
                          const char *mailbox, uint32_t uidnext)
{
	const struct store_state row = { .user = str_of(user),
		                         .mailbox = str_of(mailbox),
		                         .uidvalidity = 7,
		                         .uidnext = uidnext,
		                         .messages = 3,
		                         .unseen = STORE_UNKNOWN };

	ledger_state_put(f->ledger, &row);
}

void testledger_put_owed(struct testledger *f, uint64_t id, const char *mailbox)
{
	const struct str name = str_of(mailbox);
	const struct store_pending row = { .registration_id = id,
		                           .generation = 1,
		                           .due_ms = 5000,
		                           .event_ms = 4000,
		                           .mailboxes = &name,
		                           .mailbox_count = 1 };

	ledger_pending_put(f->ledger, &row);
}

void testledger_put_login(struct testledger *f, const char *user,
                          const char *blob)
{
	const struct store_login row = { str_of(user), str_of(blob), false };

	ledger_login_put(f->ledger, &row);
}

uint64_t testledger_put_all(struct testledger *f, const char *user,
                            const char *token)
{
	uint64_t id = testledger_put_phone(f, user, token);

	testledger_put_state(f, user, "INBOX", 12);
	testledger_put_owed(f, id, "INBOX");
	testledger_put_login(f, user, "blob");
	return id;
}

void testledger_backs_off(struct testledger *f, const size_t *count)
{
	static const uint64_t steps_ms[] = { 500,  1000,  2000, 4000,
		                             8000, 15000, 15000 };

	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		uint64_t wait_ms = fake_clock_next(f->loop);

		assert_in_range(wait_ms, steps_ms[i] / 2, steps_ms[i]);
		assert_int_equal(*count, i + 1);
		fake_clock_advance(f->loop, wait_ms);
	}
}
