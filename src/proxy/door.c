/* SPDX-License-Identifier: ISC */
/* door - see door.h. */
#include "proxy/door.h"

#include "base/log.h"
#include "net/address.h"
#include "net/listen.h"
#include "net/preamble.h"
#include "proxy/sessions.h"

/* A balancer sends its header at once; this is for the network. */
#define PREAMBLE_MS ((uint64_t)5 * 1000)
#define PREAMBLES_MAX ((size_t)1024)

static const struct log_ctx door_log = { LOG_PROXY, 0 };

static const char *const schemes[] = {
	[PROXY_PLAIN] = "imap",
	[PROXY_TLS] = "imaps",
	[PROXY_STARTTLS] = "imap+starttls",
};

void door_url(const struct proxy_listen *where, uint16_t port,
              struct err_detail *url_r)
{
	char name[ADDRESS_NAME_MAX];

	(void)err_set(url_r, 0, "%s://%s", schemes[where->security],
	              address_name(where->host, port, name));
}

/* refused warns of a connection from |peer|, not of each in a flood. */
static void refused(struct door *d, const struct address *peer, const char *why)
{
	char text[ADDRESS_TEXT_MAX];

	if (!ratelimit_take(&d->refusals, loop_now_ms(d->loop)))
		return;
	address_print(peer, text, sizeof(text));
	log_warn(&door_log, "refused %s at %s: %s", text, d->url.text, why);
}

static void on_preamble(void *arg, const struct preamble *p)
{
	struct door *d = arg;
	struct err_detail why;

	if (p->rc == ERR_OK) {
		sessions_accept(d->sessions, p->fd, d,
		                p->header.is_local ? NULL : &p->header);
	} else if (p->rc == ERR_PERMISSION) {
		refused(d, &p->peer, "not in listen.proxy_trusted");
	} else if (p->why[0] != '\0') {
		(void)err_set(&why, p->rc, "expected a PROXY header, %s",
		              p->why);
		refused(d, &p->peer, why.text);
	}
}

static void on_accept(void *arg, int fd)
{
	const struct door *d = arg;

	if (d->preambles != NULL)
		preambles_add(d->preambles, fd);
	else
		sessions_accept(d->sessions, fd, d, NULL);
}

static void expect_preambles(struct door *d, const struct proxy_listen *where)
{
	const struct preamble_opts opts = {
		.trusted = where->trusted,
		.trusted_count = where->trusted_count,
		.max = PREAMBLES_MAX,
		.timeout_ms = PREAMBLE_MS,
	};

	d->preambles = preambles_new(d->loop, &opts, on_preamble, d);
}

int door_open(struct door *d, struct loop *loop, struct sessions *sessions,
              const struct proxy_listen *where, struct err_detail *detail)
{
	int rc;

	d->loop = loop;
	d->sessions = sessions;
	d->security = where->security;
	ratelimit_init(&d->refusals, 1, 10, loop_now_ms(loop));
	if (where->proxy_protocol)
		expect_preambles(d, where);
	if (where->fd_count > 0) {
		d->listener = listener_new(loop, where->fds, where->fd_count,
		                           on_accept, d);
		door_url(where, listener_port(d->listener), &d->url);
		return 0;
	}
	rc = listener_open(loop, where->host, where->port, on_accept, d,
	                   &d->listener, detail);
	if (rc != 0)
		return rc;
	door_url(where, listener_port(d->listener), &d->url);
	log_info(&door_log, "listening url=%s", d->url.text);
	return 0;
}

void door_close(struct door *d)
{
	if (d->listener != NULL)
		listener_free(&d->listener);
	preambles_free(&d->preambles);
}
