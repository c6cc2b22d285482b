/* SPDX-License-Identifier: ISC */
/* forked_status - see forked.h. It reads the counters of all, holds no
 * secret, opens nothing and dials nobody. */
#include "base/err.h"
#include "process/confine.h"
#include "process/forked.h"
#include "process/orders.h"
#include "process/sandbox.h"

/* The log's options are all that a reload changes here. */
static const struct orders_kind kind = { .who = "the status process" };

int forked_status(const struct forked_start *start, struct status_role *r,
                  struct err_detail *detail)
{
	struct orders orders;
	int rc = rights_drop(start->rights, detail);

	if (rc != ERR_OK)
		return rc;
	sandbox_close_others(start->fd, r->fds, r->fd_count);
	confine(start->conf, SANDBOX_STATUS);
	orders_init(&orders, start, -1, &kind, NULL);
	/* Main, push, status, and the workers. */
	status_role_serve(r, orders.loop, 3 + start->conf->process_workers);
	rc = orders_obey(&orders, detail);
	status_role_done(r);
	orders_done(&orders);
	return rc;
}
