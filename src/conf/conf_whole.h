/* SPDX-License-Identifier: ISC */
/* conf_whole - what needs more than one key to judge. */
#ifndef CONF_CONF_WHOLE_H
#define CONF_CONF_WHOLE_H

#include "base/err.h"
#include "conf/conf.h"

/* conf_whole_check looks whether the keys of |c|, each right by itself, go
 * together. Results: 0; ERR_INVALID with a sentence that names key and place.
 */
int conf_whole_check(const struct conf *c, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
