/* SPDX-License-Identifier: ISC */
/*
 * loop_io - the readiness of a descriptor, for those that speak a protocol of
 * their own on it (stream, listen, dial, channels between processes). Bytes to
 * and from an IMAP or HTTP peer go through stream instead.
 */
#ifndef NET_LOOP_IO_H
#define NET_LOOP_IO_H

#include "net/loop.h"

struct event_base;
struct loop_io;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* |ready| has one or both bits. An error or hang-up counts as ready: the next
 * read or write tells. */
typedef void loop_io_fn(void *arg, unsigned int ready);

/*
 * loop_io_new watches nothing yet. |fd| stays the caller's, who closes it only
 * after loop_io_free.
 */
struct loop_io *loop_io_new(struct loop *loop, int fd, loop_io_fn *fn,
                            void *arg);

/* loop_io_want sets what to watch for, until changed; 0: nothing. */
void loop_io_want(struct loop_io *io, unsigned int events);

/* loop_io_free stops watching and frees; allowed inside its own |fn|. */
void loop_io_free(struct loop_io **io);

/* loop_event_base is for libraries that bring libevent code of their own
 * (evhttp). Their callbacks call loop_enter first. */
struct event_base *loop_event_base(struct loop *loop);

/* loop_enter reads the clock, once per turn, when the loop comes out of its
 * sleep. */
void loop_enter(struct loop *loop);

/* loop_keep stores what one room holds for all its objects on this loop;
 * loop_free passes it to |free_fn|. loop_kept returns it, or NULL. */
void loop_keep(struct loop *loop, void *data, loop_fn *free_fn);
void *loop_kept(const struct loop *loop);

#endif
