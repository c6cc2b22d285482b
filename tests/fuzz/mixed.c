/* SPDX-License-Identifier: ISC */
/*
 * mixed - all ways at once to explain the client's responses: after each, the
 * set of how many of the backend's may have been used up. Three moves: it is
 * the next of the backend's; it is one of ours; the next of the backend's was
 * for us (a "+" that the client does not wait for, an answer to our STATUS).
 */
#include "fuzz/mixed.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fuzz/input.h"
#include "fuzz/strict.h"
#include "imap/capability.h"
#include "imap/reader.h"
#include "imap/response.h"

#define RESPONSE_MAX ((size_t)1024 * 1024)

enum { RESPONSES_MAX = 2000 };

/* What our STATUS commands ask for. */
#define ASKED                                                             \
	(IMAP_ITEM_UIDVALIDITY | IMAP_ITEM_UIDNEXT | IMAP_ITEM_MESSAGES | \
	 IMAP_ITEM_UNSEEN)

struct responses {
	struct str *list; /* owned */
	size_t count;
	struct str rest; /* behind the last whole one; borrowed */
};

static void responses_done(struct responses *r)
{
	for (size_t i = 0; i < r->count; i++)
		str_free(&r->list[i]);
	free(r->list);
}

/* responses_read takes |in| apart, as far as it can be read. */
static void responses_read(struct responses *r, struct str in)
{
	struct imap_reader reader;
	struct str response;

	*r = (struct responses){ .rest = in };
	r->list = xcalloc(RESPONSES_MAX, sizeof(*r->list));
	imap_reader_init(&reader, RESPONSE_MAX);
	while (r->count < RESPONSES_MAX &&
	       imap_reader_next(&reader, &in, &response) == 0) {
		r->list[r->count++] = str_dup(response);
		r->rest = in;
	}
	imap_reader_done(&reader);
}

/* edited is what a client should see of |response|; replaces it. */
static void edit(struct str *response)
{
	const struct imap_capability_policy policy = { .offer_push = true };
	struct buf out;

	buf_init(&out, RESPONSE_MAX);
	if (imap_capability_edit(*response, &policy, IMAP_CAPABILITY_SESSION,
	                         &out) == 0) {
		str_free(response);
		*response = str_dup(buf_str(&out));
	}
	buf_reset(&out);
}

/* is_asked: a STATUS that tells what we ask for. */
static bool is_asked(const struct imap_response *r)
{
	struct imap_status_data data;
	struct buf name;
	int rc;

	buf_init(&name, RESPONSE_MAX);
	rc = imap_response_status_data(r, &name, &data);
	buf_reset(&name);
	return rc == 0 && data.has == ASKED;
}

/* is_for_us: the client may never see it. */
static bool is_for_us(struct str response)
{
	struct imap_response r;

	if (imap_response_parse(response, &r) != 0)
		return false;
	return r.cls == IMAP_CLASS_CONTINUATION ||
	       (r.cls == IMAP_CLASS_TAGGED &&
	        str_starts(r.tag, STR(STRICT_OUR_TAG))) ||
	       is_asked(&r);
}

/* is_ours_tagged: one of the replies that imapbell gives itself. */
static bool is_ours_tagged(const struct imap_response *r)
{
	return r->status == IMAP_STATUS_BAD ||
	       str_eq(r->text, STR("Not available here.")) ||
	       str_eq(r->text, STR("XAPPLEPUSHSERVICE completed.")) ||
	       str_eq(r->text, STR("ID completed."));
}

/* is_ours: imapbell may have said it. */
static bool is_ours(struct str response)
{
	struct imap_response r;

	if (imap_response_parse(response, &r) != 0)
		return false;
	switch (r.cls) {
	case IMAP_CLASS_CONTINUATION:
		return str_eq(response, STR("+ OK\r\n"));
	case IMAP_CLASS_STATUS:
		return r.status == IMAP_STATUS_BYE ||
		       r.status == IMAP_STATUS_BAD;
	case IMAP_CLASS_TAGGED:
		return is_ours_tagged(&r);
	case IMAP_CLASS_DATA:
		return imap_response_is(&r, STR("XAPPLEPUSHSERVICE")) ||
		       str_eq(response, STR("* ID NIL\r\n"));
	case IMAP_CLASS_NONE:
	case IMAP_CLASS_OTHER:
		break;
	}
	return false;
}

/* skip_ours adds what may have been taken out by us. */
static void skip_ours(const struct responses *backend, bool *used)
{
	for (size_t i = 0; i < backend->count; i++)
		used[i + 1] |= used[i] && is_for_us(backend->list[i]);
}

/* explain goes on by one response of the client's. */
static void explain(const struct responses *backend, struct str response,
                    bool *used)
{
	bool stays = is_ours(response);

	for (size_t i = backend->count + 1; i-- > 0;)
		used[i] = (used[i] && stays) ||
		          (i > 0 && used[i - 1] &&
		           str_eq(backend->list[i - 1], response));
	skip_ours(backend, used);
}

/* check_end wants the |rest| that the client has to be the beginning of what
 * is next. */
static void check_end(const struct responses *backend, const bool *used,
                      struct str rest, bool is_open)
{
	bool found = false;

	for (size_t i = 0; i < backend->count; i++)
		found |= used[i] && !is_open &&
		         str_starts(backend->list[i], rest);
	found |= used[backend->count] && str_starts(backend->rest, rest);
	assert(found);
}

void mixed_check(struct str client, struct str backend, bool is_open)
{
	struct responses received;
	struct responses said;
	bool *used;

	responses_read(&received, client);
	responses_read(&said, backend);
	used = xcalloc(said.count + 1, sizeof(*used));
	for (size_t i = 0; i < said.count; i++)
		edit(&said.list[i]);
	used[0] = true;
	skip_ours(&said, used);
	if (received.count < RESPONSES_MAX && said.count < RESPONSES_MAX) {
		for (size_t i = 0; i < received.count; i++)
			explain(&said, received.list[i], used);
		check_end(&said, used, received.rest, is_open);
	}
	free(used);
	responses_done(&received);
	responses_done(&said);
}
