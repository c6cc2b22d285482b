/* SPDX-License-Identifier: ISC */
/*
 * conf_value - one value into one field of |base|, which is a struct conf or an
 * entry of one of its lists. Knows the types, not the files.
 */
#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

#include <libconfig.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf_table.h"

/* Where a value stands, for the sentence of a refusal. */
struct conf_place {
	const char *name; /* a file, or what the sentence begins with */
	bool has_lines;   /* |name| is a file */
	char entry[64];   /* ": routes, entry 2", or empty */
};

/*
 * conf_value_set sets |key| from |s|. Results: 0; ERR_INVALID with a sentence
 * in |detail|, the old value stays.
 */
int conf_value_set(void *base, const struct conf_key *key,
                   const config_setting_t *s, const struct conf_place *place,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_value_set_text is conf_set_text without the memory of who set it. */
int conf_value_set_text(void *base, const struct conf_key *key,
                        const char *text, const char *where,
                        struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_value_add appends the entry |text| to a list whose entries may be bare.
 * Results: 0; ERR_INVALID, and the list has an entry that is not to be used. */
int conf_value_add(void *base, const struct conf_key *key, const char *text,
                   const char *where, struct err_detail *detail)
	__attribute__((warn_unused_result));

/* conf_value_defaults gives each of |keys| its default. */
void conf_value_defaults(void *base, const struct conf_key *keys, size_t count);

/* conf_value_clear frees the value of |key|. */
void conf_value_clear(void *base, const struct conf_key *key);

/* conf_place_text writes "FILE:LINE" of |s|, or just the name, and which entry
 * it is in, to the |size| bytes at |text|. */
void conf_place_text(const struct conf_place *place, const config_setting_t *s,
                     char *text, size_t size);

#endif
