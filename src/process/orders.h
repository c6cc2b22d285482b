/* SPDX-License-Identifier: ISC */
/*
 * orders - what main says to a forked process, obeyed alike by all: take over
 * what has changed, say that you turn, end. It ends too when main is gone, or
 * the process that looks names up for it.
 */
#ifndef PROCESS_ORDERS_H
#define PROCESS_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "process/message.h"
#include "process/reload.h"

struct channel;
struct forked_start;
struct loop;

/* What is not alike; each function may be NULL. */
struct orders_kind {
	const char *who; /* gets them, in a sentence */
	/* The configuration has changed; its files are |f| now. */
	void (*reload)(void *arg, const struct files *f);
	/* The process |id| is at the other end of |fd|, the callee's. */
	void (*peer)(void *arg, uint32_t id, int fd);
	/* Whatever else main says, borrowed for the call. */
	void (*message)(void *arg, const struct message *m);
};

struct orders {
	struct loop *loop;
	struct channel *main;
	struct log_ctx log;
	struct conf *conf;
	/* Private. */
	const struct orders_kind *kind;
	void *arg;
	struct reload news; /* that RELOAD will bring */
	bool is_lost;       /* no name can be looked up any more */
};

/* orders_init makes the loop, and hears main as |start| says. |names| is what
 * namer_begin gave, or -1. */
void orders_init(struct orders *o, const struct forked_start *start, int names,
                 const struct orders_kind *kind, void *arg);

/* orders_obey turns until the end. Results: 0; ERR_UNAVAILABLE with a
 * sentence: there are no names any more. */
int orders_obey(struct orders *o, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* orders_done waits until streams have said their last, and frees the loop. */
void orders_done(struct orders *o);

#endif
