/* SPDX-License-Identifier: ISC */
/* transcript - see transcript.h. */
#include "replay/transcript.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "replay/clock.h"
#include "replay/pattern.h"
#include "replay/script.h"

enum { LINE_MAX = 64 * 1024 };

enum kind { STEP, SAID, LOGGED, LOGGED_ERROR };

struct line {
	enum kind kind;
	bool taken;
	char *text;
	size_t from; /* of what a pattern is about */
};

static struct line *lines;
static size_t line_count;
static size_t log_taken; /* those before were asked for */
static FILE *file;       /* NULL: not opened yet */

static const char *const areas[] = {
	[LOG_CONF] = "conf",   [LOG_NET] = "net",     [LOG_TLS] = "tls",
	[LOG_IMAP] = "imap",   [LOG_PROXY] = "proxy", [LOG_PUSH] = "push",
	[LOG_WATCH] = "watch", [LOG_APNS] = "apns",   [LOG_STORE] = "store",
	[LOG_ROLE] = "role",
};

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static void add_text(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x20 || c == 0x7f)
			must(buf_printf(out, "\\x%02x", c));
		else
			must(buf_append(out, &text.data[i], 1));
	}
}

static void begin(struct buf *out)
{
	uint64_t ms = clock_elapsed_ms();

	buf_init(out, LINE_MAX * 5);
	must(buf_printf(out, "%6" PRIu64 ":%02u.%03u ", ms / 60000,
	                (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000)));
}

/* add ends |text|, which the transcript owns from now on. */
static void add(enum kind kind, struct buf *text, size_t from)
{
	must(buf_append(text, "", 1));
	lines = xrealloc(lines, line_count + 1, sizeof(*lines));
	lines[line_count++] = (struct line){
		.kind = kind,
		.text = xstrdup(text->data),
		.from = from,
	};
	if (file != NULL)
		(void)fprintf(file, "%s\n", text->data);
	buf_reset(text);
}

void transcript_said(const char *from, const char *to, struct str text)
{
	struct buf line;

	begin(&line);
	must(buf_printf(&line, "%s > %s: ", from, to));
	add_text(&line, str_sub(text, 0, 2000));
	add(SAID, &line, 0);
}

void transcript_step(struct str text)
{
	struct buf line;

	begin(&line);
	must(buf_printf(&line, "-- %s ", script_place()));
	add_text(&line, text);
	add(STEP, &line, 0);
}

void transcript_logged(const struct log_ctx *ctx, enum log_level level,
                       struct str text)
{
	struct buf line;
	size_t from;

	begin(&line);
	must(buf_printf(&line, "   "));
	from = line.len;
	must(buf_printf(&line, "%s %s", levels[level], areas[ctx->area]));
	if (ctx->id != 0)
		must(buf_printf(&line, "[%" PRIu64 "]", ctx->id));
	must(buf_adds(&line, " "));
	add_text(&line, text);
	add(level == LOG_LEVEL_ERROR ? LOGGED_ERROR : LOGGED, &line, from);
}

static bool is_log(const struct line *l)
{
	return l->kind == LOGGED || l->kind == LOGGED_ERROR;
}

/* find returns the index of the first log line from |at| on that |pattern|
 * matches somewhere, or |line_count|. */
static size_t find(struct str pattern, size_t at)
{
	for (; at < line_count; at++)
		if (is_log(&lines[at]) &&
		    pattern_matches_part(
			    pattern, str_of(lines[at].text + lines[at].from)))
			break;
	return at;
}

bool transcript_take(struct str pattern)
{
	size_t at = find(pattern, log_taken);

	if (at == line_count)
		return false;
	lines[at].taken = true;
	log_taken = at + 1;
	return true;
}

bool transcript_has(struct str pattern)
{
	return find(pattern, 0) < line_count;
}

const char *transcript_error(void)
{
	for (size_t i = 0; i < line_count; i++)
		if (lines[i].kind == LOGGED_ERROR && !lines[i].taken)
			return lines[i].text + lines[i].from;
	return NULL;
}

void transcript_failed(const char *text)
{
	if (file != NULL)
		(void)fprintf(file, "%s: %s\n", script_place(), text);
}

void transcript_open(const char *path)
{
	file = fopen(path, "w");
	if (file == NULL || setvbuf(file, NULL, _IOLBF, 0) != 0)
		script_fail("cannot write %s", path);
}

void transcript_free(void)
{
	for (size_t i = 0; i < line_count; i++)
		free(lines[i].text);
	free(lines);
	lines = NULL;
	line_count = 0;
	log_taken = 0;
	(void)fclose(file);
	file = NULL;
}
