/* SPDX-License-Identifier: ISC */
/* status_role - see status_role.h. */
#include "role/status_role.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/url.h"
#include "net/address.h"
#include "net/listen.h"
#include "status/status.h"

enum { FDS_MAX = 16 };

static const struct log_ctx status_log = { LOG_ROLE, 0 };

/* open_at takes what was inherited, or binds. */
static int open_at(struct status_role *r, const struct proxy_listen *where,
                   struct inherited *in, struct err_detail *detail)
{
	char name[ADDRESS_NAME_MAX];
	int rc = inherited_find(in, where, &r->fds, &r->fd_count, detail);

	if (rc == ERR_OK && r->fd_count == 0) {
		r->fds = xrealloc(r->fds, FDS_MAX, sizeof(*r->fds));
		rc = listen_bind(where->host, where->port, false, r->fds,
		                 FDS_MAX, &r->fd_count, detail);
	}
	if (rc == ERR_OK)
		log_info(&status_log, "listening url=http://%s",
		         address_name(where->host, listen_port(r->fds[0]),
		                      name));
	return rc;
}

int status_role_open(const struct conf *c, struct inherited *in,
                     struct status_role *r_r, struct err_detail *detail)
{
	struct status_role r = { .since_ms = (int64_t)time(NULL) * 1000 };
	struct proxy_listen where = { .host = NULL };
	struct conf_url url;
	struct str host;
	int rc;

	if (c->status_listen == NULL)
		return ERR_OK;
	rc = conf_place_parse(str_of(c->status_listen), &url, detail);
	if (rc != ERR_OK)
		return rc;
	host = str_dup(url.host);
	where.host = host.data;
	where.port = url.port;
	rc = open_at(&r, &where, in, detail);
	str_free(&host);
	if (rc == ERR_OK)
		*r_r = r;
	else
		status_role_done(&r);
	return rc;
}

bool status_role_is_open(const struct status_role *r)
{
	return r->fd_count > 0;
}

void status_role_mend(const struct status_role *r)
{
	for (size_t i = 0; i < r->fd_count; i++)
		if (listen_mend(r->fds[i]) != ERR_OK)
			log_error(&status_log,
			          "status.listen does not listen any more");
}

void status_role_serve(struct status_role *r, struct loop *loop,
                       unsigned processes)
{
	const struct status_opts opts = {
		.fds = r->fds,
		.fd_count = r->fd_count,
		.processes = processes,
		.since_ms = r->since_ms,
	};

	if (!status_role_is_open(r))
		return;
	r->status = status_new(loop, &opts);
	r->fd_count = 0;
}

void status_role_done(struct status_role *r)
{
	status_free(&r->status);
	while (r->fd_count > 0)
		(void)close(r->fds[--r->fd_count]);
	free(r->fds);
	r->fds = NULL;
}
