/* SPDX-License-Identifier: ISC */
/*
 * A phone's XAPPLEPUSHSERVICE command. What is taken keeps to its limits and is
 * read again when written anew; what is not comes with a sentence of ours; the
 * reply is lines that name what is echoed, and the tagged OK.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/codec.h"
#include "base/err.h"
#include "fuzz/input.h"
#include "imap/command.h"
#include "imap/emit.h"
#include "imap/line.h"
#include "imap/mailbox.h"
#include "imap/token.h"
#include "imap/xaps.h"

#define COMMAND_MAX (2 * IMAP_XAPS_COMMAND_MAX)

static void check_mailboxes(const struct imap_xaps *x)
{
	assert(x->mailbox_count >= 1);
	assert(x->mailbox_count <= IMAP_XAPS_MAILBOXES_MAX);
	assert(str_eq(x->mailboxes[0], STR("INBOX")));
	for (size_t i = 0; i < x->mailbox_count; i++) {
		assert(x->mailboxes[i].len >= 1);
		assert(x->mailboxes[i].len <= IMAP_XAPS_MAILBOX_MAX);
		assert(imap_quotable(x->mailboxes[i]));
		for (size_t j = 0; j < i; j++)
			assert(!imap_mailbox_eq(x->mailboxes[i],
			                        x->mailboxes[j]));
	}
}

static void check_limits(const struct imap_xaps *x)
{
	assert(x->version >= 1);
	assert(x->account_id.len >= 1 && x->account_id.len <= 64);
	assert(imap_quotable(x->account_id));
	assert(str_find(x->account_id, '"') == SIZE_MAX);
	assert(x->device_token.len >= 32 && x->device_token.len <= 200);
	assert(x->device_token.len % 2 == 0 && codec_is_hex(x->device_token));
	for (char c = 'A'; c <= 'F'; c++)
		assert(str_find(x->device_token, c) == SIZE_MAX);
	assert(x->subtopic.len >= 1 && x->subtopic.len <= 255);
	assert(imap_quotable(x->subtopic));
	check_mailboxes(x);
}

/* add_pair writes one key, its value quoted. */
static void add_pair(const char *key, struct str value, struct buf *out)
{
	must(buf_printf(out, " %s ", key));
	must(imap_quote(value, out));
}

/* write_command writes |x| as a phone would; the list as literals, which are
 * read wherever a quoted string is. */
static void write_command(const struct imap_xaps *x, struct buf *out)
{
	must(buf_adds(out, "t XAPPLEPUSHSERVICE mailboxes ("));
	for (size_t i = 0; i < x->mailbox_count; i++) {
		must(buf_printf(out, "%s{%zu+}\r\n", i > 0 ? " " : "",
		                x->mailboxes[i].len));
		must(buf_add(out, x->mailboxes[i]));
	}
	must(buf_printf(out, ") aps-version %" PRIu64, x->version));
	add_pair("APS-SUBTOPIC", x->subtopic, out);
	add_pair("unknown", STR("x"), out);
	add_pair("aps-device-token", x->device_token, out);
	add_pair("aps-account-id", x->account_id, out);
	must(buf_adds(out, "\r\n"));
}

static void check_same(const struct imap_xaps *a, const struct imap_xaps *b)
{
	assert(a->version == b->version);
	assert(str_eq(a->account_id, b->account_id));
	assert(str_eq(a->device_token, b->device_token));
	assert(str_eq(a->subtopic, b->subtopic));
	assert(a->mailbox_count == b->mailbox_count);
	for (size_t i = 0; i < a->mailbox_count; i++)
		assert(str_eq(a->mailboxes[i], b->mailboxes[i]));
}

static void check_anew(const struct imap_xaps *x)
{
	struct err_detail why;
	struct imap_xaps again;
	struct buf command;

	buf_init(&command, COMMAND_MAX);
	write_command(x, &command);
	if (command.len <= IMAP_XAPS_COMMAND_MAX) {
		must(imap_xaps_parse(buf_str(&command), &again, &why));
		check_same(x, &again);
		imap_xaps_done(&again);
	}
	buf_reset(&command);
}

/* check_line: |line| says `"key" "value"` and nothing else. */
static void check_line(struct str line, const char *key, struct str value)
{
	struct imap_token token;
	struct buf text;

	assert(str_starts(line, STR("* XAPPLEPUSHSERVICE ")));
	(void)str_take(&line, 20);
	must(imap_token_next(&line, &token));
	assert(token.type == IMAP_TOKEN_QUOTED);
	assert(str_eq(token.raw, str_of(key)));
	must(imap_token_next(&line, &token));
	assert(token.type == IMAP_TOKEN_QUOTED);
	buf_init(&text, COMMAND_MAX);
	must(imap_token_value(&token, &text));
	assert(str_eq(buf_str(&text), value));
	buf_reset(&text);
}

static struct str take_line(struct str *lines)
{
	return str_take(lines, imap_line_first(*lines).len);
}

/* check_reply echoes all, as the topic the first mailbox's name. */
static void check_reply(const struct imap_xaps *x, struct str tag)
{
	bool is_long = imap_xaps_version(x) == 2;
	struct str lines;
	struct buf out;

	assert(imap_xaps_version(x) >= 1 && imap_xaps_version(x) <= 2);
	buf_init(&out, COMMAND_MAX);
	must(imap_xaps_reply(x, tag, x->subtopic, x->mailboxes,
	                     x->mailbox_count, &out));
	lines = buf_str(&out);
	for (size_t i = 0; is_long && i < x->mailbox_count; i++)
		check_line(take_line(&lines), "mailbox", x->mailboxes[i]);
	check_line(take_line(&lines), "aps-version",
	           is_long ? STR("2") : STR("1"));
	assert(str_starts(lines, tag));
	(void)str_take(&lines, tag.len);
	assert(str_eq(lines, STR(" OK XAPPLEPUSHSERVICE completed.\r\n")));
	buf_reset(&out);
}

/* check_refused: the sentence goes into a BAD, so it is one line of ours. */
static void check_refused(int rc, const struct err_detail *why)
{
	assert(rc == ERR_PARSE && why->text[0] != '\0');
	assert(imap_quotable(str_of(why->text)));
	assert(strlen(why->text) < 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct err_detail why = { "" };
	struct imap_command c;
	struct imap_xaps x;
	int rc = imap_xaps_parse(in, &x, &why);

	if (rc != ERR_OK) {
		check_refused(rc, &why);
		return 0;
	}
	must(imap_command_parse(in, &c));
	check_limits(&x);
	check_anew(&x);
	check_reply(&x, c.tag);
	imap_xaps_done(&x);
	return 0;
}
