/* SPDX-License-Identifier: ISC */
/* check_push - see check_impl.h. */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "apns/probe.h"
#include "base/mem.h"
#include "net/certificate.h"
#include "push/seal.h"
#include "role/check_impl.h"
#include "role/logins.h"
#include "role/sender.h"
#include "store/sqlite.h"

/* A family's database has a few; SQLite's log may grow by as many. */
#define FREE_MIN_MIB 64

/* What APNs answered: the first row that matches decides, 0 and NULL match
 * all. */
static const struct answer {
	const char *reason;
	int status;
	enum report_verdict verdict;
	const char *text;
} answers[] = {
	{ "BadDeviceToken", 400, REPORT_OK, "credential and topic are good" },
	{ "DeviceTokenNotForTopic", 400, REPORT_OK,
	  "credential and topic are good" },
	{ "TopicDisallowed", 400, REPORT_FAIL,
	  "the credential is not for this topic" },
	{ "BadTopic", 400, REPORT_FAIL, "the topic is none of Apple's" },
	{ NULL, 400, REPORT_FAIL, "what we send is refused" },
	{ NULL, 403, REPORT_FAIL, "the credential is refused" },
	{ NULL, 410, REPORT_OK, "credential and topic are good" },
	{ NULL, 429, REPORT_WARN, "it is busy, ask again later" },
	{ NULL, 500, REPORT_WARN, "it is in trouble, ask again later" },
	{ NULL, 503, REPORT_WARN, "it is in trouble, ask again later" },
	{ NULL, 0, REPORT_FAIL, "an answer that we do not know" },
};

static const struct answer *find_answer(int status, const char *reason)
{
	const struct answer *a = answers;

	while ((a->status != 0 && a->status != status) ||
	       (a->reason != NULL && strcmp(a->reason, reason) != 0))
		a++;
	return a;
}

/* check_credential returns whether there is something to ask APNs with. */
static bool check_credential(struct check *k, struct sender *s_r)
{
	static const char subject[] = "credential";
	const struct credential *c = &s_r->credential;
	enum report_verdict verdict;
	struct err_detail why;
	char day[16];
	bool warned;

	if (sender_is_absent(k->conf)) {
		report_add(k->report, REPORT_WARN, subject,
		           "none (apns.certificate): a plain proxy, nothing of "
		           "push is shown");
		return false;
	}
	if (sender_load(k->conf, k->files, s_r, &why) != ERR_OK) {
		report_add(k->report, REPORT_FAIL, subject, "%s", why.text);
		return false;
	}
	if (sender_is_dry_run(k->conf)) {
		report_add(k->report, REPORT_OK, subject,
		           "none needed for a dry run, topic %s",
		           s_r->topic.data);
		return true;
	}
	warned = sender_warning(s_r, k->now_ms, &why);
	verdict = check_dates(k, c->not_before_ms, c->not_after_ms, warned);
	report_add(k->report, verdict, subject,
	           "topic %s, until %s, the key matches%s%s", s_r->topic.data,
	           certificate_day(c->not_after_ms, day), warned ? "; " : "",
	           warned ? why.text : "");
	return true;
}

static void on_answer(void *arg, int rc, int status, const char *reason,
                      const char *why)
{
	struct check *k = arg;
	const struct answer *a = find_answer(status, reason);

	loop_stop(k->loop);
	if (rc != ERR_OK)
		report_add(k->report, REPORT_FAIL, "APNs", "%s: %s",
		           k->conf->apns_url, why);
	else
		report_add(k->report, a->verdict, "APNs",
		           "%s: %d %s from %s, to a push for no device",
		           a->text, status, reason, k->conf->apns_url);
}

static void check_apns(struct check *k, const struct sender *s)
{
	const struct apns_opts opts = sender_opts(k->conf, k->files);
	struct err_detail why;

	if (sender_is_dry_run(k->conf)) {
		report_add(k->report, REPORT_WARN, "APNs",
		           "a dry run: pushes are logged instead of sent");
		return;
	}
	if (apns_probe_start(k->loop, k->resolver, &opts, &s->credential,
	                     s->topic, CHECK_MS, on_answer, k, &why) == ERR_OK)
		loop_run(k->loop);
	else
		report_add(k->report, REPORT_FAIL, "APNs", "%s", why.text);
}

