/* SPDX-License-Identifier: ISC */
/*
 * secret - a password or key in memory of its own: kept out of core dumps
 * and out of children (a fork sees an empty one), wiped when freed, and with
 * no way to print it. All from one thread: short ones share pages.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct files;
struct secret;

/*
 * secret_new copies |bytes| (any octets, at most 64 KiB) into a new secret
 * that the caller frees with secret_free. The source stays the caller's to
 * wipe. Returns NULL when it is too long.
 */
struct secret *secret_new(struct str bytes);

/* secret_copy returns a second secret with the same bytes; NULL for NULL. */
struct secret *secret_copy(const struct secret *s);

/* secret_free wipes and frees; accepts NULL inside and clears the pointer. */
void secret_free(struct secret **s);

/* secret_str is the content, borrowed: to be used at once, never copied into
 * anything that is not wiped, never formatted. */
struct str secret_str(const struct secret *s);

/* secret_eq compares in a time that does not depend on the content. */
bool secret_eq(const struct secret *a, const struct secret *b);

/*
 * secret_read_line reads the first line of the file |path|, as files_read_head
 * finds it, without its line end. Results: 0; ERR_NOT_FOUND, ERR_PERMISSION,
 * ERR_IO, ERR_LIMIT with a sentence naming the file in |detail|.
 */
int secret_read_line(const struct files *f, const char *path,
                     struct secret **secret_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
