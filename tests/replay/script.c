/* SPDX-License-Identifier: ISC */
/* script - see script.h. */
#include "replay/script.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "replay/transcript.h"

enum {
	FILE_MAX = 1024 * 1024,
	STEP_MAX = 64 * 1024,
	PATH_LEN_MAX = 4096,
	DEPTH_MAX = 4,
	ARGS_MAX = 9,
	BINDS_MAX = 64
};

/* A device's token, from its one letter. */
#define TOKEN_LEN 32

/* A file that is being played. */
struct frame {
	struct buf path; /* ended by a NUL */
	struct buf text;
	struct str rest;
	unsigned line;
	struct str args[ARGS_MAX];
	size_t arg_count;
};

/* A word that a pattern kept. */
struct bind {
	struct str name;
	struct str value;
};

static struct {
	struct frame frames[DEPTH_MAX];
	size_t depth;
	struct buf step;
	struct bind binds[BINDS_MAX];
	size_t bind_count;
	struct str folder; /* of |frames|[0].path */
	struct buf place;
} script;

void must(int rc)
{
	assert(rc == ERR_OK);
}

void script_fail(const char *fmt, ...)
{
	char text[4096];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	transcript_failed(text);
	_Exit(1);
}

/* Files. */

/* push_frame begins to play |name| of the folder. */
static void push_frame(struct str folder, struct str name)
{
	struct err_detail why;
	struct frame *f;

	if (script.depth == DEPTH_MAX)
		script_fail("parts play parts too deeply");
	f = &script.frames[script.depth];
	*f = (struct frame){ 0 };
	buf_init(&f->path, PATH_LEN_MAX);
	must(buf_add(&f->path, folder));
	must(buf_add(&f->path, name));
	must(buf_append(&f->path, "", 1));
	buf_init(&f->text, FILE_MAX);
	if (file_read(f->path.data, &f->text, &why) != ERR_OK)
		script_fail("%s", why.text);
	f->rest = buf_str(&f->text);
	script.depth++;
}

