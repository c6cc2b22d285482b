/* SPDX-License-Identifier: ISC */
/* input - bytes in other shapes. */
#include "fuzz/input.h"

#include <assert.h>

void must(int rc)
{
	assert(rc == 0);
}

bool inside(struct str whole, struct str part)
{
	if (part.len == 0)
		return true;
	return part.data >= whole.data && part.len <= whole.len &&
	       (size_t)(part.data - whole.data) <= whole.len - part.len;
}

char take_char(struct str *in)
{
	struct str one = str_take(in, 1);

	return one.len > 0 ? one.data[0] : '\0';
}

void sequence_init(struct sequence *s, struct str seed)
{
	s->state = 2166136261U; /* FNV-1a */
	for (size_t i = 0; i < seed.len; i++)
		s->state = (s->state ^ (unsigned char)seed.data[i]) * 16777619U;
}

uint32_t sequence_next(struct sequence *s, uint32_t limit)
{
	s->state = s->state * 1664525U + 1013904223U;
	return (s->state >> 8) % limit;
}

void cutter_init(struct cutter *c, struct str in, enum cuts cuts)
{
	*c = (struct cutter){ .rest = in, .cuts = cuts };
	sequence_init(&c->lengths, in);
}

/* cutter_len chooses the length of the next piece. Reads are short or long. */
static size_t cutter_len(struct cutter *c)
{
	switch (c->cuts) {
	case CUTS_NONE:
		break;
	case CUTS_BYTES:
		return 1;
	case CUTS_RANDOM:
		if (sequence_next(&c->lengths, 3) == 0)
			return 1 + sequence_next(&c->lengths, 200);
		return 1 + sequence_next(&c->lengths, 9);
	}
	return c->rest.len;
}

bool cutter_next(struct cutter *c, struct str *piece_r)
{
	str_free(&c->piece);
	if (c->rest.len == 0)
		return false;
	c->piece = str_dup(str_take(&c->rest, cutter_len(c)));
	*piece_r = c->piece;
	return true;
}

struct str script_head(struct str *script)
{
	return str_take(script, str_find(*script, '|'));
}

bool script_next(struct str *script, struct step *step_r)
{
	if (!str_byte(script, '|'))
		return false;
	step_r->op = take_char(script);
	if (step_r->op == '|') { /* it begins the next step */
		script->data--;
		script->len++;
		step_r->op = '\0';
	}
	step_r->octets = str_take(script, str_find(*script, '|'));
	return true;
}

uint64_t step_ms(const struct step *step)
{
	static const uint64_t spans[] = {
		1,     100,       1000,          2000,           5000,
		10000, 60 * 1000, 5 * 60 * 1000, 31 * 60 * 1000, 86400 * 1000,
	};
	struct str digits = step->octets;
	char digit = take_char(&digits);

	return digit >= '0' && digit <= '9' ? spans[digit - '0'] : 10;
}
