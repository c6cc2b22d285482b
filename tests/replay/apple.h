/* SPDX-License-Identifier: ISC */
/*
 * apple - APNs: real HTTP/2 (nghttp2) on memory streams, without TLS. What
 * comes in is a line each, until the script takes it:
 *
 *	connect                  a connection
 *	push TOKEN PAYLOAD       a request
 *	reset TOKEN              a request was given up
 *	ping                     the connection is tried
 *	close                    a connection ended
 */
#ifndef REPLAY_APPLE_H
#define REPLAY_APPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "replay/mode.h"

#define APPLE_PORT 443

void apple_set_mode(enum mode to);

/* apple_work does what is due by itself; returns whether there was any. */
bool apple_work(void);

/* apple_event finds the oldest line that was not taken; false: there is none.
 * apple_take takes it. */
bool apple_event(struct str *line_r);
void apple_take(void);

/* apple_header finds a header of the push that came last; empty: not there. */
struct str apple_header(struct str name);

struct apple_answer {
	int status;
	struct str reason;    /* may be empty */
	int64_t timestamp_ms; /* 0: none */
	struct str retry_after;
};

/* apple_answer answers the oldest open request to the device |token| (empty:
 * any); false: there is none. */
bool apple_answer(struct str token, const struct apple_answer *answer);

/* apple_goaway says GOAWAY on the newest connection, with |text| as its debug
 * data; |refusing|: what is open there was not processed, else it will be
 * answered. */
void apple_goaway(bool refusing, struct str text);

/* apple_allow changes how many requests there may be at once. */
void apple_allow(uint32_t requests);

/* apple_break loses all connections, with |rc| and |why| as their streams tell
 * it; apple_close ends them politely. */
void apple_break(int rc, const char *why);
void apple_close(void);

/* apple_free forgets everything, for a process that is no more. */
void apple_free(void);

#endif
