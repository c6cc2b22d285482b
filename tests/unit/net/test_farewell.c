/* SPDX-License-Identifier: ISC */
/* How many may wait for the end of their peers. That they do is in
 * test_stream_end. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/farewell.h"
#include "testnet/testnet.h"
#include "unit/unit.h"

enum { MAX = 2 };

/* begin says farewell on one end of a new connection, and returns the other;
 * |*ours_r| is known, but not ours any more. */
static int begin(struct farewells *all, int *ours_r)
{
	struct output out;
	struct wire wire;
	int fds[2];

	testnet_pair(fds);
	wire_init(&wire, fds[0], WIRE_CLIENT);
	output_init(&out);
	farewell_start(all, &wire, &out, false);
	*ours_r = fds[0];
	return fds[1];
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

static void the_oldest_goes_for_one_too_many(void **state)
{
	int ours[MAX + 1], theirs[MAX + 1];
	char scratch[64], byte;
	struct testnet net;
	struct farewells all = { .scratch = scratch,
		                 .scratch_len = sizeof(scratch),
		                 .max = MAX };

	(void)state;
	testnet_init(&net);
	all.loop = net.loop;
	TAILQ_INIT(&all.list);
	for (size_t i = 0; i < MAX; i++)
		theirs[i] = begin(&all, &ours[i]);
	assert_true(is_open(ours[0]));
	theirs[MAX] = begin(&all, &ours[MAX]);
	assert_int_equal(all.count, MAX);
	assert_false(is_open(ours[0]));
	assert_true(is_open(ours[1]));
	assert_true(is_open(ours[MAX]));
	/* It was an orderly end for all of them. */
	for (size_t i = 0; i <= MAX; i++)
		assert_int_equal(recv(theirs[i], &byte, 1, 0), 0);
	farewells_finish(&all);
	assert_int_equal(all.count, 0);
	for (size_t i = 0; i <= MAX; i++) {
		assert_false(is_open(ours[i]));
		(void)close(theirs[i]);
	}
	testnet_done(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_goes_for_one_too_many),
	};

	return cmocka_run_group_tests_name("farewell", tests, NULL, NULL);
}
