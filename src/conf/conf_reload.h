/* SPDX-License-Identifier: ISC */
/*
 * conf_reload - what has become of the configuration since it was loaded, and
 * what of it a running program takes over.
 */
#ifndef CONF_CONF_RELOAD_H
#define CONF_CONF_RELOAD_H

#include "base/err.h"
#include "conf/conf.h"

struct conf_reload {
	/* What is to be: as it is written now, but for keys that take a
	 * restart, which are as they run. */
	struct conf conf;
	struct conf_strings changes; /* KEY=VALUE, for conf_set_pair */
	struct conf_strings restart; /* keys that changed and take one */
};

/*
 * conf_reload loads again what |running| was loaded from, and compares.
 * Results: as conf_load, with a sentence; nothing is in |r_r| then. It is ended
 * by conf_reload_done.
 */
int conf_reload(const struct conf *running, char **environ,
                struct conf_reload *r_r, struct err_detail *detail)
	__attribute__((warn_unused_result));
void conf_reload_done(struct conf_reload *r);

#endif