static void pop_frame(void)
{
	struct frame *f = &script.frames[--script.depth];

	buf_reset(&f->path);
	buf_reset(&f->text);
	for (size_t i = 0; i < f->arg_count; i++)
		str_free(&f->args[i]);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

void script_open(const char *path)
{
	const char *name = base_name(path);

	buf_init(&script.step, STEP_MAX);
	buf_init(&script.place, PATH_LEN_MAX * DEPTH_MAX);
	script.folder = str_dup(str_new(path, (size_t)(name - path)));
	push_frame(script.folder, str_of(name));
	if (!str_starts(script.frames[0].rest, STR("# ")))
		script_fail("the first line must be a comment with the rule");
}

void script_close(void)
{
	while (script.depth > 0)
		pop_frame();
	for (size_t i = 0; i < script.bind_count; i++) {
		str_free(&script.binds[i].name);
		str_free(&script.binds[i].value);
	}
	script.bind_count = 0;
	buf_reset(&script.step);
	buf_reset(&script.place);
	str_free(&script.folder);
}

const char *script_place(void)
{
	buf_clear(&script.place);
	for (size_t i = 0; i < script.depth; i++) {
		const struct frame *f = &script.frames[i];

		must(buf_printf(&script.place, "%s%s:%u", i > 0 ? " " : "",
		                base_name(f->path.data), f->line));
	}
	must(buf_append(&script.place, "", 1));
	return script.place.data;
}

/* Steps. */

static struct str next_word(struct str *in)
{
	size_t space;

	while (str_byte(in, ' '))
		;
	space = str_find(*in, ' ');
	return str_take(in, space == SIZE_MAX ? in->len : space);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

static void add_char(char c)
{
	must(buf_append(&script.step, &c, 1));
}

/* take_arg takes "$1" and appends that argument of the part. */
static bool take_arg(struct str *in)
{
	const struct frame *f = &script.frames[script.depth - 1];
	size_t n;

	if (in->len < 2 || in->data[0] != '$' || in->data[1] < '1' ||
	    in->data[1] > '9')
		return false;
	n = (size_t)(in->data[1] - '1');
	if (n >= f->arg_count)
		script_fail("$%zu is not given", n + 1);
	must(buf_add(&script.step, f->args[n]));
	(void)str_take(in, 2);
	return true;
}

/* take_device takes "@a" where a word of its own and appends the token. */
static bool take_device(struct str *in, char before)
{
	if (in->len < 2 || in->data[0] != '@' || is_alnum(before) ||
	    !((in->data[1] >= 'a' && in->data[1] <= 'f') ||
	      (in->data[1] >= '0' && in->data[1] <= '9')) ||
	    (in->len > 2 && is_alnum(in->data[2])))
		return false;
	for (size_t i = 0; i < TOKEN_LEN; i++)
		add_char(in->data[1]);
	(void)str_take(in, 2);
	return true;
}

static void expand(struct str line)
{
	char before = ' ';

	buf_clear(&script.step);
	while (line.len > 0) {
		if (take_arg(&line) || take_device(&line, before)) {
			before = 'x';
			continue;
		}
		before = line.data[0];
		add_char(before);
		(void)str_take(&line, 1);
	}
}

/* play begins the part that |step| names, with its arguments. */
static void play(struct str step)
{
	struct str args[ARGS_MAX];
	struct buf name;
	size_t count = 0;

	(void)next_word(&step);
	buf_init(&name, PATH_LEN_MAX);
	must(buf_add(&name, next_word(&step)));
	must(buf_adds(&name, ".part"));
	while (step.len > 0 && count < ARGS_MAX)
		args[count++] = str_dup(next_word(&step));
	if (step.len > 0)
		script_fail("a part has at most %d arguments", ARGS_MAX);
	push_frame(script.folder, buf_str(&name));
	memcpy(script.frames[script.depth - 1].args, args, sizeof(args));
	script.frames[script.depth - 1].arg_count = count;
	buf_reset(&name);
}

/* next_line finds the next line of any file that is played. */
static bool next_line(struct str *line_r)
{
	while (script.depth > 0) {
		struct frame *f = &script.frames[script.depth - 1];
		size_t end = str_find(f->rest, '\n');

		if (f->rest.len == 0) {
			if (script.depth == 1)
				return false;
			pop_frame();
			continue;
		}
		f->line++;
		*line_r =
			str_take(&f->rest, end == SIZE_MAX ? f->rest.len : end);
		(void)str_byte(&f->rest, '\n');
		return true;
	}
	return false;
}

bool script_next(struct str *step_r)
{
	struct str line;

	while (next_line(&line)) {
		while (str_byte(&line, ' ') || str_byte(&line, '\t'))
			;
		if (line.len == 0 || line.data[0] == '#')
			continue;
		expand(line);
		if (str_starts(buf_str(&script.step), STR("play "))) {
			play(buf_str(&script.step));
			continue;
		}
		*step_r = buf_str(&script.step);
		return true;
	}
	return false;
}

/* Patterns. */

static struct bind *find_bind(struct str name)
{
	for (size_t i = 0; i < script.bind_count; i++)
		if (str_eq(script.binds[i].name, name))
			return &script.binds[i];
	return NULL;
}

static void keep(struct str name, struct str value)
{
	struct bind *b = find_bind(name);

	if (b == NULL) {
		if (script.bind_count == BINDS_MAX)
			script_fail("too many names");
		b = &script.binds[script.bind_count++];
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

bool script_matches(struct str pattern, struct str text)
{
	return match(pattern, text, true);
}

bool script_matches_part(struct str pattern, struct str text)
{
	do {
		if (match(pattern, text, false))
			return true;
	} while (str_take(&text, 1).len > 0);
	return false;
}

void script_fill(struct str text, struct buf *out)
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
