/* SPDX-License-Identifier: ISC */
/* address - RFC 4291 section 2.5.5.2 (IPv4 in IPv6), RFC 5952 (text). */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* What stands before an IPv4 address in one of IPv6. */
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

size_t address_len(const struct address *a)
{
	if (a->family == AF_INET)
		return 4;
	return a->family == AF_INET6 ? sizeof(a->bytes) : 0;
}

void address_set_six(struct address *a, const uint8_t bytes[static 16])
{
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		a->family = AF_INET;
		memcpy(a->bytes, bytes + sizeof(mapped), 4);
	} else {
		a->family = AF_INET6;
		memcpy(a->bytes, bytes, sizeof(a->bytes));
	}
}

/* A sockaddr is copied, not cast: its alignment is not that of the others. */
void address_from(const struct sockaddr *addr, struct address *a_r)
{
	struct address a = { .family = AF_UNSPEC };
	struct sockaddr_in four;
	struct sockaddr_in6 six;

	if (addr->sa_family == AF_INET) {
		memcpy(&four, addr, sizeof(four));
		a.family = AF_INET;
		a.port = ntohs(four.sin_port);
		memcpy(a.bytes, &four.sin_addr, sizeof(four.sin_addr));
	} else if (addr->sa_family == AF_INET6) {
		memcpy(&six, addr, sizeof(six));
		a.port = ntohs(six.sin6_port);
		address_set_six(&a, six.sin6_addr.s6_addr);
	} else if (addr->sa_family == AF_UNIX) {
		a.family = AF_UNIX;
	}
	*a_r = a;
}

/* end_of asks for the peer's end of |fd|, or for ours. */
static struct address end_of(int fd, bool is_peer)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNSPEC };
	struct sockaddr *out = (struct sockaddr *)&addr;
	socklen_t len = sizeof(addr);
	struct address a = { .family = AF_UNSPEC };

	if ((is_peer ? getpeername(fd, out, &len)
	             : getsockname(fd, out, &len)) == 0)
		address_from(out, &a);
	return a;
}

struct address address_peer(int fd)
{
	return end_of(fd, true);
}

struct address address_local(int fd)
{
	return end_of(fd, false);
}

int address_parse(struct str text, struct address *a_r)
{
	struct address a = { .family = AF_UNSPEC };
	char copy[INET6_ADDRSTRLEN];
	uint8_t bytes[sizeof(a.bytes)];

	if (text.len == 0 || text.len >= sizeof(copy) ||
	    memchr(text.data, '\0', text.len) != NULL)
		return ERR_PARSE;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, copy, bytes) == 1)
		address_set_six(&a, bytes);
	else
		return ERR_PARSE;
	*a_r = a;
	return ERR_OK;
}

void address_print_host(const struct address *a, char *text, size_t size)
{
	if (address_len(a) == 0 ||
	    inet_ntop(a->family, a->bytes, text, (socklen_t)size) == NULL)
		(void)snprintf(text, size, "%s",
		               a->family == AF_UNIX ? "unix" : "unknown");
}

void address_print(const struct address *a, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];
	unsigned int port = a->port;

	address_print_host(a, host, sizeof(host));
	if (a->family == AF_INET6)
		(void)snprintf(text, size, "[%s]:%u", host, port);
	else if (a->family == AF_INET)
		(void)snprintf(text, size, "%s:%u", host, port);
	else
		(void)snprintf(text, size, "%s", host);
}

const char *address_name(const char *host, uint16_t port,
                         char text[static ADDRESS_NAME_MAX])
{
	bool is_v6 = strchr(host, ':') != NULL;
	unsigned int number = port;

	(void)snprintf(text, ADDRESS_NAME_MAX, "%s%s%s:%u", is_v6 ? "[" : "",
	               host, is_v6 ? "]" : "", number);
	return text;
}

void address_host(const struct sockaddr *addr, char *text, size_t size)
{
	struct address a;

	address_from(addr, &a);
	address_print_host(&a, text, size);
}

void address_text(const struct sockaddr *addr, char *text, size_t size)
{
	struct address a;

	address_from(addr, &a);
	address_print(&a, text, size);
}

uint16_t address_port(const struct sockaddr *addr)
{
	struct address a;

	address_from(addr, &a);
	return a.port;
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
