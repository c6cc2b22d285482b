/* SPDX-License-Identifier: ISC */
/* files - see files.h. */
#include "role/files.h"

static void gather_clients(const struct conf *c, struct files *f)
{
	files_keep(f, c->tls_certificate);
	files_keep(f, c->tls_key);
	for (size_t i = 0; i < c->tls_certificates.count; i++) {
		files_keep(f, c->tls_certificates.list[i].certificate);
		files_keep(f, c->tls_certificates.list[i].key);
	}
}

static void gather_push(const struct conf *c, struct files *f)
{
	files_keep(f, c->apns_certificate);
	files_keep(f, c->apns_key);
	files_keep(f, c->apns_ca);
	files_keep(f, c->watch_key_file);
	files_keep(f, c->watch_master_password_file);
}

static void gather_servers(const struct conf *c, struct files *f)
{
	files_keep(f, c->backend_ca);
	for (size_t i = 0; i < c->routes.count; i++)
		files_keep(f, c->routes.list[i].ca);
}

void files_gather(const struct conf *c, unsigned int whom, struct files *f)
{
	if ((whom & FILES_CLIENTS) != 0)
		gather_clients(c, f);
	if ((whom & FILES_PUSH) != 0)
		gather_push(c, f);
	if ((whom & FILES_SERVERS) != 0)
		gather_servers(c, f);
}
