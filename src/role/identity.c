/* SPDX-License-Identifier: ISC */
/* identity - see identity.h. */
#include "role/identity.h"

#include "base/buf.h"
#include "base/file.h"

/* A certificate with the longest chain is some ten thousand bytes. */
#define PEM_MAX ((size_t)1 << 20)

/* load_pem reads the file that |key| names. */
static int load_pem(const char *key, const char *path, struct buf *out,
                    struct err_detail *detail)
{
	struct err_detail why;

	if (file_read(path, out, &why) != ERR_OK)
		return err_set(detail, ERR_INVALID, "%s: %s", key, why.text);
	return ERR_OK;
}

static int load(const struct conf *c, struct identity *i,
                struct err_detail *detail)
{
	const char *path = c->tls_certificate;
	const char *key_path = c->tls_key != NULL ? c->tls_key : path;
	struct tls_server_opts opts = {
		.min_version = c->tls_min_version,
		.ciphers = c->tls_ciphers,
		.ciphersuites = c->tls_ciphersuites,
		.groups = c->tls_groups,
		.alpn = "imap",
	};
	struct err_detail why;
	struct buf certificate;
	struct buf key;
	int rc;

	buf_init(&certificate, PEM_MAX);
	buf_init(&key, PEM_MAX);
	rc = load_pem("tls.certificate", path, &certificate, detail);
	if (rc == ERR_OK)
		rc = load_pem("tls.key", key_path, &key, detail);
	if (rc != ERR_OK)
		goto out;
	opts.certificate = buf_str(&certificate);
	opts.key = buf_str(&key);
	rc = tls_server_new(&opts, &i->tls, &why);
	if (rc != ERR_OK)
		rc = err_set(detail, ERR_INVALID,
		             "tls.certificate %s, tls.key %s: %s", path,
		             key_path, why.text);
	else
		rc = certificate_read(opts.certificate, &i->certificate);
	i->key_exposed = file_is_exposed(key_path);
out:
	buf_reset(&key);
	buf_reset(&certificate);
	return rc;
}

int identity_load(const struct conf *c, struct identity *i_r,
                  struct err_detail *detail)
{
	struct identity i = { 0 };
	int rc = c->tls_certificate != NULL ? load(c, &i, detail) : ERR_OK;

	if (rc == ERR_OK)
		*i_r = i;
	else
		identity_done(&i);
	return rc;
}

void identity_done(struct identity *i)
{
	tls_ctx_free(&i->tls);
}

bool identity_warning(const struct identity *i, int64_t now_ms,
                      struct err_detail *detail)
{
	struct err_detail first = { "" };
	bool said = i->tls != NULL &&
	            certificate_warning(&i->certificate, now_ms, &first);

	if (i->key_exposed)
		(void)err_set(detail, ERR_OK,
		              "%s%severy user of this machine can read the key",
		              first.text, said ? "; " : "");
	else if (said)
		*detail = first;
	return said || i->key_exposed;
}
