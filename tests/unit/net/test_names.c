/* SPDX-License-Identifier: ISC */
/* Names that another process looks up, which strangers' servers answer. */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/names.h"
#include "unit/unit.h"

/* What the process says, and what comes of it. */
static struct names_answer said, got;

/* be_good has it say what an honest one does. */
static void be_good(void)
{
	memset(&said, 0, sizeof(said));
	said.count = 2;
	said.found[0].addr.ss_family = AF_INET;
	said.found[0].len = sizeof(struct sockaddr_in);
	said.found[1].addr.ss_family = AF_INET6;
	said.found[1].len = sizeof(struct sockaddr_in6);
}

/* ask asks one that says |len| octets of |data|. */
static void ask(const void *data, size_t len)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	assert_int_equal(send(fds[1], data, len, 0), (ssize_t)len);
	names_ask(fds[0], "mail.example", &got);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void an_answer_is_taken(void **arg)
{
	(void)arg;
	be_good();
	ask(&said, sizeof(said));
	assert_memory_equal(&got, &said, sizeof(got));
	memset(&said, 0, sizeof(said));
	said.gai = EAI_NONAME;
	ask(&said, sizeof(said));
	assert_int_equal(got.gai, EAI_NONAME);
}

/* refuses: whoever asked is told that nobody answered, and nothing else. */
static bool refuses(void)
{
	ask(&said, sizeof(said));
	return got.gai == EAI_AGAIN && got.count == 0;
}

/* The process for names may have been taken over: who asks it may not be. */
static void what_cannot_be_is_refused(void **arg)
{
	(void)arg;
	be_good();
	said.count = NAMES_ADDRESSES_MAX + 1;
	assert_true(refuses());
	said.count = SIZE_MAX;
	assert_true(refuses());
	said.count = 0;
	assert_true(refuses());
	be_good();
	said.found[1].len = sizeof(said.found[1].addr) + 1;
	assert_true(refuses());
	be_good();
	said.found[1].len = sizeof(struct sockaddr_in);
	assert_true(refuses());
	be_good();
	said.found[0].addr.ss_family = AF_UNIX;
	assert_true(refuses());
}

static void what_is_short_or_long_is_refused(void **arg)
{
	static const char data[sizeof(struct names_answer) + 1];

	(void)arg;
	ask(data, 1);
	assert_int_equal(got.gai, EAI_AGAIN);
	ask(data, sizeof(data));
	assert_int_equal(got.gai, EAI_AGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_taken),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(what_is_short_or_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
