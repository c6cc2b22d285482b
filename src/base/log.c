/* SPDX-License-Identifier: ISC */
/*
 * log - the sink: formats one event into one line on the stack and hands it
 * over with one write, under one mutex, so that threads never mix their lines.
 * Knows nothing of sessions or of what a line means.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/codec.h"

enum {
	LOG_MESSAGE_BYTES = 1024, /* what a caller's sentence may take */
	LOG_LINE_BYTES = 4096,    /* with prefix and escapes */
	LOG_TAIL_BYTES = 64,      /* kept free for what closes a line */
	LOG_LAST_BYTES = 512,     /* longer lines are not compared */
	LOG_REPEAT_MS = 10 * 1000,
	LOG_TOKEN_DIGITS = 8,
	LOG_LEVELS = LOG_LEVEL_DEBUG + 1,
};

static const char *const area_names[] = {
	[LOG_CONF] = "conf",   [LOG_NET] = "net",     [LOG_TLS] = "tls",
	[LOG_IMAP] = "imap",   [LOG_PROXY] = "proxy", [LOG_PUSH] = "push",
	[LOG_WATCH] = "watch", [LOG_APNS] = "apns",   [LOG_STORE] = "store",
	[LOG_ROLE] = "role",
};

static_assert(sizeof(area_names) / sizeof(area_names[0]) == LOG_AREAS,
              "every area has a name");

