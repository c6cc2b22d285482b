/* SPDX-License-Identifier: ISC */
/* codec - base64 (RFC 4648 section 4) and hexadecimal. */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

/* codec_base64 appends the padded base64 of |in|. Results: 0; ERR_LIMIT. */
int codec_base64(struct str in, struct buf *out)
	__attribute__((warn_unused_result));

/*
 * codec_unbase64 appends what |in| encodes. Strict: no white space, padding
 * required, unused bits zero. Results: 0; ERR_PARSE; ERR_LIMIT. |out| is
 * unchanged on failure.
 */
int codec_unbase64(struct str in, struct buf *out)
	__attribute__((warn_unused_result));

/* codec_hex appends lower-case hexadecimal. Results: 0; ERR_LIMIT. */
int codec_hex(struct str in, struct buf *out)
	__attribute__((warn_unused_result));

/* codec_is_hex: every byte a hex digit of either case, and at least one. */
bool codec_is_hex(struct str in);

#endif
