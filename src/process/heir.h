/* SPDX-License-Identifier: ISC */
/*
 * heir - another main, of the program as it is on disk now, which takes over
 * from this one: it is started with our listening sockets, and says when it
 * serves. Until then nothing has changed here.
 */
#ifndef PROCESS_HEIR_H
#define PROCESS_HEIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "net/loop.h"
#include "process/message.h"

/* What the descriptor of its channel to us is called, with the version of
 * message.h behind it. */
#define HEIR_CHANNEL "imapbell-upgrade-"

struct heir;

struct heir_events {
	/* It serves. */
	void (*serves)(void *arg, pid_t pid);
	/* It says |m|, after that. */
	void (*message)(void *arg, const struct message *m);
	/* It is gone, or is no more heard, as the log says; to be freed. */
	void (*ended)(void *arg);
};

/*
 * heir_new starts |argv| with the |count| sockets |fds|, which stay the
 * caller's. Results: 0, freed by heir_free; ERR_UNAVAILABLE with a sentence.
 */
int heir_new(struct loop *loop, char *const *argv, const int *fds, size_t count,
             const struct heir_events *events, void *arg, struct heir **h_r,
             struct err_detail *detail) __attribute__((warn_unused_result));

/* heir_serves: it said so. */
bool heir_serves(const struct heir *h);

/* heir_tell sends |m|, and |fd|, which stays the caller's, unless it is -1. */
void heir_tell(struct heir *h, const struct message *m, int fd);
void heir_post(struct heir *h, enum message_type type);

/* heir_reload has it read its configuration again once it serves. */
void heir_reload(struct heir *h);

/* heir_kill ends it, while its channel is open; heir_free lets go of it. */
void heir_kill(const struct heir *h);
void heir_free(struct heir **h);

#endif
