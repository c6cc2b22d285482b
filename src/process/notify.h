/* SPDX-License-Identifier: ISC */
/*
 * notify - tells the service manager how it goes, as sd_notify(3) describes.
 * Without one that asks, nothing happens.
 */
#ifndef PROCESS_NOTIFY_H
#define PROCESS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
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

/* notify_status: |text|, one line, is how it is. */
void notify_status(const char *text);

/* watchdog_ms is how long the manager waits for a sign of life of this process;
 * 0: it does not. */
uint64_t watchdog_ms(void);

/* watchdog_new tells the manager that this loop turns, as often as it wants to
 * hear, while watchdog_hold does not say otherwise; NULL: it does not. Freed by
 * watchdog_free. */
struct watchdog;
struct watchdog *watchdog_new(struct loop *loop);
void watchdog_hold(struct watchdog *w, bool holds);
void watchdog_free(struct watchdog **w);

#endif
