/* SPDX-License-Identifier: ISC */
/*
 * listen - accepting sockets. When descriptors run out accepting pauses and
 * resumes by itself, without spinning.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"

struct listener;

/* |fd| is connected, non-blocking, and the callee's to close. */
typedef void listen_fn(void *arg, int fd);

/*
 * listener_open binds |host| ("127.0.0.1", "::1", a name, or "*" for both
 * families; a family the machine lacks is no error) and |port| (0: a free one,
 * the same for both families) and listens. Results: 0 with |*l_r| the
 * caller's, freed by listener_free; ERR_PERMISSION (bind refused or in use) or
 * ERR_DNS with a sentence that names address and port in |detail|.
 */
int listener_open(struct loop *loop, const char *host, uint16_t port,
                  listen_fn *fn, void *arg, struct listener **l_r,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * listen_bind does the first half of listener_open, for sockets that another
 * process will accept on: at most |max| listening descriptors go to |fds_r|,
 * the caller's to close. With |share| others may bind the same port too
 * (SO_REUSEPORT). Results as listener_open.
 */
int listen_bind(const char *host, uint16_t port, bool share, int *fds_r,
                size_t max, size_t *count_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* listen_port is the port that a descriptor of listen_bind is bound to. */
uint16_t listen_port(int fd);

/* listen_is_ours: |fd|, which another opened, is a listening TCP socket. */
bool listen_is_ours(int fd);

/*
 * listen_match tells in |at_r| which of |count| descriptors, that others
 * opened, listen where listen_bind would bind |host| and |port|: of a port 0
 * any, but all the same. They do not block any more. Those that are -1 do not.
 * Results: 0; ERR_DNS with a sentence.
 */
int listen_match(const char *host, uint16_t port, const int *fds, size_t count,
                 bool *at_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* listen_again binds one more socket where |fd| is, if both may share that.
 * Returns it, the caller's to close, or -1. */
int listen_again(int fd);

/* listen_mend has |fd|, of listen_bind or listen_match, listen and not block,
 * whatever another process that has it made of it; at another port if it was
 * free to choose, and was shut down. Results: 0; ERR_UNAVAILABLE. */
int listen_mend(int fd) __attribute__((warn_unused_result));

/* listener_new accepts on |count| descriptors of listen_bind, its own from now
 * on. */
struct listener *listener_new(struct loop *loop, const int *fds, size_t count,
                              listen_fn *fn, void *arg);

/* listener_port is the real port. */
uint16_t listener_port(const struct listener *l);

/* listener_pause and listener_resume: stop and go on accepting; connections
 * wait in the backlog meanwhile. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

/* listener_free closes the sockets and frees; allowed inside |fn|. */
void listener_free(struct listener **l);

#endif
