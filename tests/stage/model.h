/* SPDX-License-Identifier: ISC */
/*
 * model - a small IMAP server behind a fake stream, strict where servers
 * differ: it takes octets of a literal only after its own "+", and runs what
 * follows a refusal as a command. What it ran is written down.
 */
#ifndef STAGE_MODEL_H
#define STAGE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "fake/fake.h"

struct model {
	struct fake_peer *peer; /* borrowed */
	bool refuses;           /* every literal, with a tagged BAD */
	size_t seen;
	struct buf command; /* so far, literals in place */
	uint64_t literal_left;
	bool in_idle;
	struct buf idle_tag;
	struct buf ran; /* commands and octets, as they were taken */
};

void model_init(struct model *m, struct fake_peer *peer);
void model_done(struct model *m);

/* model_answer reads what came and answers it; returns whether it said
 * anything. */
bool model_answer(struct model *m);

#endif
