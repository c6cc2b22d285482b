/* SPDX-License-Identifier: ISC */
/*
 * loop_io - two libevent events per descriptor, so that a change of one
 * direction is one system call and leaves the other alone.
 */
#include "net/loop_io.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

struct loop_io {
	struct event read;
	struct event write;
	struct loop *loop;
	loop_io_fn *fn;
	void *arg;
	unsigned int wanted;
};

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;

	(void)fd;
	loop_enter(io->loop);
	io->fn(io->arg, (what & EV_WRITE) != 0 ? LOOP_WRITE : LOOP_READ);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, loop_io_fn *fn,
                            void *arg)
{
	struct event_base *base = loop_event_base(loop);
	struct loop_io *io = xcalloc(1, sizeof(*io));

	io->loop = loop;
	io->fn = fn;
	io->arg = arg;
	if (event_assign(&io->read, base, fd, EV_READ | EV_PERSIST, on_ready,
	                 io) != 0 ||
	    event_assign(&io->write, base, fd, EV_WRITE | EV_PERSIST, on_ready,
	                 io) != 0)
		abort();
	return io;
}

static void set_event(struct event *event, bool on)
{
	if (on) {
		if (event_add(event, NULL) != 0)
			abort();
	} else {
		(void)event_del(event);
	}
}

void loop_io_want(struct loop_io *io, unsigned int events)
{
	unsigned int changed = io->wanted ^ events;

	io->wanted = events;
	if ((changed & LOOP_READ) != 0)
		set_event(&io->read, (events & LOOP_READ) != 0);
	if ((changed & LOOP_WRITE) != 0)
		set_event(&io->write, (events & LOOP_WRITE) != 0);
}

void loop_io_free(struct loop_io **io)
{
	if (*io == NULL)
		return;
	loop_io_want(*io, 0);
	free(*io);
	*io = NULL;
}
