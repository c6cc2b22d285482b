/* SPDX-License-Identifier: ISC */
/*
 * What a server says, through the reader. Any chunking gives the same
 * responses, in a row they are the input; the parts of each lie in it and are
 * read again when written anew; data that is not what it should be changes
 * nothing.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "imap/emit.h"
#include "imap/reader.h"
#include "imap/response.h"

#define RESPONSE_MAX ((size_t)1024 * 1024)

enum { NAME_MAX_LEN = 64 };

static const char *const words[] = {
	[IMAP_STATUS_NONE] = "",   [IMAP_STATUS_OK] = "OK",
	[IMAP_STATUS_NO] = "NO",   [IMAP_STATUS_BAD] = "BAD",
	[IMAP_STATUS_BYE] = "BYE", [IMAP_STATUS_PREAUTH] = "PREAUTH",
};

/* write_status appends `OK [CODE] text`. A code may be there and empty. */
static void write_status(const struct imap_response *r, struct buf *out)
{
	must(buf_adds(out, words[r->status]));
	must(buf_adds(out, " "));
	if (r->code.data != NULL) {
		must(buf_adds(out, "["));
		must(buf_add(out, r->code));
		must(buf_adds(out, "] "));
	}
	must(buf_add(out, r->text));
}

/* write_data appends the data in |r|. Two spaces in front keep `*  OK`, which
 * is no status, what it is. */
static void write_data(const struct imap_response *r, struct buf *out)
{
	must(buf_adds(out, "*  "));
	if (r->has_number)
		must(buf_printf(out, "%" PRIu64 " ", r->number));
	must(buf_add(out, r->keyword));
	must(buf_adds(out, " "));
	must(buf_add(out, r->rest));
}

static void write_response(const struct imap_response *r, struct buf *out)
{
	switch (r->cls) {
	case IMAP_CLASS_CONTINUATION:
		must(buf_adds(out, "+ "));
		must(buf_add(out, r->text));
		break;
	case IMAP_CLASS_STATUS:
		must(buf_adds(out, "* "));
		write_status(r, out);
		break;
	case IMAP_CLASS_TAGGED:
		must(buf_add(out, r->tag));
		must(buf_adds(out, " "));
		write_status(r, out);
		break;
	case IMAP_CLASS_DATA:
		write_data(r, out);
		break;
	case IMAP_CLASS_NONE:
	case IMAP_CLASS_OTHER:
		assert(0);
	}
	must(buf_adds(out, "\r\n"));
}

static void check_same(const struct imap_response *a,
                       const struct imap_response *b)
{
	assert(a->cls == b->cls && a->status == b->status);
	assert(str_eq(a->tag, b->tag) && str_eq(a->code, b->code));
	assert(str_eq(a->text, b->text) && str_eq(a->keyword, b->keyword));
	assert(a->has_number == b->has_number && a->number == b->number);
	assert(str_eq(a->rest, b->rest));
}

static void check_anew(const struct imap_response *r)
{
	struct imap_response again;
	struct buf out;

	buf_init(&out, RESPONSE_MAX);
	write_response(r, &out);
	must(imap_response_parse(buf_str(&out), &again));
	check_same(r, &again);
	buf_reset(&out);
}

/* check_parts: what belongs to the class is there, nothing else. */
static void check_parts(struct str whole, const struct imap_response *r)
{
	bool status =
		r->cls == IMAP_CLASS_STATUS || r->cls == IMAP_CLASS_TAGGED;

	assert(inside(whole, r->tag) && inside(whole, r->code));
	assert(inside(whole, r->text) && inside(whole, r->keyword));
	assert(inside(whole, r->rest));
	assert(status == (r->status != IMAP_STATUS_NONE));
	assert((r->cls == IMAP_CLASS_TAGGED) == (r->tag.len > 0));
	assert(str_find(r->tag, ' ') == SIZE_MAX);
	assert(r->cls != IMAP_CLASS_TAGGED || r->status <= IMAP_STATUS_BAD);
	assert(str_find(r->code, ']') == SIZE_MAX);
	assert(r->cls == IMAP_CLASS_DATA || !r->has_number);
}

/* A mailbox name that came with STATUS, and its numbers, written anew. */
static void write_status_data(struct str name, const struct imap_status_data *d,
                              struct buf *out)
{
	must(buf_adds(out, "* STATUS "));
	if (imap_quote(name, out) != ERR_OK) {
		must(buf_printf(out, "{%zu}\r\n", name.len));
		must(buf_add(out, name));
	}
	must(buf_adds(out, " (X (y \"z\")"));
	if (d->has & IMAP_ITEM_MESSAGES)
		must(buf_printf(out, " MESSAGES %" PRIu32, d->messages));
	if (d->has & IMAP_ITEM_UIDNEXT)
		must(buf_printf(out, " uidnext %" PRIu32, d->uidnext));
	if (d->has & IMAP_ITEM_UIDVALIDITY)
		must(buf_printf(out, " UIDVALIDITY %" PRIu32, d->uidvalidity));
	if (d->has & IMAP_ITEM_UNSEEN)
		must(buf_printf(out, " UNSEEN %" PRIu32, d->unseen));
	if (d->has & IMAP_ITEM_HIGHESTMODSEQ)
		must(buf_printf(out, " HIGHESTMODSEQ %" PRIu64,
		                d->highestmodseq));
	must(buf_adds(out, ")\r\n"));
}

