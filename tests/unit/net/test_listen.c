/* SPDX-License-Identifier: ISC */
/* listen - a socket that another process had, and what it may have done to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "net/address.h"
#include "net/listen.h"
#include "unit/unit.h"

static int bound(uint16_t port)
{
	struct err_detail why;
	size_t count;
	int fd;

	assert_int_equal(
		listen_bind("127.0.0.1", port, true, &fd, 1, &count, &why),
		ERR_OK);
	return fd;
}

static bool reaches(int from, uint16_t port)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};

	return connect(from, (const struct sockaddr *)&to, sizeof(to)) == 0;
}

static bool is_reached(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = reaches(fd, port);

	(void)close(fd);
	return is;
}

/* expect_mended: |fd| listens at |port|, and who accepts does not wait. */
static void expect_mended(int fd, uint16_t port)
{
	int got;

	assert_int_equal(listen_mend(fd), ERR_OK);
	assert_int_equal(listen_port(fd), port);
	assert_true(is_reached(port));
	while ((got = accept(fd, NULL, NULL)) >= 0)
		(void)close(got);
	assert_int_equal(errno, EAGAIN);
}

/* What waits in one that is as it should be is not lost. */
static void one_that_listens_goes_on(void **state)
{
	int fd = bound(0);
	int waits = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int got;

	(void)state;
	assert_true(reaches(waits, listen_port(fd)));
	assert_int_equal(listen_mend(fd), ERR_OK);
	got = accept(fd, NULL, NULL);
	assert_true(got >= 0);
	(void)close(got);
	(void)close(waits);
	(void)close(fd);
}

static void what_was_spoilt_is_mended(void **state)
{
	int first = bound(0);
	int other = bound(0);
	uint16_t port = listen_port(first);
	int fd = bound(port); /* as that of a second worker */

	(void)state;
	(void)close(first);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	expect_mended(fd, port);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	assert_false(is_reached(port));
	expect_mended(fd, port);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_true(reaches(fd, listen_port(other)));
	expect_mended(fd, port);
	(void)close(fd);
	(void)close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_listens_goes_on),
		cmocka_unit_test(what_was_spoilt_is_mended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
