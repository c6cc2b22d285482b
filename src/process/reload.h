/* SPDX-License-Identifier: ISC */
/*
 * reload - SIGHUP: the configuration and its files are read again and looked
 * at, by who was started, and taken over by each process, which is told. If
 * anything is wrong nothing changes.
 */
#ifndef PROCESS_RELOAD_H
#define PROCESS_RELOAD_H

#include <stdbool.h>

#include "base/files.h"
#include "conf/conf.h"
#include "process/message.h"

/* What a process takes over. */
struct reload {
	struct conf_strings changes; /* KEY=VALUE */
	struct files files;          /* as they are now */
};

/*
 * reload_read reads again what |running| was loaded from, and what clients are
 * shown. What changes, what takes a restart and what is wrong is logged.
 * Results: 0, |r_r| is ended by reload_done; ERR_*: nothing is to change.
 */
int reload_read(const struct conf *running, struct reload *r_r)
	__attribute__((warn_unused_result));

/* reload_tell says to a process what it takes over: |changes| and |f|, then
 * RELOAD. */
typedef void reload_say_fn(void *arg, const struct message *m);
void reload_tell(const struct conf_strings *changes, const struct files *f,
                 reload_say_fn *say, void *arg);

/* reload_hear takes what was told. Returns false if |m| is nothing of it. */
bool reload_hear(struct reload *r, const struct message *m);

/* reload_apply changes |c|, and the log with it. */
void reload_apply(const struct reload *r, struct conf *c);

/* reload_done frees, and wipes the files; another may begin. */
void reload_done(struct reload *r);

#endif
