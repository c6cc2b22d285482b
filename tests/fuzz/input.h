/* SPDX-License-Identifier: ISC */
/*
 * input - what the targets make of the bytes they are given: numbers, pieces
 * in blocks of their own, and scripts. Also the prototype that they share.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* must: a call of the target's own that cannot fail. */
void must(int rc);

/* inside: |part| is empty or lies in |whole|. */
bool inside(struct str whole, struct str part);

/* take_char takes the first octet; '\0' when there is none. */
char take_char(struct str *in);

/* Numbers that look random and are the same in each run of an input. */
struct sequence {
	uint32_t state;
};

/* sequence_init begins the one that belongs to |seed|. */
void sequence_init(struct sequence *s, struct str seed);

/* sequence_next is below |limit| > 0. */
uint32_t sequence_next(struct sequence *s, uint32_t limit);

/* How an input is cut. */
enum cuts { CUTS_NONE, CUTS_BYTES, CUTS_RANDOM };

struct cutter {
	struct str rest;
	enum cuts cuts;
	struct sequence lengths;
	struct str piece; /* owned */
};

/*
 * cutter_next gives the next piece of |in|, in a block of its own and of just
 * its size, so that a sanitizer sees who reads beyond it or keeps it. False
 * after the last, and then nothing is left to free.
 */
void cutter_init(struct cutter *c, struct str in, enum cuts cuts);
bool cutter_next(struct cutter *c, struct str *piece_r);

/*
 * A script is steps in a row, each "|", a letter and octets up to the next
 * "|", so that people, dictionaries and a mutator that cuts and joins can all
 * write one. What stands before the first "|" is its head.
 *
 *	1|c|ca NOOP\r\n|b* 1 EXI|bSTS\r\n|t3
 */
struct step {
	char op; /* '\0': "|" at the end */
	struct str octets;
};

/* script_head takes the head; script_next the next step, if there is one. */
struct str script_head(struct str *script);
bool script_next(struct str *script, struct step *step_r);

/* step_ms is the time that "|t" and a digit mean, from 1 ms to a day. */
uint64_t step_ms(const struct step *step);

#endif
