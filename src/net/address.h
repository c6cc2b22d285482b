/* SPDX-License-Identifier: ISC */
/* address - socket addresses as text. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for any text of address_text. */
enum { ADDRESS_TEXT_MAX = 56 };

/* address_host writes "203.0.113.9", "2001:db8::1", "unix" or "unknown". */
void address_host(const struct sockaddr *addr, char *text, size_t size);

/* address_text writes "203.0.113.9:4711", "[2001:db8::1]:4711" or "unix". */
void address_text(const struct sockaddr *addr, char *text, size_t size);

/* address_port is the port in host order, 0 where there is none. */
uint16_t address_port(const struct sockaddr *addr);

/* address_set_port writes |port| (host order) into an IP address. */
void address_set_port(struct sockaddr_storage *addr, uint16_t port);

#endif
