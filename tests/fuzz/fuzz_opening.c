/* SPDX-License-Identifier: ISC */
/*
 * A server from its greeting to the verdict, as an opening hears it. The first
 * octet chooses what is asked: "P" a probe, "L" LOGIN quoted, "l" LOGIN with
 * literals, "S" SASL PLAIN, "I" that with an initial response. No octet that
 * has to wait for "+" is sent before it; open is what was sent whole and got
 * its tagged OK; once it is over nothing more is sent; the client hears of
 * nothing but replies to its login.
 */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "fuzz/input.h"
#include "fuzz/strict.h"
#include "imap/capability.h"
#include "imap/opening.h"
#include "imap/reader.h"

#define SEND_MAX ((size_t)64 * 1024)

static const struct str tag = { "t1", 2 };

/* An opening under way and what it was seen to do. */
struct run {
	struct imap_opening opening;
	struct imap_login login;
	struct imap_emit plain; /* what may be sent in all */
	struct imap_emit with_ir;
	struct buf sent;
	struct strict server;
	size_t pluses;
};

static void run_init(struct run *r, char what)
{
	struct imap_opening_opts opts = { .tag = tag };

	*r = (struct run){ .sent.max = SEND_MAX };
	strict_init(&r->server);
	imap_emit_init(&r->plain, SEND_MAX);
	imap_emit_init(&r->with_ir, SEND_MAX);
	if (what == 'P') {
		must(imap_emit_text(&r->plain, STR("t1 CAPABILITY\r\n")));
	} else {
		r->login.method = what == 'S' || what == 'I'
		                          ? IMAP_LOGIN_PLAIN
		                          : IMAP_LOGIN_COMMAND;
		r->login.user = str_dup(what == 'l' ? STR("us\xc3\xa9r")
		                                    : STR("us\"er"));
		r->login.password = secret_new(
			what == 'l' ? STR("p\r\nt1 LOGOUT\r\n") : STR("p\\w"));
		must(imap_login_emit(&r->login, tag, false, &r->plain));
		must(imap_login_emit(&r->login, tag, true, &r->with_ir));
		opts.login = &r->login;
		opts.sasl_ir = what == 'I';
	}
	imap_opening_init(&r->opening, &opts);
}

static void run_done(struct run *r)
{
	imap_opening_done(&r->opening);
	imap_login_done(&r->login);
	strict_done(&r->server);
	imap_emit_done(&r->plain);
	imap_emit_done(&r->with_ir);
	buf_reset(&r->sent);
}

/* is_due: just what may be sent of |e| by now was sent. */
static bool is_due(const struct run *r, const struct imap_emit *e)
{
	size_t due =
		r->pluses < e->stop_count ? e->stops[r->pluses] : e->text.len;

	return str_eq(buf_str(&r->sent), str_sub(buf_str(&e->text), 0, due));
}

static bool is_over(enum imap_opening_state state)
{
	return state >= IMAP_OPENING_OPEN;
}

/* is_reply: |response| is the tagged reply to what was asked. */
static bool is_reply(const struct imap_response *r, bool ok)
{
	return r->cls == IMAP_CLASS_TAGGED && str_eq(r->tag, tag) &&
	       (r->status == IMAP_STATUS_OK) == ok;
}

static void check_verdict(const struct run *r, const struct imap_response *said)
{
	switch (r->opening.state) {
	case IMAP_OPENING_GREETING:
		assert(0);
	case IMAP_OPENING_STARTTLS:
	case IMAP_OPENING_TLS:
	case IMAP_OPENING_CAPABILITY:
	case IMAP_OPENING_LOGIN:
		break;
	case IMAP_OPENING_OPEN:
		assert(is_reply(said, true) && r->opening.opts.login != NULL);
		assert(str_eq(buf_str(&r->sent), buf_str(&r->plain.text)) ||
		       str_eq(buf_str(&r->sent), buf_str(&r->with_ir.text)));
		break;
	case IMAP_OPENING_REFUSED:
		assert(is_reply(said, false) && r->opening.opts.login != NULL);
		break;
	case IMAP_OPENING_PROBED:
		assert(is_reply(said, true) && r->opening.opts.login == NULL);
		assert(r->opening.list.len > 0);
		break;
	case IMAP_OPENING_FAILED:
		assert(r->opening.why.text[0] != '\0');
		break;
	}
}

/* check_why: the sentence is safe and holds no password. */
static void check_why(const struct run *r)
{
	const char *why = r->opening.why.text;

	for (const char *c = why; *c != '\0'; c++)
		assert((unsigned char)*c >= 0x20 && *c != 0x7f);
	assert(strlen(why) < sizeof(r->opening.why.text));
}

/* take_response feeds one and looks at what comes of it. */
static void take_response(struct run *r, struct str response)
{
	enum imap_opening_state before = r->opening.state;
	struct imap_response said;
	bool for_client = true;
	int rc = imap_response_parse(response, &said);
	size_t sent = r->sent.len;

	strict_says(&r->server, response);
	(void)imap_opening_feed(&r->opening, response, &r->sent, &for_client);
	strict_takes(&r->server, str_sub(buf_str(&r->sent), sent, SIZE_MAX));
	if (is_over(before)) {
		assert(r->opening.state == before && !for_client);
		assert(r->sent.len == sent);
		return;
	}
	if (before == IMAP_OPENING_LOGIN && rc == ERR_OK)
		r->pluses += said.cls == IMAP_CLASS_CONTINUATION;
	if (r->opening.state != IMAP_OPENING_FAILED)
		assert(is_due(r, &r->plain) || is_due(r, &r->with_ir));
	else
		assert(r->sent.len == sent);
	assert(!for_client || (before == IMAP_OPENING_LOGIN &&
	                       said.cls != IMAP_CLASS_CONTINUATION &&
	                       r->opening.state != IMAP_OPENING_FAILED));
	check_verdict(r, &said);
	check_why(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_new(data, size);
	struct run r;
	struct imap_reader reader;
	struct str response;
	struct cutter cutter;
	struct str piece;

	run_init(&r, take_char(&in));
	imap_reader_init(&reader, SEND_MAX);
	cutter_init(&cutter, in, CUTS_RANDOM);
	while (cutter_next(&cutter, &piece))
		while (imap_reader_next(&reader, &piece, &response) == ERR_OK)
			take_response(&r, response);
	imap_reader_done(&reader);
	run_done(&r);
	return 0;
}
