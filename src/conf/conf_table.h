/* SPDX-License-Identifier: ISC */
/* conf_table - one row per configuration key. */
#ifndef CONF_CONF_TABLE_H
#define CONF_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum conf_type {
	CONF_STRING,  /* char * */
	CONF_CHOICE,  /* char *, one of |choices|' words */
	CONF_NUMBER,  /* unsigned, |min| to |max| */
	CONF_BOOL,    /* bool */
	CONF_STRINGS, /* struct conf_strings */
	CONF_LISTEN   /* struct conf_strings; list of strings or { url } */
};

struct conf_key {
	const char *path;
	enum conf_type type;
	size_t offset; /* in struct conf */
	unsigned min;
	unsigned max;
	/* The default as an operator would write it; NULL: not set. For
	 * CONF_CHOICE |choices| are words with single spaces between. */
	const char *fallback;
	const char *choices;
};

extern const struct conf_key conf_keys[];
extern const size_t conf_key_count;

/* conf_key_find returns the row of |path|, or NULL. */
const struct conf_key *conf_key_find(struct str path);

/* conf_key_is_group tells whether some key lies below |path|. */
bool conf_key_is_group(struct str path);

#endif
