/* SPDX-License-Identifier: ISC */
/* names - see names.h. */
#include "net/names.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* A name and its NUL; DNS knows 255. */
enum { HOST_MAX = 1024 };

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

		if (ai->ai_addrlen > sizeof(found->addr) ||
		    (ai->ai_family != AF_INET && ai->ai_family != AF_INET6))
			continue;
		memcpy(&found->addr, ai->ai_addr, ai->ai_addrlen);
		found->len = ai->ai_addrlen;
		a->count++;
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

void names_ask(int fd, const char *host, struct names_answer *answer_r)
{
	struct names_answer a;

	if (transmit(fd, host, strlen(host) + 1) &&
	    receive(fd, &a, sizeof(a)) == (ssize_t)sizeof(a)) {
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
