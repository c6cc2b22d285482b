/* SPDX-License-Identifier: ISC */
/*
 * testpush - a push side on the fakes: ledger, registry, queue and notifier
 * over a scriptstore, and a transport that the test answers for. Other
 * folders' tests link it too.
 */
#ifndef PUSH_TESTPUSH_H
#define PUSH_TESTPUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fake/fake.h"
#include "push/notifier.h"
#include "push/scriptstore.h"
#include "push/service_local.h"
#include "push/transport.h"

/* A push that the transport took. */
struct testpush_sent {
	uint64_t id;
	push_done_fn *done; /* NULL: answered */
	void *arg;
};

struct testpush_transport {
	struct push_transport transport;
	int rc;         /* what sends come to, until changed */
	size_t asked;   /* sends, refused ones too */
	struct buf log; /* "token INBOX,Sent v2 try=0\n" for each that it took,
	                   since testpush_sent_text */
	struct testpush_sent *sent;
	size_t sent_count;
	push_ready_fn *ready;
	void *ready_arg;
};

struct testpush {
	struct loop *loop;
	struct scriptstore disk;
	const char *path; /* if set, an SQLite file instead */
	struct testpush_transport apns;
	bool no_transport;
	struct registry_opts registry_opts; /* the defaults, to be changed */
	struct notifier_opts notifier_opts;

	struct ledger *ledger;
	struct registry *registry;
	struct queue *queue;
	struct notifier *notifier;
	int loaded; /* calls of ledger_new's */
	int loaded_rc;
};

void testpush_init(struct testpush *p);
void testpush_done(struct testpush *p);

/* testpush_start makes the four and lets them load, unless the disk holds;
 * testpush_begin does not run the loop. */
void testpush_start(struct testpush *p);
void testpush_begin(struct testpush *p);

/* testpush_stop ends them as an orderly process does. What the transport has
 * not answered it never will: PUSH_AGAIN. */
void testpush_stop(struct testpush *p);

/* testpush_restart stops and starts. testpush_crash starts again on what has
 * been kept so far. */
void testpush_restart(struct testpush *p);
void testpush_crash(struct testpush *p);

/* testpush_phone registers |token| of |user| for the mailboxes in |list|,
 * "INBOX* Sent": with a star it is proved. Returns the id. */
uint64_t testpush_phone(struct testpush *p, const char *user, const char *token,
                        const char *list);

/* testpush_event tells the notifier that |mailbox| of |user| is at |uidnext|,
 * with UIDVALIDITY 7 and one message less than that. */
void testpush_event(struct testpush *p, enum notifier_kind kind,
                    const char *user, const char *mailbox, uint32_t uidnext);

/* testpush_sees wants the transport to have taken just these pushes since it
 * was asked last. */
void testpush_sees(struct testpush *p, const char *text);

/* testpush_answer answers the open push to registration |id| and runs the
 * loop; testpush_open counts the open ones. */
void testpush_answer(struct testpush *p, uint64_t id,
                     const struct push_result *result);
void testpush_delivered(struct testpush *p, uint64_t id);
size_t testpush_open(const struct testpush *p);

/* testpush_ready: the transport says that a send may succeed, and one does. */
void testpush_ready(struct testpush *p);

#endif
