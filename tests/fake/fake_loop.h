/* SPDX-License-Identifier: ISC */
/* fake_loop - what the fakes share behind fake.h: everything hangs on the
 * loop, so that nothing is left over between tests. */
#ifndef FAKE_FAKE_LOOP_H
#define FAKE_FAKE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/str.h"
#include "net/address.h"
#include "net/dial.h"
#include "net/loop.h"

struct fake_outcome;

TAILQ_HEAD(fake_timer_list, loop_timer);
TAILQ_HEAD(fake_dial_list, dial);
TAILQ_HEAD(fake_listener_list, listener);
TAILQ_HEAD(fake_stream_list, stream);
TAILQ_HEAD(fake_job_list, fake_job);
TAILQ_HEAD(fake_fd_list, fake_fd);
STAILQ_HEAD(fake_outcome_list, fake_outcome);
STAILQ_HEAD(fake_signal_list, fake_signal_fn);

struct fake_call {
	loop_fn *fn; /* NULL: canceled */
	void *arg;
};

struct fake_calls {
	struct fake_call *items;
	size_t len;
	size_t cap;
};

struct loop {
	uint64_t now_ms;
	int64_t wall_offset_ms;
	bool stopping;
	struct fake_calls deferred;
	struct fake_calls running;
	struct fake_timer_list timers; /* set ones, by due time */
	size_t timers_made;
	struct fake_signal_list signals;
	struct fake_stream_list streams; /* fake_stream.c */

	struct fake_outcome_list outcomes; /* fake_dial.c */
	struct fake_dial_list dials;
	size_t dials_started;
	uint16_t dial_port;        /* of the outcomes that are queued next */
	struct dial_target target; /* of the last dial, copied */
	struct str target_host;
	struct str target_name;
	int preamble_rc; /* fake_preamble.c */
	const char *preamble_from;
	bool has_from; /* and for whom it was */
	struct dial_from from;
	struct address client;
	struct address listener;

	struct fake_listener_list listeners; /* fake_listen.c */
	struct fake_fd_list fds;

	struct fake_job_list jobs; /* fake_offload.c */
	bool hold;

	char *resolve_why; /* fake_resolve.c */
};

/* fake_dial_done and fake_listen_done free what they keep on |loop|. */
void fake_dial_done(struct loop *loop);
void fake_listen_done(struct loop *loop);

struct fake_peer;

/* fake_fd_take returns the stream that |fd| of a fake listener stands for, and
 * closes |fd|; NULL for any other descriptor. */
struct stream *fake_fd_take(struct loop *loop, int fd);

#endif
