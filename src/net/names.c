/* SPDX-License-Identifier: ISC */
/* names - see names.h. */
#include "net/names.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

/* A name and its NUL; DNS knows 255. */
enum { HOST_MAX = 1024 };

static bool is_address(const struct resolve_address *a)
{
	return (a->addr.ss_family == AF_INET &&
	        a->len == sizeof(struct sockaddr_in)) ||
	       (a->addr.ss_family == AF_INET6 &&
	        a->len == sizeof(struct sockaddr_in6));
}

void names_look_up(const char *host, int flags, struct names_answer *answer_r)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		                        .ai_socktype = SOCK_STREAM,
		                        .ai_flags = flags };
	struct names_answer *a = answer_r;
	struct addrinfo *list = NULL;

	memset(a, 0, sizeof(*a));
	a->gai = getaddrinfo(host, NULL, &hints, &list);
	if (a->gai != 0)
		return;
	for (const struct addrinfo *ai = list;
	     ai != NULL && a->count < NAMES_ADDRESSES_MAX; ai = ai->ai_next) {
		struct resolve_address *found = &a->found[a->count];

		if (ai->ai_addrlen > sizeof(found->addr))
			continue;
		memcpy(&found->addr, ai->ai_addr, ai->ai_addrlen);
		found->len = ai->ai_addrlen;
		a->count += is_address(found);
	}
	freeaddrinfo(list);
	if (a->count == 0)
		a->gai = EAI_NONAME;
}

/* receive waits for one message of at most |size| bytes; -1: there is none. */
static ssize_t receive(int fd, void *data, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, data, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	return n > 0 && (size_t)n <= size ? n : -1;
}

static bool transmit(int fd, const void *data, size_t size)
{
	ssize_t n;

	do
		n = send(fd, data, size, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 && (size_t)n == size;
}

/* is_sane: whoever said |a| may have been taken over by what a stranger's
 * server answered. */
static bool is_sane(const struct names_answer *a)
{
	if (a->gai != 0)
		return true;
	if (a->count == 0 || a->count > NAMES_ADDRESSES_MAX)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_address(&a->found[i]))
			return false;
	return true;
}

void names_ask(int fd, const char *host, struct names_answer *answer_r)
{
	struct names_answer a;

	if (transmit(fd, host, strlen(host) + 1) &&
	    receive(fd, &a, sizeof(a)) == (ssize_t)sizeof(a) && is_sane(&a)) {
		*answer_r = a;
		return;
	}
	memset(answer_r, 0, sizeof(*answer_r));
	answer_r->gai = EAI_AGAIN;
}

void names_serve(int fd)
{
	char host[HOST_MAX];
	struct names_answer a;
	ssize_t n;

	while ((n = receive(fd, host, sizeof(host))) > 0) {
		if (memchr(host, 0, (size_t)n) != host + n - 1)
			return;
		names_look_up(host, 0, &a);
		if (!transmit(fd, &a, sizeof(a)))
			return;
	}
}
