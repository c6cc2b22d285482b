/* SPDX-License-Identifier: ISC */
/*
 * url - see url.h. Only scheme, host and port (RFC 3986 section 3.2 without
 * user information): a mail server has no path.
 */
#include "conf/url.h"

#include <stdbool.h>

#include "base/log.h"

static const struct {
	struct str prefix;
	enum conf_scheme scheme;
	uint16_t port;
} schemes[] = {
	{ { "imaps://", 8 }, CONF_IMAPS, 993 },
	{ { "imap://", 7 }, CONF_IMAP, 143 },
	{ { "imap+starttls://", 16 }, CONF_IMAP_STARTTLS, 143 },
	{ { "https://", 8 }, CONF_HTTPS, 443 },
};

static int fail(struct err_detail *detail, struct str text, const char *why)
{
	struct log_text safe;

	return err_set(detail, ERR_INVALID, "\"%s\": %s", log_safe(text, &safe),
	               why);
}

static bool host_is_fit(struct str host)
{
	if (host.len == 0 || host.len > 255)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = (unsigned char)host.data[i];

		/* International names are written as they resolve: xn--... */
		if (c <= ' ' || c >= 0x7f ||
		    str_find(STR("/@[]?#\\\""), (char)c) != SIZE_MAX)
			return false;
	}
	return true;
}

/* parse_place reads |rest| of |text|: host[:port]. The port of |u| stays if
 * there is none. */
static int parse_place(struct str text, struct str rest, struct conf_url *u,
                       struct err_detail *detail)
{
	uint64_t port;
	size_t end;

	if (str_byte(&rest, '[')) {
		end = str_find(rest, ']');
		if (end == SIZE_MAX)
			return fail(detail, text, "\"[\" without \"]\"");
		u->host = str_take(&rest, end);
		str_byte(&rest, ']');
	} else {
		end = str_find(rest, ':');
		u->host = str_take(&rest, end == SIZE_MAX ? rest.len : end);
		if (str_byte(&rest, ':')) {
			if (str_find(rest, ':') != SIZE_MAX)
				return fail(detail, text,
				            "an IPv6 address needs brackets");
			rest.data--;
			rest.len++;
		}
	}
	if (!host_is_fit(u->host))
		return fail(detail, text, "no usable host name in it");
	if (rest.len > 0) {
		if (!str_byte(&rest, ':') ||
		    str_number(&rest, 65535, &port) != 0 || rest.len > 0)
			return fail(detail, text,
			            "the port must be a number up to 65535");
		u->port = (uint16_t)port;
	}
	return ERR_OK;
}

int conf_url_parse(struct str text, struct conf_url *u_r,
                   struct err_detail *detail)
{
	struct conf_url u = { 0 };
	struct str rest = text;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (str_istarts(text, schemes[i].prefix))
			break;
	if (i == sizeof(schemes) / sizeof(schemes[0]))
		return fail(detail, text,
		            "must begin with imaps://, imap:// or "
		            "imap+starttls:// (https:// for APNs)");
	u.scheme = schemes[i].scheme;
	u.port = schemes[i].port;
	str_take(&rest, schemes[i].prefix.len);
	if (rest.len > 0 && rest.data[rest.len - 1] == '/')
		rest.len--;
	rc = parse_place(text, rest, &u, detail);
	if (rc == ERR_OK)
		*u_r = u;
	return rc;
}

int conf_place_parse(struct str text, struct conf_url *u_r,
                     struct err_detail *detail)
{
	struct conf_url u = { .scheme = CONF_HTTP };
	int rc = parse_place(text, text, &u, detail);

	if (rc == ERR_OK && (text.len == 0 || text.data[text.len - 1] == ']' ||
	                     u.host.len == text.len))
		rc = fail(detail, text, "a port is wanted: HOST:PORT");
	if (rc == ERR_OK)
		*u_r = u;
	return rc;
}
