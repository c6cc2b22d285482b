/* SPDX-License-Identifier: ISC */
/* command - the words that may stand on the command line instead of a run. */
#ifndef CONF_COMMAND_H
#define CONF_COMMAND_H

#include <stddef.h>

#include "base/str.h"
#include "conf/conf.h"

struct command_row {
	const char *name;
	enum conf_action action;
	const char *help; /* NULL: not built yet, refused by name */
};

extern const struct command_row command_rows[];
extern const size_t command_row_count;

/* command_find returns the row called |name|, or NULL. */
const struct command_row *command_find(struct str name);

#endif
