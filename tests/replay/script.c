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
#include "replay/pattern.h"
#include "replay/transcript.h"
#include "replay/words.h"

enum {
	FILE_MAX = 1024 * 1024,
	STEP_MAX = 64 * 1024,
	PATH_LEN_MAX = 4096,
	DEPTH_MAX = 4,
	ARGS_MAX = 9
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

static struct {
	struct frame frames[DEPTH_MAX];
	size_t depth;
	struct buf step;
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
	patterns_free();
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

	(void)word_take(&step);
	buf_init(&name, PATH_LEN_MAX);
	must(buf_add(&name, word_take(&step)));
	must(buf_adds(&name, ".part"));
	while (step.len > 0 && count < ARGS_MAX)
		args[count++] = str_dup(word_take(&step));
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
