/* SPDX-License-Identifier: ISC */
/*
 * log - one event per line, lower case, key=value. The sink is the only
 * mutable state of the process besides the counters. error: an operator must
 * act; warn: we coped; info: one line per session begin, login, end; debug:
 * states and decisions, by area.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG, LOG_TARGET_JOURNAL };

/* What -d names. */
enum log_area {
	LOG_CONF,
	LOG_NET,
	LOG_TLS,
	LOG_IMAP,
	LOG_PROXY,
	LOG_PUSH,
	LOG_WATCH,
	LOG_APNS,
	LOG_STORE,
	LOG_ROLE,
	LOG_AREAS
};

/* Who speaks: embedded in each object that logs. |id| 0 is not printed. */
struct log_ctx {
	enum log_area area;
	uint64_t id;
};

struct log_opts {
	enum log_level level;
	enum log_format format;
	enum log_target target;
	uint32_t debug_areas; /* bit 1 << area: debug lines of that area */
};

/*
 * log_setup replaces the sink's options, after reporting the lines it still
 * counts; before the first call: info, text, stderr. Every function here may
 * be called from any thread.
 */
void log_setup(const struct log_opts *opts);

/* log_reopen: descriptors were closed that nobody knew, syslog(3)'s may be one
 * of them. To be called before another is opened. */
void log_reopen(void);

/* log_area_parse finds the bit of an area's name ("all": every bit). Results:
 * 0; ERR_NOT_FOUND. */
int log_area_parse(struct str name, uint32_t *bits_r)
	__attribute__((warn_unused_result));

/* log_wants tells whether a line of that level and area would be written. */
bool log_wants(const struct log_ctx *ctx, enum log_level level);

/*
 * log_error, log_warn, log_info and log_debug write one line. Text format:
 * `2026-11-22T10:00:00.123Z info proxy[7] closing: why user=a`. A line that
 * repeats within ten seconds is counted and reported once ("repeated=N").
 */
void log_error(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_warn(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_info(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void log_debug(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Room for what log_safe makes of a peer's text. */
struct log_text {
	char text[256];
};

/*
 * log_safe makes bytes of a peer fit for a log line: printable ASCII and
 * whole UTF-8 stay, everything else (CR, LF, ESC, NUL, double quote,
 * backslash; characters that steer a terminal or turn the writing direction)
 * becomes \xHH, and what does not fit ends in "...". Returns |out->text|.
 */
const char *log_safe(struct str bytes, struct log_text *out);

/* log_token shows the first 8 digits of a device token, nothing behind what is
 * no hex digit. Returns |out->text|. */
const char *log_token(struct str token, struct log_text *out);

#endif
