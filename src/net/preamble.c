/* SPDX-License-Identifier: ISC */
/*
 * preamble - the header is looked at in the socket and then read up to its end:
 * what is behind it belongs to TLS or IMAP. While it is not complete all that
 * came is part of it and is read, so that a socket never stays readable.
 */
#include "net/preamble.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop_io.h"
#include "net/network.h"

/* Octets of something else that are shown. */
enum { SHOWN_MAX = 16 };

/* A connection that waits. */
struct waiting {
	TAILQ_ENTRY(waiting) link;
	struct preambles *all;
	struct loop_io *io;
	struct loop_timer *timer;
	struct buf had; /* was read; is no whole header yet */
	struct address peer;
	int fd;
};

struct preambles {
	struct loop *loop;
	struct preamble_opts opts;
	struct network *trusted; /* opts.trusted; owned */
	preamble_fn *fn;
	void *arg;
	size_t count;
	TAILQ_HEAD(, waiting) list;
};

static void waiting_free(struct waiting *w)
{
	TAILQ_REMOVE(&w->all->list, w, link);
	w->all->count--;
	loop_io_free(&w->io);
	loop_timer_free(&w->timer);
	buf_reset(&w->had);
	if (w->fd >= 0)
		(void)close(w->fd);
	free(w);
}

/* finish frees |w| and tells; on success the descriptor goes along. */
static void finish(struct waiting *w, struct preamble *p)
{
	struct preambles *all = w->all;

	p->fd = p->rc == ERR_OK ? w->fd : -1;
	p->peer = w->peer;
	if (p->rc == ERR_OK)
		w->fd = -1;
	waiting_free(w);
	all->fn(all->arg, p);
}

static void fail(struct waiting *w, int rc, const char *why)
{
	struct preamble p = { .rc = rc, .why = why };

	finish(w, &p);
}

/* refuse says what is there instead of a header. */
static void refuse(struct waiting *w)
{
	struct str got = str_sub(buf_str(&w->had), 0, SHOWN_MAX);
	struct err_detail why;
	struct log_text safe;

	/* RFC 8446 section 5.1: a handshake record. */
	if (str_starts(got, STR("\x16\x03")))
		(void)err_set(&why, ERR_PARSE, "got a TLS handshake");
	else
		(void)err_set(&why, ERR_PARSE, "got \"%s\"",
		              log_safe(got, &safe));
	fail(w, ERR_PARSE, why.text);
}

/* ended: the peer left, or the connection is lost. */
static void ended(struct waiting *w)
{
	/* Health checks that only connect say nothing. */
	fail(w, ERR_CLOSED, w->had.len > 0 ? "got only a part of it" : "");
}

/* look peeks at what came and reads of it what belongs to the header. */
static void look(struct waiting *w)
{
	char seen[PROXY_V2_MAX];
	struct preamble p = { .why = "" };
	size_t before = w->had.len;
	size_t used = 0;
	ssize_t n;
	bool kept;

	n = recv(w->fd, seen, sizeof(seen) - before, MSG_PEEK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	kept = n > 0 && buf_append(&w->had, seen, (size_t)n) == ERR_OK;
	mem_wipe(seen, sizeof(seen)); /* behind the header may be a login */
	if (!kept) {
		ended(w);
		return;
	}
	p.rc = proxy_protocol_parse(buf_str(&w->had), &used, &p.header);
	if (p.rc == ERR_PARSE) {
		refuse(w);
		return;
	}
	used = p.rc == ERR_OK ? used - before : (size_t)n;
	/* What was seen is there: nothing else reads this socket. */
	if (recv(w->fd, seen, used, 0) != (ssize_t)used)
		ended(w);
	else if (p.rc == ERR_OK)
		finish(w, &p);
}

static void on_ready(void *arg, unsigned int ready)
{
	struct waiting *w = arg;

	(void)ready;
	look(w);
}

static void on_timer(void *arg)
{
	struct waiting *w = arg;

	fail(w, ERR_TIMEOUT,
	     w->had.len > 0 ? "got only a part of it in time"
	                    : "got nothing in time");
}

static bool is_trusted(const struct preambles *all, const struct address *peer)
{
	for (size_t i = 0; i < all->opts.trusted_count; i++)
		if (network_has(&all->trusted[i], peer))
			return true;
	return false;
}

/* on_refused: it did not even get to wait, which is told on a later turn. */
static void on_refused(void *arg)
{
	struct waiting *w = arg;

	if (is_trusted(w->all, &w->peer))
		fail(w, ERR_LIMIT, "too many wait for theirs");
	else
		fail(w, ERR_PERMISSION, "not trusted");
}

void preambles_add(struct preambles *all, int fd)
{
	struct waiting *w = xcalloc(1, sizeof(*w));
	bool may_wait = all->count < all->opts.max;

	w->all = all;
	w->fd = fd;
	w->peer = address_peer(fd);
	may_wait = may_wait && is_trusted(all, &w->peer);
	buf_init(&w->had, PROXY_V2_MAX);
	w->io = loop_io_new(all->loop, fd, on_ready, w);
	w->timer =
		loop_timer_new(all->loop, may_wait ? on_timer : on_refused, w);
	if (may_wait)
		loop_io_want(w->io, LOOP_READ);
	loop_timer_set(w->timer, may_wait ? all->opts.timeout_ms : 0);
	TAILQ_INSERT_TAIL(&all->list, w, link);
	all->count++;
}

struct preambles *preambles_new(struct loop *loop,
                                const struct preamble_opts *opts,
                                preamble_fn *fn, void *arg)
{
	struct preambles *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->opts = *opts;
	all->trusted = xcalloc(opts->trusted_count, sizeof(*all->trusted));
	for (size_t i = 0; i < opts->trusted_count; i++)
		all->trusted[i] = opts->trusted[i];
	all->fn = fn;
	all->arg = arg;
	TAILQ_INIT(&all->list);
	return all;
}

void preambles_free(struct preambles **allp)
{
	struct preambles *all = *allp;
	struct waiting *w;
	struct waiting *next;

	*allp = NULL;
	if (all == NULL)
		return;
	for (w = TAILQ_FIRST(&all->list); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		waiting_free(w);
	}
	free(all->trusted);
	free(all);
}
