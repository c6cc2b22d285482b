/* SPDX-License-Identifier: ISC */
/*
 * address - the ends of connections, small enough for every session, and as
 * text. No resolver is asked. An IPv4 address in IPv6 clothes (::ffff:1.2.3.4)
 * is IPv4 everywhere.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

struct address {
	uint8_t family;    /* AF_INET, AF_INET6, AF_UNIX; AF_UNSPEC: unknown */
	uint16_t port;     /* host order */
	uint8_t bytes[16]; /* as on the wire; of IPv4 the first four */
};

/* Room for any text of an address, with its port. */
enum { ADDRESS_TEXT_MAX = 56 };

/* address_from reads what the system says; other families become unknown. */
void address_from(const struct sockaddr *addr, struct address *a_r);

/* address_peer and address_local ask for the ends of the socket |fd|; unknown
 * if it has none (any more). */
struct address address_peer(int fd);
struct address address_local(int fd);

/*
 * address_parse reads a numeric address, without brackets or port, e.g.
 * "203.0.113.9" or "2001:db8::1"; the port is 0. Results: 0; ERR_PARSE.
 */
int address_parse(struct str text, struct address *a_r)
	__attribute__((warn_unused_result));

/* address_set_six takes the octets of an IPv6 address; the port stays. */
void address_set_six(struct address *a, const uint8_t bytes[static 16]);

/* address_len is how many of |bytes| count: 4, 16 or none. */
size_t address_len(const struct address *a);

/* address_print writes "203.0.113.9:4711", "[2001:db8::1]:4711", "unix" or
 * "unknown"; address_print_host does so without the port and brackets. */
void address_print(const struct address *a, char *text, size_t size);
void address_print_host(const struct address *a, char *text, size_t size);

/* Room for a host by its name, and a port. */
enum { ADDRESS_NAME_MAX = 272 };

/* address_name writes |host|, a name or an address, with |port|, as in a URL:
 * "mail.example.org:993", "[2001:db8::1]:993". Returns |text|. */
const char *address_name(const char *host, uint16_t port,
                         char text[static ADDRESS_NAME_MAX]);

/* address_text and address_host print what the system says. */
void address_text(const struct sockaddr *addr, char *text, size_t size);
void address_host(const struct sockaddr *addr, char *text, size_t size);

/* address_port is the port in host order, 0 where there is none. */
uint16_t address_port(const struct sockaddr *addr);

/* address_set_port writes |port| (host order) into an IP address. */
void address_set_port(struct sockaddr_storage *addr, uint16_t port);

#endif
