/* SPDX-License-Identifier: ISC */
/* sandbox_impl - the two walls of sandbox.c. */
#ifndef PROCESS_SANDBOX_IMPL_H
#define PROCESS_SANDBOX_IMPL_H

#include "process/sandbox.h"

/* sandbox_files leaves this thread the files of |role| and |paths|. Results: 0;
 * ERR_UNAVAILABLE with the reason. */
int sandbox_files(enum sandbox_role role, const struct sandbox_paths *paths,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));

/* sandbox_calls leaves this thread the system calls of |role|. Results: 0;
 * ERR_UNAVAILABLE with the reason. */
int sandbox_calls(enum sandbox_role role, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
