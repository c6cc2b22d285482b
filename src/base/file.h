/* SPDX-License-Identifier: ISC */
/* file - small files that the operator names: certificates and keys. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * file_read appends the whole file |path| to |out| up to its ceiling.
 * Results: 0; ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO, ERR_LIMIT with a sentence
 * naming the file in |detail|.
 */
int file_read(const char *path, struct buf *out, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
