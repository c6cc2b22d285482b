/* SPDX-License-Identifier: ISC */
/* target - see target.h. */
#include "role/target.h"

#include "conf/url.h"

int target_load(const struct conf *c, struct target *t_r,
                struct err_detail *detail)
{
	const struct tls_client_opts opts = {
		.ca_file = c->backend_ca,
		.ca_key = "backend.ca",
		.verify = c->backend_verify,
	};
	struct target t = { 0 };
	struct err_detail why;
	struct conf_url url;
	int rc;

	rc = conf_url_parse(str_of(c->backend_url), &url, detail);
	if (rc != ERR_OK)
		return rc;
	if (url.scheme == CONF_IMAPS) {
		rc = tls_client_new(&opts, &t.dial.tls, &why);
		if (rc != ERR_OK)
			return err_set(detail, ERR_INVALID, "backend.ca: %s",
			               why.text);
	}
	t.host = str_dup(url.host);
	t.dial.host = t.host.data;
	t.dial.port = url.port;
	t.dial.name = c->backend_name;
	*t_r = t;
	return ERR_OK;
}

void target_done(struct target *t)
{
	tls_ctx_free(&t->dial.tls);
	str_free(&t->host);
}
