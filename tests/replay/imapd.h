/* SPDX-License-Identifier: ISC */
/*
 * imapd - the IMAP server's door: connections come in and are greeted, and
 * CAPABILITY before a login is answered, so that probes pass unnoticed. All
 * else waits until the script gives the connection a name and plays it.
 */
#ifndef REPLAY_IMAPD_H
#define REPLAY_IMAPD_H

#include <stdbool.h>

#include "base/str.h"
#include "replay/conn.h"
#include "replay/mode.h"

#define IMAPD_PORT 143

void imapd_set_mode(enum mode to);

/* imapd_set_greeting: of connections from now on. */
void imapd_set_greeting(struct str line);

/* imapd_work does what is due by itself; returns whether there was any. */
bool imapd_work(void);

/* imapd_newcomer is the oldest connection without a name that has said
 * something, else the oldest, or NULL. */
struct conn *imapd_newcomer(void);

/* imapd_free forgets what a script set. */
void imapd_free(void);

#endif