static const struct {
	const char *name;
	int priority; /* of syslog(3), and of sd-daemon(3) as <N> */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARN] = { "warn", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

static_assert(sizeof(levels) / sizeof(levels[0]) == LOG_LEVELS,
              "every level has a name");

/* One event, as its owner said it. */
struct event {
	enum log_level level;
	struct log_ctx ctx;
	struct str message;
	bool cut;          /* the message was longer */
	uint32_t repeated; /* 0: not printed */
};

/* The last line of one level and area, to notice that it comes again. */
struct last {
	char text[LOG_LAST_BYTES];
	size_t len; /* 0: none */
	uint64_t id;
	uint64_t written_ms;
	uint32_t repeated; /* times it came since it was written */
};

/* A line being put together; what does not fit is left out whole. */
struct line {
	size_t len;
	size_t max;
	bool full;
	char data[LOG_LINE_BYTES];
};

/* Read without the mutex, by log_wants. */
static atomic_uint wanted_level = LOG_LEVEL_INFO;
static atomic_uint wanted_areas;

/* The rest of the sink, under the mutex. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static enum log_format sink_format = LOG_FORMAT_TEXT;
static enum log_target sink_target = LOG_TARGET_STDERR;
static struct last lasts[LOG_LEVELS][LOG_AREAS];
static unsigned int lasts_repeated; /* how many of them count */

/*
 * char_len tells how many bytes at the front of |s|, which is not empty, are
 * one whole character of UTF-8 (RFC 3629 section 4: no overlong forms, no
 * surrogates, nothing above U+10FFFF) and which one; 0 if they are none.
 */
static size_t char_len(struct str s, uint32_t *char_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.data[0];
	uint32_t c = first;
	size_t len = 1;

	if (first >= 0xf0 && first <= 0xf4) {
		len = 4;
		c = first & 0x07U;
	} else if (first >= 0xe0 && first <= 0xef) {
		len = 3;
		c = first & 0x0fU;
	} else if (first >= 0xc2 && first <= 0xdf) {
		len = 2;
		c = first & 0x1fU;
	} else if (first >= 0x80) {
		return 0;
	}
	if (len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		unsigned char next = (unsigned char)s.data[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (next & 0x3fU);
	}
	if (c < least[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*char_r = c;
	return len;
}

/*
 * is_plain: a character that neither steers a terminal (C0, DEL, C1), nor
 * breaks a line (U+2028, U+2029), nor turns the direction of what follows.
 */
static bool is_plain(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7f && c <= 0x9f) && c != 0x061c &&
	       !(c >= 0x200e && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e) &&
	       !(c >= 0x2066 && c <= 0x2069) && c != 0xfeff;
}

static void line_add(struct line *l, struct str s)
{
	if (l->full || s.len > l->max - l->len) {
		l->full = true;
		return;
	}
	if (s.len > 0)
		memcpy(l->data + l->len, s.data, s.len);
	l->len += s.len;
}

static void __attribute__((format(printf, 2, 3)))
line_printf(struct line *l, const char *fmt, ...)
{
	char text[LOG_TAIL_BYTES];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(len >= 0 && (size_t)len < sizeof(text));
	line_add(l, str_new(text, (size_t)len));
}

/* line_add_time writes the wall clock as RFC 3339 in UTC. */
static void line_add_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char date[32];

	clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &tm) == NULL ||
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		date[0] = '\0';
	line_printf(l, "%s.%03uZ", date,
	            (unsigned int)(now.tv_nsec / 1000000) % 1000U);
}

/*
 * line_add_text writes a message for a text line. Peer text was made safe
 * before it came; whatever else slipped in must not start a second line.
 */
static void line_add_text(struct line *l, struct str s)
{
	while (s.len > 0 && !l->full) {
		uint32_t c = 0;
		size_t len = char_len(s, &c);

		if (len > 0 && is_plain(c))
			line_add(l, str_take(&s, len));
		else
			line_printf(l, "\\x%02x",
			            (unsigned char)str_take(&s, 1).data[0]);
	}
}

/* RFC 8259 section 7; what is not UTF-8 becomes U+FFFD. */
static void line_add_json(struct line *l, struct str s)
{
	while (s.len > 0 && !l->full) {
		uint32_t c = 0;
		size_t len = char_len(s, &c);
		struct str raw = str_take(&s, len > 0 ? len : 1);

		if (len == 0)
			line_add(l, STR("\\ufffd"));
		else if (c == '"' || c == '\\')
			line_printf(l, "\\%c", (char)c);
		else if (!is_plain(c))
			line_printf(l, "\\u%04x", (unsigned int)c);
		else
			line_add(l, raw);
	}
}

/* line_open_tail gives back the room kept for what closes the line. */
static void line_open_tail(struct line *l, bool cut)
{
	cut = cut || l->full;
	l->full = false;
	l->max = sizeof(l->data);
	if (cut)
		line_add(l, STR("..."));
}

static void line_format_text(struct line *l, const struct event *e)
{
	if (sink_target == LOG_TARGET_STDERR) {
		line_add_time(l);
		line_add(l, STR(" "));
	}
	line_printf(l, "%s %s", levels[e->level].name, area_names[e->ctx.area]);
	if (e->ctx.id != 0)
		line_printf(l, "[%llu]", (unsigned long long)e->ctx.id);
	line_add(l, STR(" "));
	line_add_text(l, e->message);
	line_open_tail(l, e->cut);
	if (e->repeated > 0)
		line_printf(l, " repeated=%u", e->repeated);
}

static void line_format_json(struct line *l, const struct event *e)
{
	line_add(l, STR("{"));
	if (sink_target == LOG_TARGET_STDERR) {
		line_add(l, STR("\"time\":\""));
		line_add_time(l);
		line_add(l, STR("\","));
	}
	line_printf(l, "\"level\":\"%s\",\"area\":\"%s\"",
	            levels[e->level].name, area_names[e->ctx.area]);
	if (e->ctx.id != 0)
		line_printf(l, ",\"id\":%llu", (unsigned long long)e->ctx.id);
	line_add(l, STR(",\"message\":\""));
	line_add_json(l, e->message);
	line_open_tail(l, e->cut);
	line_add(l, STR("\""));
	if (e->repeated > 0)
		line_printf(l, ",\"repeated\":%u", e->repeated);
	line_add(l, STR("}"));
}

/* A full disk or a closed pipe costs log lines, never mail. */
static void write_all(struct str s)
{
	while (s.len > 0) {
		ssize_t n = write(STDERR_FILENO, s.data, s.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		(void)str_take(&s, (size_t)n);
	}
}

/* sink_write hands one event to the target. With the mutex held. */
static void sink_write(const struct event *e)
{
	struct line l;

	l.len = 0;
	l.max = sizeof(l.data) - LOG_TAIL_BYTES;
	l.full = false;
	if (sink_target == LOG_TARGET_JOURNAL)
		line_printf(&l, "<%d>", levels[e->level].priority);
	if (sink_format == LOG_FORMAT_JSON)
		line_format_json(&l, e);
	else
		line_format_text(&l, e);
	if (sink_target == LOG_TARGET_SYSLOG) {
		syslog(levels[e->level].priority, "%.*s", (int)l.len, l.data);
		return;
	}
	line_add(&l, STR("\n"));
	write_all(str_new(l.data, l.len));
}

/* last_report writes how often a line came again. With the mutex held. */
static void last_report(enum log_level level, enum log_area area)
{
	struct last *last = &lasts[level][area];
	struct event e = {
		.level = level,
		.ctx = { area, last->id },
		.message = str_new(last->text, last->len),
		.repeated = last->repeated,
	};

	if (last->repeated == 0)
		return;
	sink_write(&e);
	last->repeated = 0;
	lasts_repeated--;
}

/*
 * lasts_report reports the counted lines of every area that were written at
 * least |age_ms| ago, so that a line that stops coming is still told of as
 * soon as anybody speaks. With the mutex held.
 */
static void lasts_report(uint64_t now_ms, uint64_t age_ms)
{
	if (lasts_repeated == 0)
		return;
	for (unsigned int level = 0; level < LOG_LEVELS; level++)
		for (unsigned int area = 0; area < LOG_AREAS; area++)
			if (now_ms - lasts[level][area].written_ms >= age_ms)
				last_report(level, area);
}

/*
 * last_swallows counts |e| if it is the last line of its level and area once
 * more, else remembers it as the last. With the mutex held.
 */
static bool last_swallows(const struct event *e, uint64_t now_ms)
{
	struct last *last = &lasts[e->level][e->ctx.area];

	if (last->len > 0 && last->id == e->ctx.id &&
	    now_ms - last->written_ms < LOG_REPEAT_MS &&
	    str_eq(str_new(last->text, last->len), e->message)) {
		if (last->repeated++ == 0)
			lasts_repeated++;
		return true;
	}
	last_report(e->level, e->ctx.area);
	last->len = 0;
	if (e->message.len <= sizeof(last->text)) {
		memcpy(last->text, e->message.data, e->message.len);
		last->len = e->message.len;
	}
	last->id = e->ctx.id;
	last->written_ms = now_ms;
	return false;
}

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void __attribute__((format(printf, 3, 0)))
log_event(const struct log_ctx *ctx, enum log_level level, const char *fmt,
          va_list ap)
{
	char message[LOG_MESSAGE_BYTES];
	struct event e = { .level = level, .ctx = *ctx };
	int error = errno; /* a line in between must not change it */
	uint64_t now_ms;
	int len;

	assert(ctx->area < LOG_AREAS);
	len = vsnprintf(message, sizeof(message), fmt, ap);
	if (len < 0)
		len = 0;
	e.cut = (size_t)len >= sizeof(message);
	e.message = str_new(message, e.cut ? sizeof(message) - 1 : (size_t)len);

	pthread_mutex_lock(&mutex);
	now_ms = clock_ms();
	lasts_report(now_ms, LOG_REPEAT_MS);
	if (!last_swallows(&e, now_ms))
		sink_write(&e);
	pthread_mutex_unlock(&mutex);
	errno = error;
}

static void before_fork(void)
{
	pthread_mutex_lock(&mutex);
}

static void after_fork_parent(void)
{
	pthread_mutex_unlock(&mutex);
}

/* What the parent counted, the parent reports. */
static void after_fork_child(void)
{
	memset(lasts, 0, sizeof(lasts));
	lasts_repeated = 0;
	pthread_mutex_unlock(&mutex);
}

/* Without this a fork while a thread logs leaves the child a locked mutex. */
static void watch_forks(void)
{
	(void)pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

/* open_syslog opens the connection now: later there may be no descriptor, or
 * no right to it. */
static void open_syslog(void)
{
	if (sink_target == LOG_TARGET_SYSLOG)
		openlog("imapbell", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_reopen(void)
{
	pthread_mutex_lock(&mutex);
	closelog();
	open_syslog();
	pthread_mutex_unlock(&mutex);
}

void log_setup(const struct log_opts *opts)
{
	(void)pthread_once(&fork_once, watch_forks);
	pthread_mutex_lock(&mutex);
	lasts_report(clock_ms(), 0);
	sink_format = opts->format;
	sink_target = opts->target;
	open_syslog();
	atomic_store(&wanted_level, opts->level);
	atomic_store(&wanted_areas, opts->debug_areas);
	pthread_mutex_unlock(&mutex);
}

int log_area_parse(struct str name, uint32_t *bits_r)
{
	if (str_eq(name, STR("all"))) {
		*bits_r = (1U << LOG_AREAS) - 1;
		return ERR_OK;
	}
	for (unsigned int area = 0; area < LOG_AREAS; area++) {
		if (!str_eq(name, str_of(area_names[area])))
			continue;
		*bits_r = 1U << area;
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

bool log_wants(const struct log_ctx *ctx, enum log_level level)
{
	if (level <= atomic_load_explicit(&wanted_level, memory_order_relaxed))
		return true;
	return level == LOG_LEVEL_DEBUG &&
	       (atomic_load_explicit(&wanted_areas, memory_order_relaxed) >>
	                ctx->area &
	        1U) != 0;
}

/* The four differ in the level only; va_start wants each to be a function. */
#define LOG_AT(level)                             \
	do {                                      \
		va_list ap;                       \
                                                  \
		if (!log_wants(ctx, (level)))     \
			return;                   \
		va_start(ap, fmt);                \
		log_event(ctx, (level), fmt, ap); \
		va_end(ap);                       \
	} while (0)

void log_error(const struct log_ctx *ctx, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_ERROR);
}

void log_warn(const struct log_ctx *ctx, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_WARN);
}

void log_info(const struct log_ctx *ctx, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_INFO);
}

void log_debug(const struct log_ctx *ctx, const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG);
}

/* safe_unit takes one character of |s|, as it is or as \xHH, to |unit|. */
static size_t safe_unit(struct str *s, char unit[8])
{
	uint32_t c = 0;
	size_t len = char_len(*s, &c);

	if (len > 0 && is_plain(c) && c != '"' && c != '\\') {
		memcpy(unit, str_take(s, len).data, len);
		return len;
	}
	(void)snprintf(unit, 8, "\\x%02x",
	               (unsigned int)(unsigned char)str_take(s, 1).data[0]);
	return 4;
}

const char *log_safe(struct str bytes, struct log_text *out)
{
	size_t len = 0; /* of all so far */
	size_t fit = 0; /* of the whole units that leave room for "..." */
	char unit[8];

	while (bytes.len > 0) {
		size_t n = safe_unit(&bytes, unit);

		if (n >= sizeof(out->text) - len) {
			memcpy(out->text + fit, "...", 4);
			return out->text;
		}
		memcpy(out->text + len, unit, n);
		len += n;
		if (len < sizeof(out->text) - 3)
			fit = len;
	}
	out->text[len] = '\0';
	return out->text;
}

const char *log_token(struct str token, struct log_text *out)
{
	size_t len = 0;

	while (len < LOG_TOKEN_DIGITS && codec_is_hex(str_sub(token, len, 1)))
		len++;
	if (len > 0)
		memcpy(out->text, token.data, len);
	out->text[len] = '\0';
	return out->text;
}
