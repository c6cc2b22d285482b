/* SPDX-License-Identifier: ISC */
/*
 * trace - frames both directions anew, only for users who are traced, so that
 * nobody else pays for it.
 */
#include "watch/trace.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "imap/framer.h"
#include "imap/trace.h"

enum { TRACE_LINE_MAX = 800 }; /* what a log line has room for */

struct watch_trace {
	struct log_ctx log;
	struct imap_framer received;
	struct imap_framer sent;
};

struct watch_trace *watch_trace_new(const char *wanted, struct str user,
                                    const struct log_ctx *log)
{
	struct watch_trace *t;

	if (wanted == NULL || (!str_eq(str_of(wanted), STR("all")) &&
	                       !str_eq(str_of(wanted), user)))
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->log = *log;
	imap_framer_init(&t->received, IMAP_SERVER);
	imap_framer_init(&t->sent, IMAP_CLIENT);
	return t;
}

void watch_trace_free(struct watch_trace **t)
{
	if (*t == NULL)
		return;
	imap_framer_done(&(*t)->received);
	imap_framer_done(&(*t)->sent);
	free(*t);
	*t = NULL;
}

static void trace(struct watch_trace *t, struct imap_framer *framer,
                  const char *who, struct str text, bool login)
{
	struct imap_frame frame;
	struct buf line;

	buf_init(&line, TRACE_LINE_MAX);
	while (imap_framer_next(framer, &text, &frame) == ERR_OK) {
		buf_clear(&line);
		imap_trace_frame(&frame,
		                 login && !frame.first ? IMAP_TRACE_SECRET
		                                       : IMAP_TRACE_OPEN,
		                 &line);
		log_info(&t->log, "trace %s: %.*s", who, (int)line.len,
		         line.len > 0 ? line.data : "");
	}
	buf_reset(&line);
}

void watch_trace_received(struct watch_trace *t, struct str response)
{
	if (t != NULL)
		trace(t, &t->received, "server", response, false);
}

void watch_trace_sent(struct watch_trace *t, struct str text, bool login)
{
	if (t != NULL)
		trace(t, &t->sent, "watcher", text, login);
}
