/* SPDX-License-Identifier: ISC */
/* listeners - see listeners.h. */
#include "role/listeners.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/url.h"
#include "net/network.h"

static enum proxy_security security_of(enum conf_scheme scheme)
{
	if (scheme == CONF_IMAPS)
		return PROXY_TLS;
	return scheme == CONF_IMAP_STARTTLS ? PROXY_STARTTLS : PROXY_PLAIN;
}

/* read_networks makes an array of |texts|, the caller's to free. */
static int read_networks(const struct conf_strings *texts,
                         struct network **list_r, struct err_detail *detail)
{
	struct network *list = xcalloc(texts->count, sizeof(*list));

	for (size_t i = 0; i < texts->count; i++) {
		if (network_parse(str_of(texts->list[i]), &list[i]) == ERR_OK)
			continue;
		free(list);
		return err_set(detail, ERR_INVALID,
		               "listen: proxy_trusted: %s is no network",
		               texts->list[i]);
	}
	*list_r = list;
	return ERR_OK;
}

static int read_one(const struct conf_listen *from, struct proxy_listen *l_r,
                    struct err_detail *detail)
{
	struct network *trusted;
	struct conf_url url;
	int rc = conf_url_parse(str_of(from->url), &url, detail);

	if (rc == ERR_OK)
		rc = read_networks(&from->proxy_trusted, &trusted, detail);
	if (rc != ERR_OK)
		return rc;
	*l_r = (struct proxy_listen){
		.host = str_dup(url.host).data,
		.port = url.port,
		.security = security_of(url.scheme),
		.proxy_protocol = from->proxy_protocol,
		.trusted = trusted,
		.trusted_count = from->proxy_trusted.count,
	};
	return ERR_OK;
}

int listeners_read(const struct conf *c, struct listeners *l_r,
                   struct err_detail *detail)
{
	struct listeners l = {
		.list = xcalloc(c->listen.count, sizeof(*l.list)),
	};
	int rc = ERR_OK;

	while (rc == ERR_OK && l.count < c->listen.count) {
		rc = read_one(&c->listen.list[l.count], &l.list[l.count],
		              detail);
		if (rc == ERR_OK)
			l.count++;
	}
	if (rc == ERR_OK)
		*l_r = l;
	else
		listeners_done(&l);
	return rc;
}

void listeners_done(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++) {
		struct str host = str_of(l->list[i].host);

		str_free(&host);
		free(mem_unconst(l->list[i].trusted));
	}
	free(l->list);
	*l = (struct listeners){ 0 };
}
