/* SPDX-License-Identifier: ISC */
/*
 * conn - a connection whose other end the script plays, line by line: a client
 * of the proxy, or one that came to the backend.
 */
#ifndef REPLAY_CONN_H
#define REPLAY_CONN_H

#include <stdbool.h>

#include "base/str.h"
#include "fake/fake.h"

struct conn;

/* conn_new takes over |peer|. Without a |name| (empty) the script does not know
 * it yet. */
struct conn *conn_new(struct str name, struct fake_peer *peer);

/* conn_free forgets it; to the process the other end falls silent. */
void conn_free(struct conn **c);

/* conns_free does that with all, for a process that is no more. */
void conns_free(void);

/* conn_find finds the one called |name|, or NULL. conn_first and conn_next walk
 * those without a name, the oldest first. */
struct conn *conn_find(struct str name);
struct conn *conn_first(void);
struct conn *conn_next(struct conn *c);

/* conn_rename gives it a name. */
void conn_rename(struct conn *c, struct str name);

struct fake_peer *conn_peer(const struct conn *c);

/* conn_say sends |bytes|; conn_push does that to any peer. */
void conn_say(struct conn *c, struct str bytes);
void conn_push(struct fake_peer *peer, struct str bytes);

/* conns_chop: whatever is sent from now on comes octet by octet. */
void conns_chop(void);

/*
 * conn_line finds the next line that was not taken yet, without its line end;
 * what has none, at the end, counts as one. False: there is none. conn_take
 * takes it.
 */
bool conn_line(const struct conn *c, struct str *line_r);
void conn_take(struct conn *c);

/* conn_is_over: the process has ended it. */
bool conn_is_over(const struct conn *c);

/* conns_note writes what has been heard since to the transcript. */
void conns_note(void);

/* conns_untaken finds something that was said or done and not taken: a line, or
 * the end of a connection that has a name. NULL: there is nothing. */
const char *conns_untaken(void);

#endif
