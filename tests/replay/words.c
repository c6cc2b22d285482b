/* SPDX-License-Identifier: ISC */
/* words - see words.h. */
#include "replay/words.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "replay/pattern.h"
#include "replay/script.h"

enum { TEXT_MAX = 16 * 1024 * 1024 };

struct str word_take(struct str *in)
{
	size_t space;

	while (str_byte(in, ' '))
		;
	space = str_find(*in, ' ');
	return str_take(in, space == SIZE_MAX ? in->len : space);
}

static const struct {
	const char *name;
	uint64_t ms;
} units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", 24 * 3600 * 1000 },
};

/* take_unit takes the unit of a number; 0: there is none. */
static uint64_t take_unit(struct str *in)
{
	size_t n = 0;

	while (n < in->len && in->data[n] >= 'a' && in->data[n] <= 'z')
		n++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_eq(str_sub(*in, 0, n), str_of(units[i].name))) {
			(void)str_take(in, n);
			return units[i].ms;
		}
	return 0;
}

uint64_t word_duration(struct str word)
{
	struct str in = word;
	uint64_t sum = 0;

	do {
		uint64_t number;
		uint64_t unit;

		if (str_number(&in, UINT32_MAX, &number) != ERR_OK ||
		    (unit = take_unit(&in)) == 0)
			script_fail("no duration: %.*s", SHOW(word));
		sum += number * unit;
	} while (in.len > 0);
	return sum;
}

int64_t word_offset(struct str word)
{
	bool minus = str_byte(&word, '-');

	if (!minus && !str_byte(&word, '+'))
		script_fail("neither + nor -: %.*s", SHOW(word));
	return minus ? -(int64_t)word_duration(word)
	             : (int64_t)word_duration(word);
}

uint64_t word_number(struct str word)
{
	struct str in = word;
	uint64_t value;

	if (str_number(&in, INT64_MAX, &value) != ERR_OK || in.len > 0)
		script_fail("no number: %.*s", SHOW(word));
	return value;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* take_escape takes \r, \n or \xHH; other backslashes are IMAP's. */
static bool take_escape(struct str *in, char *c_r)
{
	if (in->len < 2 || in->data[0] != '\\')
		return false;
	if (in->data[1] == 'r' || in->data[1] == 'n') {
		*c_r = in->data[1] == 'r' ? '\r' : '\n';
		(void)str_take(in, 2);
		return true;
	}
	if (in->len < 4 || in->data[1] != 'x' || hex_digit(in->data[2]) < 0 ||
	    hex_digit(in->data[3]) < 0)
		return false;
	*c_r = (char)(hex_digit(in->data[2]) * 16 + hex_digit(in->data[3]));
	(void)str_take(in, 4);
	return true;
}

void words_said(struct str text, struct buf *out)
{
	bool open = str_ends(text, STR("\\"));
	struct buf filled;
	struct str in;
	char c;

	buf_init(&filled, TEXT_MAX);
	pattern_fill(str_sub(text, 0, text.len - open), &filled);
	in = buf_str(&filled);
	while (in.len > 0) {
		if (!take_escape(&in, &c))
			c = *str_take(&in, 1).data;
		must(buf_append(out, &c, 1));
	}
	buf_reset(&filled);
	if (!open)
		must(buf_adds(out, "\r\n"));
}
