/* SPDX-License-Identifier: ISC */
/* ports - see ports.h. */
#include "role/ports.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/listen.h"
#include "proxy/door.h"

enum { FDS_MAX = 16 };

static const struct log_ctx ports_log = { LOG_ROLE, 0 };

/* Those of one worker at one listener. */
struct port {
	int fds[FDS_MAX];
	size_t count;
};

struct ports {
	struct port *list; /* of the first worker, of the second, ... */
	size_t listeners;
	size_t workers;
};

static void close_port(struct port *p)
{
	while (p->count > 0)
		(void)close(p->fds[--p->count]);
}

/* probe: sockets that are shared do not notice a stranger's that is. One
 * that is not tells whether the address is free. */
static int probe(const struct proxy_listen *where, struct err_detail *detail)
{
	struct port p = { .count = 0 };
	int rc = listen_bind(where->host, where->port, false, p.fds, FDS_MAX,
	                     &p.count, detail);

	if (rc == ERR_OK)
		close_port(&p);
	return rc;
}

/* bind_all binds |where| for each worker, to the port that the first got. */
static int bind_all(struct ports *p, const struct proxy_listen *where,
                    size_t index, struct err_detail *detail)
{
	uint16_t number = where->port;
	bool is_shared = p->workers > 1;
	struct err_detail url;
	int rc = is_shared ? probe(where, detail) : ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < p->workers; i++) {
		struct port *port = &p->list[i * p->listeners + index];

		rc = listen_bind(where->host, number, is_shared, port->fds,
		                 FDS_MAX, &port->count, detail);
		if (rc == ERR_OK)
			number = listen_port(port->fds[0]);
	}
	if (rc != ERR_OK)
		return rc;
	door_url(where, number, &url);
	log_info(&ports_log, "listening url=%s", url.text);
	return ERR_OK;
}

int ports_open(const struct listeners *l, size_t workers, struct ports **p_r,
               struct err_detail *detail)
{
	struct ports *p = xcalloc(1, sizeof(*p));
	int rc = ERR_OK;

	p->listeners = l->count;
	p->workers = workers;
	p->list = xcalloc(workers * l->count, sizeof(*p->list));
	for (size_t i = 0; rc == ERR_OK && i < l->count; i++)
		rc = bind_all(p, &l->list[i], i, detail);
	if (rc == ERR_OK)
		*p_r = p;
	else
		ports_free(&p);
	return rc;
}

void ports_give(struct ports *p, size_t worker, struct listeners *l)
{
	for (size_t i = 0; i < p->workers * p->listeners; i++) {
		if (i / p->listeners != worker) {
			close_port(&p->list[i]);
			continue;
		}
		l->list[i % p->listeners].fds = p->list[i].fds;
		l->list[i % p->listeners].fd_count = p->list[i].count;
		p->list[i].count = 0; /* the door closes them */
	}
}

void ports_close(struct ports *p)
{
	for (size_t i = 0; i < p->workers * p->listeners; i++)
		close_port(&p->list[i]);
}

void ports_free(struct ports **ports)
{
	struct ports *p = *ports;

	*ports = NULL;
	if (p == NULL)
		return;
	ports_close(p);
	free(p->list);
	free(p);
}
