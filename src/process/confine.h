/* SPDX-License-Identifier: ISC */
/* confine - the sandbox that the configuration wants for a process. */
#ifndef PROCESS_CONFINE_H
#define PROCESS_CONFINE_H

#include "conf/conf.h"
#include "process/sandbox.h"

/*
 * confine has this process enter the sandbox of |role|, with the files that |c|
 * names for it, unless process.sandbox is off. What is not to be had is logged.
 * To be called before any thread is begun, and after limits_fit.
 */
void confine(const struct conf *c, enum sandbox_role role);

/* confine_is_on: processes are confined. */
bool confine_is_on(const struct conf *c);

#endif
