/* SPDX-License-Identifier: ISC */
/* command - one row per command; --help is printed from it. */
#include "conf/command.h"

/* clang-format off */
const struct command_row command_rows[] = {
	{ "check", CONF_CHECK,
	  "connect to the server and to APNs, look at certificates, store and "
	  "key, and print one line per fact" },
	{ "status", CONF_RUN, NULL },
	{ "devices", CONF_RUN, NULL },
	{ "watches", CONF_RUN, NULL },
	{ "sessions", CONF_RUN, NULL },
	{ "explain", CONF_RUN, NULL },
	{ "push", CONF_RUN, NULL },
	{ "forget", CONF_RUN, NULL },
	{ "import", CONF_RUN, NULL },
	{ "trace", CONF_RUN, NULL },
	{ "debug", CONF_RUN, NULL },
	{ "kick", CONF_RUN, NULL },
	{ "reload", CONF_RUN, NULL },
	{ "drain", CONF_RUN, NULL },
};
/* clang-format on */

const size_t command_row_count = sizeof(command_rows) / sizeof(command_rows[0]);

const struct command_row *command_find(struct str name)
{
	for (size_t i = 0; i < command_row_count; i++)
		if (str_eq(name, str_of(command_rows[i].name)))
			return &command_rows[i];
	return NULL;
}
