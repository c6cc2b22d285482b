/* SPDX-License-Identifier: ISC */
/* ports - see ports.h. */
#include "process/ports.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/address.h"
#include "net/listen.h"
#include "proxy/door.h"

enum { FDS_MAX = 16 };

static const struct log_ctx ports_log = { LOG_ROLE, 0 };

/* Those of one worker at one listener. */
struct port {
	int *fds;
	size_t count;
};

struct ports {
	struct port *list; /* of the first worker, of the second, ... */
	size_t listeners;
	size_t workers;
};

static struct port *port_of(struct ports *p, size_t worker, size_t index)
{
	return &p->list[worker * p->listeners + index];
}

/* add gives |fd| to |port|, if there is one. */
static void add(struct port *port, int fd)
{
	if (fd < 0)
		return;
	port->fds = xrealloc(port->fds, port->count + 1, sizeof(*port->fds));
	port->fds[port->count++] = fd;
}

static void close_port(struct port *p)
{
	while (p->count > 0)
		(void)close(p->fds[--p->count]);
	free(p->fds);
	p->fds = NULL;
}

/* bind_one binds |where| at |number| for |port|. Results as listen_bind. */
static int bind_one(const struct proxy_listen *where, uint16_t number,
                    bool is_shared, struct port *port,
                    struct err_detail *detail)
{
	int fds[FDS_MAX];
	size_t count = 0;
	int rc = listen_bind(where->host, number, is_shared, fds, FDS_MAX,
	                     &count, detail);

	for (size_t i = 0; rc == ERR_OK && i < count; i++)
		add(port, fds[i]);
	return rc;
}

/* probe: sockets that are shared do not notice a stranger's that is. One
 * that is not tells whether the address is free. */
static int probe(const struct proxy_listen *where, struct err_detail *detail)
{
	struct port p = { .count = 0 };
	int rc = bind_one(where, where->port, false, &p, detail);

	close_port(&p);
	return rc;
}

/* bind_all binds |where| for each worker, to the port that the first got. */
static int bind_all(struct ports *p, const struct proxy_listen *where,
                    size_t index, struct err_detail *detail)
{
	uint16_t number = where->port;
	bool is_shared = p->workers > 1;
	int rc = is_shared ? probe(where, detail) : ERR_OK;

	for (size_t i = 0; rc == ERR_OK && i < p->workers; i++) {
		struct port *port = port_of(p, i, index);

		rc = bind_one(where, number, is_shared, port, detail);
		if (rc == ERR_OK)
			number = listen_port(port->fds[0]);
	}
	return rc;
}

/* Inherited sockets. */

static bool is_same(int a, int b)
{
	struct address x = address_local(a);
	struct address y = address_local(b);

	return x.family == y.family && x.port == y.port &&
	       memcmp(x.bytes, y.bytes, address_len(&x)) == 0;
}

/* deal gives |count| sockets of one address to the workers. Each has one at
 * least; none is left out, since connections may wait in it. */
static void deal(struct ports *p, size_t index, const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(port_of(p, i % p->workers, index), fds[i]);
	for (size_t i = count; i < p->workers; i++) {
		int fd = listen_again(fds[0]);

		if (fd < 0)
			fd = fcntl(fds[i % count], F_DUPFD_CLOEXEC, 0);
		add(port_of(p, i, index), fd);
	}
}

/* deal_all does so with |count| sockets of any addresses. */
static void deal_all(struct ports *p, size_t index, int *fds, size_t count)
{
	int *same = xcalloc(count, sizeof(*same));

	for (size_t i = 0; i < count; i++) {
		size_t found = 0;

		for (size_t j = i; fds[i] >= 0 && j < count; j++) {
			if (fds[j] < 0 || !is_same(fds[i], fds[j]))
				continue;
			same[found++] = fds[j];
			if (j > i)
				fds[j] = -1;
		}
		if (found > 0)
			deal(p, index, same, found);
	}
	free(same);
}

/* open_one takes what was inherited, or binds. */
static int open_one(struct ports *p, const struct proxy_listen *where,
                    size_t index, struct inherited *in,
                    struct err_detail *detail)
{
	struct err_detail url;
	size_t count;
	int *fds;
	int rc = inherited_find(in, where, &fds, &count, detail);

	if (rc != ERR_OK)
		return rc;
	if (count > 0)
		deal_all(p, index, fds, count);
	else
		rc = bind_all(p, where, index, detail);
	free(fds);
	if (rc != ERR_OK)
		return rc;
	door_url(where, listen_port(port_of(p, 0, index)->fds[0]), &url);
	if (count > 0)
		log_info(&ports_log, "listening url=%s inherited=%zu", url.text,
		         count);
	else
		log_info(&ports_log, "listening url=%s", url.text);
	return ERR_OK;
}

int ports_open(const struct listeners *l, size_t workers, struct inherited *in,
               struct ports **p_r, struct err_detail *detail)
{
	struct ports *p = xcalloc(1, sizeof(*p));
	int rc = ERR_OK;

	p->listeners = l->count;
	p->workers = workers;
	p->list = xcalloc(workers * l->count, sizeof(*p->list));
	/* A port that is free to choose does not take what another names. */
	for (size_t i = 0; rc == ERR_OK && i < l->count; i++)
		if (l->list[i].port != 0)
			rc = open_one(p, &l->list[i], i, in, detail);
	for (size_t i = 0; rc == ERR_OK && i < l->count; i++)
		if (l->list[i].port == 0)
			rc = open_one(p, &l->list[i], i, in, detail);
	if (rc == ERR_OK)
		*p_r = p;
	else
		ports_free(&p);
	return rc;
}

int *ports_list(const struct ports *p, size_t *count_r)
{
	struct port all = { .count = 0 };

	for (size_t i = 0; i < p->workers * p->listeners; i++)
		for (size_t j = 0; j < p->list[i].count; j++)
			add(&all, p->list[i].fds[j]);
	*count_r = all.count;
	return all.fds;
}

/* mend has those of |p| listen again. */
static void mend(const struct port *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (listen_mend(p->fds[i]) != ERR_OK)
			log_error(&ports_log,
			          "port %u does not listen any more",
			          (unsigned)listen_port(p->fds[i]));
}

void ports_give(struct ports *p, size_t worker, struct listeners *l)
{
	for (size_t i = 0; i < p->workers * p->listeners; i++) {
		if (i / p->listeners != worker) {
			close_port(&p->list[i]);
			continue;
		}
		mend(&p->list[i]);
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
