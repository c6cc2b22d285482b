/* SPDX-License-Identifier: ISC */
/*
 * files - the contents of files by their path, for a process that may not read
 * them itself, or not any more. What is not among them is read from the disk.
 * The contents may be keys: they are wiped when it ends.
 */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* What an operator names is a certificate, a key, a bundle of trust anchors. */
#define FILES_MAX ((size_t)1 << 20)

struct files_entry {
	struct str path;
	struct buf text;
	uint32_t mode; /* as of stat(2) */
};

struct files {
	struct files_entry *list;
	size_t count;
};

/* files_put adds the file |path| with the content |text|, both copied, in place
 * of an earlier one. Results: 0; ERR_LIMIT, it is too long. */
int files_put(struct files *f, struct str path, uint32_t mode, struct str text)
	__attribute__((warn_unused_result));

/* files_keep adds the file |path| as it is on the disk. One that cannot be
 * read, or is no file, is not added: whoever needs it will say so. NULL is
 * none. */
void files_keep(struct files *f, const char *path);

/* files_done wipes and frees all of it. */
void files_done(struct files *f);

/*
 * Those below look at |f| first, then at the disk; |f| may be NULL. Results and
 * sentences are those of file_read and file_read_head; files_mode: 0;
 * ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO with a sentence.
 */
int files_read(const struct files *f, const char *path, struct buf *out,
               struct err_detail *detail) __attribute__((warn_unused_result));
int files_read_head(const struct files *f, const char *path, void *out,
                    size_t max, size_t *len_r, struct err_detail *detail)
	__attribute__((warn_unused_result));
int files_mode(const struct files *f, const char *path, uint32_t *mode_r,
               struct err_detail *detail) __attribute__((warn_unused_result));

/* files_is_exposed: every user of the machine may read |path|. */
bool files_is_exposed(const struct files *f, const char *path);

#endif
