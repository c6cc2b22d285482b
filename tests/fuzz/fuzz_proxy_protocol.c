/* SPDX-License-Identifier: ISC */
/*
 * The header in front of a connection. What is cut short is never taken for a
 * whole one or for none; what is none stays none; octets behind a header change
 * nothing; and what was read is written and read again as the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "net/proxy_protocol.h"

/* parse reads the first |len| octets, in a block of just that size. */
static int parse(struct str in, size_t len, size_t *used_r,
                 struct proxy_header *h_r)
{
	char *block = malloc(len > 0 ? len : 1);
	int rc;

	assert(block != NULL);
	if (len > 0)
		memcpy(block, in.data, len);
	rc = proxy_protocol_parse(str_new(block, len), used_r, h_r);
	free(block);
	return rc;
}

static bool is_same(const struct address *a, const struct address *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* check_header: it has the size it may have, and comes back. */
static void check_header(const struct proxy_header *h, size_t used)
{
	struct proxy_header again;
	struct buf out;
	size_t len;

	assert(used <= (h->version == PROXY_V1 ? PROXY_V1_MAX : PROXY_V2_MAX));
	buf_init(&out, PROXY_V2_MAX);
	must(proxy_protocol_emit(h->version, h->is_local ? NULL : &h->from,
	                         h->is_local ? NULL : &h->to,
	                         used % 2 != 0 ? STR("TLSv1.3") : STR_NULL,
	                         &out));
	assert(proxy_protocol_parse(buf_str(&out), &len, &again) == ERR_OK);
	assert(len == out.len && again.version == h->version);
	/* Ends of two families cannot be written. */
	if (h->is_local || h->from.family != h->to.family)
		assert(again.is_local);
	else
		assert(is_same(&again.from, &h->from) &&
		       is_same(&again.to, &h->to));
	buf_reset(&out);
}

/* check_cut: |len| octets of an input that in all is worth |rc| and |used|. */
static void check_cut(struct str in, size_t len, int rc, size_t used)
{
	struct proxy_header h;
	size_t part;
	int cut = parse(in, len, &part, &h);

	if (rc == ERR_OK)
		assert(len < used ? cut == ERR_MORE
		                  : cut == ERR_OK && part == used);
	else if (rc == ERR_MORE)
		assert(cut == ERR_MORE);
	else
		assert(cut == ERR_MORE || cut == ERR_PARSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct proxy_header h;
	struct sequence cuts;
	size_t used = 0;
	int rc = parse(in, in.len, &used, &h);

	if (rc == ERR_OK)
		check_header(&h, used);
	sequence_init(&cuts, in);
	for (size_t len = 0; len < in.len && len < 2 * PROXY_V1_MAX; len++)
		check_cut(in, len, rc, used);
	for (int i = 0; i < 8 && in.len > 0; i++)
		check_cut(in, sequence_next(&cuts, (uint32_t)in.len), rc, used);
	return 0;
}
