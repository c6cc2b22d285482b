/* SPDX-License-Identifier: ISC */
/*
 * farewell - a connection whose owner has left: what waits is sent, our end is
 * said, and the peer's end awaited for a moment. For stream alone.
 */
#ifndef NET_FAREWELL_H
#define NET_FAREWELL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "net/loop.h"
#include "net/output.h"
#include "net/wire.h"

struct farewell;

/* All of a loop, and the memory that they read into. */
struct farewells {
	struct loop *loop;
	char *scratch;
	size_t scratch_len;
	size_t max; /* the oldest goes for one above that */
	size_t count;
	TAILQ_HEAD(, farewell) list; /* the oldest first */
};

/*
 * farewell_start takes what |wire| and |out| hold, which are empty afterwards,
 * and frees itself when it is done. |peer_ended|: nothing more will come.
 */
void farewell_start(struct farewells *all, struct wire *wire,
                    struct output *out, bool peer_ended);

/* farewells_finish drops those that are not done. */
void farewells_finish(struct farewells *all);

#endif
