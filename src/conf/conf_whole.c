/* SPDX-License-Identifier: ISC */
/* conf_whole - see conf_whole.h. */
#include "conf/conf_whole.h"

#include <stdbool.h>
#include <string.h>

#include "conf/conf_set.h"
#include "conf/url.h"

/* Refuses the value of |key|, saying what set it. */
static int refuse(const struct conf *c, const char *key, const char *why,
                  struct err_detail *detail)
{
	return err_set(detail, ERR_INVALID, "%s: %s: %s", conf_origin(c, key),
	               key, why);
}

static int check_backend(const struct conf *c, struct err_detail *detail)
{
	if (c->backend_url != NULL || c->routes.count > 0)
		return ERR_OK;
	return err_set(detail, ERR_INVALID,
	               "backend.url is missing: which IMAP server? "
	               "(-b imaps://mail.example.org)");
}

static int check_listen(const struct conf *c, struct err_detail *detail)
{
	struct conf_url u;

	if (c->listen.count == 0)
		return refuse(c, "listen", "is empty", detail);
	if (c->tls_certificate != NULL || c->tls_certificates.count > 0)
		return ERR_OK;
	for (size_t i = 0; i < c->listen.count; i++) {
		const char *url = c->listen.list[i].url;
		int rc = conf_url_parse(str_of(url), &u, detail);

		if (rc != ERR_OK)
			return rc;
		if (u.scheme != CONF_IMAP)
			return err_set(detail, ERR_INVALID,
			               "tls.certificate is missing: %s needs "
			               "one (--tls-cert, --tls-key)",
			               url);
	}
	return ERR_OK;
}

static bool is_pkcs12(const char *path)
{
	struct str s = str_of(path);
	struct str end = str_sub(s, s.len < 4 ? s.len : s.len - 4, 4);

	return str_ieq(end, STR(".p12")) || str_ieq(end, STR(".pfx"));
}

static int check_apns(const struct conf *c, struct err_detail *detail)
{
	static const char pkcs12[] =
		"PKCS#12 files (.p12) are not built yet: convert with "
		"openssl pkcs12 -legacy -nodes -in FILE -out cert.pem";

	if (is_pkcs12(c->apns_certificate))
		return refuse(c, "apns.certificate", pkcs12, detail);
	if (is_pkcs12(c->apns_key))
		return refuse(c, "apns.key", pkcs12, detail);
	return ERR_OK;
}

/* The pause |least| may grow up to |most|, so that must not be the smaller. */
static int check_pair(const struct conf *c, const char *least, unsigned low,
                      const char *most, unsigned high,
                      struct err_detail *detail)
{
	if (low <= high)
		return ERR_OK;
	return err_set(detail, ERR_INVALID, "%s: %s = %u is below %s = %u (%s)",
	               conf_origin(c, most), most, high, least, low,
	               conf_origin(c, least));
}

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static int check_watch(const struct conf *c, struct err_detail *detail)
{
	if (strcmp(c->watch_login, "session") == 0)
		return refuse(c, "watch.login",
		              "\"session\" is not built yet: \"sealed\" and "
		              "\"master\" are",
		              detail);
	if (strcmp(c->watch_login, "master") != 0)
		return ERR_OK;
	if (is_empty(c->watch_master_user))
		return err_set(detail, ERR_INVALID,
		               "watch.master_user is missing: watch.login = "
		               "\"master\" needs one");
	if (is_empty(c->watch_master_password_file))
		return err_set(detail, ERR_INVALID,
		               "watch.master_password_file is missing: "
		               "watch.login = \"master\" needs one");
	if (is_empty(c->watch_master_separator))
		return refuse(c, "watch.master_separator", "is empty", detail);
	return ERR_OK;
}

int conf_whole_check(const struct conf *c, struct err_detail *detail)
{
	int rc = check_backend(c, detail);

	if (rc == ERR_OK)
		rc = check_listen(c, detail);
	if (rc == ERR_OK)
		rc = check_watch(c, detail);
	if (rc == ERR_OK)
		rc = check_apns(c, detail);
	if (rc == ERR_OK)
		rc = check_pair(c, "push.merge_ms", c->push_merge_ms,
		                "push.merge_max_ms", c->push_merge_max_ms,
		                detail);
	if (rc == ERR_OK)
		rc = check_pair(c, "push.change_delay_ms",
		                c->push_change_delay_ms, "push.change_max_ms",
		                c->push_change_max_ms, detail);
	return rc;
}
