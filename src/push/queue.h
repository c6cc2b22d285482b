/* SPDX-License-Identifier: ISC */
/*
 * queue - one pending row per registration, sent when due over the transport,
 * and what the verdict makes of it. An event that comes while a push for the
 * same registration is in flight raises the row's generation: the row survives
 * the answer and goes again.
 */
#ifndef PUSH_QUEUE_H
#define PUSH_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"
#include "push/ledger.h"
#include "push/registry.h"
#include "push/transport.h"

struct queue;

/* |transport| may be NULL: no credential, rows wait for queue_mend. To be made
 * in the turn of |ledger|; rows of the store follow when they are read. */
struct queue *queue_new(struct loop *loop, struct ledger *ledger,
                        struct registry *registry,
                        struct push_transport *transport);

/* queue_free leaves the rows as they are. The transport ends before the queue:
 * its last answers come here. */
void queue_free(struct queue **q);

/* queue_owe puts |mailbox| into the row of the registration, due |delay_ms|
 * from now or earlier if it was due earlier, but not before a back-off that
 * APNs asked for is over. Sends on a later turn. */
void queue_owe(struct queue *q, uint64_t registration_id, struct str mailbox,
               uint64_t delay_ms);

/* queue_hasten makes what is owed to a registration, if anything, due now. */
void queue_hasten(struct queue *q, uint64_t registration_id);

/* queue_mend: |transport|, the one there is or a first one, has a credential
 * that was not tried yet; if pushes are held for the old one, one goes now. */
void queue_mend(struct queue *q, struct push_transport *transport);

/* queue_depth: rows that wait or are in flight. */
size_t queue_depth(const struct queue *q);

#endif
