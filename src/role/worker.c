/* SPDX-License-Identifier: ISC */
/* worker - see worker.h. */
#include "role/worker.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/url.h"
#include "net/certificate.h"
#include "proxy/proxy.h"
#include "role/target.h"

/* A certificate with the longest chain is some ten thousand bytes. */
#define PEM_MAX ((size_t)1 << 20)

static const struct log_ctx worker_log = { LOG_TLS, 0 };

struct worker {
	const struct conf *conf;
	struct tls_ctx *tls; /* NULL: no listener needs it */
	struct target backend;
	struct str *hide; /* capability.hide; the strings are |conf|'s */
	struct proxy *proxy;
};

/* warn_certificate says what is unusual, which keeps nobody from starting. */
static void warn_certificate(const char *path, const char *key_path,
                             struct str pem)
{
	struct certificate certificate;
	struct err_detail why;
	struct stat st;

	if (certificate_read(pem, &certificate) == ERR_OK &&
	    certificate_warning(&certificate, (int64_t)time(NULL) * 1000, &why))
		log_warn(&worker_log, "tls.certificate %s: %s", path, why.text);
	if (stat(key_path, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		log_warn(&worker_log,
		         "tls.key %s: every user of this machine can read it",
		         key_path);
}

/* load_pem reads the file that |key| names. */
static int load_pem(const char *key, const char *path, struct buf *out,
                    struct err_detail *detail)
{
	struct err_detail why;

	if (file_read(path, out, &why) != ERR_OK)
		return err_set(detail, ERR_INVALID, "%s: %s", key, why.text);
	return ERR_OK;
}

static int load_tls(const struct conf *c, struct tls_ctx **tls_r,
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
	rc = tls_server_new(&opts, tls_r, &why);
	if (rc != ERR_OK)
		rc = err_set(detail, ERR_INVALID,
		             "tls.certificate %s, tls.key %s: %s", path,
		             key_path, why.text);
	else
		warn_certificate(path, key_path, buf_str(&certificate));
out:
	buf_reset(&key);
	buf_reset(&certificate);
	return rc;
}

int worker_load(const struct conf *c, struct worker **w_r,
                struct err_detail *detail)
{
	struct worker *w = xcalloc(1, sizeof(*w));
	int rc = ERR_OK;

	w->conf = c;
	w->hide = xcalloc(c->capability_hide.count, sizeof(*w->hide));
	for (size_t i = 0; i < c->capability_hide.count; i++)
		w->hide[i] = str_of(c->capability_hide.list[i]);
	if (c->tls_certificate != NULL)
		rc = load_tls(c, &w->tls, detail);
	if (rc == ERR_OK)
		rc = target_load(c, &w->backend, detail);
	if (rc != ERR_OK)
		worker_free(&w);
	else
		*w_r = w;
	return rc;
}

int worker_check(const struct conf *c, struct err_detail *detail)
{
	struct worker *w;
	int rc = worker_load(c, &w, detail);

	if (rc == ERR_OK)
		worker_free(&w);
	return rc;
}

/* The listeners as proxy wants them; |hosts| holds their names. */
static int read_listen(const struct conf *c, struct proxy_listen *listen,
                       struct str *hosts, struct err_detail *detail)
{
	for (size_t i = 0; i < c->listen.count; i++) {
		struct conf_url url;
		int rc =
			conf_url_parse(str_of(c->listen.list[i]), &url, detail);

		if (rc != ERR_OK)
			return rc;
		hosts[i] = str_dup(url.host);
		listen[i] = (struct proxy_listen){
			.host = hosts[i].data,
			.port = url.port,
			.tls = url.scheme == CONF_IMAPS,
		};
	}
	return ERR_OK;
}

static int start_proxy(struct worker *w, struct loop *loop,
                       struct resolver *resolver, struct service *service,
                       const struct proxy_listen *listen,
                       struct err_detail *detail)
{
	const struct conf *c = w->conf;
	const struct proxy_opts opts = {
		.listen = listen,
		.listen_count = c->listen.count,
		.tls = w->tls,
		.backend = w->backend.dial,
		.push_enabled = c->push_enabled,
		.hide = w->hide,
		.hide_count = c->capability_hide.count,
		.sessions_max = c->limits_sessions,
		.logins_pending_per_address =
			c->limits_logins_pending_per_address,
		.login_failures = c->limits_login_failures,
		.login_s = c->timeouts_login_s,
		.idle_s = c->timeouts_idle_s,
		.trace_user = c->trace_user,
	};

	return proxy_new(loop, resolver, service, &opts, &w->proxy, detail);
}

int worker_start(struct worker *w, struct loop *loop, struct resolver *resolver,
                 struct service *service, struct err_detail *detail)
{
	size_t count = w->conf->listen.count;
	struct proxy_listen *listen = xcalloc(count, sizeof(*listen));
	struct str *hosts = xcalloc(count, sizeof(*hosts));
	int rc = read_listen(w->conf, listen, hosts, detail);

	if (rc == ERR_OK)
		rc = start_proxy(w, loop, resolver, service, listen, detail);
	for (size_t i = 0; i < count; i++)
		str_free(&hosts[i]);
	free(hosts);
	free(listen);
	return rc;
}

void worker_drain(struct worker *w, loop_fn *empty, void *arg)
{
	proxy_drain(w->proxy, (uint64_t)w->conf->process_drain_s * 1000, empty,
	            arg);
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	if (w == NULL)
		return;
	proxy_free(&w->proxy);
	target_done(&w->backend);
	tls_ctx_free(&w->tls);
	free(w->hide);
	free(w);
	*worker = NULL;
}
