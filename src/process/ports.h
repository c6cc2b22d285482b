/* SPDX-License-Identifier: ISC */
/*
 * ports - the listening sockets of all workers, one of each address for each
 * worker. They live as long as the process that forks the workers: a connection
 * that waits in one of them waits for the replacement.
 */
#ifndef PROCESS_PORTS_H
#define PROCESS_PORTS_H

#include <stddef.h>

#include "base/err.h"
#include "role/inherited.h"
#include "role/listeners.h"

struct ports;

/*
 * ports_open binds |l| for |workers|, unless sockets for that are in |in|, and
 * logs `listening url=...` with the real port for each. Inherited sockets of
 * one address are dealt out; if they are fewer than workers, more are bound if
 * they may share it, or workers share them. Results: 0, freed by ports_free;
 * ERR_PERMISSION or ERR_DNS with a sentence that names the address.
 */
int ports_open(const struct listeners *l, size_t workers, struct inherited *in,
               struct ports **p_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* ports_list is all of them, borrowed, in an array that is the caller's to
 * free. */
int *ports_list(const struct ports *p, size_t *count_r);

/* ports_give puts those of |worker| (from 0) into |l|, borrowed, and closes all
 * others: for a forked worker. They listen, whatever the one before it, which
 * may have been taken over, made of them. */
void ports_give(struct ports *p, size_t worker, struct listeners *l);

/* ports_close closes all; what waits in them is refused. */
void ports_close(struct ports *p);

/* ports_free closes what is open. */
void ports_free(struct ports **p);

#endif
