/* SPDX-License-Identifier: ISC */
/* conf_check - see conf_check.h. */
#include "conf/conf_check.h"

#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/url.h"
#include "net/network.h"

static int invalid(struct err_detail *detail, const char *why)
{
	return err_set(detail, ERR_INVALID, "%s", why);
}

static bool is_any(const struct conf_url *u)
{
	return str_eq(u->host, STR("*"));
}

/* Reads a url of the IMAP kind. */
static int read_imap(const char *value, struct conf_url *u_r,
                     struct err_detail *detail)
{
	struct conf_url u;
	int rc = conf_url_parse(str_of(value), &u, detail);

	if (rc != ERR_OK)
		return rc;
	if (u.scheme == CONF_HTTPS)
		return invalid(detail, "an imaps:// or imap:// url is wanted");
	*u_r = u;
	return ERR_OK;
}

int conf_check_listen(const char *value, struct err_detail *detail)
{
	struct conf_url u;

	return read_imap(value, &u, detail);
}

int conf_check_server(const char *value, struct err_detail *detail)
{
	struct conf_url u = { .port = 0 };
	int rc = read_imap(value, &u, detail);

	if (rc == ERR_OK && (u.port == 0 || is_any(&u)))
		return invalid(detail, "a host and a port above 0 are wanted");
	return rc;
}

int conf_check_apns(const char *value, struct err_detail *detail)
{
	struct conf_url u;
	int rc;

	if (strcmp(value, "dry-run") == 0)
		return ERR_OK;
	rc = conf_url_parse(str_of(value), &u, detail);
	if (rc != ERR_OK)
		return rc;
	if (u.scheme != CONF_HTTPS || u.port == 0 || is_any(&u))
		return invalid(detail,
		               "https://HOST[:PORT] or dry-run is wanted");
	return ERR_OK;
}

int conf_check_place(const char *value, struct err_detail *detail)
{
	struct conf_url u;

	return conf_place_parse(str_of(value), &u, detail);
}

int conf_check_network(const char *value, struct err_detail *detail)
{
	struct network n;
	struct log_text safe;

	if (network_parse(str_of(value), &n) == ERR_OK)
		return ERR_OK;
	return err_set(detail, ERR_INVALID,
	               "\"%s\" is neither an address nor a network "
	               "(192.0.2.1, 10.0.0.0/8, 2001:db8::/32)",
	               log_safe(str_of(value), &safe));
}

int conf_check_domain(const char *value, struct err_detail *detail)
{
	struct str domain = str_of(value);
	struct log_text safe;

	for (size_t i = 0; i < domain.len; i++) {
		unsigned char c = (unsigned char)domain.data[i];

		if (c <= ' ' || c == 0x7f || c == '@')
			return err_set(detail, ERR_INVALID,
			               "\"%s\" is no domain: what stands "
			               "behind the @ of a user is wanted",
			               log_safe(domain, &safe));
	}
	return ERR_OK;
}

int conf_check_listener(const void *entry, struct err_detail *detail)
{
	const struct conf_listen *l = entry;

	if (!l->proxy_protocol || l->proxy_trusted.count > 0)
		return ERR_OK;
	return invalid(detail,
	               "proxy_trusted is missing: whose PROXY header is "
	               "believed? Everyone's: (\"0.0.0.0/0\", \"::/0\")");
}
