/* SPDX-License-Identifier: ISC */
/* check - one fact after the other, each on its own: what fails first hides
 * nothing behind it. */
#include "role/check.h"

#include <signal.h>
#include <time.h>

#include "base/log.h"
#include "net/stream.h"
#include "role/check_impl.h"
#include "role/files.h"
#include "role/identity.h"
#include "role/limits.h"

#define RENEW_MS ((int64_t)14 * 24 * 3600 * 1000)

static const char listener_certificate[] = "listener certificate";

enum report_verdict check_dates(const struct check *k, int64_t not_before_ms,
                                int64_t not_after_ms, bool is_odd)
{
	if (k->now_ms < not_before_ms || k->now_ms > not_after_ms)
		return REPORT_FAIL;
	if (is_odd || not_after_ms - k->now_ms < RENEW_MS)
		return REPORT_WARN;
	return REPORT_OK;
}

static void check_configuration(struct check *k)
{
	const char *file = k->conf->file;

	if (file != NULL)
		report_add(k->report, REPORT_OK, "configuration", "%s is good",
		           file);
	else
		report_add(k->report, REPORT_OK, "configuration",
		           "no file; command line and environment are good");
}

/* check_part: what is only unusual to us may be refused by a phone. */
static void check_part(struct check *k, const struct identity_part *part)
{
	const struct certificate *c = &part->certificate;
	struct err_detail why;
	const bool warned = identity_warning(part, k->now_ms, &why);
	const enum report_verdict verdict =
		check_dates(k, c->not_before_ms, c->not_after_ms, warned);
	char day[16];

	report_add(k->report, verdict, listener_certificate,
	           "for %s, until %s%s%s", c->names,
	           certificate_day(c->not_after_ms, day), warned ? "; " : "",
	           warned ? why.text : "");
}

static void check_listener(struct check *k)
{
	struct identity identity;
	struct err_detail why;

	if (identity_load(k->conf, k->files, NULL, &identity, &why) != ERR_OK) {
		report_add(k->report, REPORT_FAIL, listener_certificate, "%s",
		           why.text);
		return;
	}
	if (identity.count == 0)
		report_add(k->report, REPORT_OK, listener_certificate,
		           "none, no listener speaks TLS");
	for (size_t i = 0; i < identity.count; i++)
		check_part(k, &identity.parts[i]);
	identity_done(&identity);
}

/* quiet keeps what is said here from being said twice. */
static void quiet(const struct conf *c)
{
	struct log_opts opts = conf_log_opts(c);

	opts.level = LOG_LEVEL_ERROR;
	opts.target = LOG_TARGET_STDERR;
	log_setup(&opts);
}

/* check_all: there are no threads before. */
static void check_all(struct check *k)
{
	k->loop = loop_new();
	k->resolver = resolver_new(k->loop);
	check_configuration(k);
	check_listener(k);
	check_server(k);
	check_push(k);
	resolver_free(&k->resolver);
	streams_finish(k->loop);
	loop_free(&k->loop);
}

bool check_run(const struct conf *c, FILE *out)
{
	struct files files = { 0 };
	struct rights rights = { 0 };
	struct check k = {
		.conf = c,
		.files = &files,
		.rights = &rights,
		.now_ms = (int64_t)time(NULL) * 1000,
	};
	struct err_detail why;
	bool good;
	int rc;

	quiet(c);
	limits_no_core();
	(void)signal(SIGPIPE, SIG_IGN);
	k.report = report_new(out, c->json);
	rc = rights_find(c, &rights, &why);
	if (rc == ERR_OK) {
		files_gather(c, FILES_CLIENTS | FILES_PUSH | FILES_SERVERS,
		             &files);
		k.is_store_made = rights_would_make_store(c);
		rc = rights_drop(&rights, &why);
	}
	if (rc == ERR_OK)
		check_all(&k);
	else
		report_add(k.report, REPORT_FAIL, "user", "%s", why.text);
	good = report_end(k.report);
	report_free(&k.report);
	files_done(&files);
	rights_done(&rights);
	return good;
}