/* folder_of is the path without its last name, on the heap. */
static char *folder_of(const char *path)
{
	char *copy = xstrdup(path);
	char *folder = xstrdup(dirname(copy));

	free(copy);
	return folder;
}

/* add_space: the store can be written; for how long? */
static void add_space(struct check *k, const char *path, const char *folder)
{
	struct statvfs fs;
	uint64_t mib;

	if (statvfs(folder, &fs) != 0) {
		report_add(k->report, REPORT_OK, "store",
		           "%s is whole and can be written", path);
		return;
	}
	mib = (uint64_t)fs.f_bavail * fs.f_frsize >> 20;
	report_add(k->report, mib < FREE_MIN_MIB ? REPORT_WARN : REPORT_OK,
	           "store", "%s is whole and can be written, %llu MiB are free",
	           path, (unsigned long long)mib);
}

static void check_store(struct check *k)
{
	const char *path = k->conf->store_path;
	char *folder = folder_of(path);
	struct err_detail why;
	int rc = rights_check_state(k->conf, k->rights, &why);

	if (rc == ERR_OK && !k->is_store_made)
		rc = store_sqlite_check(path, &why);

	if (rc == ERR_OK && k->is_store_made)
		report_add(k->report, REPORT_OK, "store",
		           "%s is made at the first start", path);
	else if (rc != ERR_OK)
		report_add(k->report, REPORT_FAIL, "store", "%s%s", why.text,
		           access(folder, F_OK) != 0
		                   ? " (the service makes the folder when it "
		                     "is started)"
		                   : "");
	else
		add_space(k, path, folder);
	free(folder);
}

/* is_beside: both paths lead into the same folder. */
static bool is_beside(const char *a, const char *b)
{
	char *folders[2] = { folder_of(a), folder_of(b) };
	struct stat st[2];
	bool same = stat(folders[0], &st[0]) == 0 &&
	            stat(folders[1], &st[1]) == 0 &&
	            st[0].st_dev == st[1].st_dev &&
	            st[0].st_ino == st[1].st_ino;

	free(folders[0]);
	free(folders[1]);
	return same;
}

static void check_seal(struct check *k)
{
	const char *path = k->conf->watch_key_file;
	const char *database = k->conf->store_path;
	struct seal *seal = NULL;
	struct err_detail why;
	int rc = seal_load(k->files, path, false, &seal, &why);

	if (rc == ERR_NOT_FOUND)
		report_add(k->report, REPORT_OK, "seal key",
		           "%s is made at the first start", path);
	else if (rc != ERR_OK)
		report_add(k->report, REPORT_FAIL, "seal key", "%s", why.text);
	else if (is_beside(path, database))
		report_add(k->report, REPORT_WARN, "seal key",
		           "%s lies beside the database: leave it out of the "
		           "backup, or put it elsewhere (watch.key_file)",
		           path);
	else
		report_add(k->report, REPORT_OK, "seal key",
		           "%s, apart from the database", path);
	seal_free(&seal);
}

static void check_master(struct check *k)
{
	static const char subject[] = "master";
	struct err_detail why;

	if (logins_check(k->conf, k->files, &why) != ERR_OK)
		report_add(k->report, REPORT_FAIL, subject, "%s", why.text);
	else if (logins_warning(k->conf, k->files, &why))
		report_add(k->report, REPORT_WARN, subject, "%s", why.text);
	else
		report_add(k->report, REPORT_OK, subject,
		           "watchers log in by %s, whose password is there",
		           k->conf->watch_master_user);
}

void check_push(struct check *k)
{
	struct sender sender;

	if (!k->conf->push_enabled) {
		report_add(k->report, REPORT_OK, "push",
		           "is off (push.enabled)");
		return;
	}
	if (check_credential(k, &sender)) {
		check_apns(k, &sender);
		sender_done(&sender);
	}
	check_store(k);
	if (logins_are_masters(k->conf))
		check_master(k);
	else
		check_seal(k);
}
