/* SPDX-License-Identifier: ISC */
/*
 * rights - started as root, a process becomes somebody else before it hears a
 * stranger; whoever started it, it can never become more.
 */
#ifndef ROLE_RIGHTS_H
#define ROLE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "conf/conf.h"

struct rights {
	bool is_change; /* to the user and the groups below */
	const char *name;
	uid_t user;
	gid_t group;
	gid_t *groups; /* all of them, on the heap */
	size_t count;
};

/*
 * rights_find looks up process.user and process.group of |c|, which outlives
 * |r_r|, before anything is opened: a started process may ask nobody. What is
 * set in vain or in danger is logged. Results: 0; ERR_INVALID with a sentence
 * that names the key and a way out.
 */
int rights_find(const struct conf *c, struct rights *r_r,
                struct err_detail *detail) __attribute__((warn_unused_result));
void rights_done(struct rights *r);

/* rights_make_state makes the state directory, if only that one is missing, and
 * gives it to the user of |r|; to be called as who was started. The store says
 * so if it cannot be used. */
void rights_make_state(const struct conf *c, const struct rights *r);

/* rights_would_make_store says, for who only looks, whether the folder of the
 * database is a state directory that the start makes. To be called as who was
 * started; leaves nothing. */
bool rights_would_make_store(const struct conf *c);

/* rights_check_state: what was there before may be somebody else's. To be
 * called as the user of |r|. Results: 0; ERR_PERMISSION with a sentence that
 * says how to change that; rights_say_foreign logs it. */
int rights_check_state(const struct conf *c, const struct rights *r,
                       struct err_detail *detail)
	__attribute__((warn_unused_result));
void rights_say_foreign(const struct conf *c, const struct rights *r);

/*
 * rights_drop takes for good from this process: root, if it is, and with it
 * capabilities; new privileges by programs that have some; a core; being looked
 * into by others of its user. To be called before any thread is begun. Results:
 * 0; ERR_PERMISSION with a sentence, and the process must end.
 */
int rights_drop(const struct rights *r, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
