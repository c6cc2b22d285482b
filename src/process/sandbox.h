/* SPDX-License-Identifier: ISC */
/*
 * sandbox - what a process may not do any more, whoever steers it. Files are
 * the matter of Landlock, since all processes run as one user and permissions
 * do not tell them apart; everything else is the matter of seccomp. Where one
 * of the two is missing the other still holds.
 */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum sandbox_role {
	SANDBOX_WORKER, /* faces clients: reads a few files, writes none */
	SANDBOX_NAMES,  /* looks names up, and is led by /etc */
	SANDBOX_PUSH,   /* holds the keys, writes the database */
	SANDBOX_SINGLE, /* is all of these: its files are not kept apart */
	SANDBOX_STATUS, /* faces strangers: accepts them, opens nothing */
};

/* Files and folders, with all below them, besides those that every process of
 * the role needs. Those that do not exist are left out. Borrowed. */
struct sandbox_paths {
	const char *const *read;
	size_t read_count;
	const char *const *write; /* and read; they may be made later, then the
	                             folder that is there is what counts */
	size_t write_count;
};

/*
 * sandbox_enter takes from this process what |role| does not need, for good and
 * for its children: other files than |paths|, other system calls. To be called
 * after rights_drop, before any thread is begun, with the listeners bound.
 * |paths| may be NULL for SANDBOX_SINGLE.
 * Results: 0; ERR_UNAVAILABLE, a part is missing on this machine or in this
 * build, as |detail| says, and the others hold; ERR_INVALID, threads run, and
 * nothing was done.
 */
int sandbox_enter(enum sandbox_role role, const struct sandbox_paths *paths,
                  struct err_detail *detail)
	__attribute__((warn_unused_result));

/* sandbox_is_possible: not so in a build with sanitizers, which need more than
 * any role. */
bool sandbox_is_possible(void);

/* sandbox_close_others closes all descriptors but the three standard ones, |fd|
 * and those of |keep|; the log goes on. */
void sandbox_close_others(int fd, const int *keep, size_t count);

#endif
