/* SPDX-License-Identifier: ISC */
/* target - the backend that the configuration names, ready to be dialled. */
#ifndef ROLE_TARGET_H
#define ROLE_TARGET_H

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "net/dial.h"

struct target {
	struct dial_target
		dial; /* its strings and context live in here or |c| */
	struct str host;
};

/*
 * target_load reads backend.* of |c|, which must outlive |t_r|. Results: 0,
 * ended by target_done; ERR_INVALID with a sentence that names the key and the
 * file.
 */
int target_load(const struct conf *c, struct target *t_r,
                struct err_detail *detail) __attribute__((warn_unused_result));
void target_done(struct target *t);

#endif
