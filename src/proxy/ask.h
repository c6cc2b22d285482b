/* SPDX-License-Identifier: ISC */
/*
 * ask - STATUS commands of our own on the user's backend session, from their
 * writing to their tagged reply, also when nobody waits for that any more.
 */
#ifndef PROXY_ASK_H
#define PROXY_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/str.h"
#include "imap/response.h"

/* "b" and 16 random hex digits. */
#define ASK_TAG_LEN 17

struct ask {
	STAILQ_ENTRY(ask) link;
	char tag[ASK_TAG_LEN + 1];
	struct str mailbox; /* owned */
	size_t index;       /* the asker's number for it */
	bool is_late;       /* the asker does not wait any more */
	bool has_status;
	struct imap_status_data status;
};

struct asks {
	STAILQ_HEAD(, ask) list;
	size_t count;
};

void asks_init(struct asks *a);
void asks_done(struct asks *a);

/* asks_is_empty: every one was answered. */
bool asks_is_empty(const struct asks *a);

/* asks_add appends the STATUS command for |mailbox| to |out|. Results: 0;
 * ERR_LIMIT; ERR_PARSE, the name cannot be quoted. */
int asks_add(struct asks *a, struct str mailbox, size_t index, struct buf *out)
	__attribute__((warn_unused_result));

/* asks_status takes a `* STATUS` response that answers an open ask. */
bool asks_status(struct asks *a, struct str response);

/* asks_take removes the ask that the tagged reply |r| ends, to be freed by
 * ask_free, or returns NULL. */
struct ask *asks_take(struct asks *a, const struct imap_response *r);
void ask_free(struct ask **ask);

/* asks_give_up: nobody waits for those that are open now. */
void asks_give_up(struct asks *a);

#endif
