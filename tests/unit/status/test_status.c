/* SPDX-License-Identifier: ISC */
/* Visitors: how long, how much, how many. */
#include <stdlib.h>

#include "fake/fake.h"
#include "status/request.h"
#include "status/status.h"
#include "unit/unit.h"

struct hall {
	struct loop *loop;
	struct status *status;
};

static void open_hall(struct hall *h)
{
	const int fd = 3; /* a fake has none */
	const struct status_opts opts = { .fds = &fd, .fd_count = 1 };

	h->loop = loop_new();
	h->status = status_new(h->loop, &opts);
}

static void close_hall(struct hall *h)
{
	status_free(&h->status);
	fake_run(h->loop);
	assert_int_equal(fake_timers(h->loop), 0);
	loop_free(&h->loop);
}

static struct fake_peer *come(struct hall *h)
{
	struct fake_peer *peer = fake_accept(h->loop, 0);

	fake_run(h->loop);
	return peer;
}

static bool was_told(struct fake_peer *peer, const char *line)
{
	return str_starts(fake_written(peer), str_of(line));
}

static void one_request_and_no_more(void **state)
{
	struct fake_peer *peer;
	struct hall h;

	(void)state;
	open_hall(&h);
	peer = come(&h);
	fake_push_split(peer,
	                STR("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	                    "GET / HTTP/1.1\r\n\r\n"),
	                1);
	fake_run(h.loop);
	assert_true(was_told(peer, "HTTP/1.1 200 OK\r\n"));
	assert_true(str_ends(fake_written(peer), STR("\r\n\r\nalive\n")));
	assert_true(fake_is_closed(peer));
	fake_peer_free(&peer);
	close_hall(&h);
}

static void who_is_slow_goes(void **state)
{
	struct fake_peer *peer;
	struct hall h;

	(void)state;
	open_hall(&h);
	peer = come(&h);
	for (int i = 0; i < 9; i++) {
		fake_push(peer, STR("G"));
		fake_clock_advance(h.loop, 1000);
	}
	assert_false(fake_is_closed(peer));
	fake_clock_advance(h.loop, 999);
	assert_false(fake_is_closed(peer));
	fake_clock_advance(h.loop, 1);
	assert_true(was_told(peer, "HTTP/1.1 408 Request Timeout\r\n"));
	assert_true(fake_is_closed(peer));
	fake_peer_free(&peer);
	close_hall(&h);
}

static void who_says_too_much_is_not_heard(void **state)
{
	struct fake_peer *peer;
	struct hall h;

	(void)state;
	open_hall(&h);
	peer = come(&h);
	fake_push(peer, STR("GET / HTTP/1.1\r\n"));
	for (size_t i = 0; i <= REQUEST_MAX / 15; i++)
		fake_push(peer, STR("X: 0123456789\r\n"));
	fake_run(h.loop);
	assert_true(was_told(peer, "HTTP/1.1 431 "));
	assert_true(fake_is_closed(peer));
	fake_peer_free(&peer);
	close_hall(&h);
}

static void the_oldest_goes_for_one_too_many(void **state)
{
	struct fake_peer *peers[STATUS_VISITORS_MAX + 1];
	struct hall h;

	(void)state;
	open_hall(&h);
	for (size_t i = 0; i < STATUS_VISITORS_MAX; i++)
		peers[i] = come(&h);
	assert_false(fake_is_aborted(peers[0]));
	peers[STATUS_VISITORS_MAX] = come(&h);
	assert_true(fake_is_aborted(peers[0]));
	assert_false(fake_is_aborted(peers[1]));
	fake_push(peers[STATUS_VISITORS_MAX], STR("GET / HTTP/1.0\r\n\r\n"));
	fake_run(h.loop);
	assert_true(was_told(peers[STATUS_VISITORS_MAX], "HTTP/1.1 200 "));
	close_hall(&h);
	for (size_t i = 0; i <= STATUS_VISITORS_MAX; i++)
		fake_peer_free(&peers[i]);
}

static void who_goes_leaves_nothing(void **state)
{
	struct fake_peer *gone;
	struct fake_peer *lost;
	struct fake_peer *last;
	struct hall h;

	(void)state;
	open_hall(&h);
	gone = come(&h);
	lost = come(&h);
	last = come(&h);
	fake_push(gone, STR("GET / "));
	fake_push_eof(gone);
	fake_break(lost, ERR_CLOSED, "reset");
	/* Who says goodbye with the request is answered. */
	fake_push(last, STR("GET / HTTP/1.0\r\n\r\n"));
	fake_push_eof(last);
	fake_run(h.loop);
	assert_true(fake_is_aborted(gone));
	assert_true(was_told(last, "HTTP/1.1 200 "));
	close_hall(&h);
	fake_peer_free(&gone);
	fake_peer_free(&lost);
	fake_peer_free(&last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_request_and_no_more),
		cmocka_unit_test(who_is_slow_goes),
		cmocka_unit_test(who_says_too_much_is_not_heard),
		cmocka_unit_test(the_oldest_goes_for_one_too_many),
		cmocka_unit_test(who_goes_leaves_nothing),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
