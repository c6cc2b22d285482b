/* SPDX-License-Identifier: ISC */
/*
 * channel - messages between two of our processes over a unix SEQPACKET
 * socket, descriptors with them. A message that does not fit one datagram goes
 * as several.
 */
#ifndef PROCESS_CHANNEL_H
#define PROCESS_CHANNEL_H

#include <stdbool.h>

#include "base/str.h"
#include "net/loop.h"
#include "process/message.h"

struct channel;

struct channel_events {
	/* A message came, borrowed for the call; |fd| came with it, the
	 * callee's to close, or -1. */
	void (*message)(void *arg, const struct message *m, int fd);
	/* After channel_send was refused: it will be taken now. May be NULL. */
	void (*ready)(void *arg);
	/* The other side is gone (ERR_CLOSED), sent what is no message
	 * (ERR_PARSE) or too much (ERR_LIMIT), or does not take what it is told
	 * (ERR_LIMIT). Nothing more comes. */
	void (*ended)(void *arg, int rc);
};

/* channel_pair makes a connected pair of descriptors. Results: 0;
 * ERR_UNAVAILABLE, with a sentence. */
int channel_pair(int fds_r[2], struct err_detail *detail)
	__attribute__((warn_unused_result));

/* channel_new speaks on |fd|, its own from now on. |events| is borrowed for
 * the channel's life. */
struct channel *channel_new(struct loop *loop, int fd,
                            const struct channel_events *events, void *arg);

/*
 * channel_send sends |m|. Results: 0, on its way, or the other side is gone, as
 * |ended| will tell; ERR_MORE, not taken: an earlier one is still on its way,
 * and |ready| will be called; ERR_LIMIT, too long.
 */
int channel_send(struct channel *c, const struct message *m)
	__attribute__((warn_unused_result));

/*
 * channel_tell sends |m| when it can be taken, behind all that was told before,
 * and |fd| with it unless that is -1 (it stays the caller's). A side that does
 * not take what it is told hangs: that ends the channel (ERR_LIMIT), on a later
 * turn. Results: 0; ERR_LIMIT, |m| is too long; ERR_UNAVAILABLE, there are too
 * few descriptors.
 */
int channel_tell(struct channel *c, const struct message *m, int fd)
	__attribute__((warn_unused_result));

/* channel_post tells a message without fields. */
void channel_post(struct channel *c, enum message_type type, uint32_t id);

/* channel_pause stops reading, so that the other side has to wait;
 * channel_resume goes on. */
void channel_pause(struct channel *c);
void channel_resume(struct channel *c);

/* channel_fd is for closing in a forked child, where nothing else is done. */
int channel_fd(const struct channel *c);

/* channel_free closes and frees; allowed in an event. */
void channel_free(struct channel **c);

#endif
