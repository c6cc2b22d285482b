/* SPDX-License-Identifier: ISC */
/* preamble: the header is taken off, and not an octet behind it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "net/network.h"
#include "net/preamble.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

#define V1 "PROXY TCP4 203.0.113.9 198.51.100.1 4711 993\r\n"

/* Longer than any test: what ends by time would not end. */
enum { NEVER_MS = 60000 };

static const struct str v2 = { "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
	                       "\xcb\0\x71\x09\xc6\x33\x64\x01\x12\x67\x03\xe1",
	                       28 };

/* PROXY over UNIX and LOCAL: the sender speaks for itself. */
static const struct str v2_local = { "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16 };

struct rig {
	struct testnet net;
	struct preambles *all;
	int fds[2]; /* ours, the client's */
	int told;
	struct preamble last;
	struct err_detail why;
};

static bool was_told(void *arg)
{
	const struct rig *r = arg;

	return r->told > 0;
}

static void on_preamble(void *arg, const struct preamble *p)
{
	struct rig *r = arg;

	r->told++;
	r->last = *p;
	(void)err_set(&r->why, p->rc, "%s", p->why);
	testnet_check(&r->net);
}

static void rig_init(struct rig *r, const char *trusted, size_t max,
                     uint64_t timeout_ms)
{
	struct network network;
	struct preamble_opts opts = { .trusted = &network,
		                      .trusted_count = 1,
		                      .max = max,
		                      .timeout_ms = timeout_ms };

	*r = (struct rig){ 0 };
	assert_int_equal(network_parse(str_of(trusted), &network), 0);
	testnet_init(&r->net);
	r->all = preambles_new(r->net.loop, &opts, on_preamble, r);
	testnet_pair(r->fds);
}

static void rig_done(struct rig *r)
{
	preambles_free(&r->all);
	if (r->told > 0 && r->last.fd >= 0)
		(void)close(r->last.fd);
	(void)close(r->fds[1]);
	testnet_done(&r->net);
}

/* say sends |bytes| in segments of |each|, and lets each arrive. */
static void say(struct rig *r, struct str bytes, size_t each)
{
	while (bytes.len > 0) {
		struct str part = str_take(&bytes, each);

		assert_int_equal(
			send(r->fds[1], part.data, part.len, MSG_NOSIGNAL),
			part.len);
		testnet_spin(&r->net, 2);
	}
}

static void sees_rest(struct rig *r, const char *text)
{
	char got[64];
	ssize_t n = recv(r->last.fd, got, sizeof(got), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void is_taken_off_and_nothing_behind_it(void **arg)
{
	const struct str rows[] = { STR(V1), v2 };
	struct address a;

	(void)arg;
	assert_int_equal(address_parse(STR("203.0.113.9"), &a), 0);
	for (size_t i = 0; i < 2; i++) {
		for (size_t each = 1; each <= rows[i].len; each += 3) {
			struct rig r;

			rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
			preambles_add(r.all, r.fds[0]);
			assert_int_equal(r.told, 0);
			say(&r, rows[i], each);
			testnet_run(&r.net, was_told, &r);
			assert_int_equal(r.last.rc, 0);
			assert_false(r.last.header.is_local);
			assert_memory_equal(r.last.header.from.bytes, a.bytes,
			                    4);
			assert_int_equal(r.last.header.from.port, 4711);
			assert_int_equal(r.last.header.to.port, 993);
			say(&r, STR("a NOOP\r\n"), 64);
			sees_rest(&r, "a NOOP\r\n");
			rig_done(&r);
		}
	}
}

static void one_segment_with_what_follows(void **arg)
{
	struct rig r;

	(void)arg;
	rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
	preambles_add(r.all, r.fds[0]);
	say(&r, STR(V1 "\x16\x03\x01\r\nPROXY"), 128);
	testnet_run(&r.net, was_told, &r);
	assert_int_equal(r.last.rc, 0);
	sees_rest(&r, "\x16\x03\x01\r\nPROXY");
	rig_done(&r);
}

static void a_sender_may_speak_for_itself(void **arg)
{
	struct rig r;

	(void)arg;
	rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
	preambles_add(r.all, r.fds[0]);
	say(&r, v2_local, 128);
	testnet_run(&r.net, was_told, &r);
	assert_int_equal(r.last.rc, 0);
	assert_true(r.last.header.is_local);
	rig_done(&r);
}

/* What waits for the rest must not keep the loop awake. */
static void a_part_does_not_spin(void **arg)
{
	struct rig r;
	int left = 0;
	char c;

	(void)arg;
	rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
	preambles_add(r.all, r.fds[0]);
	say(&r, STR("PROXY TCP4 203.0."), 128);
	left = (int)recv(r.fds[0], &c, 1, MSG_PEEK | MSG_DONTWAIT);
	assert_int_equal(left, -1); /* not readable */
	assert_int_equal(r.told, 0);
	rig_done(&r);
}

static void anything_else_is_named(void **arg)
{
	static const struct {
		const char *said;
		const char *why;
	} rows[] = {
		{ "a LOGIN x y\r\n", "got \"a LOGIN x y\\x0d\\x0a\"" },
		{ "\x16\x03\x01\x02", "got a TLS handshake" },
		{ "PROXY TCP5 x\r\n", "got \"PROXY TCP5 x\\x0d\\x0a\"" },
		{ "GET / HTTP/1.1\r\nHost: x\r\n",
		  "got \"GET / HTTP/1.1\\x0d\\x0a\"" },
	};

	char c;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r;

		rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
		preambles_add(r.all, r.fds[0]);
		say(&r, str_of(rows[i].said), 128);
		testnet_run(&r.net, was_told, &r);
		assert_int_equal(r.last.rc, ERR_PARSE);
		assert_int_equal(r.last.fd, -1);
		assert_string_equal(r.why.text, rows[i].why);
		/* Closed, with what it said unread: a reset. */
		assert_int_equal(recv(r.fds[1], &c, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		rig_done(&r);
	}
}

static void silence_ends_by_time(void **arg)
{
	struct rig r;

	(void)arg;
	rig_init(&r, "127.0.0.0/8", 1, 1);
	preambles_add(r.all, r.fds[0]);
	testnet_run(&r.net, was_told, &r);
	assert_int_equal(r.last.rc, ERR_TIMEOUT);
	assert_string_equal(r.why.text, "got nothing in time");
	rig_done(&r);
}

/* A health check that only connects is worth no line. */
static void who_leaves_without_a_word(void **arg)
{
	static const char *const rows[] = { "", "PROXY" };
	static const char *const whys[] = { "", "got only a part of it" };

	(void)arg;
	for (size_t i = 0; i < 2; i++) {
		struct rig r;

		rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
		preambles_add(r.all, r.fds[0]);
		say(&r, str_of(rows[i]), 128);
		assert_int_equal(shutdown(r.fds[1], SHUT_WR), 0);
		testnet_run(&r.net, was_told, &r);
		assert_int_equal(r.last.rc, ERR_CLOSED);
		assert_string_equal(r.why.text, whys[i]);
		rig_done(&r);
	}
}

static void others_are_not_listened_to(void **arg)
{
	struct rig r;

	(void)arg;
	rig_init(&r, "10.0.0.0/8", 1, NEVER_MS);
	preambles_add(r.all, r.fds[0]);
	assert_int_equal(r.told, 0);
	say(&r, STR(V1), 128);
	testnet_run(&r.net, was_told, &r);
	assert_int_equal(r.last.rc, ERR_PERMISSION);
	assert_int_equal(r.last.peer.bytes[0], 127);
	rig_done(&r);
}

static void only_so_many_wait(void **arg)
{
	struct rig r;
	int more[2];

	(void)arg;
	rig_init(&r, "127.0.0.0/8", 1, NEVER_MS);
	testnet_pair(more);
	preambles_add(r.all, r.fds[0]);
	preambles_add(r.all, more[0]);
	testnet_run(&r.net, was_told, &r);
	assert_int_equal(r.last.rc, ERR_LIMIT);
	assert_int_equal(r.told, 1);
	say(&r, STR(V1), 128);
	assert_int_equal(r.told, 2);
	assert_int_equal(r.last.rc, 0);
	(void)close(more[1]);
	rig_done(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_taken_off_and_nothing_behind_it),
		cmocka_unit_test(one_segment_with_what_follows),
		cmocka_unit_test(a_sender_may_speak_for_itself),
		cmocka_unit_test(a_part_does_not_spin),
		cmocka_unit_test(anything_else_is_named),
		cmocka_unit_test(silence_ends_by_time),
		cmocka_unit_test(who_leaves_without_a_word),
		cmocka_unit_test(others_are_not_listened_to),
		cmocka_unit_test(only_so_many_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
