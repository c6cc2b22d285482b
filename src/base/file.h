/* SPDX-License-Identifier: ISC */
/* file - small files that the operator names: certificates and keys. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * file_read appends the whole file |path| to |out| up to its ceiling.
 * Results: 0; ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO, ERR_LIMIT with a sentence
 * naming the file in |detail|; |out| then holds what it held before.
 */
int file_read(const char *path, struct buf *out, struct err_detail *detail)
	__attribute__((warn_unused_result));

/*
 * file_read_head reads the first |max| bytes of the file |path|, or what there
 * is, to |out|, whose memory the caller chose (and wipes, also on failure).
 * Results: 0, |*len_r| bytes were read; ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO
 * with a sentence naming the file in |detail|.
 */
int file_read_head(const char *path, void *out, size_t max, size_t *len_r,
                   struct err_detail *detail)
	__attribute__((warn_unused_result));

/* file_mode is what stat(2) says of |path|. Results: 0; ERR_NOT_FOUND,
 * ERR_PERMISSION, ERR_IO with a sentence naming the file in |detail|. */
int file_mode(const char *path, uint32_t *mode_r, struct err_detail *detail)
	__attribute__((warn_unused_result));

#endif
