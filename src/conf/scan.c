/* SPDX-License-Identifier: ISC */
/*
 * scan - see scan.h. libconfig 1.5 cuts a number to 32 bits, ignores all that
 * follows a NUL or a comment left open, and ends the process when an included
 * file cannot be read, a directory for one. This knows just enough of its
 * syntax to find these: comments, strings, names, numbers and @include.
 */
#include "conf/scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/conf_set.h"

/* libconfig refuses to go deeper, with a sentence of its own. */
#define INCLUDE_DEPTH_MAX 10

struct scan {
	const char *name;
	struct str rest;
	unsigned line;
	unsigned depth;
	struct err_detail *detail;
};

static int scan_text(struct scan *s);

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

/* Value of a hexadecimal digit, or 16. */
static unsigned digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

static int fail(const struct scan *s, const char *what)
{
	if (s->name == NULL)
		return err_set(s->detail, ERR_INVALID, "%s", what);
	return err_set(s->detail, ERR_INVALID, "%s:%u: %s", s->name, s->line,
	               what);
}

/* Takes |n| bytes and counts their lines. */
static void skip(struct scan *s, size_t n)
{
	struct str taken = str_take(&s->rest, n);

	for (size_t i = 0; i < taken.len; i++)
		s->line += taken.data[i] == '\n';
}

static void skip_line(struct scan *s)
{
	while (s->rest.len > 0 && s->rest.data[0] != '\n')
		skip(s, 1);
}

static int scan_comment(struct scan *s)
{
	const unsigned start = s->line;

	skip(s, 2);
	while (s->rest.len > 0 && !str_starts(s->rest, STR("*/")))
		skip(s, 1);
	if (s->rest.len == 0) {
		s->line = start;
		return fail(s, "a comment is not closed");
	}
	skip(s, 2);
	return ERR_OK;
}

/* Skips a string whose opening quote was taken; returns what it says, as far
 * as escaping a quote or backslash goes. */
static char *skip_string(struct scan *s)
{
	char *text = xcalloc(1, s->rest.len + 1);
	size_t len = 0;

	while (s->rest.len > 0 && s->rest.data[0] != '"') {
		if (s->rest.data[0] == '\\' && s->rest.len > 1)
			skip(s, 1);
		text[len++] = s->rest.data[0];
		skip(s, 1);
	}
	skip(s, 1);
	return text;
}

static void skip_name(struct scan *s)
{
	while (s->rest.len > 0 &&
	       (is_letter(s->rest.data[0]) || is_digit(s->rest.data[0]) ||
	        s->rest.data[0] == '-' || s->rest.data[0] == '_'))
		skip(s, 1);
}

static int scan_number(struct scan *s)
{
	unsigned base = 10;
	uint64_t value = 0;

	if (str_istarts(s->rest, STR("0x"))) {
		base = 16;
		skip(s, 2);
	}
	while (s->rest.len > 0 && digit_value(s->rest.data[0]) < base) {
		if (value <= INT32_MAX) /* else it is known already */
			value = value * base + digit_value(s->rest.data[0]);
		skip(s, 1);
	}
	if (value > INT32_MAX && !str_starts(s->rest, STR("L")))
		return fail(s, "a number is out of range, at most 2147483647");
	skip_name(s);
	return ERR_OK;
}

static int scan_include(struct scan *s)
{
	struct scan in = { .line = 1, .depth = s->depth + 1 };
	struct err_detail why;
	struct buf text;
	char *name;
	int rc;

	while (str_byte(&s->rest, ' ') || str_byte(&s->rest, '\t'))
		;
	if (!str_byte(&s->rest, '"') || in.depth > INCLUDE_DEPTH_MAX)
		return ERR_OK; /* libconfig will say it */
	name = skip_string(s);
	buf_init(&text, CONF_FILE_MAX);
	rc = file_read(name, &text, &why);
	if (rc != ERR_OK) {
		rc = fail(s, why.text);
	} else {
		in.name = name;
		in.rest = buf_str(&text);
		in.detail = s->detail;
		rc = scan_text(&in);
	}
	buf_reset(&text);
	free(name);
	return rc;
}

static int scan_text(struct scan *s)
{
	int rc = ERR_OK;

	while (s->rest.len > 0 && rc == ERR_OK) {
		char c = s->rest.data[0];

		if (c == '\0') {
			rc = fail(s, "a NUL is in the text");
		} else if (c == '#' || str_starts(s->rest, STR("//"))) {
			skip_line(s);
		} else if (str_starts(s->rest, STR("/*"))) {
			rc = scan_comment(s);
		} else if (str_byte(&s->rest, '"')) {
			free(skip_string(s));
		} else if (str_starts(s->rest, STR("@include"))) {
			skip(s, strlen("@include"));
			rc = scan_include(s);
		} else if (is_digit(c)) {
			rc = scan_number(s);
		} else if (is_letter(c)) {
			skip_name(s);
		} else {
			skip(s, 1);
		}
	}
	return rc;
}

int conf_scan(const char *name, struct str text, struct err_detail *detail)
{
	struct scan s = { name, text, 1, 0, detail };

	return scan_text(&s);
}
