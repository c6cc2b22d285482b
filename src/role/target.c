/* SPDX-License-Identifier: ISC */
/* target - see target.h. */
#include "role/target.h"

#include <string.h>

#include "conf/url.h"

/* forward_of: the choices of backend.forward, which conf has checked. */
static enum dial_forward forward_of(const char *name)
{
	static const char *const names[] = {
		[DIAL_FORWARD_NONE] = "none",
		[DIAL_FORWARD_PROXY_V1] = "proxy-v1",
		[DIAL_FORWARD_PROXY_V2] = "proxy-v2",
		[DIAL_FORWARD_ID] = "id",
	};
	size_t i = sizeof(names) / sizeof(names[0]) - 1;

	while (i > DIAL_FORWARD_NONE && strcmp(name, names[i]) != 0)
		i--;
	return (enum dial_forward)i;
}

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
	if (url.scheme != CONF_IMAP) {
		rc = tls_client_new(&opts, &t.dial.tls, &why);
		if (rc != ERR_OK)
			return err_set(detail, ERR_INVALID, "backend.ca: %s",
			               why.text);
	}
	t.host = str_dup(url.host);
	t.dial.host = t.host.data;
	t.dial.port = url.port;
	t.dial.starttls = url.scheme == CONF_IMAP_STARTTLS;
	t.dial.forward = forward_of(c->backend_forward);
	t.dial.name = c->backend_name;
	*t_r = t;
	return ERR_OK;
}

void target_done(struct target *t)
{
	tls_ctx_free(&t->dial.tls);
	str_free(&t->host);
}
