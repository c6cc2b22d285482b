/* SPDX-License-Identifier: ISC */
/* endpoint - the URL of APNs. Only https: APNs knows neither h2c nor paths of
 * ours, and a password in it would be a mistake. */
#include "apns/endpoint.h"

#include <stdio.h>
#include <string.h>

enum { HTTPS_PORT = 443 };

/* is_host_byte: letters, digits and what names and addresses have; an IPv6
 * address may have colons too. */
static bool is_host_byte(char c, bool colons)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
	       (colons && c == ':');
}

/* take_host moves the host from the front of |in| to |e|. */
static int take_host(struct str *in, struct apns_endpoint *e)
{
	bool brackets = str_byte(in, '[');
	size_t len = 0;

	while (len < in->len && is_host_byte(in->data[len], brackets))
		len++;
	if (len == 0 || len > APNS_HOST_MAX)
		return ERR_PARSE;
	memcpy(e->host, in->data, len);
	e->host[len] = '\0';
	(void)str_take(in, len);
	if (brackets && !str_byte(in, ']'))
		return ERR_PARSE;
	return 0;
}

/* take_port moves ":PORT", if there is one, from the front of |in|. */
static int take_port(struct str *in, uint16_t *port_r)
{
	uint64_t port;

	*port_r = HTTPS_PORT;
	if (!str_byte(in, ':'))
		return 0;
	if (str_number(in, UINT16_MAX, &port) != 0 || port == 0)
		return ERR_PARSE;
	*port_r = (uint16_t)port;
	return 0;
}

static void name_authority(struct apns_endpoint *e)
{
	bool v6 = strchr(e->host, ':') != NULL;
	char port[sizeof(":65535")] = "";

	if (e->port != HTTPS_PORT)
		(void)snprintf(port, sizeof(port), ":%u", (unsigned)e->port);
	(void)snprintf(e->authority, sizeof(e->authority), "%s%s%s%s",
	               v6 ? "[" : "", e->host, v6 ? "]" : "", port);
}

int apns_endpoint_parse(struct str url, struct apns_endpoint *e_r,
                        struct err_detail *detail)
{
	struct str scheme = STR("https://");
	struct apns_endpoint e = { 0 };
	struct str in = url;

	if (str_eq(url, STR("dry-run"))) {
		e.dry_run = true;
		*e_r = e;
		return 0;
	}
	if (!str_istarts(in, scheme))
		return err_set(detail, ERR_INVALID,
		               "the URL of APNs begins with https://, or is "
		               "dry-run");
	(void)str_take(&in, scheme.len);
	if (take_host(&in, &e) != 0 || take_port(&in, &e.port) != 0)
		goto fail;
	(void)str_byte(&in, '/');
	if (in.len > 0)
		goto fail;
	name_authority(&e);
	*e_r = e;
	return 0;
fail:
	return err_set(detail, ERR_INVALID,
	               "the URL of APNs is https://HOST or https://HOST:PORT");
}
