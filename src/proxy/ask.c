/* SPDX-License-Identifier: ISC */
/*
 * ask - which answers on the client's own session are ours: the tagged reply
 * by its random tag, and before it one STATUS of that mailbox with exactly the
 * items that were asked. A server that tells more (NOTIFY adds HIGHESTMODSEQ)
 * or less is talking to the client.
 */
#include "proxy/ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "imap/emit.h"
#include "imap/mailbox.h"

#define ASK_ITEMS                                                         \
	(IMAP_ITEM_UIDVALIDITY | IMAP_ITEM_UIDNEXT | IMAP_ITEM_MESSAGES | \
	 IMAP_ITEM_UNSEEN)

/* A mailbox name in a response, any quoting resolved. */
#define ASK_NAME_MAX ((size_t)4096)

void asks_init(struct asks *a)
{
	STAILQ_INIT(&a->list);
	a->count = 0;
}

void ask_free(struct ask **ask)
{
	if (*ask == NULL)
		return;
	str_free(&(*ask)->mailbox);
	free(*ask);
	*ask = NULL;
}

void asks_done(struct asks *a)
{
	struct ask *ask;

	while ((ask = STAILQ_FIRST(&a->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&a->list, link);
		ask_free(&ask);
	}
	a->count = 0;
}

bool asks_is_empty(const struct asks *a)
{
	return STAILQ_EMPTY(&a->list);
}

/* random_tag cannot be guessed, so no client can use it for its own. */
static void random_tag(char tag[ASK_TAG_LEN + 1])
{
	uint64_t random;

	rand_bytes(&random, sizeof(random));
	(void)snprintf(tag, ASK_TAG_LEN + 1, "b%016" PRIx64, random);
}

int asks_add(struct asks *a, struct str mailbox, size_t index, struct buf *out)
{
	struct ask *ask = xcalloc(1, sizeof(*ask));
	int rc;

	random_tag(ask->tag);
	ask->index = index;
	ask->mailbox = str_dup(mailbox);
	rc = buf_printf(out, "%s STATUS ", ask->tag);
	if (rc == 0)
		rc = imap_quote(mailbox, out);
	if (rc == 0)
		rc = buf_adds(out,
		              " (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)\r\n");
	if (rc != 0) {
		ask_free(&ask);
		return rc;
	}
	STAILQ_INSERT_TAIL(&a->list, ask, link);
	a->count++;
	return ERR_OK;
}

/* find_open returns the first ask for |mailbox| that has no STATUS yet. */
static struct ask *find_open(struct asks *a, struct str mailbox)
{
	struct ask *ask;

	STAILQ_FOREACH(ask, &a->list, link)
		if (!ask->has_status && imap_mailbox_eq(ask->mailbox, mailbox))
			return ask;
	return NULL;
}

bool asks_status(struct asks *a, struct str response)
{
	struct imap_status_data data;
	struct imap_response r;
	struct ask *ask = NULL;
	struct buf name;

	buf_init(&name, ASK_NAME_MAX);
	if (imap_response_parse(response, &r) == 0 &&
	    imap_response_status_data(&r, &name, &data) == 0 &&
	    data.has == ASK_ITEMS)
		ask = find_open(a, buf_str(&name));
	if (ask != NULL) {
		ask->has_status = true;
		ask->status = data;
	}
	buf_reset(&name);
	return ask != NULL;
}

struct ask *asks_take(struct asks *a, const struct imap_response *r)
{
	struct ask *ask;

	STAILQ_FOREACH(ask, &a->list, link)
		if (str_eq(str_of(ask->tag), r->tag))
			break;
	if (ask != NULL) {
		STAILQ_REMOVE(&a->list, ask, ask, link);
		a->count--;
	}
	return ask;
}

void asks_give_up(struct asks *a)
{
	struct ask *ask;

	STAILQ_FOREACH(ask, &a->list, link)
		ask->is_late = true;
}
