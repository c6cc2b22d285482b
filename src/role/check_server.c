/* SPDX-License-Identifier: ISC */
/* check_server - see check_impl.h. */
#include <stdlib.h>

#include "base/buf.h"
#include "base/log.h"
#include "imap/capability.h"
#include "net/address.h"
#include "net/certificate.h"
#include "proxy/probe.h"
#include "role/check_impl.h"
#include "role/logins.h"
#include "role/target.h"

#define LIST_MAX ((size_t)16384)

/* A look at one backend. */
struct look {
	struct check *check;
	const struct target *target;
	const struct dial_target *dial;
	bool needs_names;  /* there are others */
	const char *where; /* before sentences that leave open which; or "" */
};

/* add_connection tells how we are connected, and to whom. */
static void add_connection(const struct look *l, const struct stream *stream)
{
	const struct target *t = l->target;
	struct check *k = l->check;
	enum report_verdict verdict;
	struct certificate cert;
	struct address remote;
	struct address local;
	char peer[ADDRESS_TEXT_MAX];
	char day[16];

	stream_addresses(stream, &remote, &local);
	address_print(&remote, peer, sizeof(peer));
	if (!stream_is_tls(stream)) {
		report_add(k->report, REPORT_OK, "backend",
		           "%s answers at %s, without TLS", t->url, peer);
		return;
	}
	if (stream_certificate(stream, &cert) != ERR_OK) {
		report_add(k->report, REPORT_WARN, "backend",
		           "%s answers at %s, %s, without a certificate",
		           t->url, peer, stream_tls_version(stream));
		return;
	}
	verdict = check_dates(k, cert.not_before_ms, cert.not_after_ms, false);
	if (!t->verify)
		verdict = REPORT_WARN;
	report_add(k->report, verdict, "backend",
	           "%s answers at %s, %s, certificate %s for %s, until %s",
	           t->url, peer, stream_tls_version(stream),
	           t->verify ? "verified" : "NOT verified", cert.names,
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
static void add_capabilities(const struct look *l, struct str list)
{
	struct check *k = l->check;
	const struct conf_strings *hide = &k->conf->capability_hide;
	struct str *words = conf_strs(hide);
	const struct imap_capability_policy policy = {
		.offer_push = true,
		.needs_passwords =
			k->conf->push_enabled && !logins_are_masters(k->conf),
		.needs_names = l->needs_names,
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
		           "%sthe list before login is too long", l->where);
	else if (disabled)
		report_add(k->report, REPORT_FAIL, "capabilities",
		           "%sLOGINDISABLED: no login without TLS, the server "
		           "says: imaps:// or imap+starttls:// is wanted in "
		           "%surl",
		           l->where, l->target->key.text);
	else
		report_add(k->report, REPORT_OK, "capabilities",
		           "%sbefore login: %s; of these not shown: %s",
		           l->where, log_safe(list, &listed),
		           hidden.len > 0
		                   ? log_safe(buf_str(&hidden), &stripped)
		                   : "none");
	buf_reset(&shown);
	buf_reset(&hidden);
	free(words);
}

/* add_watching: many servers list more after the login. */
static void add_watching(const struct look *l, struct str list)
{
	struct check *k = l->check;
	bool idle = imap_capability_has(list, STR("IDLE"));
	bool notify = imap_capability_has(list, STR("NOTIFY"));

	if (idle)
		report_add(k->report, REPORT_OK, "watching", "%sIDLE%s",
		           l->where,
		           notify ? " and NOTIFY"
		                  : "; NOTIFY is not listed "
		                    "before login");
	else
		report_add(k->report, REPORT_WARN, "watching",
		           "%sIDLE is not listed before login; if it is not "
		           "listed after it either, mail rings up to %u s "
		           "late (watch.poll_s)",
		           l->where, k->conf->watch_poll_s);
}

/* add_forwarding: a header that was not taken has failed the probe already,
 * and whether an ID is believed shows in the server's own log alone. */
static void add_forwarding(const struct look *l, struct str list)
{
	static const char subject[] = "client address";
	struct report *report = l->check->report;
	const char *key = l->target->key.text;

	switch (l->dial->forward) {
	case DIAL_FORWARD_NONE:
		report_add(report, REPORT_OK, subject,
		           "%snot forwarded, the server sees imapbell's own "
		           "(%sforward)",
		           l->where, key);
		break;
	case DIAL_FORWARD_PROXY_V1:
	case DIAL_FORWARD_PROXY_V2:
		report_add(report, REPORT_OK, subject,
		           "%sforwarded by a PROXY header of version %d, which "
		           "the server takes",
		           l->where,
		           l->dial->forward == DIAL_FORWARD_PROXY_V1 ? 1 : 2);
		break;
	case DIAL_FORWARD_ID:
		if (imap_capability_has(list, STR("ID")))
			report_add(report, REPORT_OK, subject,
			           "%sforwarded by ID, which the server lists; "
			           "whether it believes us shows in its own "
			           "log",
			           l->where);
		else
			report_add(report, REPORT_FAIL, subject,
			           "%s%sforward is \"id\", but the server "
			           "has no ID",
			           l->where, key);
		break;
	}
}

static void on_probed(void *arg, const struct imap_opening *opening,
                      const struct stream *stream, const char *why)
{
	const struct look *l = arg;

	loop_stop(l->check->loop);
	if (opening == NULL) {
		report_add(l->check->report, REPORT_FAIL, "backend", "%s: %s",
		           l->target->url, why);
		return;
	}
	add_connection(l, stream);
	add_forwarding(l, buf_str(&opening->list));
	add_capabilities(l, buf_str(&opening->list));
	add_watching(l, buf_str(&opening->list));
}

/* look_at does so with the backend |n| of |t|. */
static void look_at(struct check *k, const struct targets *t, size_t n)
{
	struct look look = { .check = k,
		             .target = &t->list[n],
		             .dial = &t->dials[n],
		             .needs_names = routes_need_names(&t->routes),
		             .where = "" };
	struct err_detail where;

	if (t->routes.target_count > 1) {
		(void)err_set(&where, 0, "%s: ", look.target->url);
		look.where = where.text;
	}
	(void)probe_start(k->loop, k->resolver, &t->dials[n], CHECK_MS / 2,
	                  on_probed, &look);
	loop_run(k->loop);
}

void check_server(struct check *k)
{
	struct targets targets;
	struct err_detail why;

	if (targets_load(k->conf, k->files, &targets, &why) != ERR_OK) {
		report_add(k->report, REPORT_FAIL, "backend", "%s", why.text);
		return;
	}
	for (size_t i = 0; i < targets.routes.target_count; i++)
		look_at(k, &targets, i);
	targets_done(&targets);
}
