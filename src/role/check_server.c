/* SPDX-License-Identifier: ISC */
/* check_server - see check_impl.h. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "imap/capability.h"
#include "net/certificate.h"
#include "proxy/probe.h"
#include "role/check_impl.h"
#include "role/target.h"

#define LIST_MAX ((size_t)16384)

/* add_connection tells how we are connected, and to whom. */
static void add_connection(struct check *k, const struct stream *stream)
{
	const struct conf *c = k->conf;
	enum report_verdict verdict;
	struct certificate cert;
	char day[16];

	if (!stream_is_tls(stream)) {
		report_add(k->report, REPORT_OK, "backend",
		           "%s answers at %s, without TLS", c->backend_url,
		           stream_peer(stream));
		return;
	}
	if (stream_certificate(stream, &cert) != ERR_OK) {
		report_add(k->report, REPORT_WARN, "backend",
		           "%s answers at %s, %s, without a certificate",
		           c->backend_url, stream_peer(stream),
		           stream_tls_version(stream));
		return;
	}
	verdict = check_dates(k, cert.not_before_ms, cert.not_after_ms);
	if (!c->backend_verify)
		verdict = REPORT_WARN;
	report_add(k->report, verdict, "backend",
	           "%s answers at %s, %s, certificate %s for %s, until %s",
	           c->backend_url, stream_peer(stream),
	           stream_tls_version(stream),
	           c->backend_verify ? "verified" : "NOT verified", cert.names,
	           certificate_day(cert.not_after_ms, day));
}

/* add_hidden appends the words of |list| that are not in |shown|. Results: 0;
 * ERR_LIMIT. */
static int add_hidden(struct str list, struct str shown, struct buf *hidden)
{
	int rc = ERR_OK;

	while (list.len > 0 && rc == ERR_OK) {
		struct str word = str_take(&list, str_find(list, ' '));

		(void)str_byte(&list, ' ');
		if (imap_capability_has(shown, word) ||
		    imap_capability_has(buf_str(hidden), word))
			continue;
		rc = hidden->len > 0 ? buf_adds(hidden, " ") : ERR_OK;
		if (rc == ERR_OK)
			rc = buf_add(hidden, word);
	}
	return rc;
}

/* add_capabilities: |list| is what the server shows before login. */
static void add_capabilities(struct check *k, struct str list)
{
	const struct conf_strings *hide = &k->conf->capability_hide;
	struct str *words = conf_strs(hide);
	const struct imap_capability_policy policy = {
		.offer_push = true,
		.hide = words,
		.hide_count = hide->count,
	};
	bool disabled = imap_capability_has(list, STR("LOGINDISABLED"));
	struct log_text listed;
	struct log_text stripped;
	struct buf shown;
	struct buf hidden;

	buf_init(&shown, LIST_MAX);
	buf_init(&hidden, LIST_MAX);
	if (imap_capability_prelogin(list, &policy, &shown) != ERR_OK ||
	    add_hidden(list, buf_str(&shown), &hidden) != ERR_OK)
		report_add(k->report, REPORT_FAIL, "capabilities",
		           "the list before login is too long");
	else if (disabled)
		report_add(k->report, REPORT_FAIL, "capabilities",
		           "LOGINDISABLED: no login without TLS, the server "
		           "says: an imaps:// url in backend.url is wanted");
	else
		report_add(k->report, REPORT_OK, "capabilities",
		           "before login: %s; of these not shown: %s",
		           log_safe(list, &listed),
		           hidden.len > 0
		                   ? log_safe(buf_str(&hidden), &stripped)
		                   : "none");
	buf_reset(&shown);
	buf_reset(&hidden);
	free(words);
}

/* add_watching: many servers list more after the login. */
static void add_watching(struct check *k, struct str list)
{
	bool idle = imap_capability_has(list, STR("IDLE"));
	bool notify = imap_capability_has(list, STR("NOTIFY"));

	if (idle)
		report_add(k->report, REPORT_OK, "watching", "IDLE%s",
		           notify ? " and NOTIFY"
		                  : "; NOTIFY is not listed "
		                    "before login");
	else
		report_add(k->report, REPORT_WARN, "watching",
		           "IDLE is not listed before login; if it is not "
		           "listed after it either, mail rings up to %u s "
		           "late (watch.poll_s)",
		           k->conf->watch_poll_s);
}

static void on_probed(void *arg, const struct imap_opening *opening,
                      const struct stream *stream, const char *why)
{
	struct check *k = arg;

	loop_stop(k->loop);
	if (opening == NULL) {
		report_add(k->report, REPORT_FAIL, "backend", "%s: %s",
		           k->conf->backend_url, why);
		return;
	}
	add_connection(k, stream);
	add_capabilities(k, buf_str(&opening->list));
	add_watching(k, buf_str(&opening->list));
}

void check_server(struct check *k)
{
	struct target target;
	struct err_detail why;

	if (target_load(k->conf, &target, &why) != ERR_OK) {
		report_add(k->report, REPORT_FAIL, "backend", "%s", why.text);
		return;
	}
	(void)probe_start(k->loop, k->resolver, &target.dial, CHECK_MS / 2,
	                  on_probed, k);
	loop_run(k->loop);
	target_done(&target);
}
