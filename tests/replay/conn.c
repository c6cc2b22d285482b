/* SPDX-License-Identifier: ISC */
/* conn - see conn.h. */
#include "replay/conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "replay/transcript.h"

struct conn {
	TAILQ_ENTRY(conn) entry;
	struct str name;
	struct fake_peer *peer;
	size_t taken; /* of what was written to us */
	size_t noted; /* likewise */
};

static TAILQ_HEAD(, conn) conns = TAILQ_HEAD_INITIALIZER(conns);
static bool chopped;

struct conn *conn_new(struct str name, struct fake_peer *peer)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->name = str_dup(name);
	c->peer = peer;
	TAILQ_INSERT_TAIL(&conns, c, entry);
	return c;
}

void conn_free(struct conn **c)
{
	struct conn *old = *c;

	if (old == NULL)
		return;
	TAILQ_REMOVE(&conns, old, entry);
	fake_peer_free(&old->peer);
	str_free(&old->name);
	free(old);
	*c = NULL;
}

void conns_free(void)
{
	struct conn *c;

	while ((c = TAILQ_FIRST(&conns)) != NULL)
		conn_free(&c);
}

struct conn *conn_find(struct str name)
{
	struct conn *c;

	TAILQ_FOREACH(c, &conns, entry) {
		if (str_eq(c->name, name))
			break;
	}
	return c;
}

static struct conn *nameless(struct conn *c)
{
	while (c != NULL && c->name.len > 0)
		c = TAILQ_NEXT(c, entry);
	return c;
}

struct conn *conn_first(void)
{
	return nameless(TAILQ_FIRST(&conns));
}

struct conn *conn_next(struct conn *c)
{
	return nameless(TAILQ_NEXT(c, entry));
}

void conn_rename(struct conn *c, struct str name)
{
	str_free(&c->name);
	c->name = str_dup(name);
}

struct fake_peer *conn_peer(const struct conn *c)
{
	return c->peer;
}

static const char *name_of(const struct conn *c)
{
	return c->name.len > 0 ? c->name.data : "(new)";
}

void conns_chop(void)
{
	chopped = true;
}

void conn_push(struct fake_peer *peer, struct str bytes)
{
	if (chopped)
		fake_push_split(peer, bytes, 1);
	else
		fake_push(peer, bytes);
}

void conn_say(struct conn *c, struct str bytes)
{
	transcript_said(name_of(c), "imapbell", bytes);
	conn_push(c->peer, bytes);
}

/* line_at finds the line that begins at |from|; returns where the next one
 * does. */
static size_t line_at(const struct conn *c, size_t from, struct str *line_r)
{
	struct str rest = str_sub(fake_written(c->peer), from, SIZE_MAX);
	size_t end = str_find(rest, '\n');

	*line_r = end == SIZE_MAX ? rest : str_sub(rest, 0, end);
	if (end == SIZE_MAX)
		return from + rest.len;
	if (str_ends(*line_r, STR("\r")))
		line_r->len--;
	return from + end + 1;
}

bool conn_line(const struct conn *c, struct str *line_r)
{
	return line_at(c, c->taken, line_r) > c->taken;
}

void conn_take(struct conn *c)
{
	struct str line;

	c->taken = line_at(c, c->taken, &line);
}

bool conn_is_over(const struct conn *c)
{
	return fake_is_closed(c->peer) || fake_is_aborted(c->peer);
}

void conns_note(void)
{
	struct conn *c;
	struct str line;
	size_t next;

	TAILQ_FOREACH(c, &conns, entry) {
		while ((next = line_at(c, c->noted, &line)) > c->noted) {
			transcript_said("imapbell", name_of(c), line);
			c->noted = next;
		}
	}
}

const char *conns_untaken(void)
{
	static char text[600];
	struct conn *c;
	struct str line;

	TAILQ_FOREACH(c, &conns, entry) {
		if (conn_line(c, &line)) {
			(void)snprintf(text, sizeof(text), "%s sees: %.*s",
			               name_of(c),
			               line.len < 500 ? (int)line.len : 500,
			               line.data);
			return text;
		}
		if (c->name.len > 0 && conn_is_over(c)) {
			(void)snprintf(text, sizeof(text), "%s is closed",
			               name_of(c));
			return text;
		}
	}
	return NULL;
}
