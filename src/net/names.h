/* SPDX-License-Identifier: ISC */
/*
 * names - what getaddrinfo says, also for a process that may open no files: it
 * asks another one, which does nothing else. Blocking, for threads.
 */
#ifndef NET_NAMES_H
#define NET_NAMES_H

#include <stddef.h>
#include <sys/socket.h>

struct resolve_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

/* APNs has eight; nobody tries more than that. */
enum { NAMES_ADDRESSES_MAX = 16 };

struct names_answer {
	int gai; /* getaddrinfo's verdict */
	size_t count;
	struct resolve_address found[NAMES_ADDRESSES_MAX];
};

/* names_look_up asks getaddrinfo for |host|, with its |flags|. */
void names_look_up(const char *host, int flags, struct names_answer *answer_r);

/* names_ask has names_serve at the other end of |fd| look |host| up; EAI_AGAIN
 * if nobody is there, or says what makes no sense. One at a time. */
void names_ask(int fd, const char *host, struct names_answer *answer_r);

/* names_serve answers on |fd|, of a pair of SOCK_SEQPACKET, until its other end
 * is closed or says what it should not. */
void names_serve(int fd);

#endif
