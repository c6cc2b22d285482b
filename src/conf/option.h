/* SPDX-License-Identifier: ISC */
/* option - the command line's options, most of them names of keys. */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include <stddef.h>

struct option_row {
	const char *name;     /* long form, without dashes */
	char letter;          /* 0: none */
	const char *argument; /* its name in the help; NULL: takes none */
	const char *key;      /* the key it sets; NULL: handled by name */
	const char *help;
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;

#endif
