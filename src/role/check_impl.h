/* SPDX-License-Identifier: ISC */
/* check_impl - what the files of check share; for them alone. */
#ifndef ROLE_CHECK_IMPL_H
#define ROLE_CHECK_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "role/report.h"
#include "role/rights.h"

/* For each that is connected to, the answers included. */
#define CHECK_MS ((uint64_t)10 * 1000)

struct files;

struct check {
	const struct conf *conf;
	const struct files *files;   /* read as imapbell reads them */
	const struct rights *rights; /* which this process has by now */
	bool is_store_made;          /* its folder, by the start */
	struct report *report;
	struct loop *loop;
	struct resolver *resolver;
	int64_t now_ms; /* since 1970 */
};

/* check_server adds the facts of each IMAP server: does it answer, what does it
 * list before login, how will it be watched. */
void check_server(struct check *k);

/* check_push adds those of the push side: credential, APNs, store, key. */
void check_push(struct check *k);

/* check_dates judges a certificate by its time, and whether it |is_odd|: one
 * that ends within two weeks should have been renewed. */
enum report_verdict check_dates(const struct check *k, int64_t not_before_ms,
                                int64_t not_after_ms, bool is_odd);

#endif
