/* SPDX-License-Identifier: ISC */
/* door - see door.h. */
#include "proxy/door.h"

#include "base/log.h"
#include "net/listen.h"
#include "proxy/sessions.h"

static const struct log_ctx door_log = { LOG_PROXY, 0 };

static const char *const schemes[] = {
	[PROXY_PLAIN] = "imap",
	[PROXY_TLS] = "imaps",
	[PROXY_STARTTLS] = "imap+starttls",
};

static void on_accept(void *arg, int fd)
{
	const struct door *d = arg;

	sessions_accept(d->sessions, fd, d);
}

int door_open(struct door *d, struct loop *loop, struct sessions *sessions,
              const struct proxy_listen *where, struct err_detail *detail)
{
	bool is_v6 = str_find(str_of(where->host), ':') != SIZE_MAX;
	int rc;

	d->sessions = sessions;
	d->security = where->security;
	rc = listener_open(loop, where->host, where->port, on_accept, d,
	                   &d->listener, detail);
	if (rc != 0)
		return rc;
	(void)err_set(&d->url, 0, "%s://%s%s%s:%u", schemes[where->security],
	              is_v6 ? "[" : "", where->host, is_v6 ? "]" : "",
	              (unsigned)listener_port(d->listener));
	log_info(&door_log, "listening url=%s", d->url.text);
	return 0;
}

void door_close(struct door *d)
{
	if (d->listener != NULL)
		listener_free(&d->listener);
}