static void status_again(struct str name, const struct imap_status_data *data)
{
	struct imap_status_data again;
	struct imap_response r;
	struct buf name_again;
	struct buf out;

	buf_init(&name_again, NAME_MAX_LEN);
	buf_init(&out, RESPONSE_MAX);
	write_status_data(name, data, &out);
	must(imap_response_parse(buf_str(&out), &r));
	must(imap_response_status_data(&r, &name_again, &again));
	assert(str_eq(name, buf_str(&name_again)));
	assert(memcmp(data, &again, sizeof(again)) == 0);
	buf_reset(&name_again);
	buf_reset(&out);
}

static void check_status_data(const struct imap_response *r)
{
	struct imap_status_data data = { .has = 1234 };
	struct buf name;
	int rc;

	buf_init(&name, NAME_MAX_LEN);
	rc = imap_response_status_data(r, &name, &data);
	if (rc == ERR_OK) {
		assert(imap_response_is(r, STR("Status")));
		status_again(buf_str(&name), &data);
	} else {
		assert(rc == ERR_PARSE || rc == ERR_LIMIT);
		assert(data.has == 1234 && name.len == 0);
	}
	buf_reset(&name);
}

static void check_list_data(const struct imap_response *r)
{
	const unsigned all = IMAP_USE_DRAFTS | IMAP_USE_JUNK | IMAP_USE_SENT |
	                     IMAP_USE_TRASH;
	unsigned uses = 1234;
	struct buf name;
	int rc;

	buf_init(&name, NAME_MAX_LEN);
	rc = imap_response_list_data(r, &name, &uses);
	if (rc == ERR_OK) {
		assert(imap_response_is(r, STR("List")));
		assert((uses & ~all) == 0);
	} else {
		assert(rc == ERR_PARSE || rc == ERR_LIMIT);
		assert(uses == 1234 && name.len == 0);
	}
	buf_reset(&name);
}

static void fetch_again(const struct imap_fetch_data *data)
{
	struct imap_fetch_data again;
	struct imap_response r;
	struct buf out;

	buf_init(&out, RESPONSE_MAX);
	must(buf_adds(&out, "* 1 FETCH (BODY[1.TEXT]<0> {3}\r\n)\"("));
	if (data->has_uid)
		must(buf_printf(&out, " UID %" PRIu32, data->uid));
	if (data->modseq > 0)
		must(buf_printf(&out, " MODSEQ (%" PRIu64 ")", data->modseq));
	if (data->has_flags)
		must(buf_printf(&out, " FLAGS (\\X%s%s)",
		                data->seen ? " \\SEEN" : "",
		                data->deleted ? " \\Deleted" : ""));
	must(buf_adds(&out, ")\r\n"));
	must(imap_response_parse(buf_str(&out), &r));
	must(imap_response_fetch_data(&r, &again));
	assert(data->has_uid == again.has_uid && data->uid == again.uid);
	assert(data->modseq == again.modseq && data->seen == again.seen);
	assert(data->has_flags == again.has_flags);
	assert(data->deleted == again.deleted);
	buf_reset(&out);
}

static void check_fetch_data(const struct imap_response *r)
{
	struct imap_fetch_data data = { .uid = 1234 };
	int rc = imap_response_fetch_data(r, &data);

	if (rc == ERR_OK) {
		assert(imap_response_is(r, STR("fetch")) && r->has_number);
		assert(data.has_uid || data.uid == 0);
		assert(data.has_flags || (!data.seen && !data.deleted));
		fetch_again(&data);
	} else {
		assert(rc == ERR_PARSE && data.uid == 1234);
	}
}

static void check_code(const struct imap_response *r)
{
	struct str rest = STR("untouched");

	if (imap_response_code(r, STR("UIDNEXT"), &rest))
		assert(inside(r->code, rest));
	else
		assert(str_eq(rest, STR("untouched")));
}

static void check_response(struct str response)
{
	struct imap_response r;
	int rc = imap_response_parse(response, &r);

	if (rc != ERR_OK) {
		assert(rc == ERR_PARSE && r.cls == IMAP_CLASS_OTHER);
		return;
	}
	check_parts(response, &r);
	check_anew(&r);
	check_status_data(&r);
	check_list_data(&r);
	check_fetch_data(&r);
	check_code(&r);
}

/* What a reader made of its input. */
struct reading {
	struct buf responses; /* in a row */
	size_t count;
	int rc;
};

/* read_piece takes what is whole after this piece. */
static int read_piece(struct imap_reader *reader, struct str piece,
                      struct reading *result, bool check)
{
	struct str response;
	int rc;

	while ((rc = imap_reader_next(reader, &piece, &response)) == ERR_OK) {
		assert(str_ends(response, STR("\n")));
		must(buf_add(&result->responses, response));
		result->count++;
		if (check)
			check_response(response);
	}
	assert(rc != ERR_MORE || piece.len == 0);
	return rc;
}

static void read_all(struct str in, enum cuts cuts, struct reading *result)
{
	struct imap_reader reader;
	struct cutter cutter;
	struct str piece;

	*result = (struct reading){ .rc = ERR_MORE };
	buf_init(&result->responses, RESPONSE_MAX);
	imap_reader_init(&reader, (size_t)1024);
	cutter_init(&cutter, in, cuts);
	while (cutter_next(&cutter, &piece))
		result->rc =
			read_piece(&reader, piece, result, cuts == CUTS_NONE);
	imap_reader_done(&reader);
	assert(str_starts(in, buf_str(&result->responses)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct reading whole;
	struct reading other;

	read_all(in, CUTS_NONE, &whole);
	for (enum cuts cuts = CUTS_BYTES; cuts <= CUTS_RANDOM; cuts++) {
		read_all(in, cuts, &other);
		assert(whole.rc == other.rc && whole.count == other.count);
		assert(whole.responses.len == other.responses.len);
		buf_reset(&other.responses);
	}
	buf_reset(&whole.responses);
	return 0;
}
