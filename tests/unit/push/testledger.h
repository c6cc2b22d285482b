/* SPDX-License-Identifier: ISC */
/* testledger - a ledger over a scriptstore, and rows for it. */
#ifndef PUSH_TESTLEDGER_H
#define PUSH_TESTLEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "fake/fake.h"
#include "push/ledger.h"
#include "push/scriptstore.h"

/* Who waits for a flush. */
struct testledger_waiter {
	int calls;
	int rc;
	size_t at; /* what was kept when it was told */
	const struct scriptstore *disk;
};

struct testledger {
	struct loop *loop;
	struct scriptstore disk;
	struct ledger *ledger;
	int loaded;
	int loaded_rc;
	int listened;
	int listened_at; /* |loaded| then */
	struct testledger_waiter waiters[4];
};

/* testledger_set_up and testledger_tear_down are cmocka's; without a ledger. */
int testledger_set_up(void **state);
int testledger_tear_down(void **state);

/* testledger_begin makes the ledger, testledger_start lets it load too;
 * testledger_restart frees the one there was before. */
void testledger_begin(struct testledger *f);
void testledger_start(struct testledger *f);
void testledger_restart(struct testledger *f);

/* testledger_flush flushes with waiter |i|, testledger_want_told wants it to
 * have been told |rc|, once. */
void testledger_flush(struct testledger *f, size_t i);
void testledger_want_told(const struct testledger *f, size_t i, int rc);

/* testledger_backs_off wants |*count| to grow by one with each wait, and the
 * waits to double up to the maximum. */
void testledger_backs_off(struct testledger *f, const size_t *count);

/* Rows: a phone that lists INBOX, proved, and Sent; testledger_put_all puts one
 * of each kind. */
uint64_t testledger_put_phone(struct testledger *f, const char *user,
                              const char *token);
void testledger_put_state(struct testledger *f, const char *user,
                          const char *mailbox, uint32_t uidnext);
void testledger_put_owed(struct testledger *f, uint64_t id,
                         const char *mailbox);
void testledger_put_login(struct testledger *f, const char *user,
                          const char *blob);
uint64_t testledger_put_all(struct testledger *f, const char *user,
                            const char *token);

/* What a store has then. */
#define TESTLEDGER_ALL_OF(user, token)            \
	"login " user " blob\n"                   \
	"owed " user "/" token " INBOX tries=0\n" \
	"phone " user "/" token " INBOX* Sent\n"  \
	"state " user " INBOX 7:12 messages=3 unseen=-1\n"

#define TESTLEDGER_BOTH                \
	"login anna blob\n"            \
	"owed anna/t1 INBOX tries=0\n" \
	"phone anna/t1 INBOX* Sent\n"  \
	"phone bert/t2 INBOX* Sent\n"  \
	"state anna INBOX 7:12 messages=3 unseen=-1\n"

#endif
