/* SPDX-License-Identifier: ISC */
/*
 * trace - the lines of a watcher's conversation in the log, both directions,
 * for a user whom `--trace` names. Secrets are blanked.
 */
#ifndef WATCH_TRACE_H
#define WATCH_TRACE_H

#include <stdbool.h>

#include "base/log.h"
#include "base/str.h"

struct watch_trace;

/* watch_trace_new returns NULL, which everything here accepts, unless |user|
 * is the one that |wanted| names ("all": everyone; NULL: nobody). */
struct watch_trace *watch_trace_new(const char *wanted, struct str user,
                                    const struct log_ctx *log);
void watch_trace_free(struct watch_trace **t);

/* watch_trace_received logs a whole response. */
void watch_trace_received(struct watch_trace *t, struct str response);

/* watch_trace_sent logs what is sent. |login|: it is part of a login; what does
 * not begin a command is blanked whole. */
void watch_trace_sent(struct watch_trace *t, struct str text, bool login);

#endif
