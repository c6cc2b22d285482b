/* SPDX-License-Identifier: ISC */
/*
 * A server from its greeting to the verdict, as an opening hears it. The first
 * octet chooses what is asked, see kinds[]. No octet that has to wait for "+"
 * is sent before it; open is what was sent whole, with the answers that the
 * mechanism wants, and got its tagged OK; once it is over nothing more is sent;
 * the client hears of nothing but replies to its login. With "T" or "t" nothing
 * but STARTTLS is said before TLS is up, and what was listed before is gone.
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

#define S(literal)                             \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

/* What a run asks, by its letter. */
static const struct kind {
	char letter;
	enum imap_login_method method;
	bool sasl_ir;
	struct str user;
	struct str secret;
	struct str answer; /* to each challenge, in base64 */
	unsigned answers;  /* at least, before it may be open */
} kinds[] = {
	{ 'L', IMAP_LOGIN_COMMAND, false, S("us\"er"), S("p\\w"), S(""), 0 },
	{ 'l', IMAP_LOGIN_COMMAND, false, S("us\xc3\xa9r"),
	  S("p\r\nt1 LOGOUT\r\n"), S(""), 0 },
	{ 'T', IMAP_LOGIN_PLAIN, false, S("us\"er"), S("p\\w"), S(""), 0 },
	{ 'D', IMAP_LOGIN_COMMAND, false, S("us\"er"), S("p\\w"), S(""), 0 },
	{ 'S', IMAP_LOGIN_PLAIN, false, S("us\"er"), S("p\\w"), S(""), 0 },
	{ 'I', IMAP_LOGIN_PLAIN, true, S("us\"er"), S("p\\w"), S(""), 0 },
	{ 'N', IMAP_LOGIN_LOGIN, true, S("user"), S("pw"), S(""), 0 },
	{ 'O', IMAP_LOGIN_OAUTHBEARER, true, S("user"), S("token"), S("AQ=="),
	  0 },
	{ 'X', IMAP_LOGIN_XOAUTH2, false, S("user"), S("token"), S(""), 0 },
	{ 'C', IMAP_LOGIN_CRAM_MD5, false, S(""), S(""),
	  /* "user" and 32 digits */
	  S("dXNlciAwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg=="), 1 },
	{ 'R', IMAP_LOGIN_SCRAM_SHA_256, true, S("user"), S("n,,n=user,r=x"),
	  S("Yz1iaXdzLHI9eCxwPXk="), 1 },
};

/* An opening under way and what it was seen to do. */
struct run {
	const struct kind *kind; /* NULL: a probe */
	unsigned answers;
	struct imap_opening opening;
	struct imap_login login;
	struct imap_emit plain; /* what may be sent in all */
	struct imap_emit with_ir;
	struct buf sent;
	struct strict server;
	size_t pluses;
	struct str before; /* what is sent in front of that */
};

#define STARTTLS "S0 STARTTLS\r\n"
#define ID_LIST "(\"name\" \"x\")"
#define IDS "I0 ID " ID_LIST "\r\nI1 ID " ID_LIST "\r\n"

