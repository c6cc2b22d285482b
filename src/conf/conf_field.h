/* SPDX-License-Identifier: ISC */
/* conf_field - where a value lies in a struct conf, or in an entry of one of
 * its lists. For rooms of conf. */
#ifndef CONF_CONF_FIELD_H
#define CONF_CONF_FIELD_H

#include <stddef.h>
#include <string.h>

#include "conf/conf_table.h"

/* Every list of groups, whatever its entries are: the fields differ only in
 * the type that |items| points to. */
struct conf_items {
	char *items;
	size_t count;
};

/* conf_field is the field of |key| in |base|. */
static inline void *conf_field(void *base, const struct conf_key *key)
{
	return (char *)base + key->offset;
}

static inline const void *conf_field_of(const void *base,
                                        const struct conf_key *key)
{
	return (const char *)base + key->offset;
}

/* conf_items_of is a list of groups. */
static inline struct conf_items conf_items_of(const void *base,
                                              const struct conf_key *key)
{
	struct conf_items i;

	memcpy(&i, conf_field_of(base, key), sizeof(i));
	return i;
}

/* conf_item is the |n|-th of |items|. */
static inline void *conf_item(const struct conf_items *items,
                              const struct conf_group *group, size_t n)
{
	return items->items + n * group->size;
}

#endif
