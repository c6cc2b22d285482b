/* SPDX-License-Identifier: ISC */
/* conf_text - a value as it is written after -o. */
#ifndef CONF_CONF_TEXT_H
#define CONF_CONF_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf_table.h"

/*
 * conf_text appends the value of |key| in |base| to |out|, so that
 * conf_value_set_text makes the same value of it; two values have the same text
 * if and only if they are the same. Results: 0; ERR_LIMIT.
 */
int conf_text(const void *base, const struct conf_key *key, struct buf *out)
	__attribute__((warn_unused_result));

#endif
