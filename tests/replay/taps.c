/* SPDX-License-Identifier: ISC */
/* taps - see taps.h. */
#include "replay/taps.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/rand.h"
#include "replay/clock.h"
#include "replay/transcript.h"
#include "store/sqlite.h"

enum { LOG_LINE_MAX = 4096 };

static struct scriptstore *store;
static void (*run)(struct loop *loop);
static bool begins;
static bool killed;
static uint32_t dice;
static uint64_t rolls;

void taps_set(struct scriptstore *scripted, void (*turn)(struct loop *loop))
{
	store = scripted;
	run = turn;
}

void taps_begin(void)
{
	begins = true;
	killed = false;
}

void taps_kill(void)
{
	killed = true;
}

void taps_dice(uint32_t number)
{
	dice = number;
}

/* The names are the linker's. */

struct loop *__real_loop_new(void);
struct loop *__wrap_loop_new(void);
void __wrap_loop_run(struct loop *loop);
struct store *__wrap_store_sqlite_open(struct loop *loop, const char *path);
void __wrap_rand_bytes(void *out, size_t len);
uint32_t __wrap_rand_below(uint32_t bound);
bool __wrap_log_wants(const struct log_ctx *ctx, enum log_level level);
void __wrap_log_error(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void __wrap_log_warn(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void __wrap_log_info(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void __wrap_log_debug(const struct log_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct loop *__wrap_loop_new(void)
{
	struct loop *loop = __real_loop_new();

	if (begins)
		clock_begin(loop);
	begins = false;
	return loop;
}

void __wrap_loop_run(struct loop *loop)
{
	run(loop);
}

struct store *__wrap_store_sqlite_open(struct loop *loop, const char *path)
{
	(void)path;
	store->loop = loop;
	return scriptstore_open(store);
}

/* splitmix64: different each time, the same in each run. */
static uint64_t next_random(void)
{
	uint64_t z = ++rolls * 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

/* Four octets are for a jitter, as a number. */
void __wrap_rand_bytes(void *out, size_t len)
{
	char *at = out;

	if (len == sizeof(uint32_t)) {
		memcpy(out, &dice, len);
		return;
	}
	while (len > 0) {
		uint64_t z = next_random();
		size_t n = len < sizeof(z) ? len : sizeof(z);

		memcpy(at, &z, n);
		at += n;
		len -= n;
	}
}

uint32_t __wrap_rand_below(uint32_t bound)
{
	return dice % bound;
}

bool __wrap_log_wants(const struct log_ctx *ctx, enum log_level level)
{
	(void)ctx;
	(void)level;
	return true;
}

static void note(const struct log_ctx *ctx, enum log_level level,
                 const char *fmt, va_list args)
	__attribute__((format(printf, 3, 0)));

static void note(const struct log_ctx *ctx, enum log_level level,
                 const char *fmt, va_list args)
{
	char text[LOG_LINE_MAX];

	if (killed)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, args);
	transcript_logged(ctx, level, str_of(text));
}

#define WRAP_LOG(name, level)                                              \
	void __wrap_log_##name(const struct log_ctx *ctx, const char *fmt, \
	                       ...)                                        \
	{                                                                  \
		va_list args;                                              \
                                                                           \
		va_start(args, fmt);                                       \
		note(ctx, level, fmt, args);                               \
		va_end(args);                                              \
	}

WRAP_LOG(error, LOG_LEVEL_ERROR)
WRAP_LOG(warn, LOG_LEVEL_WARN)
WRAP_LOG(info, LOG_LEVEL_INFO)
WRAP_LOG(debug, LOG_LEVEL_DEBUG)
