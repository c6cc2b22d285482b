/* SPDX-License-Identifier: ISC */
/* conf_table - one row per configuration key. */
#ifndef CONF_CONF_TABLE_H
#define CONF_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "conf/conf_check.h"

enum conf_type {
	CONF_STRING,  /* char * */
	CONF_CHOICE,  /* char *, one of |choices|' words */
	CONF_NUMBER,  /* unsigned, |min| to |max| */
	CONF_BOOL,    /* bool */
	CONF_STRINGS, /* struct conf_strings */
	CONF_GROUPS   /* { T *list; size_t count; }, as |group| describes T */
};

struct conf_group;

struct conf_key {
	const char *path;
	size_t offset; /* in struct conf, or in the entry of a list */
	/* The default as an operator would write it; NULL: not set. For
	 * CONF_CHOICE |choices| are words with single spaces between. */
	const char *fallback;
	const char *choices;
	/* Judges a string, or each of CONF_STRINGS; NULL: any will do. */
	conf_check_fn *check;
	const struct conf_group *group;
	enum conf_type type;
	unsigned min;
	unsigned max;
	bool required; /* a string that each entry of a list must have */
	bool is_live;  /* a reload changes it; else it takes a restart */
};

/* What an entry of CONF_GROUPS is made of. */
struct conf_group {
	const struct conf_key *members;
	size_t count;
	size_t size; /* of the struct of an entry */
	/* Judges an entry whose members are right by themselves, or NULL. */
	conf_check_entry_fn *check;
	bool is_bare;   /* a string alone is the first member */
	bool is_unique; /* no two have the same first member, in any case */
};

extern const struct conf_key conf_keys[];
extern const size_t conf_key_count;

/* conf_key_find returns the row of |path|, or NULL. */
const struct conf_key *conf_key_find(struct str path);

/* conf_key_is_group tells whether some key lies below |path|. */
bool conf_key_is_group(struct str path);

#endif
