/* SPDX-License-Identifier: ISC */
/* help - the text of --help, from the tables of options and commands. */
#ifndef CONF_HELP_H
#define CONF_HELP_H

#include <stdio.h>

/* help_print writes it to |out|, at most 80 columns wide. */
void help_print(FILE *out);

#endif
