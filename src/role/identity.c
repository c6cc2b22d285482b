/* SPDX-License-Identifier: ISC */
/* identity - see identity.h. */
#include "role/identity.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/mem.h"

/* Where a certificate is named in the configuration. */
struct source {
	struct err_detail
		certificate_key; /* "tls.certificate", for sentences */
	struct err_detail key_key;
	const char *certificate;
	const char *key;
};

/* source_of is the |n|-th: tls.certificate first, if there is one. */
static struct source source_of(const struct conf *c, size_t n)
{
	const struct conf_certificate *entry;
	struct source s;

	if (n == 0 && c->tls_certificate != NULL) {
		(void)err_set(&s.certificate_key, 0, "tls.certificate");
		(void)err_set(&s.key_key, 0, "tls.key");
		s.certificate = c->tls_certificate;
		s.key = c->tls_key;
	} else {
		n -= c->tls_certificate != NULL;
		entry = &c->tls_certificates.list[n];
		(void)err_set(&s.certificate_key, 0,
		              "tls.certificates, entry %zu: certificate",
		              n + 1);
		(void)err_set(&s.key_key, 0, "tls.certificates, entry %zu: key",
		              n + 1);
		s.certificate = entry->certificate;
		s.key = entry->key;
	}
	if (s.key == NULL)
		s.key = s.certificate;
	return s;
}

/* load_pem reads the file that |key| names. */
static int load_pem(const struct files *f, const char *key, const char *path,
                    struct buf *out, struct err_detail *detail)
{
	struct err_detail why;

	if (files_read(f, path, out, &why) != ERR_OK)
		return err_set(detail, ERR_INVALID, "%s: %s", key, why.text);
	return ERR_OK;
}

/* make_part reads what is in the two files. */
static int make_part(const struct source *s, struct tls_server_opts *opts,
                     struct identity_part *part, struct tls_ctx **ctx_r,
                     struct err_detail *detail)
{
	struct err_detail why;
	int rc = tls_server_new(opts, ctx_r, &why);

	part->path = s->certificate;
	if (rc != ERR_OK)
		return err_set(detail, ERR_INVALID, "%s %s, %s %s: %s",
		               s->certificate_key.text, s->certificate,
		               s->key_key.text, s->key, why.text);
	if (certificate_read(opts->certificate, &part->certificate) == ERR_OK)
		return ERR_OK;
	tls_ctx_free(ctx_r);
	return err_set(detail, ERR_INVALID, "%s %s: not readable",
	               s->certificate_key.text, s->certificate);
}

/* load_part makes a context of |s|, the caller's to free. */
static int load_part(const struct files *f, const struct source *s,
                     struct tls_server_opts *opts, struct identity_part *part,
                     struct tls_ctx **ctx_r, struct err_detail *detail)
{
	struct buf certificate;
	struct buf key;
	int rc;

	buf_init(&certificate, FILES_MAX);
	buf_init(&key, FILES_MAX);
	rc = load_pem(f, s->certificate_key.text, s->certificate, &certificate,
	              detail);
	if (rc == ERR_OK)
		rc = load_pem(f, s->key_key.text, s->key, &key, detail);
	part->key_exposed = files_is_exposed(f, s->key);
	opts->certificate = buf_str(&certificate);
	opts->key = buf_str(&key);
	if (rc == ERR_OK)
		rc = make_part(s, opts, part, ctx_r, detail);
	buf_reset(&key);
	buf_reset(&certificate);
	return rc;
}

/* add_part loads the next one: the first is shown to those who ask for none
 * that there is. */
static int add_part(const struct conf *c, const struct files *f,
                    struct tls_server_opts *opts, struct identity *i,
                    struct err_detail *detail)
{
	struct source s = source_of(c, i->count);
	struct tls_ctx *ctx;
	int rc = load_part(f, &s, opts, &i->parts[i->count], &ctx, detail);

	if (rc != ERR_OK)
		return rc;
	if (i->count++ == 0) {
		i->tls = ctx;
	} else {
		tls_server_also(i->tls, ctx);
		tls_ctx_free(&ctx);
	}
	return ERR_OK;
}

int identity_load(const struct conf *c, const struct files *f,
                  struct tls_tickets *tickets, struct identity *i_r,
                  struct err_detail *detail)
{
	size_t count = c->tls_certificates.count + (c->tls_certificate != NULL);
	struct identity i = { .parts = xcalloc(count, sizeof(*i.parts)) };
	struct tls_server_opts opts = {
		.min_version = c->tls_min_version,
		.ciphers = c->tls_ciphers,
		.ciphersuites = c->tls_ciphersuites,
		.groups = c->tls_groups,
		.alpn = "imap",
		.tickets = tickets,
	};
	int rc = ERR_OK;

	while (rc == ERR_OK && i.count < count)
		rc = add_part(c, f, &opts, &i, detail);
	if (rc == ERR_OK)
		*i_r = i;
	else
		identity_done(&i);
	return rc;
}

int identity_check(const struct conf *c, const struct files *f,
                   struct err_detail *detail)
{
	struct identity i;
	int rc = identity_load(c, f, NULL, &i, detail);

	if (rc == ERR_OK)
		identity_done(&i);
	return rc;
}

void identity_done(struct identity *i)
{
	tls_ctx_free(&i->tls);
	free(i->parts);
	*i = (struct identity){ 0 };
}

bool identity_warning(const struct identity_part *part, int64_t now_ms,
                      struct err_detail *detail)
{
	struct err_detail first = { "" };
	bool said = certificate_warning(&part->certificate, now_ms, &first);

	if (part->key_exposed)
		(void)err_set(detail, ERR_OK,
		              "%s%severy user of this machine can read the key",
		              first.text, said ? "; " : "");
	else if (said)
		*detail = first;
	return said || part->key_exposed;
}
