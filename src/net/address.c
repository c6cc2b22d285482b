/* SPDX-License-Identifier: ISC */
/* address - socket addresses as text, without asking any resolver. */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* A sockaddr is copied, not cast: its alignment is not that of the others. */
static struct sockaddr_in in4(const struct sockaddr *addr)
{
	struct sockaddr_in in;

	memcpy(&in, addr, sizeof(in));
	return in;
}

static struct sockaddr_in6 in6(const struct sockaddr *addr)
{
	struct sockaddr_in6 in;

	memcpy(&in, addr, sizeof(in));
	return in;
}

void address_host(const struct sockaddr *addr, char *text, size_t size)
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;
	const char *done = NULL;

	if (addr->sa_family == AF_INET) {
		four = in4(addr);
		done = inet_ntop(AF_INET, &four.sin_addr, text,
		                 (socklen_t)size);
	} else if (addr->sa_family == AF_INET6) {
		six = in6(addr);
		done = inet_ntop(AF_INET6, &six.sin6_addr, text,
		                 (socklen_t)size);
	}
	if (done == NULL)
		(void)snprintf(text, size, "%s",
		               addr->sa_family == AF_UNIX ? "unix" : "unknown");
}

uint16_t address_port(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return ntohs(in4(addr).sin_port);
	if (addr->sa_family == AF_INET6)
		return ntohs(in6(addr).sin6_port);
	return 0;
}

void address_set_port(struct sockaddr_storage *addr, uint16_t port)
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;

	if (addr->ss_family == AF_INET) {
		memcpy(&four, addr, sizeof(four));
		four.sin_port = htons(port);
		memcpy(addr, &four, sizeof(four));
	} else if (addr->ss_family == AF_INET6) {
		memcpy(&six, addr, sizeof(six));
		six.sin6_port = htons(port);
		memcpy(addr, &six, sizeof(six));
	}
}

void address_text(const struct sockaddr *addr, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	unsigned int port = address_port(addr);

	address_host(addr, host, sizeof(host));
	if (addr->sa_family == AF_INET6)
		(void)snprintf(text, size, "[%s]:%u", host, port);
	else if (addr->sa_family == AF_INET)
		(void)snprintf(text, size, "%s:%u", host, port);
	else
		(void)snprintf(text, size, "%s", host);
}