static void run_init(struct run *r, char what)
{
	struct imap_opening_opts opts = { .tag = tag };

	*r = (struct run){ .sent.max = SEND_MAX };
	strict_init(&r->server);
	imap_emit_init(&r->plain, SEND_MAX);
	imap_emit_init(&r->with_ir, SEND_MAX);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].letter == what)
			r->kind = &kinds[i];
	if (r->kind == NULL) {
		must(imap_emit_text(&r->plain, STR("t1 CAPABILITY\r\n")));
	} else {
		r->login.method = r->kind->method;
		must(imap_login_set(&r->login, STR_NULL, r->kind->user,
		                    r->kind->secret, IMAP_PASSWORD_MAX));
		must(imap_login_emit(&r->login, tag, false, &r->plain));
		must(imap_login_emit(&r->login, tag, true, &r->with_ir));
		opts.login = &r->login;
		opts.sasl_ir = r->kind->sasl_ir;
	}
	opts.starttls = what == 'T' || what == 't';
	if (opts.starttls)
		r->before = STR(STARTTLS);
	if (what == 'D') {
		opts.id[0] = opts.id[1] = STR(ID_LIST);
		r->before = STR(IDS);
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

/* is_due: just what may be sent of |e| by now was sent, and then answers. */
static bool is_due(const struct run *r, const struct imap_emit *e)
{
	size_t due =
		r->pluses < e->stop_count ? e->stops[r->pluses] : e->text.len;
	struct str sent = buf_str(&r->sent);

	if (!str_starts(sent, r->before))
		return false;
	(void)str_take(&sent, r->before.len);
	if (r->opening.state == IMAP_OPENING_STARTTLS ||
	    r->opening.state == IMAP_OPENING_TLS)
		return sent.len == 0;
	if (!str_starts(sent, str_sub(buf_str(&e->text), 0, due)))
		return false;
	(void)str_take(&sent, due);
	for (unsigned i = 0; i < r->answers; i++) {
		if (due != e->text.len || !str_starts(sent, r->kind->answer))
			return false;
		(void)str_take(&sent, r->kind->answer.len);
		if (!str_byte(&sent, '\r') || !str_byte(&sent, '\n'))
			return false;
	}
	return sent.len == 0;
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
		assert(r->opening.opts.starttls);
		break;
	case IMAP_OPENING_TLS:
		assert(said->cls == IMAP_CLASS_TAGGED &&
		       said->status == IMAP_STATUS_OK &&
		       str_eq(said->tag, STR("S0")));
		break;
	case IMAP_OPENING_CAPABILITY:
	case IMAP_OPENING_LOGIN:
		break;
	case IMAP_OPENING_OPEN:
		assert(is_reply(said, true) && r->kind != NULL);
		assert(imap_emit_finished(&r->opening.emit));
		assert(r->answers >= r->kind->answers);
		assert(str_eq(r->login.user, STR("")) ==
		       (r->kind->method == IMAP_LOGIN_CRAM_MD5 &&
		        r->answers == 0));
		break;
	case IMAP_OPENING_CHALLENGE:
		assert(r->kind != NULL && r->kind->method > IMAP_LOGIN_LOGIN);
		break;
	case IMAP_OPENING_REFUSED:
		assert(is_reply(said, false) && r->kind != NULL);
		break;
	case IMAP_OPENING_PROBED:
		assert(is_reply(said, true) && r->kind == NULL);
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
	assert(!for_client || ((before == IMAP_OPENING_LOGIN ||
	                        before == IMAP_OPENING_CHALLENGE) &&
	                       said.cls != IMAP_CLASS_CONTINUATION &&
	                       r->opening.state != IMAP_OPENING_FAILED));
	check_verdict(r, &said);
	check_why(r);
}

/* answer does so for the client, if it is asked; rubbish first. */
static void answer(struct run *r)
{
	size_t sent = r->sent.len;

	if (r->opening.state != IMAP_OPENING_CHALLENGE)
		return;
	assert(imap_opening_respond(&r->opening, &r->login, STR("*"),
	                            &r->sent) == ERR_PARSE);
	assert(r->sent.len == sent);
	assert(r->opening.state == IMAP_OPENING_CHALLENGE);
	must(imap_opening_respond(&r->opening, &r->login, r->kind->answer,
	                          &r->sent));
	assert(r->opening.state == IMAP_OPENING_LOGIN);
	r->answers++;
	assert(is_due(r, &r->plain) || is_due(r, &r->with_ir));
}

/* secure puts TLS on it, if that is what it wants; |left| is behind the OK. */
static void secure(struct run *r, size_t left)
{
	if (r->opening.state != IMAP_OPENING_TLS)
		return;
	if (!imap_opening_left(&r->opening, left)) {
		assert(left > 0 && r->opening.state == IMAP_OPENING_FAILED);
		return;
	}
	(void)imap_opening_secured(&r->opening, &r->sent);
	assert(left == 0 && r->opening.greeting_list.len == 0);
	assert(is_due(r, &r->plain));
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
		while (imap_reader_next(&reader, &piece, &response) == ERR_OK) {
			take_response(&r, response);
			answer(&r);
			secure(&r, piece.len);
		}
	imap_reader_done(&reader);
	run_done(&r);
	return 0;
}
