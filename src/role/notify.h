/* SPDX-License-Identifier: ISC */
/*
 * notify - tells the service manager how it goes, as sd_notify(3) describes.
 * Without one that asks, nothing happens.
 */
#ifndef ROLE_NOTIFY_H
#define ROLE_NOTIFY_H

#include <sys/types.h>

#include "net/loop.h"

/* notify_ready: it serves, also again after a reload. |status| is one line. */
void notify_ready(const char *status);

/* notify_reloading: until notify_ready. */
void notify_reloading(void);

/* notify_stopping: no client is accepted any more. */
void notify_stopping(void);

/* notify_main: from now on |pid| is the one to signal and to hear. */
void notify_main(pid_t pid);

/* watchdog_new tells the manager that this loop turns, as often as it wants to
 * hear; NULL: it does not. Freed by watchdog_free. */
struct watchdog;
struct watchdog *watchdog_new(struct loop *loop);
void watchdog_free(struct watchdog **w);

#endif
