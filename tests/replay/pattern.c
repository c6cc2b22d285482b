/* SPDX-License-Identifier: ISC */
/* pattern - see pattern.h. */
#include "replay/pattern.h"

#include "replay/script.h"

enum { BINDS_MAX = 64 };

/* A word that a pattern kept. */
struct bind {
	struct str name;
	struct str value;
};

static struct bind binds[BINDS_MAX];
static size_t bind_count;

bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static struct bind *find_bind(struct str name)
{
	for (size_t i = 0; i < bind_count; i++)
		if (str_eq(binds[i].name, name))
			return &binds[i];
	return NULL;
}

static void keep(struct str name, struct str value)
{
	struct bind *b = find_bind(name);

	if (b == NULL) {
		if (bind_count == BINDS_MAX)
			script_fail("too many names");
		b = &binds[bind_count++];
		b->name = str_dup(name);
	} else {
		str_free(&b->value);
	}
	b->value = str_dup(value);
}

/* take_name takes "<name>" from the front of |in|. */
static bool take_name(struct str *in, struct str *name_r)
{
	size_t end = str_find(*in, '>');

	if (in->len < 3 || in->data[0] != '<' || end == SIZE_MAX || end < 2)
		return false;
	for (size_t i = 1; i < end; i++)
		if (!is_alnum(in->data[i]) && in->data[i] != '-')
			return false;
	*name_r = str_sub(*in, 1, end - 1);
	(void)str_take(in, end + 1);
	return true;
}

static size_t word_len(struct str text)
{
	size_t n = 0;

	while (n < text.len && (is_alnum(text.data[n]) || text.data[n] == '+' ||
	                        text.data[n] == '/' || text.data[n] == '='))
		n++;
	return n;
}

/* match: |whole| says that nothing may be left of |text|. */
static bool match(struct str pattern, struct str text, bool whole)
{
	struct str name;

	while (pattern.len > 0) {
		if (str_starts(pattern, STR("..."))) {
			(void)str_take(&pattern, 3);
			for (; text.len > 0; (void)str_take(&text, 1))
				if (match(pattern, text, whole))
					return true;
			continue;
		}
		if (take_name(&pattern, &name)) {
			struct str word = str_take(&text, word_len(text));

			if (word.len == 0 || !match(pattern, text, whole))
				return false;
			keep(name, word);
			return true;
		}
		if (!str_byte(&text, pattern.data[0]))
			return false;
		(void)str_take(&pattern, 1);
	}
	return !whole || text.len == 0;
}

bool pattern_matches(struct str pattern, struct str text)
{
	return match(pattern, text, true);
}

bool pattern_matches_part(struct str pattern, struct str text)
{
	do {
		if (match(pattern, text, false))
			return true;
	} while (str_take(&text, 1).len > 0);
	return false;
}

void pattern_fill(struct str text, struct buf *out)
{
	while (text.len > 0) {
		struct str rest = text;
		struct str name;
		const struct bind *b = NULL;

		if (take_name(&rest, &name))
			b = find_bind(name);
		if (b != NULL) {
			must(buf_add(out, b->value));
			text = rest;
		} else {
			must(buf_add(out, str_take(&text, 1)));
		}
	}
}

void patterns_free(void)
{
	for (size_t i = 0; i < bind_count; i++) {
		str_free(&binds[i].name);
		str_free(&binds[i].value);
	}
	bind_count = 0;
}
