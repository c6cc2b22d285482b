/* SPDX-License-Identifier: ISC */
#include "push/testpush.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite.h"
#include "unit/unit.h"

enum { TEXT_MAX = 1024 * 1024, MAILBOXES_MAX = 128 };

/* The transport. */

static int transport_send(struct push_transport *transport,
                          const struct push_job *job, push_done_fn *done,
                          void *arg)
{
	struct testpush_transport *t = (struct testpush_transport *)transport;

	t->asked++;
	if (t->rc != ERR_OK)
		return t->rc;
	assert_ok(buf_add(&t->log, job->device_token));
	for (size_t i = 0; i < job->mailbox_count; i++) {
		assert_ok(buf_adds(&t->log, i == 0 ? " " : ","));
		assert_ok(buf_add(&t->log, job->mailboxes[i]));
	}
	assert_ok(buf_printf(&t->log, " v%" PRIu32 " try=%" PRIu32 "\n",
	                     job->version, job->attempts));
	t->sent = xrealloc(t->sent, t->sent_count + 1, sizeof(*t->sent));
	t->sent[t->sent_count++] =
		(struct testpush_sent){ job->registration_id, done, arg };
	return ERR_OK;
}

static void transport_on_ready(struct push_transport *transport,
                               push_ready_fn *ready, void *arg)
{
	struct testpush_transport *t = (struct testpush_transport *)transport;

	t->ready = ready;
	t->ready_arg = arg;
}

static const struct push_transport_ops transport_ops = {
	.send = transport_send,
	.on_ready = transport_on_ready,
};

/* answer makes the one call for |sent|. */
static void answer(struct testpush_sent *sent, const struct push_result *result)
{
	push_done_fn *done = sent->done;

	sent->done = NULL;
	done(sent->arg, sent->id, result);
}

/* transport_end never gets an answer for what is open. */
static void transport_end(struct testpush_transport *t)
{
	const struct push_result again = { .verdict = PUSH_AGAIN,
		                           .reason = "" };

	for (size_t i = 0; i < t->sent_count; i++) {
		if (t->sent[i].done != NULL)
			answer(&t->sent[i], &again);
	}
	t->sent_count = 0;
}

/* The house. */

void testpush_init(struct testpush *p)
{
	const struct log_opts quiet = { .level = LOG_LEVEL_ERROR };

	log_setup(&quiet);
	*p = (struct testpush){
		.registry_opts = { 20, 64, 30 },
		.notifier_opts = { 2000, 60000, 20000, 60000 },
	};
	p->loop = loop_new();
	scriptstore_init(&p->disk, p->loop);
	p->apns.transport.ops = &transport_ops;
	buf_init(&p->apns.log, TEXT_MAX);
}

void testpush_done(struct testpush *p)
{
	testpush_stop(p);
	scriptstore_done(&p->disk);
	buf_reset(&p->apns.log);
	free(p->apns.sent);
	loop_free(&p->loop);
}

static void on_loaded(void *arg, int rc)
{
	struct testpush *p = arg;

	p->loaded++;
	p->loaded_rc = rc;
}

void testpush_begin(struct testpush *p)
{
	struct store *store = p->path != NULL
	                              ? store_sqlite_open(p->loop, p->path)
	                              : scriptstore_open(&p->disk);

	p->ledger = ledger_new(p->loop, store, on_loaded, p);
	p->registry = registry_new(p->loop, p->ledger, &p->registry_opts);
	p->queue = queue_new(p->loop, p->ledger, p->registry,
	                     p->no_transport ? NULL : &p->apns.transport);
	p->notifier = notifier_new(p->loop, p->ledger, p->registry, p->queue,
	                           &p->notifier_opts);
}

void testpush_start(struct testpush *p)
{
	testpush_begin(p);
	fake_run(p->loop);
}

void testpush_stop(struct testpush *p)
{
	notifier_free(&p->notifier);
	transport_end(&p->apns);
	queue_free(&p->queue);
	registry_free(&p->registry);
	ledger_free(&p->ledger);
}

void testpush_restart(struct testpush *p)
{
	testpush_stop(p);
	testpush_start(p);
}

void testpush_crash(struct testpush *p)
{
	p->disk.dead = true;
	testpush_stop(p);
	p->disk.dead = false;
	testpush_start(p);
}

uint64_t testpush_phone(struct testpush *p, const char *user, const char *token,
                        const char *list)
{
	struct store_mailbox boxes[MAILBOXES_MAX];
	struct store_registration wish = {
		.user = str_of(user),
		.account_id = STR("acc"),
		.device_token = str_of(token),
		.subtopic = STR("com.apple.mobilemail"),
		.topic = STR("topic"),
		.version = 2,
		.mailboxes = boxes,
	};
	struct str rest = str_of(list);

	while (rest.len > 0) {
		struct str word = str_take(&rest, str_find(rest, ' '));
		bool proved = str_ends(word, STR("*"));

		(void)str_byte(&rest, ' ');
		assert_true(wish.mailbox_count < MAILBOXES_MAX);
		boxes[wish.mailbox_count].name =
			str_sub(word, 0, word.len - proved);
		boxes[wish.mailbox_count++].proved = proved;
	}
	return registry_put(p->registry, &wish);
}

void testpush_event(struct testpush *p, enum notifier_kind kind,
                    const char *user, const char *mailbox, uint32_t uidnext)
{
	const struct store_state state = {
		.user = str_of(user),
		.mailbox = str_of(mailbox),
		.uidvalidity = 7,
		.uidnext = uidnext,
		.messages = (int64_t)uidnext - 1,
		.unseen = STORE_UNKNOWN,
	};

	notifier_event(p->notifier, kind, &state);
}

void testpush_sees(struct testpush *p, const char *text)
{
	struct buf *log = &p->apns.log;

	fake_run(p->loop);
	assert_ok(buf_append(log, "", 1));
	assert_string_equal(log->data, text);
	buf_clear(log);
}

void testpush_answer(struct testpush *p, uint64_t id,
                     const struct push_result *result)
{
	struct testpush_transport *t = &p->apns;
	size_t i = 0;

	while (i < t->sent_count &&
	       (t->sent[i].id != id || t->sent[i].done == NULL))
		i++;
	assert_true(i < t->sent_count);
	answer(&t->sent[i], result);
	fake_run(p->loop);
}

void testpush_delivered(struct testpush *p, uint64_t id)
{
	const struct push_result ok = { .verdict = PUSH_DELIVERED,
		                        .status = 200,
		                        .reason = "" };

	testpush_answer(p, id, &ok);
}

size_t testpush_open(const struct testpush *p)
{
	size_t open = 0;

	for (size_t i = 0; i < p->apns.sent_count; i++)
		open += p->apns.sent[i].done != NULL;
	return open;
}

void testpush_ready(struct testpush *p)
{
	p->apns.rc = ERR_OK;
	p->apns.ready(p->apns.ready_arg);
	fake_run(p->loop);
}
