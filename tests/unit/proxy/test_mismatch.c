/* SPDX-License-Identifier: ISC */
/* What a probe says of a server that expects something else. */
#include <stdlib.h>
#include <string.h>

#include "fake/fake.h"
#include "proxy/probe.h"
#include "unit/unit.h"

#define HEADER "does this port expect a PROXY header (backend.forward)?"

/* The fakes only ask whether there is one. */
static char context;

enum how { PLAIN_TEXT, TLS_AT_ONCE, STARTTLS };

static const struct row {
	const char *rule;
	enum how how;
	enum dial_forward forward;
	const char *says; /* the server; NULL: the dial fails with ERR_TLS */
	const char *why;
} rows[] = {
	{ "a port for the PROXY protocol waits, as one for TLS does",
	  PLAIN_TEXT, DIAL_FORWARD_NONE, "",
	  "it closed the connection without a greeting: is this a TLS port "
	  "(imaps://), or does it expect a PROXY header (backend.forward)?" },
	{ "also in front of STARTTLS", STARTTLS, DIAL_FORWARD_ID, "",
	  "it closed the connection without a greeting: is this a TLS port "
	  "(imaps://), or does it expect a PROXY header (backend.forward)?" },
	{ "one that waits although it got the header", PLAIN_TEXT,
	  DIAL_FORWARD_PROXY_V2, "",
	  "it closed the connection without a greeting: is this a TLS port "
	  "(imaps://), or one that expects no PROXY header "
	  "(backend.forward)?" },
	{ "an alert", PLAIN_TEXT, DIAL_FORWARD_NONE,
	  "\x15\x03\x03\x01\x02\x02\x0a",
	  "not IMAP: \\x15\\x03\\x03\\x01\\x02\\x02\\x0a: this looks like "
	  "TLS: imaps://?" },
	{ "a header that is taken for a command", PLAIN_TEXT,
	  DIAL_FORWARD_PROXY_V1, "* OK hi\r\nPROXY BAD what\r\n",
	  "a reply to no command: what: " HEADER },
	{ "and one that costs the connection", PLAIN_TEXT,
	  DIAL_FORWARD_PROXY_V2, "* OK hi\r\n* BYE no\r\n",
	  "the server said BYE: no: " HEADER },
	{ "no header, no such question", PLAIN_TEXT, DIAL_FORWARD_NONE,
	  "* OK hi\r\n* BYE no\r\n", "the server said BYE: no" },
	{ "a handshake that fails", TLS_AT_ONCE, DIAL_FORWARD_NONE, NULL,
	  "tls with x: no: is this a port without TLS (imap://, "
	  "imap+starttls://), or does it expect a PROXY header "
	  "(backend.forward)?" },
	{ "behind a header", TLS_AT_ONCE, DIAL_FORWARD_PROXY_V2, NULL,
	  "tls with x: no: " HEADER },
	{ "what TLS has carried is not the header's fault", TLS_AT_ONCE,
	  DIAL_FORWARD_PROXY_V2, "* OK hi\r\n* BYE no\r\n",
	  "the server said BYE: no" },
};

struct seen {
	struct err_detail why;
	int calls;
};

static void on_probed(void *arg, const struct imap_opening *opening,
                      const struct stream *stream, const char *why)
{
	struct seen *seen = arg;

	assert_null(opening);
	(void)stream;
	(void)err_set(&seen->why, 0, "%s", why);
	seen->calls++;
}

static void target_of(const struct row *row, struct dial_target *t)
{
	void *tls = &context;

	*t = (struct dial_target){
		.host = "x",
		.port = 143,
		.forward = row->forward,
		.starttls = row->how == STARTTLS,
		.tls = row->how == PLAIN_TEXT ? NULL : tls,
	};
}

static void run(const struct row *row)
{
	struct loop *loop = loop_new();
	struct resolver *resolver = resolver_new(loop);
	struct fake_peer *peer = NULL;
	struct seen seen = { .calls = 0 };
	struct dial_target target;

	target_of(row, &target);
	if (row->says != NULL)
		peer = fake_dial_connect(loop, 0);
	else
		fake_dial_fail(loop, 0, ERR_TLS, "tls with x: no");
	if (row->how == TLS_AT_ONCE && peer != NULL)
		fake_set_tls(peer, "");
	(void)probe_start(loop, resolver, &target, 1000, on_probed, &seen);
	fake_run(loop);
	if (peer != NULL) {
		fake_push(peer, str_of(row->says));
		fake_push_eof(peer);
	}
	fake_run(loop);
	assert_int_equal(seen.calls, 1);
	if (strcmp(seen.why.text, row->why) != 0)
		fail_msg("%s: %s", row->rule, seen.why.text);
	fake_peer_free(&peer);
	resolver_free(&resolver);
	streams_finish(loop);
	loop_free(&loop);
}

static void the_cause_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(&rows[i]);
}

/* What is wrong with a certificate has nothing to do with a header. */
static void a_certificate_is_no_header(void **state)
{
	static const struct row row = { .how = STARTTLS,
		                        .forward = DIAL_FORWARD_PROXY_V2 };
	struct loop *loop = loop_new();
	struct resolver *resolver = resolver_new(loop);
	struct fake_peer *peer = fake_dial_connect(loop, 0);
	struct seen seen = { .calls = 0 };
	struct dial_target target;

	(void)state;
	target_of(&row, &target);
	(void)probe_start(loop, resolver, &target, 1000, on_probed, &seen);
	fake_run(loop);
	fake_push(peer, STR("* OK hi\r\n"));
	fake_run(loop);
	fake_push(peer, STR("S0 OK go\r\n"));
	fake_run(loop);
	assert_int_equal(fake_tls_starts(peer), 1);
	fake_break(peer, ERR_UNTRUSTED, "certificate is for y, not x");
	fake_run(loop);
	assert_int_equal(seen.calls, 1);
	assert_string_equal(seen.why.text, "certificate is for y, not x");
	fake_peer_free(&peer);
	resolver_free(&resolver);
	streams_finish(loop);
	loop_free(&loop);
}

/* A server that says nothing at all: the deadline ends it. */
static void silence_ends(void **state)
{
	struct loop *loop = loop_new();
	struct resolver *resolver = resolver_new(loop);
	struct fake_peer *peer = fake_dial_connect(loop, 0);
	struct seen seen = { .calls = 0 };
	struct dial_target target;

	(void)state;
	target_of(&rows[0], &target);
	(void)probe_start(loop, resolver, &target, 1000, on_probed, &seen);
	fake_clock_advance(loop, 1999);
	assert_int_equal(seen.calls, 0);
	fake_clock_advance(loop, 1);
	assert_int_equal(seen.calls, 1);
	assert_non_null(strstr(seen.why.text, "no greeting in time: is this"));
	fake_peer_free(&peer);
	resolver_free(&resolver);
	streams_finish(loop);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cause_is_named),
		cmocka_unit_test(a_certificate_is_no_header),
		cmocka_unit_test(silence_ends),
	};

	return cmocka_run_group_tests_name("mismatch", tests, NULL, NULL);
}
