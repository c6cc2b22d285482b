/* SPDX-License-Identifier: ISC */
/* target - see target.h. */
#include "role/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
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

static void target_of_backend(const struct conf *c, struct target *p)
{
	*p = (struct target){
		.ca_key = "backend.ca",
		.url = c->backend_url,
		.ca = c->backend_ca,
		.name = c->backend_name,
		.forward = c->backend_forward,
		.verify = c->backend_verify,
	};
	(void)err_set(&p->key, 0, "backend.");
}

static void target_of_route(const struct conf *c, size_t n, struct target *p)
{
	const struct conf_route *r = &c->routes.list[n];

	*p = (struct target){
		.ca_key = "the ca of its route",
		.url = r->url,
		.ca = r->ca,
		.name = r->name,
		.forward = r->forward,
		.verify = r->verify,
	};
	(void)err_set(&p->key, 0, "routes, entry %zu (%s): ", n + 1, r->domain);
}

static bool is_text_same(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b)); /* none is empty */
}

static bool is_same(const struct target *a, const struct target *b)
{
	return a->parsed.scheme == b->parsed.scheme &&
	       a->parsed.port == b->parsed.port && str_ieq(a->host, b->host) &&
	       is_text_same(a->ca, b->ca) && is_text_same(a->name, b->name) &&
	       is_text_same(a->forward, b->forward) && a->verify == b->verify;
}

/* make_dial makes what is dialled of |p|. */
static int make_dial(const struct target *p, const struct files *f,
                     struct dial_target *t, struct err_detail *detail)
{
	const struct tls_client_opts opts = {
		.ca_file = p->ca,
		.files = f,
		.ca_key = p->ca_key,
		.verify = p->verify,
	};
	struct err_detail why;

	*t = (struct dial_target){
		.host = p->host.data,
		.port = p->parsed.port,
		.starttls = p->parsed.scheme == CONF_IMAP_STARTTLS,
		.forward = forward_of(p->forward),
		.name = p->name,
		.is_backend = true,
	};
	if (p->parsed.scheme == CONF_IMAP)
		return ERR_OK;
	if (tls_client_new(&opts, &t->tls, &why) == ERR_OK)
		return ERR_OK;
	return err_set(detail, ERR_INVALID, "%sca: %s", p->key.text, why.text);
}

/* add finds the target of |p|, or makes it; |p|'s parts become |t|'s. */
static int add(struct targets *t, const struct files *f, struct target *p,
               size_t *target_r, struct err_detail *detail)
{
	struct routes *r = &t->routes;
	struct err_detail why;
	int rc;

	if (conf_url_parse(str_of(p->url), &p->parsed, &why) != ERR_OK)
		return err_set(detail, ERR_INVALID, "%surl: %s", p->key.text,
		               why.text);
	p->host = str_dup(p->parsed.host);
	for (size_t i = 0; i < r->target_count; i++)
		if (is_same(&t->list[i], p)) {
			str_free(&p->host);
			*target_r = i;
			return ERR_OK;
		}
	*target_r = r->target_count;
	t->list[r->target_count] = *p;
	rc = make_dial(p, f, &t->dials[r->target_count], detail);
	r->target_count++;
	return rc;
}

int targets_load(const struct conf *c, const struct files *f,
                 struct targets *t_r, struct err_detail *detail)
{
	size_t count = c->routes.count;
	struct targets t = {
		.list = xcalloc(count + 1, sizeof(*t.list)),
		.dials = xcalloc(count + 1, sizeof(*t.dials)),
		.by_domain = xcalloc(count + 1, sizeof(*t.by_domain)),
	};
	struct target p;
	int rc = ERR_OK;

	t.routes = (struct routes){
		.targets = t.dials,
		.list = t.by_domain,
		.count = count,
		.fallback = ROUTES_NONE,
		.default_domain = c->users_default_domain,
	};
	if (c->backend_url != NULL) {
		target_of_backend(c, &p);
		rc = add(&t, f, &p, &t.routes.fallback, detail);
	}
	for (size_t i = 0; rc == ERR_OK && i < count; i++) {
		target_of_route(c, i, &p);
		t.by_domain[i].domain = c->routes.list[i].domain;
		rc = add(&t, f, &p, &t.by_domain[i].target, detail);
	}
	if (rc == ERR_OK)
		*t_r = t;
	else
		targets_done(&t);
	return rc;
}

void targets_done(struct targets *t)
{
	for (size_t i = 0; i < t->routes.target_count; i++) {
		tls_ctx_free(&t->dials[i].tls);
		str_free(&t->list[i].host);
	}
	free(t->list);
	free(t->dials);
	free(t->by_domain);
	*t = (struct targets){ 0 };
}
