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

/* |transport| may be NULL: no credential, rows wait. */
struct queue *queue_new(struct loop *loop, struct ledger *ledger,
                        struct registry *registry,
                        struct push_transport *transport);
void queue_free(struct queue **q);

/* queue_owe puts |mailbox| into the row of the registration, due |delay_ms|
 * from now or earlier if it was due earlier. Sends on a later turn. */
void queue_owe(struct queue *q, uint64_t registration_id, struct str mailbox,
               uint64_t delay_ms);

/* queue_depth: rows that wait or are in flight. */
size_t queue_depth(const struct queue *q);

#endif
