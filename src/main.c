/* SPDX-License-Identifier: ISC */
/*
 * main - the command line to its end: what is asked for, done, and the exit
 * status that says how it went.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metric.h"
#include "conf/conf.h"
#include "conf/help.h"
#include "process/single.h"
#include "process/supervisor.h"
#include "process/title.h"
#include "role/check.h"
#include "role/push_role.h"
#include "role/rights.h"
#include "role/worker.h"

/* Listeners, and memory that processes share, are all that a start asks of the
 * system. */
static int status_of_run(int rc)
{
	switch (rc) {
	case ERR_OK:
		return EX_OK;
	case ERR_PERMISSION:
	case ERR_DNS:
	case ERR_UNAVAILABLE:
		return EX_OSERR;
	default:
		return EX_CONFIG;
	}
}

static int run(struct conf *c)
{
	const struct log_opts opts = conf_log_opts(c);
	const struct log_ctx log = { LOG_ROLE, 0 };
	struct rights rights = { 0 };
	struct err_detail why;
	int rc;

	log_setup(&opts);
	log_info(&log, "imapbell " IMAPBELL_VERSION " starts");
	metric_set(METRIC_BUILD_INFO, 1);
	rc = rights_find(c, &rights, &why);
	if (rc == ERR_OK)
		rc = c->process_workers == 0 ? single_run(c, &rights, &why)
		                             : supervisor_run(c, &rights, &why);
	rights_done(&rights);
	if (rc != ERR_OK)
		log_error(&log, "not started: %s", why.text);
	else
		log_info(&log, "done");
	return status_of_run(rc);
}

/* test says what is wrong with the files that the configuration names, on both
 * sides. */
static int test(const struct conf *c)
{
	struct rights rights = { 0 };
	struct err_detail why;
	int worker;
	int push;

	worker = worker_check(c, &why);
	if (worker != ERR_OK)
		fprintf(stderr, "imapbell: %s\n", why.text);
	push = rights_find(c, &rights, &why);
	if (push == ERR_OK)
		push = push_role_check(c, &rights, &why);
	if (push != ERR_OK)
		fprintf(stderr, "imapbell: %s\n", why.text);
	rights_done(&rights);
	if (worker != ERR_OK || push != ERR_OK)
		return EX_CONFIG;
	puts("imapbell: the configuration is good");
	return EX_OK;
}

int main(int argc, char **argv)
{
	enum conf_action action;
	struct err_detail why;
	struct conf c;
	int status = EX_SOFTWARE;
	int rc;

	argv = title_init(argc, argv);
	rc = conf_load(&c, argc, argv, environ, &action, &why);
	if (rc != ERR_OK) {
		fprintf(stderr, "imapbell: %s\n", why.text);
		conf_done(&c);
		title_done();
		return rc == ERR_PARSE ? EX_USAGE : EX_CONFIG;
	}
	switch (action) {
	case CONF_RUN:
		status = run(&c);
		break;
	case CONF_TEST:
		status = test(&c);
		break;
	case CONF_CHECK:
		status = check_run(&c, stdout) ? EX_OK : EXIT_FAILURE;
		break;
	case CONF_VERSION:
		puts("imapbell " IMAPBELL_VERSION);
		status = EX_OK;
		break;
	case CONF_HELP:
		help_print(stdout);
		status = EX_OK;
		break;
	}
	conf_done(&c);
	title_done();
	return status;
}
