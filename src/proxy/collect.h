/* SPDX-License-Identifier: ISC */
/*
 * collect - one command of the client gathered whole, literals in place, for
 * the one who answers it here. Bounded in octets and literals.
 */
#ifndef PROXY_COLLECT_H
#define PROXY_COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "imap/framer.h"

/* An ID of 30 pairs may send each of its 60 strings as a literal. */
#define COLLECT_LITERALS_MAX 64

enum collect_result {
	COLLECT_MORE,     /* the rest comes by itself */
	COLLECT_GO_AHEAD, /* the client waits for "+" before a literal */
	COLLECT_WHOLE,
	COLLECT_REFUSED /* too large: nothing more of it is kept */
};

struct collect {
	struct buf text;
	bool front_only; /* keep the first frame, count the rest */
	size_t left;     /* octets that may still come */
	unsigned literals;
};

/* collect_init begins with the ceiling |max| of the whole command, of which all
 * is kept unless |front_only| is set then. */
void collect_init(struct collect *c, size_t max);

/* collect_done wipes and frees. */
void collect_done(struct collect *c);

/* collect_add takes the next |frame| of the command, not a bad one. */
enum collect_result collect_add(struct collect *c,
                                const struct imap_frame *frame)
	__attribute__((warn_unused_result));

#endif
